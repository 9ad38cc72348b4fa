//! Where and with what was measured.

use std::fs;
use std::process::Command;

use utempter_tests::place;

use crate::text::table;

/// Two columns: what, and which.
pub fn described() -> String {
    let field = |file: &str, name: &str| -> String {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_start_matches([' ', '\t', ':', '=']).trim_matches('"').to_owned()
    };
    let model = [("/proc/cpuinfo", "model name"), ("/proc/cpuinfo", "CPU part")]
        .map(|(file, name)| field(file, name))
        .into_iter()
        .find(|model| !model.is_empty());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let kib: u64 = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let rows = [
        ("processor", format!("{processors} × {}", model.unwrap_or_else(|| "unknown".into()))),
        ("memory", format!("{} MiB", kib / 1024)),
        ("kernel", said("uname", &["-srm"])),
        ("system", field("/etc/os-release", "PRETTY_NAME")),
        ("C library measured", format!("libutempter0 {}", version("libutempter0"))),
        ("glibc", version("libc6")),
        ("last", first(said("last", &["--version"]))),
        ("compiler", said("rustc", &["--version"])),
        ("this project", commit()),
    ];
    table(["", ""], rows.map(|(what, which)| [what.to_owned(), which]))
}

fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| format!("{program}: not here"))
}

fn version(package: &str) -> String {
    said("dpkg-query", &["-W", "-f", "${Version}\n", package])
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn commit() -> String {
    let root = place::repository();
    let at = root.to_string_lossy();
    format!(
        "{}, {}",
        env!("CARGO_PKG_VERSION"),
        said("git", &["-C", &at, "rev-parse", "--short", "HEAD"])
    )
}

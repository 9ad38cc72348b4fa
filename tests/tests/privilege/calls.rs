//! The helper's system calls, by strace(1) as root: it keeps the setgid bit then.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use utempter_tests::world::ALICE;
use utempter_tests::{Case, Side, World, bounded, place};

use crate::attempt::{Attempt, Result};

/// Where strace writes.
const LOG: &str = "/run/strace";

/// A call with its arguments and result, and the effective gid it was made with.
#[derive(Debug)]
pub struct Call {
    pub text: String,
    pub gid: u32,
}

impl Call {
    fn name(&self) -> &str {
        self.text.split('(').next().unwrap_or_default()
    }

    /// Whether it looks a name up: by files, by modules, by a daemon.
    fn is_lookup(&self) -> bool {
        let places =
            ["/etc/nsswitch.conf", "/etc/passwd", "libnss", "nscd", "/run/systemd/userdb", "sss"];
        places.iter().any(|place| self.text.contains(place))
    }
}

/// Each helper that is installed: that of the first is the name that everybody knows.
fn helpers() -> Vec<PathBuf> {
    let helper = place::system_helper();
    let other = place::other_helper(&helper);
    std::iter::once(helper).chain(other).collect()
}

/// What the helper calls to do this for alice, on a pty of hers.
pub fn trace(helper: &Path, words: &[&str], environment: &[&str]) -> Result<Vec<Call>> {
    let attempt = Attempt::new()?;
    let strace = place::program("strace", "strace")?;
    let mut command = Command::new(strace);
    command.env_clear().args(["-u", ALICE.name, "-o", LOG, "-a", "0", "-s", "256"]);
    for entry in environment {
        command.args(["-E", entry]);
    }
    command.arg(helper).args(words);
    command.stdin(Stdio::from(attempt.master.as_fd().try_clone_to_owned()?));
    let output = bounded::run(&mut command, Duration::from_secs(15))?;
    if !output.text.is_empty() {
        return Err(format!("strace: {}", output.text).into());
    }
    let log = fs::read_to_string(LOG)?;
    fs::remove_file(LOG)?;
    let mut gid = fs::metadata(World::UTMP)?.gid();
    let mut calls = Vec::new();
    for line in log.lines().filter(|line| !line.starts_with("+++") && !line.starts_with("---")) {
        calls.push(Call { text: line.into(), gid });
        gid = effective(line)?.unwrap_or(gid);
    }
    Ok(calls)
}

/// The effective gid after a call, where it has changed.
fn effective(line: &str) -> Result<Option<u32>> {
    let name = line.split('(').next().unwrap_or_default();
    let changes = ["setgid", "setregid", "setresgid", "setfsgid", "setgroups", "capset"];
    if !changes.contains(&name) {
        return Ok(None);
    }
    let arguments = line.strip_prefix("setresgid(").and_then(|rest| rest.strip_suffix(") = 0"));
    let arguments: Vec<&str> =
        arguments.ok_or_else(|| format!("unexpected: {line}"))?.split(", ").collect();
    match arguments[..] {
        ["-1", gid, "-1"] => Ok(Some(gid.parse()?)),
        _ => Err(format!("more than the effective gid is changed: {line}").into()),
    }
}

/// The group is laid down before the first look at anything, taken back to open the two
/// files, and laid down again.
fn lookups() -> Result {
    helpers().iter().try_for_each(|helper| lookups_of(helper))
}

fn lookups_of(helper: &Path) -> Result {
    let calls = trace(helper, &["add", "host"], &["LOGNAME=bob"])?;
    let utmp = fs::metadata(World::UTMP)?.gid();
    if !calls.iter().any(|call| call.is_lookup() && call.text.contains("/etc/passwd")) {
        return Err("no lookup was seen: the test shows nothing".into());
    }
    if let Some(call) = calls.iter().find(|call| call.is_lookup() && call.gid != ALICE.gid) {
        return Err(format!("with gid {}: {}", call.gid, call.text).into());
    }
    // From its own first call on, this is all that it does with the group of the stores.
    let own = own_calls(&calls);
    let with_group: Vec<&str> =
        own.iter().filter(|call| call.gid == utmp).map(|call| call.name()).collect();
    let begin = with_group.iter().position(|name| *name == "setresgid").unwrap_or_default();
    let opening: Vec<&str> =
        with_group[begin + 1..].iter().copied().filter(|name| !name.contains("fstat")).collect();
    if opening != ["openat", "openat", "setresgid"] {
        return Err(format!("with the group it also calls {opening:?}").into());
    }
    let early = [
        "rt_sigaction",
        "rt_sigprocmask",
        "alarm",
        "setitimer",
        "prlimit64",
        "fcntl",
        "getuid",
        "geteuid",
        "getgid",
        "getegid",
    ];
    match with_group[..begin].iter().find(|name| !early.contains(name)) {
        Some(name) => Err(format!("before it lays the group down it calls {name}").into()),
        None => Ok(()),
    }
}

/// Behind the loader's and the C library's, and a helper's that has handed over.
fn own_calls(calls: &[Call]) -> &[Call] {
    let first = calls.iter().position(|call| call.text.starts_with("rt_sigaction(SIGHUP"));
    &calls[first.unwrap_or_default()..]
}

/// Everything in the environment that a C library or a loader might open.
fn named_files() -> Result {
    let names = [
        "GCONV_PATH",
        "GETCONF_DIR",
        "HOSTALIASES",
        "LD_AUDIT",
        "LD_DEBUG_OUTPUT",
        "LD_LIBRARY_PATH",
        "LD_ORIGIN_PATH",
        "LD_PRELOAD",
        "LD_PROFILE_OUTPUT",
        "LOCPATH",
        "MALLOC_TRACE",
        "NIS_PATH",
        "NLSPATH",
        "RESOLV_HOST_CONF",
        "TMPDIR",
        "TZ",
        "TZDIR",
        "NSS_WRAPPER_PASSWD",
        "HOME",
        "PATH",
    ];
    let entries: Vec<String> =
        names.iter().map(|name| format!("{name}=/tmp/home/trap/{name}")).collect();
    let mut entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    entries.extend(["UTEMPTER_DEBUG=1", "LANG=de_DE.UTF-8", "LC_ALL=de_DE.UTF-8", "LD_BIND_NOW=1"]);
    let words = [&["add", "host"][..], &["add", "\t"], &["del"]];
    for (helper, words) in helpers().iter().flat_map(|helper| words.map(|words| (helper, words))) {
        let calls = match words {
            // The reason on stderr, which is strace's too.
            ["add", "\t"] => trace(helper, words, &entries[..names.len()])?,
            _ => trace(helper, words, &entries)?,
        };
        let trap = calls.iter().skip(1).find(|call| call.text.contains("/tmp/home/trap"));
        if let Some(call) = trap {
            return Err(format!("{words:?}: {}", call.text).into());
        }
        if let Some(call) = calls.iter().find(|call| call.text.contains("\"/proc")) {
            return Err(format!("{words:?}: {}", call.text).into());
        }
    }
    Ok(())
}

/// How often the user database is asked.
fn opens_of_passwd(helper: &Path, environment: &[&str]) -> Result<usize> {
    let calls = trace(helper, &["add", "host"], environment)?;
    Ok(calls
        .iter()
        .filter(|call| call.text.starts_with("openat(AT_FDCWD, \"/etc/passwd\""))
        .count())
}

/// A C library puts the name that it looks for on its stack, and passes it to modules.
fn long_names() -> Result {
    let helper = helpers().pop().ok_or("no helper")?;
    let long = format!("LOGNAME={}", "a".repeat(100_000));
    for (entry, times) in [("LOGNAME=alice", 1), ("LOGNAME=bob", 2), ("X=", 1), (&long, 1)] {
        let seen = opens_of_passwd(&helper, &[entry])?;
        if seen != times {
            let entry = &entry[..entry.len().min(20)];
            return Err(format!("{entry}: {seen} lookups, not {times}").into());
        }
    }
    Ok(())
}

/// As the documentation quotes it.
const DOCUMENTED: &str = "a helper's system calls are those in the documentation";

/// The calls of one add, each as group and name, with what differs between C libraries in
/// one word.
fn summary(calls: &[Call]) -> Result<Vec<String>> {
    summary_of(own_calls(calls))
}

fn summary_of(calls: &[Call]) -> Result<Vec<String>> {
    let utmp = fs::metadata(World::UTMP)?.gid();
    let mut lines: Vec<String> = Vec::new();
    let (mut claims, mut looks_up) = (false, false);
    for call in calls {
        looks_up &= call.name() != "setresgid";
        let name = match call.name() {
            _ if looks_up => "(names)",
            "newfstatat" | "fstatat64" | "fstat64" => "fstat",
            other => other,
        };
        let line = format!("{} {name}", if call.gid == utmp { "utmp" } else { "caller" });
        let repeated = name == "(names)" || call.text.contains("sa_handler=SIG_DFL");
        if !(repeated && lines.last() == Some(&line)) {
            lines.push(line);
        }
        // The claim ends with the slave's node closed.
        claims |= call.text.contains("(AT_FDCWD, \"/dev/pts/");
        if claims && call.name() == "close" {
            (claims, looks_up) = (false, true);
        }
    }
    Ok(lines)
}

fn documented() -> Result {
    let helper = place::system_helper();
    match place::other_helper(&helper) {
        None => documented_in(1, summary(&traced(&helper)?)?),
        Some(other) => {
            documented_in(1, summary(&traced(&other)?)?)?;
            // All that it calls, from its very first instruction.
            let calls = traced(&helper)?;
            documented_in(3, summary_of(calls.get(1..).ok_or("no calls")?)?)
        }
    }
}

fn traced(helper: &Path) -> Result<Vec<Call>> {
    for store in [World::UTMP, World::WTMP] {
        fs::write(store, "")?;
    }
    trace(helper, &["add", "host"], &["LOGNAME=alice"])
}

/// Compared with the table that is this part of the text.
fn documented_in(part: usize, seen: Vec<String>) -> Result {
    // Taken in here: the source tree may be where a world has something else.
    let text = include_str!("../../../docs/helper-system-calls.md");
    let table = text.split("```").nth(part).ok_or("no table")?;
    let expected: Vec<String> = table
        .lines()
        .skip(2)
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let differs = seen.iter().zip(&expected).position(|(seen, expected)| seen != expected);
    match differs.unwrap_or(seen.len().min(expected.len())) {
        at if at < seen.len().max(expected.len()) => Err(format!(
            "call {at} is {:?}, and {:?} in docs/helper-system-calls.md:\n{}",
            seen.get(at),
            expected.get(at),
            seen.join("\n")
        )
        .into()),
        _ => Ok(()),
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::world("no name lookup with the group of the stores", Side::Ours, |_| lookups()),
        Case::world("no file that the environment names, nor /proc", Side::Ours, |_| named_files()),
        Case::world("a LOGNAME that can be no name is not looked up", Side::Ours, |_| long_names()),
        Case::world(DOCUMENTED, Side::Ours, |_| documented()),
    ]
}

//! `utempterctl history` beside util-linux's `last`, on one file, in turns.

use std::env;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use login_databases::{Entry, Kind, Layout, Time};

use crate::Failure;
use crate::samples::Samples;

/// Records of the file.
pub const RECORDS: usize = 1_000_000;
/// Rounds of `last`, which takes seconds, and of what takes less.
const ROUNDS: usize = 5;
const SHORT: usize = 20;

/// Whether `last` is util-linux's here.
pub fn has_last() -> bool {
    Command::new("last")
        .arg("--version")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux"))
}

/// Measures it.
///
/// # Errors
///
/// Where utempterctl was not built, or fails.
pub fn measure(samples: &mut Samples) -> Result<(), Failure> {
    let ctl = env::var_os("UTEMPTERCTL").map(PathBuf::from).filter(|file| file.exists());
    let ctl = ctl.ok_or("utempterctl is not built: it needs SQLite's headers (libsqlite3-dev)")?;
    let directory = tempfile::tempdir()?;
    let (path, small) = (directory.path().join("wtmp"), directory.path().join("small"));
    write(&path, RECORDS)?;
    write(&small, RECORDS / 100)?;
    let history = |words: &[&str], path: &Path| {
        let mut command = Command::new(&ctl);
        command.arg("history").args(words).arg("-f").arg(path);
        command
    };
    let ours = |words: &[&str], path: &Path| run(&mut history(words, path));

    for (size, path) in [(RECORDS / 100, &small), (RECORDS, &path)] {
        samples.put("history", size as u64, "ours", "memory", peak(&mut history(&[], path))?);
    }
    for _ in 0..SHORT {
        samples.put("history", 0, "ours", "first", ours(&["--limit", "20"], &path)?);
    }
    for _ in 0..ROUNDS {
        if has_last() {
            let theirs = run(Command::new("last").arg("-f").arg(&path))?;
            samples.put("history", 0, "last", "whole", theirs);
        }
        samples.put("history", 0, "ours", "whole", ours(&[], &path)?);
    }
    Ok(())
}

/// Microseconds to its end.
fn run(command: &mut Command) -> Result<f64, Failure> {
    let begin = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let took = begin.elapsed();
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    Ok(took.as_secs_f64() * 1e6)
}

/// The most memory that it has had, in KiB: its VmHWM, looked at whenever it has written
/// something. (wait4(2) would tell the most of all that its process has ever been.)
fn peak(command: &mut Command) -> Result<f64, Failure> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut output = child.stdout.take().ok_or("no output")?;
    let (mut most, mut room) = (0u32, vec![0; 16 * 1024]);
    while output.read(&mut room)? > 0 {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        most = kib.unwrap_or(0).max(most);
    }
    let status = child.wait()?;
    if !status.success() || most == 0 {
        return Err(format!("{command:?}: {status}, of {most} KiB").into());
    }
    Ok(f64::from(most))
}

/// Years of a machine with sixty terminals, four users and a reboot now and then.
fn write(path: &Path, records: usize) -> Result<(), Failure> {
    let layout = Layout::NATIVE;
    let mut file = BufWriter::new(File::create(path)?);
    let mut put = |entry: Entry, sec| -> std::io::Result<()> {
        let bytes = layout.encode(entry.with_time(Time { sec, usec: 0 }).record());
        file.write_all(&bytes[..layout.size()])
    };
    let mut state = 5u64;
    let mut below = |bound: u64| {
        // Knuth's linear congruential generator, MMIX.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut on = [0; 60];
    let mut now = 1_500_000_000;
    let boot =
        Entry::new(Kind::Boot).with_line("~").with_user("reboot").with_host("6.1.0-18-amd64");
    for n in 0..records {
        now += below(400) as i64;
        if n % 20_000 == 0 {
            on = [0; 60];
            put(boot, now)?;
            continue;
        }
        let pty = below(60) as usize;
        let line = format!("pts/{pty}");
        if on[pty] > 0 {
            let user = if pty % 2 == 0 { "" } else { "alice" };
            let logout = Entry::new(Kind::Dead).with_line(&line).with_user(user).with_pid(on[pty]);
            put(logout, now)?;
            on[pty] = 0;
        } else {
            on[pty] = 1000 + n as i32;
            let user = ["alice", "bob", "carol", "dave"][below(4) as usize];
            let host = format!("192.168.1.{}", below(250));
            let login = Entry::new(Kind::User).with_line(&line).with_user(user).with_host(host);
            put(login.with_pid(on[pty]), now)?;
        }
    }
    Ok(file.flush()?)
}

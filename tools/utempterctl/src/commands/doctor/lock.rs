//! Locks on the stores that stay, and who holds them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use login_databases::Source;
use login_records::store::{UTMP_PATH, WTMP_PATH};

use super::finding::{Finding, Level, shown};

/// What is gone after this was honest load.
const HONEST: Duration = Duration::from_millis(300);

pub fn check(findings: &mut Vec<Finding>) {
    let records = [UTMP_PATH, WTMP_PATH].map(PathBuf::from);
    for path in records.into_iter().chain(Source::Wtmpdb.paths()) {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let before = holders(metadata.ino());
        if before.is_empty() {
            continue;
        }
        sleep(HONEST);
        let after = holders(metadata.ino());
        for lock in before.iter().filter(|lock| after.contains(lock)) {
            findings.push(report(&path, lock));
        }
    }
}

fn report(path: &Path, lock: &Lock) -> Finding {
    let kind = if lock.write { "write" } else { "read" };
    let who = match lock.pid {
        Some(pid) => format!("process {pid} ({})", name(pid)),
        None => "a process that cannot be seen from here".into(),
    };
    let text = format!("{who} holds a {kind} lock on {}", shown(path));
    let is_wtmpdb = path.extension().is_some_and(|extension| extension == "db");
    let finding = Finding::new("lock", Level::Warning, text).cause(match lock.write {
        // SQLite's locks are such too.
        _ if is_wtmpdb => "wtmpdb takes no entry meanwhile: the broker keeps them, and tries again",
        true => "each terminal waits 2 s for it before it writes nevertheless",
        false => {
            "anybody may hold one for ever: the helper does without after 0.2 s, but programs \
             that write through the C library wait 10 s and lose their record"
        }
    });
    match lock.pid {
        Some(pid) => finding.remedy(format!("kill {pid}")),
        None => finding.remedy("as root: utempterctl doctor"),
    }
}

fn name(pid: i32) -> String {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    login_databases::printable(name.trim_ascii_end())
}

/// A lock on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lock {
    write: bool,
    pid: Option<i32>,
}

/// Who holds locks on the file of this inode, by /proc/locks.
fn holders(inode: u64) -> Vec<Lock> {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let mut found = Vec::new();
    for (write, pid) in locks.lines().filter_map(|line| parse(line, inode)) {
        // A lock of an open file description has no pid here.
        let pid = pid.or_else(|| by_descriptor(inode));
        found.push(Lock { write, pid });
    }
    found
}

/// `1: POSIX  ADVISORY  READ 4242 00:19:1234 0 EOF`: proc(5).
fn parse(line: &str, inode: u64) -> Option<(bool, Option<i32>)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, kind, _, mode, pid, file, ..] = words[..] else { return None };
    // flock(2) and leases keep no writer of records out; "->" is one that waits.
    if !matches!(kind, "POSIX" | "OFDLCK") || file.rsplit(':').next()?.parse() != Ok(inode) {
        return None;
    }
    Some((mode == "WRITE", pid.parse().ok().filter(|pid| *pid > 0)))
}

/// The process that has a lock on the file among its descriptors' (/proc/PID/fdinfo).
fn by_descriptor(inode: u64) -> Option<i32> {
    let own = std::process::id().to_string();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let pid = process.file_name();
        let Some(pid) = pid.to_str().filter(|pid| *pid != own) else { continue };
        let Ok(number) = pid.parse() else { continue };
        let descriptors = fs::read_dir(process.path().join("fdinfo"));
        for descriptor in descriptors.into_iter().flatten().flatten() {
            let text = fs::read_to_string(descriptor.path()).unwrap_or_default();
            let lock = |line: &str| {
                line.strip_prefix("lock:").and_then(|line| parse(line.trim(), inode)).is_some()
            };
            if text.lines().any(lock) {
                return Some(number);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc_locks() {
        let line = "1: POSIX  ADVISORY  READ 4242 00:19:1234 0 EOF";
        assert_eq!(parse(line, 1234), Some((false, Some(4242))));
        assert_eq!(parse(line, 4242), None);
        let line = "2: OFDLCK ADVISORY  WRITE -1 fe:01:77 0 EOF";
        assert_eq!(parse(line, 77), Some((true, None)));
        assert_eq!(parse("2: -> POSIX ADVISORY  WRITE 5 fe:01:77 0 EOF", 77), None);
        assert_eq!(parse("3: FLOCK  ADVISORY  WRITE 5 fe:01:77 0 EOF", 77), None);
        assert_eq!(parse("", 77), None);
    }
}

//! What this machine can say about a record: is the process there, is the terminal?

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use login_records::Time;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, SysconfVar, User, sysconf};

use crate::printable;

/// What has become of a record's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It is there.
    Here,
    /// It is not, or its number is another's by now.
    Gone,
    /// The record names none.
    Unnamed,
}

/// What has become of a record's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// The device is there, and the user's.
    Here,
    /// It is there, and somebody else's.
    Another,
    /// It is not there.
    Gone,
    /// The line is the name of no device: a display, say.
    Unnamed,
}

/// This machine, asked about records. It remembers the accounts that it has looked up.
#[derive(Debug)]
pub struct Machine {
    boot: i64,
    ticks: i64,
    uids: HashMap<Vec<u8>, Option<u32>>,
}

impl Default for Machine {
    fn default() -> Machine {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let boot = stat.lines().find_map(|line| line.strip_prefix("btime ")?.parse().ok());
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
        Machine { boot: boot.unwrap_or(0), ticks, uids: HashMap::new() }
    }
}

impl Machine {
    /// When it booted, in seconds since 1970; 0 if unknown.
    pub fn boot_time(&self) -> i64 {
        self.boot
    }

    /// The uid of an account; `None` if there is no such account.
    pub fn uid(&mut self, user: &[u8]) -> Option<u32> {
        if let Some(known) = self.uids.get(user) {
            return *known;
        }
        let name = std::str::from_utf8(user).ok();
        let found = name.and_then(|name| User::from_name(name).ok().flatten());
        let uid = found.map(|user| user.uid.as_raw());
        self.uids.insert(user.to_vec(), uid);
        uid
    }

    /// Whether the process of a record is there.
    ///
    /// One that began more than a minute after the record is another that has its number.
    /// (Less may be a clock that was set right.)
    pub fn process(&self, pid: i32, recorded: Time) -> Process {
        if pid <= 0 {
            return Process::Unnamed;
        }
        match kill(Pid::from_raw(pid), None) {
            Err(Errno::ESRCH) => Process::Gone,
            _ if self.began(pid).is_some_and(|began| began > recorded.sec.saturating_add(60)) => {
                Process::Gone
            }
            _ => Process::Here,
        }
    }

    /// When a process began, in seconds since 1970.
    fn began(&self, pid: i32) -> Option<i64> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat).into_owned();
        // The name, in parentheses, may hold anything; starttime is the 20th field behind it.
        let field = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?;
        Some(self.boot + field.parse::<i64>().ok()? / self.ticks)
    }

    /// Whether the terminal of a record is there.
    pub fn terminal(&mut self, line: &[u8], user: &[u8]) -> Terminal {
        let named = line.strip_prefix(b"pts/").or_else(|| line.strip_prefix(b"tty"));
        let plain = |byte: &u8| byte.is_ascii_alphanumeric();
        if !named.is_some_and(|rest| !rest.is_empty() && rest.iter().all(plain)) {
            return Terminal::Unnamed;
        }
        match fs::symlink_metadata(format!("/dev/{}", printable(line))) {
            Ok(node) if self.uid(user) == Some(node.uid()) => Terminal::Here,
            Ok(_) => Terminal::Another,
            Err(_) => Terminal::Gone,
        }
    }

    /// Whether a session without a logout may still be going on: the rule of `last`.
    ///
    /// Not one that began before this boot, nor an unknown account's. Where the kernel knows
    /// the login uid of the process, that is the account's; else the terminal is.
    pub(crate) fn is_on(&mut self, user: &[u8], line: &[u8], pid: i32, login: Time) -> bool {
        if login.sec < self.boot {
            return false;
        }
        let Some(uid) = self.uid(user) else {
            return false;
        };
        match login_uid(pid) {
            Some(login_uid) => login_uid == uid,
            None => self.terminal(line, user) == Terminal::Here,
        }
    }
}

/// The login uid of a process; `None` where it has none (`last` takes that for another's).
fn login_uid(pid: i32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok()?;
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_is_here_and_pids_are_not_trusted_for_ever() {
        let machine = Machine::default();
        let pid = std::process::id() as i32;
        assert_eq!(machine.process(pid, Time::now()), Process::Here);
        assert_eq!(machine.process(0, Time::now()), Process::Unnamed);
        assert_eq!(machine.process(i32::MAX, Time::now()), Process::Gone);
        let began = machine.began(pid).unwrap();
        assert!((began - Time::now().sec).abs() < 3600, "{began}");
        let long_ago = Time { sec: began - 100, usec: 0 };
        assert_eq!(machine.process(pid, long_ago), Process::Gone);
    }

    #[test]
    fn a_line_leads_nowhere_else_than_to_a_terminal() {
        let mut machine = Machine::default();
        for line in [&b":0"[..], b"../etc/passwd", b"pts/../null", b"null", b"", b"pts/", b"~"] {
            assert_eq!(machine.terminal(line, b"root"), Terminal::Unnamed);
        }
        assert_eq!(machine.terminal(b"pts/999999", b"root"), Terminal::Gone);
    }
}

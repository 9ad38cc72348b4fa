//! A terminal's pty, and the helper started on it without the library.

use std::error::Error;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, posix_openpt, ptsname_r, unlockpt};

use crate::place;
use crate::utmp::{Record, USER_PROCESS};

type Failure = Box<dyn Error + Send + Sync>;

/// An open pty.
pub struct Pty {
    master: PtyMaster,
    number: u32,
}

impl Pty {
    /// Opens the next one. It belongs to whoever calls.
    ///
    /// # Errors
    ///
    /// As posix_openpt(3).
    pub fn open() -> Result<Pty, Failure> {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
        unlockpt(&master)?;
        let name = ptsname_r(&master)?;
        let number = name.strip_prefix("/dev/pts/").ok_or("a pty of another kind")?.parse()?;
        Ok(Pty { master, number })
    }

    /// Its device, for root to give away.
    pub fn device(&self) -> String {
        format!("/dev/{}", self.line())
    }

    /// `ut_line`.
    pub fn line(&self) -> String {
        format!("pts/{}", self.number)
    }

    /// `ut_id`, for the first 10,000 ptys.
    pub fn id(&self) -> String {
        id(&self.line())
    }

    /// The record of alice's session with this process as its terminal.
    pub fn record(&self, ut_type: i16, host: &str) -> Record {
        let pid = std::process::id() as i32;
        let host = if ut_type == USER_PROCESS { host } else { "" };
        Record::new(ut_type, pid, &self.line(), &self.id(), "alice", host)
    }

    /// Another descriptor of the master.
    ///
    /// # Errors
    ///
    /// As dup(2).
    pub fn master(&self) -> Result<OwnedFd, Failure> {
        Ok(self.master.as_fd().try_clone_to_owned()?)
    }

    /// The helper on this pty, as programs start it that do not use the library.
    ///
    /// # Errors
    ///
    /// As dup(2).
    pub fn helper(&self, words: &[&str]) -> Result<Command, Failure> {
        self.wrapped(&[], words)
    }

    /// The same by way of another program, as prlimit(1).
    ///
    /// # Errors
    ///
    /// As dup(2).
    pub fn wrapped(&self, wrapper: &[&str], words: &[&str]) -> Result<Command, Failure> {
        let helper = place::system_helper();
        let mut command = match wrapper {
            [] => Command::new(helper),
            [program, rest @ ..] => {
                let mut command = Command::new(program);
                command.args(rest).arg(helper);
                command
            }
        };
        command.args(words).stdin(Stdio::from(self.master()?)).stdout(Stdio::from(self.master()?));
        Ok(command)
    }

    /// The master's number here.
    pub fn number_of_descriptor(&self) -> i32 {
        self.master.as_raw_fd()
    }
}

/// The last four bytes of a line's name.
pub fn id(line: &str) -> String {
    line[line.len().saturating_sub(4)..].to_owned()
}

/// How a helper ended, in a word: `0`, an errno's name, or the signal's.
pub fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "0".into(),
        // A shell's and the dynamic linker's word for what could not be started.
        (Some(code @ 126..), _) => format!("exit {code}"),
        (Some(code), _) => match nix::errno::Errno::from_raw(code) {
            // The C library's helper knows no other failure.
            nix::errno::Errno::EPERM => "exit 1".into(),
            nix::errno::Errno::UnknownErrno => format!("exit {code}"),
            errno => format!("{errno:?}"),
        },
        (None, Some(signal)) => nix::sys::signal::Signal::try_from(signal)
            .map_or_else(|_| format!("signal {signal}"), |signal| signal.to_string()),
        (None, None) => "?".into(),
    }
}

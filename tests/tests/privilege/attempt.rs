//! One start of the helper by a terminal of alice's, and what came of it.

use std::error::Error;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{posix_openpt, unlockpt};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, pipe};
use utempter_tests::place;
use utempter_tests::world::{ALICE, User};

use crate::sys;

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Done as the caller in the process that is to become the helper, just before exec.
type Step = Box<dyn FnMut() -> io::Result<()>>;

/// The C library waits up to 10 s for each lock, and gives up a store at a time.
const LIMIT: Duration = Duration::from_secs(25);

/// How the helper is to be started. To begin with: by alice, with a login's environment, as
/// `utempter add host`, with her pty's master as fd 0.
pub struct Attempt {
    pub helper: PathBuf,
    pub master: OwnedFd,
    pub argv: Vec<CString>,
    pub environment: Vec<CString>,
    /// Real and effective uid and gid of the caller.
    pub real: (u32, u32),
    pub effective: (u32, u32),
    steps: Vec<Step>,
}

pub fn c_string(bytes: impl AsRef<[u8]>) -> CString {
    CString::new(bytes.as_ref()).expect("a string without NUL")
}

/// A new pty of somebody's, its slave unlocked.
pub fn pty_of(user: User) -> Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = sys::as_user(user.uid, || posix_openpt(flags))?;
    unlockpt(&master)?;
    Ok(master.into())
}

impl Attempt {
    /// On a new pty of alice's.
    pub fn new() -> Result<Attempt> {
        Ok(Attempt::on(pty_of(ALICE)?))
    }

    /// On this one.
    pub fn on(master: OwnedFd) -> Attempt {
        let environment = [
            "HOME=/tmp/home",
            "LANG=C",
            "LOGNAME=alice",
            "PATH=/usr/bin:/bin",
            "SHELL=/bin/sh",
            "TERM=xterm",
            "USER=alice",
        ];
        let ids = (ALICE.uid, ALICE.gid);
        Attempt {
            helper: place::system_helper(),
            master,
            argv: ["utempter", "add", "host"].map(c_string).into(),
            environment: environment.map(c_string).into(),
            real: ids,
            effective: ids,
            steps: Vec::new(),
        }
    }

    /// `add` with this host.
    pub fn host(mut self, host: impl AsRef<[u8]>) -> Attempt {
        self.argv = vec![c_string("utempter"), c_string("add"), c_string(host)];
        self
    }

    /// These words, the program's name first.
    pub fn words<W: AsRef<[u8]>>(mut self, words: impl IntoIterator<Item = W>) -> Attempt {
        self.argv = words.into_iter().map(c_string).collect();
        self
    }

    /// One more entry of the environment, in front of a like one.
    pub fn env(mut self, entry: impl AsRef<[u8]>) -> Attempt {
        self.environment.insert(0, c_string(entry));
        self
    }

    /// Without the entry of this name.
    pub fn without(mut self, name: &str) -> Attempt {
        let head = format!("{name}=");
        self.environment.retain(|entry| !entry.to_bytes().starts_with(head.as_bytes()));
        self
    }

    /// Another caller.
    pub fn by(mut self, user: User) -> Attempt {
        self.real = (user.uid, user.gid);
        self.effective = self.real;
        self
    }

    /// Something to be done just before exec.
    pub fn step(mut self, step: impl FnMut() -> io::Result<()> + 'static) -> Attempt {
        self.steps.push(Box::new(step));
        self
    }

    /// Starts it.
    pub fn start(&mut self) -> Result<Running> {
        let (output, error) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let (report, told) = pipe()?;
        let terminal = match sys::fork()? {
            ForkResult::Parent { child } => child.as_raw(),
            ForkResult::Child => self.terminal(told, &output, &error),
        };
        drop(told);
        let mut running =
            Running { terminal, helper: 0, report: File::from(report), output, error };
        running.helper = running.told()?;
        Ok(running)
    }

    /// Starts it and waits for its end.
    pub fn run(&mut self) -> Result<Ended> {
        self.start()?.end()
    }

    /// The terminal's process: the caller, and the helper's parent.
    fn terminal(&mut self, told: OwnedFd, output: &File, error: &File) -> ! {
        let mut told = File::from(told);
        let _ = set_pdeathsig(Signal::SIGKILL);
        if sys::become_(self.real, self.effective).is_err() {
            sys::exit_now(125);
        }
        // What the change of ids has cleared, and exec would have set again.
        let _ = set_pdeathsig(Signal::SIGKILL);
        let _ = set_dumpable(true);
        let helper = match sys::fork() {
            Ok(ForkResult::Parent { child }) => child.as_raw(),
            Ok(ForkResult::Child) => self.exec(output, error),
            Err(_) => sys::exit_now(125),
        };
        if told.write_all(&helper.to_ne_bytes()).is_err() {
            sys::exit_now(125);
        }
        loop {
            match sys::wait(helper) {
                Ok(status) if libc::WIFSTOPPED(status) => {
                    let signal = libc::WSTOPSIG(status);
                    sys::trace_on(helper, if signal == libc::SIGTRAP { 0 } else { signal });
                }
                Ok(status) => {
                    let _ = told.write_all(&status.to_ne_bytes());
                    sys::exit_now(0);
                }
                Err(_) => sys::exit_now(125),
            }
        }
    }

    fn exec(&mut self, output: &File, error: &File) -> ! {
        let path = c_string(self.helper.as_os_str().as_bytes());
        let fds = [self.master.as_raw_fd(), output.as_raw_fd(), error.as_raw_fd()];
        let mut prepared = (0..).zip(fds).try_for_each(|(number, fd)| sys::dup2(fd, number));
        prepared = prepared.and_then(|()| sys::close_from(3, false));
        for step in &mut self.steps {
            prepared = prepared.and_then(|()| step());
        }
        let problem = match prepared {
            Ok(()) => sys::execve(&path, &self.argv, &self.environment),
            Err(problem) => problem,
        };
        // An open file of ours, whatever has become of fd 2.
        let _ = error.write_all_at(format!("not started: {problem}").as_bytes(), 0);
        sys::exit_now(126)
    }
}

/// A helper that has been started.
pub struct Running {
    /// The process that the record should name.
    pub terminal: i32,
    pub helper: i32,
    report: File,
    output: File,
    error: File,
}

impl Running {
    fn told(&mut self) -> Result<i32> {
        let begin = Instant::now();
        let left = LIMIT.saturating_sub(begin.elapsed());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.report.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, timeout)? == 0 {
            let _ = kill(sys::pid(self.helper), Signal::SIGKILL);
            return Err(format!("the helper had not ended after {LIMIT:?}").into());
        }
        let mut bytes = [0; 4];
        self.report.read_exact(&mut bytes)?;
        Ok(i32::from_ne_bytes(bytes))
    }

    /// Waits for its end.
    pub fn end(mut self) -> Result<Ended> {
        let status = self.told()?;
        sys::wait(self.terminal)?;
        let mut ended = Ended { terminal: self.terminal, status, output: vec![], error: vec![] };
        for (file, bytes) in
            [(&mut self.output, &mut ended.output), (&mut self.error, &mut ended.error)]
        {
            file.rewind()?;
            file.read_to_end(bytes)?;
        }
        Ok(ended)
    }
}

/// How it ended.
pub struct Ended {
    pub terminal: i32,
    /// As wait(2) gives it.
    pub status: i32,
    /// What it wrote to fd 1 and to fd 2.
    pub output: Vec<u8>,
    pub error: Vec<u8>,
}

impl Ended {
    pub fn is_exit(&self, status: i32) -> bool {
        libc::WIFEXITED(self.status) && libc::WEXITSTATUS(self.status) == status
    }

    pub fn is_killed(&self) -> bool {
        libc::WIFSIGNALED(self.status)
    }

    pub fn dumped_core(&self) -> bool {
        libc::WCOREDUMP(self.status)
    }

    pub fn words(&self) -> String {
        match self.status {
            status if libc::WIFEXITED(status) => format!("exit {}", libc::WEXITSTATUS(status)),
            status => format!("killed by signal {}", libc::WTERMSIG(status)),
        }
    }
}

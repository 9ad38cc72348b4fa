//! Recording logins and logouts, for programs that have the privilege themselves.
//!
//! Login servers are such. A terminal is not: it uses libutempter, whose helper has it.

use std::io;
use std::path::{Path, PathBuf};

use login_records::store::{Patience, RecordFile, UTMP_PATH, Utmp, WTMP_PATH, Wtmp};
use login_records::{Errno, Time};

use crate::entry::Entry;
use crate::kind::Kind;
use crate::{Utmpx, lastlog};

/// A login to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The terminal, with or without `/dev/`: `pts/3`, `/dev/tty1`.
    pub line: &'a str,
    /// Login name.
    pub user: &'a str,
    /// Remote host; empty if there is none.
    pub host: &'a str,
    /// The process of the session.
    pub pid: i32,
}

/// The three databases. One that does not exist is switched off, and is not made.
///
/// ```
/// use login_databases::{Databases, Login, Utmpx};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = |name: &str| directory.path().join(name);
/// # for name in ["utmp", "wtmp", "lastlog"] { std::fs::write(path(name), "")?; }
/// let databases = Databases { utmp: path("utmp"), wtmp: path("wtmp"), lastlog: path("lastlog") };
/// let pid = std::process::id() as i32;
/// databases.login(&Login { line: "/dev/pts/3", user: "alice", host: "here", pid })?;
/// databases.add_lastlog(1000, "pts/3", "here")?;
/// assert!(databases.logout("pts/3", pid)?);
/// assert!(!databases.logout("pts/3", pid)?, "it has ended already");
/// assert_eq!(std::fs::metadata(path("wtmp"))?.len() % 2, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Databases {
    /// Who is on.
    pub utmp: PathBuf,
    /// Who has been.
    pub wtmp: PathBuf,
    /// When each account last logged in.
    pub lastlog: PathBuf,
}

impl Default for Databases {
    /// This machine's.
    fn default() -> Databases {
        Databases { utmp: UTMP_PATH.into(), wtmp: WTMP_PATH.into(), lastlog: lastlog::PATH.into() }
    }
}

impl Databases {
    /// Records a login in utmp and wtmp. The record of the same line is replaced.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without the privilege, `InvalidInput` for a line that is empty or
    /// does not fit; others as write(2) gives them. wtmp is written even where utmp fails.
    pub fn login(&self, login: &Login<'_>) -> io::Result<()> {
        let line = login.line.strip_prefix("/dev/").unwrap_or(login.line);
        if line.is_empty() || line.len() > 32 || line.contains('\0') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no line of a terminal"));
        }
        let entry = Entry::new(Kind::User)
            .with_line(line)
            .with_user(login.user)
            .with_host(login.host)
            .with_pid(login.pid)
            .with_time(Time::now());
        let mut patience = Patience::default();
        let utmp = with_file(&self.utmp, |file| Utmp(file).put(entry.record(), &mut patience));
        let wtmp = with_file(&self.wtmp, |file| Wtmp(file).append(entry.record(), &mut patience));
        utmp.and(wtmp)
    }

    /// Records the logout of the session that this process has on the line, and says whether
    /// there was one. If not, nothing is written.
    ///
    /// # Errors
    ///
    /// As [`Databases::login`].
    pub fn logout(&self, line: &str, pid: i32) -> io::Result<bool> {
        let wanted = Entry::new(Kind::Dead).with_line(line).with_pid(pid);
        let ended = match Utmpx::open(&self.utmp) {
            Ok(mut utmp) => match utmp.logout(&wanted) {
                Ok(ended) => ended,
                Err(error) if error.raw_os_error() == Some(nix::libc::EINVAL) => return Ok(false),
                Err(error) => return Err(error),
            },
            // Without utmp nobody knows who is on: the word of the caller has to do.
            Err(error) if error.kind() == io::ErrorKind::NotFound => wanted.with_time(Time::now()),
            Err(error) => return Err(error),
        };
        self.append(&ended)?;
        Ok(true)
    }

    /// Appends a record to wtmp.
    ///
    /// # Errors
    ///
    /// As [`Databases::login`].
    pub fn append(&self, entry: &Entry) -> io::Result<()> {
        let mut patience = Patience::default();
        with_file(&self.wtmp, |file| Wtmp(file).append(entry.record(), &mut patience))
    }

    /// Notes an account's last login, now, in lastlog.
    ///
    /// # Errors
    ///
    /// As [`Databases::login`].
    pub fn add_lastlog(&self, uid: u32, line: &str, host: &str) -> io::Result<()> {
        lastlog::put(&self.lastlog, uid, Time::now(), line, host)
    }
}

/// Does something with a file, if it exists.
fn with_file(path: &Path, write: impl FnOnce(&RecordFile) -> Result<(), Errno>) -> io::Result<()> {
    match open(path)? {
        Some(file) => write(&file).map_err(os_error),
        None => Ok(()),
    }
}

pub(crate) fn open(path: &Path) -> io::Result<Option<RecordFile>> {
    let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes())?;
    RecordFile::open(&name).map_err(os_error)
}

pub(crate) fn os_error(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.0)
}

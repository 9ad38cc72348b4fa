//! The functions for Rust programs.

use core::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::errno::Errno;
use crate::{added, session};

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno.0)
    }
}

/// Records the session on the pty whose master is `master`, with `host` beside it.
///
/// The host's first byte must be graphic and the others printable ASCII; more than 256
/// bytes are cut.
///
/// # Errors
///
/// The OS error that utempter(3) lists: `EPERM` for a pty of another user, `EINVAL` for a
/// refused host, `ENOTTY` for what is no pty master, `ENOENT` where the helper is missing,
/// `ETIMEDOUT` where it hung, and so on. Never `EINTR`.
pub fn add_record(master: BorrowedFd<'_>, host: Option<&CStr>) -> io::Result<()> {
    Ok(session::add(master.as_raw_fd(), host)?)
}

/// Records the end of the session on the pty whose master is `master`.
///
/// # Errors
///
/// As [`add_record`].
pub fn remove_record(master: BorrowedFd<'_>) -> io::Result<()> {
    Ok(session::remove(master.as_raw_fd())?)
}

/// Records the end of the session that was recorded last.
///
/// # Errors
///
/// As [`add_record`]; `ENOENT` where none was recorded, or it has ended already.
pub fn remove_added_record() -> io::Result<()> {
    Ok(session::remove_added()?)
}

/// Has `path` started in place of the helper built in.
pub fn set_helper(path: &'static CStr) {
    added::set_helper(Some(path));
}

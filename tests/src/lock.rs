//! Locks on whole files, as glibc's writers and readers take them.

use std::fs::File;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Whose lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any number of readers.
    Read,
    /// One writer alone.
    Write,
    /// No lock: gives back what was held.
    None,
}

fn whole(kind: Kind) -> libc::flock {
    let l_type = match kind {
        Kind::Read => libc::F_RDLCK,
        Kind::Write => libc::F_WRLCK,
        Kind::None => libc::F_UNLCK,
    };
    let (l_type, l_whence) = (l_type as i16, libc::SEEK_SET as i16);
    libc::flock { l_type, l_whence, l_start: 0, l_len: 0, l_pid: 0 }
}

/// Takes it, if need be after waiting.
///
/// # Errors
///
/// As fcntl(2), F_OFD_SETLKW.
pub fn take(file: &File, kind: Kind) -> Result<(), Errno> {
    fcntl(file, FcntlArg::F_OFD_SETLKW(&whole(kind))).map(drop)
}

/// Who holds a lock that is in the way of a writer.
///
/// # Errors
///
/// As fcntl(2), F_OFD_GETLK.
pub fn held(file: &File) -> Result<Kind, Errno> {
    let mut lock = whole(Kind::Write);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(match i32::from(lock.l_type) {
        libc::F_RDLCK => Kind::Read,
        libc::F_WRLCK => Kind::Write,
        _ => Kind::None,
    })
}

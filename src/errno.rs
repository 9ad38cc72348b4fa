//! Why a call failed.

use core::ffi::c_int;

/// An `errno` value, never 0 and never EINTR: callers loop on that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) c_int);

/// The largest errno: EHWPOISON.
const LARGEST: c_int = libc::EHWPOISON;

impl Errno {
    /// What an exit status of the helper says. Ours exits with an errno; a foreign helper,
    /// set by utempter_set_helper, may exit with anything.
    pub(crate) fn from_status(status: c_int) -> Option<Errno> {
        match status {
            0 => None,
            // Also what the dynamic linker and shells exit with where a program cannot start.
            libc::EINTR | 126 | 127 => Some(Errno(libc::EIO)),
            1..=LARGEST => Some(Errno(status)),
            _ => Some(Errno(libc::EIO)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_an_errno_a_caller_can_use() {
        assert_eq!(Errno::from_status(0), None);
        assert_eq!(Errno::from_status(libc::EPERM), Some(Errno(libc::EPERM)));
        assert_eq!(Errno::from_status(libc::ENOTTY), Some(Errno(libc::ENOTTY)));
        for odd in [libc::EINTR, 126, 127, LARGEST + 1, 255, -1] {
            assert_eq!(Errno::from_status(odd), Some(Errno(libc::EIO)));
        }
    }
}

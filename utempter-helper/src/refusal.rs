//! Why the helper does not do as it is asked.

use login_records::Errno;

/// An errno, which becomes the exit status, and what failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The exit status.
    pub errno: Errno,
    /// What was tried or asked, for people.
    pub what: &'static str,
    /// The path it was about, or nothing.
    pub path: &'static str,
}

impl Refusal {
    pub(crate) fn new(errno: Errno, what: &'static str) -> Refusal {
        Refusal { errno, what, path: "" }
    }
}

/// What [`login_records::claim`] has found, in words.
pub(crate) fn of_claim(errno: Errno) -> Refusal {
    let what = match errno {
        Errno::EBADF => "descriptor 0 is not open for reading and writing",
        Errno::ENOTTY => "descriptor 0 is no pty master",
        Errno::EXDEV => "the pty is not of this system's /dev/pts",
        Errno::EPERM => "the pty belongs to another user",
        _ => "cannot look at the pty",
    };
    Refusal::new(errno, what)
}

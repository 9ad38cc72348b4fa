//! Whether a process is the one it was.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use login_records::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys;

/// A process, told apart from a later one of the same pid. Since Linux 6.9 a pidfd's inode
/// number is that; before, all have the same and this says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(pub u64);

/// The identity of the process that connected.
///
/// # Errors
///
/// `ESRCH` where it has ended: its pid may be another's by now.
pub fn of_peer(socket: impl AsFd, pid: i32) -> Result<Identity, Errno> {
    if pid <= 0 {
        // Of another pid namespace: it has no number here.
        return Err(Errno::ESRCH);
    }
    let fd = match sys::peer_process(socket) {
        // Before Linux 6.5: as good as can be.
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => sys::process(pid),
        fd => fd,
    };
    identity(&fd.map_err(gone)?).map_err(gone)
}

/// The identity of the process that has this pid now, if there is one.
pub fn of_pid(pid: i32) -> Option<Identity> {
    sys::process(pid).and_then(|fd| identity(&fd)).ok()
}

fn identity(fd: &OwnedFd) -> io::Result<Identity> {
    let mut entry = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    if poll(&mut entry, PollTimeout::ZERO)? > 0 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(Identity(nix::sys::stat::fstat(fd)?.st_ino))
}

fn gone(error: io::Error) -> Errno {
    match error.raw_os_error() {
        // What getsockopt(2) and pidfd_open(2) say of a process that has been collected.
        Some(libc::ENODATA | libc::EINVAL) | None => Errno::ESRCH,
        // The broker's own want: the helper may have better luck.
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => Errno::EAGAIN,
        Some(errno) => Errno(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_known_while_it_lives() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id() as i32;
        let identity = of_pid(pid).unwrap();
        assert_eq!(of_pid(pid), Some(identity));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(of_pid(pid), None);
    }

    #[test]
    fn a_pid_of_elsewhere_is_refused() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(of_peer(&one, 0), Err(Errno::ESRCH));
        assert!(of_peer(&one, std::process::id() as i32).is_ok());
    }
}

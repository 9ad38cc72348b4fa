//! Whose pty is it?

use core::ffi::{CStr, c_int};

use crate::errno::Errno;
use crate::line::Line;
use crate::sys::{Fd, pty_number, stat_fd, stat_path, status_flags};

/// The line of the pty whose master `master` is, proven to belong to `uid`.
///
/// The proof: the descriptor is the device of pty masters, open for reading and writing; its slave is the
/// very node `/dev/pts/N` of this process's `/dev/pts`, so that another devpts instance
/// cannot lend its numbers; and that node belongs to `uid`. The slave is looked at through
/// an O_PATH descriptor (TIOCGPTPEER, Linux 4.13): opening and closing it for real would
/// leave a fresh master hung up, and fails on a locked pty.
///
/// # Errors
///
/// * `EBADF`: not open, or not for both reading and writing.
/// * `ENOTTY`: not a pty master.
/// * `EXDEV`: a master of another devpts instance.
/// * `EPERM`: the pty belongs to somebody else.
/// * Others as ioctl(2) and stat(2) give them.
pub fn claim(master: c_int, uid: u32) -> Result<Line, Errno> {
    if status_flags(master)? & (libc::O_ACCMODE | libc::O_PATH) != libc::O_RDWR {
        return Err(Errno::EBADF);
    }
    // The rest is asked of the device, so it has to be the device first: a file system that
    // the user serves (FUSE) answers as it likes, and TIOCGPTPEER with any descriptor's number.
    if !stat_fd(master)?.is_ptmx() {
        return Err(Errno::ENOTTY);
    }
    let line = Line::pts(pty_number(master)?);
    let slave = Fd::pty_peer(master)?.stat()?;
    let path = line.device();
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::ENAMETOOLONG)?;
    let node = match stat_path(path) {
        Err(Errno::ENOENT) => return Err(Errno::EXDEV),
        node => node?,
    };
    if (node.dev, node.ino) != (slave.dev, slave.ino) {
        return Err(Errno::EXDEV);
    }
    if slave.uid != uid {
        return Err(Errno::EPERM);
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    fn master(flags: c_int) -> (File, u32) {
        let file = OpenOptions::new()
            .read(true)
            .write(flags & libc::O_ACCMODE == libc::O_RDWR)
            .custom_flags(libc::O_NOCTTY)
            .open("/dev/ptmx")
            .expect("a pty is needed here");
        let number = pty_number(file.as_raw_fd()).unwrap();
        let owner = std::fs::metadata(std::format!("/dev/pts/{number}")).unwrap().uid();
        (file, owner)
    }

    #[test]
    fn the_owner_s_master_is_granted() {
        let (file, owner) = master(libc::O_RDWR);
        let line = claim(file.as_raw_fd(), owner).unwrap();
        assert_eq!(line.number(), pty_number(file.as_raw_fd()).unwrap());
    }

    #[test]
    fn another_user_s_is_not() {
        let (file, owner) = master(libc::O_RDWR);
        assert_eq!(claim(file.as_raw_fd(), owner + 1), Err(Errno::EPERM));
    }

    #[test]
    fn what_is_no_master_is_not() {
        let (file, owner) = master(libc::O_RDONLY);
        assert_eq!(claim(file.as_raw_fd(), owner), Err(Errno::EBADF));
        assert_eq!(claim(-1, owner), Err(Errno::EBADF));
        let null = OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
        assert_eq!(claim(null.as_raw_fd(), owner), Err(Errno::ENOTTY));
    }
}

//! Whose pty is it?

use core::ffi::{CStr, c_int};

use crate::errno::Errno;
use crate::line::Line;
use crate::sys::{Fd, Stat, Time, pty_number, stat_fd, stat_path, status_flags};

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
    Slave::claimed(master, uid).map(|slave| slave.line)
}

/// The slave of a pty, held by an O_PATH descriptor: it keeps no terminal open, and tells of
/// the pty's end.
#[derive(Debug)]
pub struct Slave {
    line: Line,
    node: Fd,
}

impl Slave {
    /// The slave of the pty whose master `master` is, proven to belong to `uid`.
    ///
    /// # Errors
    ///
    /// As [`claim`].
    pub fn claimed(master: c_int, uid: u32) -> Result<Slave, Errno> {
        if status_flags(master)? & (libc::O_ACCMODE | libc::O_PATH) != libc::O_RDWR {
            return Err(Errno::EBADF);
        }
        // The rest is asked of the device, so it has to be the device first: a file system that
        // the user serves (FUSE) answers as it likes, and TIOCGPTPEER with any descriptor's
        // number.
        if !stat_fd(master)?.is_ptmx() {
            return Err(Errno::ENOTTY);
        }
        let line = Line::pts(pty_number(master)?);
        let node = Fd::pty_peer(master)?;
        let slave = node.stat()?;
        let at_path = match with_path(line, stat_path) {
            Err(Errno::ENOENT) => return Err(Errno::EXDEV),
            at_path => at_path?,
        };
        if (at_path.dev, at_path.ino) != (slave.dev, slave.ino) {
            return Err(Errno::EXDEV);
        }
        if slave.uid != uid {
            return Err(Errno::EPERM);
        }
        Ok(Slave { line, node })
    }

    /// The slave that is at the line now, without any proof.
    ///
    /// # Errors
    ///
    /// `ENOENT`: there is none; others as open(2) gives them.
    pub fn at(line: Line) -> Result<Slave, Errno> {
        Ok(Slave { line, node: with_path(line, Fd::open_path)? })
    }

    /// The line.
    pub fn line(&self) -> Line {
        self.line
    }

    /// Whether the pty has ended: its master is closed, wherever it had been handed.
    pub fn is_gone(&self) -> bool {
        self.node.stat().is_ok_and(|stat| stat.links == 0)
    }

    /// Whose the pty is.
    ///
    /// # Errors
    ///
    /// As stat(2).
    pub fn owner(&self) -> Result<u32, Errno> {
        self.node.stat().map(|Stat { uid, .. }| uid)
    }

    /// When the node was made, or last changed in owner or mode.
    ///
    /// # Errors
    ///
    /// As stat(2).
    pub fn changed(&self) -> Result<Time, Errno> {
        self.node.stat().map(|Stat { changed, .. }| changed)
    }
}

fn with_path<T>(line: Line, act: impl FnOnce(&CStr) -> Result<T, Errno>) -> Result<T, Errno> {
    let path = line.device();
    act(CStr::from_bytes_until_nul(&path).map_err(|_| Errno::ENAMETOOLONG)?)
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
    fn the_slave_is_gone_when_the_master_is_closed() {
        let (file, owner) = master(libc::O_RDWR);
        let again = file.try_clone().unwrap();
        let slave = Slave::claimed(file.as_raw_fd(), owner).unwrap();
        let same = Slave::at(slave.line()).unwrap();
        assert!(slave.changed().unwrap().sec <= Time::now().sec);
        drop(file);
        assert!(!slave.is_gone() && !same.is_gone());
        drop(again);
        assert!(slave.is_gone() && same.is_gone());
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

//! The system calls that nix lacks, one safe function each. The only unsafe code here.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Descriptors that have just been received, and are nobody's yet.
pub fn take(received: Vec<RawFd>) -> Vec<OwnedFd> {
    // SAFETY: recvmsg(2) has just made them, for this caller.
    received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect()
}

/// The socket that the service manager has passed as the first descriptor after stderr.
pub fn passed_socket() -> OwnedFd {
    // SAFETY: called once, where LISTEN_FDS says that it is there.
    unsafe { OwnedFd::from_raw_fd(3) }
}

/// A device's number, for what is a character device.
pub fn character_device(fd: impl AsFd) -> io::Result<Option<(u32, u32)>> {
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    // Not fstat(2): that would ask whoever serves a network or FUSE file, and wait for him.
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the path is empty and ends in NUL; `found` is writable, and zero is valid.
    let found = unsafe {
        if libc::statx(fd, c"".as_ptr(), flags, libc::STATX_TYPE, found.as_mut_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
        found.assume_init()
    };
    let is_device = u32::from(found.stx_mode) & libc::S_IFMT == libc::S_IFCHR;
    Ok(is_device.then_some((found.stx_rdev_major, found.stx_rdev_minor)))
}

const SO_PEERPIDFD: libc::c_int = 77;

/// A descriptor of the process that connected (SO_PEERPIDFD, Linux 6.5).
pub fn peer_process(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut fd: RawFd = -1;
    let mut size = size_of::<RawFd>() as libc::socklen_t;
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the option writes one descriptor, which is then ours.
    unsafe {
        let level = libc::SOL_SOCKET;
        if libc::getsockopt(socket, level, SO_PEERPIDFD, (&raw mut fd).cast(), &mut size) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// pidfd_open(2).
pub fn process(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: makes a new descriptor, or fails.
    unsafe {
        match libc::syscall(libc::SYS_pidfd_open, pid, 0) {
            fd if fd < 0 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd as RawFd)),
        }
    }
}

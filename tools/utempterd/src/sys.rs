//! The system calls that nix lacks, one safe function each. The only unsafe code here.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

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

/// Has no other meaning in a process without sockets that tell of urgent data.
const INTERRUPT: libc::c_int = libc::SIGURG;

/// Has the signal of `interrupt_every` do nothing but end what waits for something.
pub fn take_interrupts() -> io::Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: zero is a valid action, and the handler does nothing.
    match unsafe {
        (*action.as_mut_ptr()).sa_sigaction = handler as usize;
        libc::sigaction(INTERRUPT, action.as_ptr(), std::ptr::null_mut())
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A timer, gone at the end.
pub struct Interrupts(libc::timer_t);

impl Drop for Interrupts {
    fn drop(&mut self) {
        // SAFETY: the timer is ours and is not used again.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// Sends the calling thread a signal at intervals of less than a second; `None` where there are
/// no more timers.
pub fn interrupt_every(interval: Duration) -> Option<Interrupts> {
    let mut event = MaybeUninit::<libc::sigevent>::zeroed();
    let mut timer = MaybeUninit::<libc::timer_t>::zeroed();
    let mut times = MaybeUninit::<libc::itimerspec>::zeroed();
    // SAFETY: zero is a valid value of each; the timer is made before it is read.
    unsafe {
        (*event.as_mut_ptr()).sigev_notify = libc::SIGEV_THREAD_ID;
        (*event.as_mut_ptr()).sigev_signo = INTERRUPT;
        (*event.as_mut_ptr()).sigev_notify_thread_id = libc::syscall(libc::SYS_gettid) as _;
        let clock = libc::CLOCK_MONOTONIC;
        if libc::timer_create(clock, event.as_mut_ptr(), timer.as_mut_ptr()) != 0 {
            return None;
        }
        let timer = Interrupts(timer.assume_init());
        (*times.as_mut_ptr()).it_value.tv_nsec = interval.subsec_nanos() as _;
        (*times.as_mut_ptr()).it_interval.tv_nsec = interval.subsec_nanos() as _;
        libc::timer_settime(timer.0, 0, times.as_ptr(), std::ptr::null_mut());
        Some(timer)
    }
}

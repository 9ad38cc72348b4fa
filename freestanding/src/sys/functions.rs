//! The functions of the C library that are a little more than a system call.

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ptr::{null, null_mut};

use libc::{itimerval, nfds_t, pollfd, rlimit64, sigset_t, size_t, ssize_t, timespec, timeval};

/// setitimer(2): the timer by the clock.
const ITIMER_REAL: c_int = 0;
/// Bytes of a signal set of the kernel's.
const SIGNALS: size_t = 8;

// Those of `calls` that the libc crate does not declare, or not in every version.
unsafe extern "C" {
    fn setitimer(which: c_int, new: *const itimerval, old: *mut itimerval) -> c_int;
    fn rt_sigaction(signal: c_int, new: *const Action, old: *mut Action, size: size_t) -> c_int;
    fn rt_sigprocmask(how: c_int, new: *const u64, old: *mut u64, size: size_t) -> c_int;
}

/// A signal's action as the kernel has it.
#[repr(C)]
struct Action {
    handler: libc::sighandler_t,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// For the two handlers that are no functions: they need neither flags nor mask, and no way
/// back. Nobody asks for the old action.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigaction(
    signal: c_int,
    new: *const libc::sigaction,
    _: *mut libc::sigaction,
) -> c_int {
    // SAFETY: the caller's contract.
    let handler = unsafe { (*new).sa_sigaction };
    if handler != libc::SIG_DFL && handler != libc::SIG_IGN {
        return -1;
    }
    let action = Action { handler, flags: 0, restorer: 0, mask: 0 };
    // SAFETY: the action is valid, and the old one is not asked for.
    unsafe { rt_sigaction(signal, &action, null_mut(), SIGNALS) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigemptyset(set: *mut sigset_t) -> c_int {
    // SAFETY: the caller's contract; the kernel's set is the first word of the C library's.
    unsafe { set.cast::<u64>().write(0) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigprocmask(how: c_int, new: *const sigset_t, old: *mut sigset_t) -> c_int {
    // SAFETY: the caller's contract; as above.
    unsafe { rt_sigprocmask(how, new.cast(), old.cast(), SIGNALS) }
}

#[unsafe(no_mangle)]
extern "C" fn __libc_current_sigrtmax() -> c_int {
    64
}

/// Nobody asks how much of an earlier one was left.
#[unsafe(no_mangle)]
extern "C" fn alarm(seconds: c_uint) -> c_uint {
    let none = timeval { tv_sec: 0, tv_usec: 0 };
    let time = timeval { tv_sec: i64::from(seconds), ..none };
    let timer = itimerval { it_interval: none, it_value: time };
    // SAFETY: the timer is valid, and the old one is not asked for.
    unsafe { setitimer(ITIMER_REAL, &timer, null_mut()) };
    0
}

/// Nobody makes a file: the mode is left out.
#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { libc::openat64(libc::AT_FDCWD, path, flags, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getrlimit64(resource: c_uint, limit: *mut rlimit64) -> c_int {
    // SAFETY: the caller's contract; 0 is this process.
    unsafe { libc::prlimit64(0, resource, null(), limit) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn setrlimit64(resource: c_uint, limit: *const rlimit64) -> c_int {
    // SAFETY: the caller's contract; 0 is this process.
    unsafe { libc::prlimit64(0, resource, limit, null_mut()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn send(fd: c_int, bytes: *const c_void, size: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller's contract.
    unsafe { libc::sendto(fd, bytes, size, flags, null(), 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn recv(fd: c_int, buffer: *mut c_void, size: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller's contract.
    unsafe { libc::recvfrom(fd, buffer, size, flags, null_mut(), null_mut()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn poll(entries: *mut pollfd, count: nfds_t, ms: c_int) -> c_int {
    let (ms, nsec) = (i64::from(ms), i64::from(ms % 1000) * 1_000_000);
    let time = timespec { tv_sec: ms / 1000, tv_nsec: nsec };
    let forever = null();
    // SAFETY: the caller's contract; the signals stay as they are.
    unsafe { libc::ppoll(entries, count, if ms < 0 { forever } else { &time }, null()) }
}

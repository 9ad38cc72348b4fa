//! Processes of our own.

use core::ffi::{CStr, c_char, c_int, c_long, c_void};
use core::marker::PhantomData;
use core::ptr::{null, null_mut};

use super::room::{Environment, Stack};
use super::signals::{SIGNAL_WORDS, SIGNALS};
use super::time::{monotonic_ms, timespec};
use super::{check, errno};
use crate::errno::Errno;

unsafe extern "C" {
    // ThreadSanitizer puts its own function in the place of the usual name, and then takes
    // the new process for a fork of the whole program.
    #[cfg_attr(target_env = "gnu", link_name = "__clone")]
    fn clone(
        enter: extern "C" fn(*mut c_void) -> c_int,
        stack: *mut c_void,
        flags: c_int,
        argument: *mut c_void,
        ...
    ) -> c_int;
}

/// What the helper gets as its arguments: its path, the operation, the host if there is one.
pub(crate) struct Arguments<'a> {
    entries: [*const c_char; 4],
    strings: PhantomData<&'a CStr>,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(path: &'a CStr, operation: &'a CStr, host: Option<&'a CStr>) -> Self {
        let host = host.map_or(null(), CStr::as_ptr);
        Arguments {
            entries: [path.as_ptr(), operation.as_ptr(), host, null()],
            strings: PhantomData,
        }
    }
}

/// What a process of its own does with a job.
pub(crate) trait Process<J> {
    /// Does it; what comes back is the exit status.
    fn run(job: &J) -> c_int;
}

/// Runs `P` in a process of its own that shares this one's memory, and comes back with its
/// pid once it has ended or called exec.
///
/// The job is all that the process reads of what this one has: emulators that fork in place
/// of a vfork let both go on, and this one's stack may be shared with the other (see `Room`).
pub(crate) fn clone_vfork<P: Process<J>, J>(
    stack: Stack<'_>,
    exit_signal: c_int,
    job: &J,
) -> Result<c_int, Errno> {
    extern "C" fn enter<P: Process<J>, J>(job: *mut c_void) -> c_int {
        // SAFETY: the `job` below, whose owner waits, or of which this process has a copy.
        P::run(unsafe { &*job.cast::<J>() })
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | exit_signal;
    // SAFETY: the stack is free, since its last user has ended or called exec before its
    // maker went on; `job` outlives the child's use of it for the same reason.
    let pid =
        unsafe { clone(enter::<P, J>, stack.top(), flags, (&raw const *job).cast_mut().cast()) };
    check(pid.into())
}

/// Collects the intermediate, unless another thread already has.
pub(crate) fn collect(pid: c_int) {
    while wait(pid, libc::__WALL) == Err(Errno(libc::EINTR)) {}
}

/// How a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Running,
    Exited(c_int),
    Killed(c_int),
}

fn wait(pid: c_int, options: c_int) -> Result<Waited, Errno> {
    let mut status: c_int = 0;
    // SAFETY: `status` is writable; no resource usage is asked for.
    let result =
        unsafe { libc::syscall(libc::SYS_wait4, pid, &mut status, options, null_mut::<c_void>()) };
    Ok(match check(result)? {
        0 => Waited::Running,
        _ if libc::WIFEXITED(status) => Waited::Exited(libc::WEXITSTATUS(status)),
        _ => Waited::Killed(libc::WTERMSIG(status)),
    })
}

/// Waits for a child until the monotonic clock shows `end`, in milliseconds. SIGCHLD, which
/// wakes it, must be blocked and not ignored.
pub(crate) fn wait_until(pid: c_int, end: i64) -> Waited {
    // SIGCONT too, since the timer of `continue_every` runs on only once it is taken. Both
    // are in the first word on every machine.
    let mut signals = [0; SIGNAL_WORDS];
    signals[0] = 1 << (libc::SIGCHLD - 1) | 1 << (libc::SIGCONT - 1);
    loop {
        match wait(pid, libc::WNOHANG) {
            Ok(Waited::Running) | Err(Errno(libc::EINTR)) => {}
            Ok(ended) => return ended,
            // Not to be had: nothing is known of how it ended.
            Err(_) => return Waited::Killed(0),
        }
        let left = end - monotonic_ms();
        if left <= 0 {
            return Waited::Running;
        }
        let time = timespec(left);
        // SAFETY: the set has the size given and `time` is a struct timespec of the kernel's.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &signals,
                null_mut::<c_void>(),
                &time,
                SIGNALS / 8,
            )
        };
    }
}

pub(crate) fn kill(pid: c_int) {
    // SAFETY: a child of ours that has not been collected.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

pub(crate) fn setsid() {
    // SAFETY: changes this process alone, which is nobody's group leader.
    unsafe { libc::setsid() };
}

pub(crate) fn alarm(seconds: u32) {
    // SAFETY: this process's own timer.
    unsafe { libc::alarm(seconds) };
}

/// Makes `fd` the descriptors 0 and 1, left open by exec.
pub(crate) fn connect_to(fd: c_int) -> Result<(), Errno> {
    for target in [0, 1] {
        // dup3 refuses equal ones.
        // SAFETY: this process has its own table of descriptors.
        check(unsafe {
            match fd == target {
                true => libc::syscall(libc::SYS_fcntl, fd, libc::F_SETFD, 0),
                false => libc::syscall(libc::SYS_dup3, fd, target, 0),
            }
        })?;
    }
    Ok(())
}

/// Has exec close every descriptor from 3 on. Where the kernel is too old for it (before
/// 5.11) or a filter forbids it, the helper inherits them as it does from the C library.
pub(crate) fn close_others_on_exec() {
    const CLOSE_RANGE_CLOEXEC: c_int = 4;
    // SAFETY: this process has its own table of descriptors.
    unsafe { libc::syscall(libc::SYS_close_range, 3, c_int::MAX, CLOSE_RANGE_CLOEXEC) };
}

/// execve(2). Comes back only with an error.
pub(crate) fn exec(path: &CStr, arguments: &Arguments<'_>, environment: &Environment<'_>) -> Errno {
    // SAFETY: both arrays end in NULL and their strings in NUL.
    unsafe { libc::execve(path.as_ptr(), arguments.entries.as_ptr(), environment.entries()) };
    Errno(errno())
}

/// Takes the saved gid as the effective one, if it is another.
pub(crate) fn take_saved_gid() -> bool {
    let (mut real, mut effective, mut saved) = (0, 0, 0);
    // SAFETY: the three are writable. The raw setgid changes this process alone; the C
    // library's would change all threads of the caller.
    unsafe {
        libc::getresgid(&mut real, &mut effective, &mut saved) == 0
            && saved != effective
            && libc::syscall(SYS_SETGID, saved) == 0
    }
}

// Where gids were once 16 bits wide, the call has another name.
#[cfg(any(target_arch = "x86", target_arch = "arm", target_arch = "m68k", target_arch = "sparc"))]
const SYS_SETGID: c_long = libc::SYS_setgid32;
#[cfg(not(any(
    target_arch = "x86",
    target_arch = "arm",
    target_arch = "m68k",
    target_arch = "sparc"
)))]
const SYS_SETGID: c_long = libc::SYS_setgid;

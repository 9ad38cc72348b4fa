//! Signals, and the timer that sends one.

use core::ffi::{c_int, c_ulong, c_void};
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use super::time::timespec;

/// A signal set as the kernel has it.
pub(crate) struct Signals([c_ulong; SIGNAL_WORDS]);

#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
pub(super) const SIGNALS: usize = 128;
#[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
pub(super) const SIGNALS: usize = 64;
pub(super) const SIGNAL_WORDS: usize = SIGNALS / c_ulong::BITS as usize;

/// Blocks every signal, those that the C library keeps for itself (cancellation, setuid in
/// all threads) included, and says which were blocked.
pub(crate) fn block_all_signals() -> Signals {
    let mut before = Signals([0; SIGNAL_WORDS]);
    set_signals(&Signals([c_ulong::MAX; SIGNAL_WORDS]), &mut before.0);
    before
}

pub(crate) fn restore_signals(signals: Signals) {
    set_signals(&signals, null_mut());
}

pub(crate) fn unblock_all_signals() {
    set_signals(&Signals([0; SIGNAL_WORDS]), null_mut());
}

fn set_signals(signals: &Signals, before: *mut [c_ulong; SIGNAL_WORDS]) {
    // SAFETY: both sets have the size given; it fails only for a size that is not so.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &signals.0, before, SIGNALS / 8)
    };
}

/// SIGCHLD to its default in this process.
pub(crate) fn default_child_signal() {
    set_default(libc::SIGCHLD);
}

/// Every signal to its default in this process.
pub(crate) fn default_signals() {
    for signal in 1..=SIGNALS as c_int {
        set_default(signal);
    }
}

fn set_default(signal: c_int) {
    // The kernel's struct sigaction is smaller on every machine, and zero in it is the default.
    let action = [0 as c_ulong; 8];
    let none = null_mut::<c_void>();
    let size = SIGNALS / 8;
    // SAFETY: this process's signal table is its own. Signals that cannot be set are refused.
    unsafe {
        #[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
        libc::syscall(libc::SYS_rt_sigaction, signal, &action, none, size);
        // With a return address before the size.
        #[cfg(any(target_arch = "sparc", target_arch = "sparc64"))]
        libc::syscall(libc::SYS_rt_sigaction, signal, &action, none, none, size);
    }
}

/// Has the kernel send this process SIGCONT at intervals, whoever stops it: that counts even
/// while the signal is blocked. Where timers are refused it goes without.
pub(crate) fn continue_every(milliseconds: i64) {
    let mut event = MaybeUninit::<libc::sigevent>::zeroed();
    let mut timer: c_int = 0;
    let times = [timespec(milliseconds), timespec(milliseconds)];
    // SAFETY: zero is a valid sigevent; `timer` is writable, and `times` is a struct
    // itimerspec of the kernel's. The raw calls, since the C library may allocate for its own.
    unsafe {
        (*event.as_mut_ptr()).sigev_notify = libc::SIGEV_SIGNAL;
        (*event.as_mut_ptr()).sigev_signo = libc::SIGCONT;
        let clock = libc::CLOCK_MONOTONIC;
        if libc::syscall(libc::SYS_timer_create, clock, event.as_ptr(), &mut timer) == 0 {
            libc::syscall(libc::SYS_timer_settime, timer, 0, &times, null_mut::<c_void>());
        }
    }
}

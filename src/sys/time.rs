//! The monotonic clock, and giving time away.

use core::ffi::c_long;
use core::mem::MaybeUninit;

/// A struct timespec of the kernel's.
pub(super) fn timespec(milliseconds: i64) -> [c_long; 2] {
    [(milliseconds / 1000) as c_long, (milliseconds % 1000 * 1_000_000) as c_long]
}

/// Lets others run.
pub(super) fn give_way() {
    // SAFETY: changes nothing of this process.
    unsafe { libc::syscall(libc::SYS_sched_yield) };
}

/// Milliseconds of a clock that is never set back.
pub(crate) fn monotonic_ms() -> i64 {
    monotonic_us() / 1000
}

pub(super) fn monotonic_us() -> i64 {
    let mut now = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `now` is writable, and zero is a valid timespec.
    let now = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, now.as_mut_ptr());
        now.assume_init()
    };
    #[allow(clippy::useless_conversion)] // Narrower on 32-bit machines.
    let (sec, nsec) = (i64::from(now.tv_sec), i64::from(now.tv_nsec));
    sec * 1_000_000 + nsec / 1000
}

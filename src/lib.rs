//! Record terminal sessions: whoever opens a pty says so in utmp and wtmp.
//!
//! A drop-in for the C library libutempter. The records are written by a broker,
//! `utempterd`, where one runs, and else by a small setgid helper, `utempter`; this library
//! starts it without a trace in the process that asks:
//! no signal, no child, no descriptor, no memory is left behind, and no call takes longer
//! than its deadline of some six seconds.
//!
//! ```no_run
//! use std::os::fd::AsFd;
//!
//! let master = std::fs::File::options().read(true).write(true).open("/dev/ptmx")?;
//! utempter::add_record(master.as_fd(), Some(c"example.org"))?;
//! // ... the session ...
//! utempter::remove_record(master.as_fd())?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! With the feature `capi` the crate is the C library: `include/utempter.h`, utempter(3).
//! All functions may be called from any thread and from a signal handler.
// The C library has no use for std, whose panics would bring a second shared library.
#![cfg_attr(all(feature = "capi", panic = "abort"), no_std)]
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod added;
mod broker;
#[cfg(feature = "capi")]
#[allow(unsafe_code)] // Exported names and their callers' pointers.
mod capi;
mod errno;
#[cfg(not(all(feature = "capi", panic = "abort")))]
mod face;
mod helper;
mod session;
#[allow(unsafe_code)]
mod sys;

#[cfg(not(all(feature = "capi", panic = "abort")))]
pub use face::{add_record, remove_added_record, remove_record, set_helper};

#[cfg(all(feature = "capi", panic = "abort"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Linked only to satisfy the compiler: no path leads here, which the linker proves
    // (`-z defs`: the personality routine that a panic would need is nowhere defined).
    loop {}
}

//! The system calls. The only unsafe code of the crate, but for the C functions' pointers.
//!
//! Much of this runs in a process that shares the caller's memory, thread-local storage
//! included: calls are made raw where the C library's function would be a cancellation point
//! or would talk to the caller's other threads (waitpid, sigtimedwait, setgid), or where
//! another library's function may be in its place that keeps a record of its own in memory
//! (sigaction: ThreadSanitizer, Java's libjsig).

mod caller;
mod connection;
mod process;
mod room;
mod signals;
mod time;

use core::ffi::{c_int, c_long};

#[cfg(feature = "capi")]
pub(crate) use caller::c_str;
pub(crate) use caller::{PathCell, descriptor_flags, getpid, has_own_ids, login_name};
pub(crate) use connection::Connection;
pub(crate) use process::{
    Arguments, Process, Waited, alarm, clone_vfork, close_others_on_exec, collect, connect_to,
    exec, kill, setsid, take_saved_gid, wait_until,
};
pub(crate) use room::{Entry, Environment, Room};
pub(crate) use signals::{
    block_all_signals, continue_every, default_child_signal, default_signals, restore_signals,
    unblock_all_signals,
};
pub(crate) use time::monotonic_ms;

use crate::errno::Errno;

// The libc crate, without std, does not name the library it declares.
#[link(name = "c")]
unsafe extern "C" {}

/// The calling thread's errno.
pub(crate) fn errno() -> c_int {
    // SAFETY: the location is the calling thread's own.
    unsafe { *libc::__errno_location() }
}

/// Sets the calling thread's errno.
#[cfg_attr(not(feature = "capi"), allow(dead_code))]
pub(crate) fn set_errno(errno: c_int) {
    // SAFETY: the location is the calling thread's own.
    unsafe { *libc::__errno_location() = errno }
}

fn check(result: c_long) -> Result<c_int, Errno> {
    if result < 0 { Err(Errno(errno())) } else { Ok(result as c_int) }
}

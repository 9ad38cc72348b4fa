//! The three operations, as the C functions and the Rust ones share them.

use core::ffi::{CStr, c_int};

use crate::added;
use crate::errno::Errno;
use crate::helper;

pub(crate) fn add(master: c_int, host: Option<&CStr>) -> Result<(), Errno> {
    helper::run(added::helper(), c"add", host, master)?;
    added::remember(master);
    Ok(())
}

pub(crate) fn remove(master: c_int) -> Result<(), Errno> {
    let result = helper::run(added::helper(), c"del", None, master);
    // Also when it failed, as in the C library: the caller is done with this pty.
    added::forget(master);
    result
}

pub(crate) fn remove_added() -> Result<(), Errno> {
    remove(added::remembered().ok_or(Errno(libc::ENOENT))?)
}

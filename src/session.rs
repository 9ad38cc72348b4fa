//! The three operations, as the C functions and the Rust ones share them.

use core::ffi::{CStr, c_int};

use crate::added::{self, BUILT_IN};
use crate::broker::{self, Asked};
use crate::errno::Errno;
use crate::helper;

/// What is asked of broker and helper; the number is the broker's word for it.
#[derive(Clone, Copy)]
pub(crate) enum Operation {
    Add = 1,
    Del = 2,
}

impl Operation {
    /// The helper's word for it.
    pub(crate) fn word(self) -> &'static CStr {
        match self {
            Operation::Add => c"add",
            Operation::Del => c"del",
        }
    }
}

pub(crate) fn add(master: c_int, host: Option<&CStr>) -> Result<(), Errno> {
    record(Operation::Add, host, master)?;
    added::remember(master);
    Ok(())
}

pub(crate) fn remove(master: c_int) -> Result<(), Errno> {
    let result = record(Operation::Del, None, master);
    // Also when it failed, as in the C library: the caller is done with this pty.
    added::forget(master);
    result
}

pub(crate) fn remove_added() -> Result<(), Errno> {
    remove(added::remembered().ok_or(Errno(libc::ENOENT))?)
}

/// The broker where there is one, unless the caller has chosen a helper; else the helper.
fn record(operation: Operation, host: Option<&CStr>, master: c_int) -> Result<(), Errno> {
    if let Some(path) = added::helper() {
        return helper::run(path, operation, host, master, false);
    }
    match broker::ask(operation, host, master) {
        Asked::Answered(result) => result,
        Asked::Not => helper::run(BUILT_IN, operation, host, master, false),
        Asked::Lost => helper::run(BUILT_IN, operation, host, master, true),
    }
}

//! What the library remembers: two words, each written and read at once.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicI32, Ordering::Relaxed};

use crate::sys::PathCell;

const NONE: c_int = -1;

/// The master of the last record added, for utempter_remove_added_record.
static MASTER: AtomicI32 = AtomicI32::new(NONE);

/// The helper to start; none is the one built in.
static HELPER: PathCell = PathCell::new();

/// Where the helper is installed.
pub(crate) const BUILT_IN: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("UTEMPTER_HELPER"), "\0").as_bytes()) {
        Ok(path) => path,
        Err(_) => panic!("the helper's path has a NUL byte"),
    };

pub(crate) fn remember(master: c_int) {
    MASTER.store(master, Relaxed);
}

/// Forgets the master, if it is the one remembered.
pub(crate) fn forget(master: c_int) {
    let _ = MASTER.compare_exchange(master, NONE, Relaxed, Relaxed);
}

pub(crate) fn remembered() -> Option<c_int> {
    match MASTER.load(Relaxed) {
        NONE => None,
        master => Some(master),
    }
}

/// Takes the helper's path; the pointer is kept, as the C library keeps it.
pub(crate) fn set_helper(path: Option<&'static CStr>) {
    HELPER.set(path);
}

/// The helper that was set, if one was.
pub(crate) fn helper() -> Option<&'static CStr> {
    HELPER.get()
}

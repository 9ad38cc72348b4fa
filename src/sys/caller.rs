//! What is the caller's own: its pointers, ids and environment.

use core::ffi::{CStr, c_char, c_int};
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use super::check;
use crate::errno::Errno;

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// A C caller's string; `None` for NULL.
///
/// # Safety
///
/// NULL, or a string that ends in NUL and lives as long as its user needs it.
#[cfg(feature = "capi")]
pub(crate) unsafe fn c_str<'a>(string: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller's contract.
    if string.is_null() { None } else { Some(unsafe { CStr::from_ptr(string) }) }
}

/// A path that may be set at any time from any thread.
pub(crate) struct PathCell(AtomicPtr<c_char>);

impl PathCell {
    pub(crate) const fn new() -> PathCell {
        PathCell(AtomicPtr::new(null_mut()))
    }

    pub(crate) fn set(&self, path: Option<&'static CStr>) {
        let pointer = path.map_or(null(), CStr::as_ptr);
        self.0.store(pointer.cast_mut(), Relaxed);
    }

    pub(crate) fn get(&self) -> Option<&'static CStr> {
        let path = self.0.load(Relaxed);
        // SAFETY: only `set` stores here, and it takes what lives for ever.
        if path.is_null() { None } else { Some(unsafe { CStr::from_ptr(path) }) }
    }
}

pub(crate) fn getpid() -> c_int {
    // SAFETY: always succeeds.
    unsafe { libc::getpid() }
}

/// fcntl(2) F_GETFD: whether the descriptor is open.
pub(crate) fn descriptor_flags(fd: c_int) -> Result<c_int, Errno> {
    // SAFETY: any number may be asked about.
    check(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFD) })
}

/// The entries of the caller's environment.
pub(super) fn environment() -> impl Iterator<Item = &'static CStr> {
    // SAFETY: `environ` is NULL or an array that ends in NULL, of strings that end in NUL;
    // a thread that changes it meanwhile breaks the rule of setenv(3), as for execv(3).
    let mut next = unsafe { environ };
    core::iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: as above; the end is not passed, since NULL ends the iteration.
        unsafe {
            let entry = *next;
            if entry.is_null() {
                return None;
            }
            next = next.add(1);
            Some(CStr::from_ptr(entry))
        }
    })
}

/// The login name that the environment gives, or nothing.
pub(crate) fn login_name() -> &'static [u8] {
    let mut names = environment().filter_map(|entry| entry.to_bytes().strip_prefix(b"LOGNAME="));
    names.next().unwrap_or(&[])
}

/// Whether real and effective ids are equal.
pub(crate) fn has_own_ids() -> bool {
    // SAFETY: these always succeed.
    unsafe { libc::getuid() == libc::geteuid() && libc::getgid() == libc::getegid() }
}

//! The C functions: libutempter's, with its symbol versions. See utempter(3).

use core::arch::global_asm;
use core::ffi::{c_char, c_int};

use crate::errno::Errno;
use crate::sys::{self, c_str};
use crate::{added, session};

// Three @ rename the symbol instead of adding a second one, which GNU ld would call a
// multiple definition in static links. The three old functions have no version, as in the
// C library, whose version script names only these four.
global_asm!(
    ".symver utempter_add_record, utempter_add_record@@@UTEMPTER_1.1",
    ".symver utempter_remove_record, utempter_remove_record@@@UTEMPTER_1.1",
    ".symver utempter_remove_added_record, utempter_remove_added_record@@@UTEMPTER_1.1",
    ".symver utempter_set_helper, utempter_set_helper@@@UTEMPTER_1.1",
);

/// 1 for success, with errno as it was; 0 for failure, with errno saying why.
fn answer(result: Result<(), Errno>, errno_before: c_int) -> c_int {
    match result {
        Ok(()) => {
            sys::set_errno(errno_before);
            1
        }
        Err(Errno(errno)) => {
            sys::set_errno(errno);
            0
        }
    }
}

/// Records the session on the pty whose master is master_fd in utmp and wtmp.
///
/// hostname may be NULL. Its first byte must be graphic and the others printable ASCII; more
/// than 256 bytes are cut.
///
/// Returns 1, or 0 with errno set (never to EINTR).
#[unsafe(no_mangle)]
pub extern "C" fn utempter_add_record(master_fd: c_int, hostname: *const c_char) -> c_int {
    let errno = sys::errno();
    // SAFETY: the caller's contract: NULL or a string that ends in NUL.
    answer(session::add(master_fd, unsafe { c_str(hostname) }), errno)
}

/// Records the end of the session on the pty whose master is master_fd.
///
/// Returns 1, or 0 with errno set (never to EINTR).
#[unsafe(no_mangle)]
pub extern "C" fn utempter_remove_record(master_fd: c_int) -> c_int {
    let errno = sys::errno();
    answer(session::remove(master_fd), errno)
}

/// Records the end of the session that was recorded last by utempter_add_record.
///
/// Returns 1, or 0 with errno set (never to EINTR); ENOENT: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn utempter_remove_added_record() -> c_int {
    let errno = sys::errno();
    answer(session::remove_added(), errno)
}

/// Has another program started as the helper. The string is not copied and must stay.
/// NULL brings the built-in one back.
#[unsafe(no_mangle)]
pub extern "C" fn utempter_set_helper(pathname: *const c_char) {
    // SAFETY: the caller's contract: NULL or a string that ends in NUL and stays.
    added::set_helper(unsafe { c_str(pathname) });
}

/// Old name of utempter_add_record; pty is not looked at.
#[deprecated = "use utempter_add_record"]
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn addToUtmp(pty: *const c_char, hostname: *const c_char, master_fd: c_int) {
    let _ = pty;
    utempter_add_record(master_fd, hostname);
}

/// Old name of utempter_remove_added_record.
#[deprecated = "use utempter_remove_added_record"]
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn removeFromUtmp() {
    utempter_remove_added_record();
}

/// Old name of utempter_remove_record; pty is not looked at.
#[deprecated = "use utempter_remove_record"]
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn removeLineFromUtmp(pty: *const c_char, master_fd: c_int) {
    let _ = pty;
    utempter_remove_record(master_fd);
}

//! `utempter`: records the session on the pty that is its descriptor 0. See utempter(8).
#![cfg_attr(panic = "abort", no_std)]
#![no_main]

use core::ffi::{c_char, c_int};

// The libc crate, without std, does not name the library it declares.
#[link(name = "c")]
unsafe extern "C" {}

/// The entry that the C library's start calls: std's own main would open descriptors that
/// are closed, ignore SIGPIPE and bring a second shared library.
// SAFETY: the C library calls no other function of this name.
#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: both are as the C library's start gives them.
    unsafe { utempter_helper::main(argc, argv, utempter_helper::account_of) }
}

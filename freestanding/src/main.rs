//! The helper without a C library under it: what it does is [`utempter_helper::main`], to the
//! last line, and so is what it claims and writes.
//!
//! Loading the C library and its name services takes longer than all the rest of a call. This
//! program makes its system calls itself and looks the login name up in `/etc/passwd`. Where
//! that may not be what the C library would say, it starts `utempter-nss`, the helper that has
//! one, in its own place.
#![cfg_attr(freestanding, no_std, no_main, deny(unsafe_code))]

#[cfg(freestanding)]
mod lines;
#[cfg(freestanding)]
mod passwd;
#[cfg(freestanding)]
#[allow(unsafe_code)]
mod sys;

#[cfg(not(freestanding))]
fn main() {
    eprintln!("made by release builds for x86-64 and aarch64 Linux with glibc alone");
    std::process::exit(1);
}

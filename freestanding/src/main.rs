//! The helper without a C library under it: what it does is [`utempter_helper::run`], to the
//! last line, and so is what it claims and writes.
//!
//! Loading the C library and its name services takes longer than all the rest of a call. This
//! program makes its system calls itself and looks the login name up in `/etc/passwd`. Where
//! that cannot be right (another source comes first in nsswitch.conf(5), the uid is not in the
//! file), it starts `utempter-nss`, the helper that has a C library, in its own place.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod passwd;
#[allow(unsafe_code)]
mod sys;

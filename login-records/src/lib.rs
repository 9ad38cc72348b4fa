//! Login records and the stores that keep them.
//!
//! A terminal's session is one [`Record`]. It is written to `utmp` (who is on now) and to
//! `wtmp` (what has been), in the byte [`Layout`] of the machine. Before a record is written
//! for somebody, [`claim`] proves that the pty behind a descriptor is theirs.
//!
//! The crate is `no_std`, allocates nothing and depends on libc alone: the setgid helper
//! stands on it.
#![no_std]
#![deny(unsafe_code)]
#![warn(missing_docs)]

#[cfg(test)]
extern crate std;

mod claim;
mod errno;
mod host;
mod id;
mod layout;
mod line;
mod record;
pub mod store;
#[allow(unsafe_code)]
mod sys;

pub use claim::{Slave, claim};
pub use errno::Errno;
pub use host::check_host;
pub use id::ut_id;
pub use layout::{Endian, Layout, MAX_RECORD};
pub use line::Line;
pub use record::{
    ACCOUNTING, BOOT_TIME, DEAD_PROCESS, EMPTY, INIT_PROCESS, LOGIN_PROCESS, NEW_TIME, OLD_TIME,
    RUN_LVL, Record, Session, USER_PROCESS, padded,
};
pub use sys::Time;

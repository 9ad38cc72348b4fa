//! The setgid helper: it records the session on a pty for whoever owns that pty.
//!
//! [`main`] reads from top to bottom as a list of refusals, then one write. It runs with the
//! group `utmp` lent to it by whoever calls it, so it trusts nothing of what it is given:
//! arguments, environment, descriptors, signal settings and limits are the caller's.
#![cfg_attr(panic = "abort", no_std)]
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod account;
mod arguments;
mod ground;
mod host;
mod message;
mod privilege;
mod refusal;
mod report;
#[allow(unsafe_code)]
mod sys;
mod terminal;
mod write;

use core::ffi::{c_char, c_int};

use login_records::claim;

pub use account::{Account, account_of, logname};
pub use arguments::{Operation, parse};
pub use login_records::check_host;
pub use privilege::Lent;
pub use refusal::Refusal;
pub use terminal::parse_pid;

/// The pty's master.
const MASTER: c_int = 0;

/// Finds the account of a uid, when all that has been lent is laid down.
pub type Accounts = fn(u32, &Lent) -> Result<Account, Refusal>;

/// Runs the helper, with `accounts` to look the login name up in; returns its exit status: 0,
/// or an errno value.
///
/// # Safety
///
/// `argv` is an array of `argc` strings that end in NUL, as main gets it.
#[allow(unsafe_code)]
pub unsafe fn main(argc: c_int, argv: *const *const c_char, accounts: Accounts) -> c_int {
    // SAFETY: the caller's contract.
    let arguments = unsafe { sys::Arguments::new(argc, argv) };
    match run(arguments, accounts) {
        Ok(()) => 0,
        Err(refusal) => {
            report::refused(&refusal);
            refusal.errno.0
        }
    }
}

fn run(arguments: sys::Arguments, accounts: Accounts) -> Result<(), Refusal> {
    ground::prepare()?;
    let lent = privilege::lay_down()?;
    let operation = parse(arguments.iter())?;
    let pid = terminal::pid()?;
    let uid = sys::real_uid();
    let line = claim(MASTER, uid).map_err(refusal::of_claim)?;
    let account = accounts(uid, &lent)?;
    write::session(&lent, operation, line, pid, account.name())
}

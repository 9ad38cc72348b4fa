//! What each fuzz target does with its input: one module a target, each with a `check` that
//! panics where a rule is broken.
//!
//! Rules are written down here a second time, apart from the product, so that the two cannot
//! err together.

pub mod arguments;
mod file;
pub mod host;
pub mod pid;
pub mod record;
pub mod ut_id;
pub mod utmp;
pub mod wtmp;

/// A target: its name, which is also its seeds' directory, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("arguments", arguments::check),
    ("host", host::check),
    ("pid", pid::check),
    ("record", record::check),
    ("ut_id", ut_id::check),
    ("utmp", utmp::check),
    ("wtmp", wtmp::check),
];

/// The strings of an input, NUL between them.
fn strings(input: &[u8]) -> Vec<std::ffi::CString> {
    let parts = input.split(|byte| *byte == 0);
    parts.map(|part| std::ffi::CString::new(part).expect("split at every NUL")).collect()
}

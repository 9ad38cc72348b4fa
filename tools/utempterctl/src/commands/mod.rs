//! The commands, one a file.

pub mod doctor;
pub mod dump;
pub mod history;
pub mod lastlog;
pub mod list;
pub mod reap;
pub mod timeline;

use login_databases::{Warning, printable};

use crate::failure::warn;

/// Says which bytes of which file were no records.
fn warn_of(warning: &Warning) {
    let path = printable(warning.path.as_os_str().as_encoded_bytes());
    let Warning { offset, length, .. } = warning;
    warn(&format!("{path}: {length} bytes at offset {offset} are no record, and were passed over"));
}

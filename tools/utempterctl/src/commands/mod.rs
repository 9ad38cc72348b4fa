//! The commands, one a file.

pub mod doctor;
pub mod dump;
pub mod history;
pub mod lastlog;
pub mod list;
pub mod reap;
pub mod timeline;

use std::io::{self, Write};
use std::path::PathBuf;

use login_databases::{Source, Warning, printable};

use crate::failure::{Failure, warn};
use crate::output::Output;
use crate::output::table::FAINT;

/// Says which bytes of which file were no records.
fn warn_of(warning: &Warning) {
    let path = printable(warning.path.as_os_str().as_encoded_bytes());
    let Warning { offset, length, .. } = warning;
    warn(&format!("{path}: {length} bytes at offset {offset} are no record, and were passed over"));
}

/// What was asked for, and is not to be had.
fn not_here(source: Source) -> Failure {
    let name = match source {
        Source::Utmp => "utmp",
        Source::Wtmp => "wtmp",
        Source::Utmps => "utmps",
        Source::Wtmpdb => "a file of wtmpdb",
        Source::WtmpdbDaemon => "wtmpdb's daemon",
    };
    Failure::Nothing(format!("{name} is not here (utempterctl doctor says more)"))
}

/// Says at a table's end what has been read, where the program has chosen that.
fn write_sources(paths: &[PathBuf], output: &mut Output) -> io::Result<()> {
    let shown = |path: &PathBuf| printable(path.as_os_str().as_encoded_bytes());
    let line = format!("from {}", paths.iter().map(shown).collect::<Vec<_>>().join(", "));
    match output.colored {
        true => writeln!(output, "\n{}{line}{}", FAINT.render(), FAINT.render_reset()),
        false => writeln!(output, "\n{line}"),
    }
}

//! How the program ends.

use std::io;
use std::process::ExitCode;

use login_databases::Error;

/// How well it went; the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All well.
    Well = 0,
    /// Done, and something is wrong: see the command.
    Wrong = 1,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(status as u8)
    }
}

/// Why it could not be done.
#[derive(Debug)]
pub enum Failure {
    /// A value on the command line that means nothing.
    Usage(String),
    /// A file cannot be read.
    Read(Error),
    /// Nothing there to be read, or the like.
    Nothing(String),
    /// The privilege is missing.
    Privilege(String),
    /// Standard output cannot be written.
    Output(io::Error),
}

/// What a command returns.
pub type Done = Result<Status, Failure>;

impl Failure {
    /// Says why on standard error, and with which status to end.
    pub fn report(self) -> ExitCode {
        let (status, words) = match self {
            Failure::Usage(words) => (2, words),
            Failure::Read(error) => (3, error.to_string()),
            Failure::Nothing(words) => (3, words),
            Failure::Privilege(words) => (4, words),
            // Whoever read the output has seen enough.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                (0, String::new())
            }
            Failure::Output(error) => (5, format!("standard output: {error}")),
        };
        if !words.is_empty() {
            warn(&words);
        }
        ExitCode::from(status)
    }
}

/// Says something on standard error. What comes from files is to be made printable before.
pub fn warn(words: &str) {
    use std::io::Write;
    // Where nobody hears it there is nothing to be done about it.
    let _ = writeln!(io::stderr(), "utempterctl: {words}");
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Read(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

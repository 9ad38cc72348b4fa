//! What may go wrong while reading.

use std::error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a file could not be read.
#[derive(Debug)]
pub enum Error {
    /// The file cannot be opened or read.
    Io(PathBuf, io::Error),
    /// Its bytes are records of no known layout.
    Unknown(PathBuf),
    /// It is packed, and what is in it cannot be got out: the reason.
    Packed(PathBuf, String),
    /// SQLite's word about a file of wtmpdb or lastlog2.
    Database(PathBuf, String),
    /// No database of the kind exists here: what was looked for.
    Nowhere(String),
}

impl Error {
    /// Whether it is a socket that nobody listens at: a daemon that is no more has left it.
    pub fn is_refused(&self) -> bool {
        matches!(self, Error::Io(_, error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |error| Error::Io(path, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| crate::printable(path.as_os_str().as_encoded_bytes());
        match self {
            Error::Io(path, error) => write!(formatter, "{}: {error}", shown(path)),
            Error::Unknown(path) => {
                write!(formatter, "{}: no records of any known layout", shown(path))
            }
            Error::Packed(path, why) => {
                write!(formatter, "{}: cannot be unpacked: {why}", shown(path))
            }
            Error::Database(path, why) => write!(formatter, "{}: {why}", shown(path)),
            Error::Nowhere(what) => formatter.write_str(what),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

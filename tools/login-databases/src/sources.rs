//! The stores that this machine may have, and which of them are there.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use login_records::store::{UTMP_PATH, UTMPD_PATH, WTMP_PATH};

/// A store of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The file of who is on.
    Utmp,
    /// The file of who has been.
    Wtmp,
    /// The daemon of utmps that says who is on. Its other daemon only writes: what it has
    /// written is [`Source::Wtmp`].
    Utmps,
    /// wtmpdb's file.
    Wtmpdb,
    /// wtmpdb's daemon.
    WtmpdbDaemon,
}

/// utmps' history on Alpine, where nothing has linked it to the usual place.
const UTMPS_WTMP: &str = "/var/log/wtmpd/wtmp";

impl Source {
    /// Where this machine has it; nothing if it does not.
    pub fn paths(self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = match self {
            Source::Utmp => vec![UTMP_PATH.into()],
            Source::Wtmp => vec![WTMP_PATH.into(), UTMPS_WTMP.into()],
            Source::Utmps => vec![UTMPD_PATH.into()],
            #[cfg(feature = "wtmpdb")]
            Source::Wtmpdb => crate::wtmpdb::PATHS.map(PathBuf::from).into(),
            #[cfg(feature = "wtmpdb")]
            Source::WtmpdbDaemon => vec![crate::wtmpdb::SOCKET.into()],
            #[cfg(not(feature = "wtmpdb"))]
            Source::Wtmpdb | Source::WtmpdbDaemon => Vec::new(),
        };
        paths.retain(|path| !matches!(path.try_exists(), Ok(false)));
        if self == Source::Wtmp {
            // The one place is a link to the other, or stands for it.
            paths.truncate(1);
        }
        paths
    }

    /// Where wtmpdb is read here: by its file, or, where that cannot be read, by its daemon.
    pub fn wtmpdb() -> Vec<PathBuf> {
        let files = Source::Wtmpdb.paths();
        #[cfg(feature = "wtmpdb")]
        if !files.iter().any(|path| crate::wtmpdb::answers(path).is_ok()) {
            let daemon = Source::WtmpdbDaemon.paths();
            match daemon.first().map(|path| crate::wtmpdb::answers(path)) {
                Some(Ok(())) => return daemon,
                // What is wrong with it is to be told, but for a socket that was left behind.
                Some(Err(error)) if files.is_empty() && !error.is_refused() => return daemon,
                _ => {}
            }
        }
        files
    }
}

/// Whether it is a socket, behind which a daemon has the store.
pub fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

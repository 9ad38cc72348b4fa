//! When each account last logged in: lastlog, and lastlog2's file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use login_records::{Layout, Time};
use nix::errno::Errno;
use nix::unistd::{Whence, lseek64};

use crate::error::Error;
use crate::text;

/// Where lastlog is.
pub const PATH: &str = "/var/log/lastlog";
/// Where lastlog2's file is (util-linux liblastlog2).
pub const PATH2: &str = "/var/lib/lastlog/lastlog2.db";

/// The last login of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastLogin {
    /// The account's uid; lastlog2 has names instead.
    pub uid: Option<u32>,
    /// Its name, where the file has it.
    pub user: Option<Vec<u8>>,
    /// When.
    pub time: Time,
    /// Device without `/dev/`.
    pub line: Vec<u8>,
    /// Remote host.
    pub host: Vec<u8>,
    /// PAM's service, where the file has it.
    pub service: Option<String>,
}

/// How wide a record's seconds are; line and host follow, 32 bytes and 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 292 bytes a record: where utmp's are [`Layout::TIME32`], and on m68k.
    Narrow,
    /// 296 bytes a record.
    Wide,
}

impl Width {
    /// This machine's.
    pub const NATIVE: Width = match Layout::NATIVE.size() {
        392 | 400 => Width::Wide,
        _ => Width::Narrow,
    };

    /// Bytes of a record.
    pub const fn size(self) -> usize {
        match self {
            Width::Narrow => 292,
            Width::Wide => 296,
        }
    }

    fn seconds(self, bytes: &[u8]) -> i64 {
        match self {
            Width::Narrow => u32::from_ne_bytes(bytes[..4].try_into().expect("four bytes")).into(),
            Width::Wide => i64::from_ne_bytes(bytes[..8].try_into().expect("eight bytes")),
        }
    }

    fn text(self) -> usize {
        self.size() - 288
    }
}

/// The last logins in a file of lastlog, by uid. Accounts that never logged in have none.
///
/// A file in which uids of billions leave holes is read in the time of what is in it. A tail
/// that is no whole record is left out.
///
/// # Errors
///
/// [`Error::Io`].
///
/// ```
/// use login_databases::lastlog::{put, read, Width};
/// use login_databases::Time;
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("lastlog");
/// std::fs::write(&path, "")?;
/// put(&path, 4_000_000_000, Time { sec: 1_700_000_000, usec: 0 }, "pts/3", "here")?;
/// let logins = read(&path, Width::NATIVE)?;
/// assert_eq!((logins[0].uid, &logins[0].line[..]), (Some(4_000_000_000), &b"pts/3"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: &Path, width: Width) -> Result<Vec<LastLogin>, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    let size = file.metadata().map_err(Error::io(path))?.len();
    let step = width.size() as u64;
    let mut logins = Vec::new();
    let mut chunk = vec![0; 256 * width.size()];
    let mut at = 0;
    while at + step <= size {
        at = match next_data(&file, at) {
            Some(data) => data.max(at) / step * step,
            None => break,
        };
        let want = (chunk.len() as u64).min((size - at) / step * step) as usize;
        if want == 0 {
            break;
        }
        file.read_exact_at(&mut chunk[..want], at).map_err(Error::io(path))?;
        for record in chunk[..want].chunks_exact(width.size()) {
            let login = decode(record, width);
            let uid = u32::try_from(at / step).ok();
            at += step;
            if login.time.sec != 0 || !login.line.is_empty() {
                logins.push(LastLogin { uid, ..login });
            }
        }
    }
    Ok(logins)
}

fn decode(record: &[u8], width: Width) -> LastLogin {
    let line = width.text();
    LastLogin {
        uid: None,
        user: None,
        time: Time { sec: width.seconds(record), usec: 0 },
        line: text(&record[line..line + 32]).to_vec(),
        host: text(&record[line + 32..line + 288]).to_vec(),
        service: None,
    }
}

fn next_data(file: &File, at: u64) -> Option<u64> {
    match lseek64(file, at as i64, Whence::SeekData) {
        Ok(data) => u64::try_from(data).ok(),
        Err(Errno::ENXIO) => None,
        // A filesystem that cannot tell has no holes.
        Err(_) => Some(at),
    }
}

/// The width in which the file's records make the most sense; this machine's if both do.
///
/// # Errors
///
/// [`Error::Io`].
pub fn width_of(path: &Path) -> Result<Width, Error> {
    let other = match Width::NATIVE {
        Width::Narrow => Width::Wide,
        Width::Wide => Width::Narrow,
    };
    let sense = |width| -> Result<usize, Error> {
        let text = |bytes: &[u8]| bytes.iter().all(|byte| *byte >= b' ' && *byte != 0x7f);
        let sane = |login: &&LastLogin| {
            (1..1 << 34).contains(&login.time.sec) && !login.line.is_empty() && text(&login.line)
        };
        Ok(read(path, width)?.iter().take(200).filter(sane).count())
    };
    Ok(if sense(other)? > sense(Width::NATIVE)? { other } else { Width::NATIVE })
}

/// Writes an account's last login into a file of lastlog, for a program that may.
///
/// A file that does not exist is switched off, and is not made.
///
/// # Errors
///
/// As open(2) and write(2) give them.
pub fn put(path: &Path, uid: u32, time: Time, line: &str, host: &str) -> io::Result<()> {
    let width = Width::NATIVE;
    let mut record = vec![0; width.size()];
    match width {
        Width::Narrow => record[..4].copy_from_slice(&(time.sec as u32).to_ne_bytes()),
        Width::Wide => record[..8].copy_from_slice(&time.sec.to_ne_bytes()),
    }
    let line = line.strip_prefix("/dev/").unwrap_or(line);
    for (at, length, text) in [(0, 32, line), (32, 256, host)] {
        let text = &text.as_bytes()[..text.len().min(length)];
        let at = width.text() + at;
        record[at..at + text.len()].copy_from_slice(text);
    }
    let file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    file.write_all_at(&record, u64::from(uid) * width.size() as u64)
}

/// The last logins in lastlog2's file, by name.
///
/// # Errors
///
/// [`Error::Database`].
#[cfg(feature = "wtmpdb")]
pub fn read2(path: &Path) -> Result<Vec<LastLogin>, Error> {
    let connection = crate::wtmpdb::open(path)?;
    let failed = crate::wtmpdb::failed(path);
    let read = || {
        let mut query = connection
            .prepare("SELECT Name, Time, TTY, RemoteHost, Service FROM Lastlog2 ORDER BY Name")?;
        let rows = query.query_map([], |row| {
            let text = |at| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
            Ok(LastLogin {
                uid: None,
                user: Some(text(0)?.into_bytes()),
                time: Time { sec: row.get::<_, Option<i64>>(1)?.unwrap_or(0), usec: 0 },
                line: text(2)?.into_bytes(),
                host: text(3)?.into_bytes(),
                service: row.get(4)?,
            })
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    read().map_err(failed)
}

/// Without the feature `wtmpdb` no file of SQLite can be read.
///
/// # Errors
///
/// [`Error::Unknown`], always.
#[cfg(not(feature = "wtmpdb"))]
pub fn read2(path: &Path) -> Result<Vec<LastLogin>, Error> {
    Err(Error::Unknown(path.to_owned()))
}

/// The files of last logins that exist here.
pub fn paths_of_this_machine() -> Vec<PathBuf> {
    let there = |path: &PathBuf| !matches!(path.try_exists(), Ok(false));
    [PATH, PATH2].map(PathBuf::from).into_iter().filter(there).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_width_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lastlog");
        for width in [Width::Narrow, Width::Wide] {
            let mut bytes = vec![0; 10 * width.size()];
            for uid in [0, 5, 9] {
                let at = uid * width.size();
                bytes[at..at + 4].copy_from_slice(&1_700_000_000_u32.to_ne_bytes());
                bytes[at + width.text()..at + width.text() + 5].copy_from_slice(b"pts/1");
            }
            if cfg!(target_endian = "big") && width == Width::Wide {
                continue;
            }
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(width_of(&path).unwrap(), width);
            let uids: Vec<_> =
                read(&path, width).unwrap().iter().map(|login| login.uid.unwrap()).collect();
            assert_eq!(uids, [0, 5, 9]);
        }
    }

    #[test]
    fn a_torn_tail_is_left_out_and_a_missing_file_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lastlog");
        put(&path, 1, Time { sec: 7, usec: 0 }, "tty1", "").unwrap();
        assert!(!path.exists());
        std::fs::write(&path, [1; 100]).unwrap();
        assert_eq!(read(&path, Width::NATIVE).unwrap(), []);
        put(&path, 1, Time { sec: 7, usec: 0 }, "tty1", &"h".repeat(300)).unwrap();
        let logins = read(&path, Width::NATIVE).unwrap();
        assert_eq!(logins.last().unwrap().host, vec![b'h'; 256]);
    }

    #[cfg(feature = "wtmpdb")]
    #[test]
    fn lastlog2_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lastlog2.db");
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch(
                "CREATE TABLE Lastlog2(Name TEXT PRIMARY KEY, Time INTEGER, TTY TEXT, \
                 RemoteHost TEXT, Service TEXT);\
                 INSERT INTO Lastlog2 VALUES('alice', 1700000000, 'pts/1', NULL, 'sshd');",
            )
            .unwrap();
        let logins = read2(&path).unwrap();
        assert_eq!(logins[0].user.as_deref(), Some(&b"alice"[..]));
        assert_eq!(logins[0].service.as_deref(), Some("sshd"));
    }
}

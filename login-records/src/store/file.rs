//! A file of records.

use core::ffi::CStr;

use crate::errno::Errno;
use crate::sys::{Fd, Time};

/// A file of records, open for reading and writing.
#[derive(Debug)]
pub struct RecordFile {
    pub(super) fd: Fd,
}

/// What a file shows of itself; any write changes it, but for two in the same instant of the
/// filesystem's clock (a few milliseconds on kernels before 6.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    written: Time,
}

impl RecordFile {
    /// What the file shows of itself now.
    ///
    /// # Errors
    ///
    /// As stat(2).
    pub fn stamp(&self) -> Result<Stamp, Errno> {
        let stat = self.fd.stat()?;
        Ok(Stamp { dev: stat.dev, ino: stat.ino, size: stat.size, written: stat.written })
    }

    /// Opens the file; `None` where there is none: the administrator has switched the store
    /// off (POSIX systems have always read it so; utmp(5), FILES).
    ///
    /// # Errors
    ///
    /// As open(2); `ESPIPE` for what is no regular file.
    pub fn open(path: &CStr) -> Result<Option<RecordFile>, Errno> {
        let fd = match Fd::open(path) {
            Err(Errno::ENOENT) => return Ok(None),
            fd => fd?,
        };
        if !fd.stat()?.is_regular() {
            return Err(Errno::ESPIPE);
        }
        Ok(Some(RecordFile { fd }))
    }

    /// As [`RecordFile::open`], of a path without NUL, at most 255 bytes long.
    pub fn open_named(path: &str) -> Result<Option<RecordFile>, Errno> {
        let mut name = [0; 256];
        for (to, from) in name.iter_mut().zip(path.as_bytes()) {
            *to = *from;
        }
        RecordFile::open(CStr::from_bytes_until_nul(&name).map_err(|_| Errno::ENAMETOOLONG)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_switched_off() {
        assert!(RecordFile::open(c"/nonexistent/utmp").unwrap().is_none());
        assert!(RecordFile::open_named("/nonexistent").unwrap().is_none());
    }

    #[test]
    fn what_is_no_file_of_records_is_refused() {
        assert_eq!(RecordFile::open(c"/").unwrap_err(), Errno::EISDIR);
        assert_eq!(RecordFile::open(c"/dev/null").unwrap_err(), Errno::ESPIPE);
        assert_eq!(RecordFile::open(c"/dev/null/utmp").unwrap_err(), Errno::ENOTDIR);
    }

    #[test]
    fn a_path_that_is_too_long_is_refused_and_not_cut() {
        let long = std::string::String::from_utf8(std::vec![b'x'; 256]).unwrap();
        assert_eq!(RecordFile::open_named(&long).unwrap_err(), Errno::ENAMETOOLONG);
    }
}

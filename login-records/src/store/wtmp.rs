//! wtmp: every login and logout, one record after the other.

use crate::errno::Errno;
use crate::record::Record;

use super::file::RecordFile;
use super::frame::{self, LAYOUT, SIZE};
use super::lock::{Lock, Patience};

/// The file of the sessions that were. See utmp(5).
#[derive(Debug)]
pub struct Wtmp<'a>(pub &'a RecordFile);

impl Wtmp<'_> {
    /// Appends a record.
    ///
    /// # Errors
    ///
    /// `EFBIG` where the file size limit is within 1 MiB, `ENOSPC` on a full disk, `EIO` for
    /// a record that others keep overwriting; others as write(2) gives them.
    pub fn append(&self, record: &Record, patience: &mut Patience) -> Result<(), Errno> {
        let encoded = LAYOUT.encode(record);
        let Some(bytes) = encoded.first_chunk::<SIZE>() else {
            return Err(Errno::EIO);
        };
        let lock = Lock::take(&self.0.fd, patience);
        for _ in 0..2 {
            let offset = frame::append(self.0, &lock, bytes)?;
            if frame::is_at(self.0, offset, bytes)? {
                return Ok(());
            }
        }
        Err(Errno::EIO)
    }
}

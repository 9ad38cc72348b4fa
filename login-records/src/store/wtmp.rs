//! wtmp: every login and logout, one record after the other.

use core::mem::MaybeUninit;

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
        lock.suffices(patience)?;
        for _ in 0..2 {
            let offset = frame::append(self.0, &lock, bytes)?;
            if frame::is_at(self.0, offset, bytes)? {
                return Ok(());
            }
        }
        Err(Errno::EIO)
    }

    /// Appends a record unless the line's last one says the same, time apart: for whoever
    /// cannot know whether another, asked before, got as far.
    ///
    /// # Errors
    ///
    /// As [`Wtmp::append`].
    pub fn append_once(&self, record: &Record, patience: &mut Patience) -> Result<(), Errno> {
        match self.last_of_line(&record.line)? {
            Some(last) if (Record { time: record.time, ..last }) == *record => Ok(()),
            _ => self.append(record, patience),
        }
    }

    /// The line's last record, if it is among the file's last few hundred.
    ///
    /// # Errors
    ///
    /// As read(2).
    pub fn last_of_line(&self, line: &[u8; 32]) -> Result<Option<Record>, Errno> {
        let mut buffer = [MaybeUninit::uninit(); SIZE * BATCH];
        let mut end = self.0.fd.stat()?.size / SIZE as u64;
        for _ in 0..LAST / BATCH {
            let begin = end.saturating_sub(BATCH as u64);
            let read = self.0.fd.read_into(&mut buffer, begin * SIZE as u64)?;
            let mut records = read.chunks_exact(SIZE).take((end - begin) as usize).rev();
            if let Some(last) = records.find(|bytes| LAYOUT.line_of(bytes) == line) {
                return Ok(LAYOUT.decode(last));
            }
            end = begin;
        }
        Ok(None)
    }
}

/// Records among which a line's last one is looked for.
const LAST: usize = 256;
/// Records read at once.
const BATCH: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::testing::{TestFile, bytes_of, login, logout};
    use super::*;

    #[test]
    fn records_follow_each_other() {
        let test = TestFile::with(b"");
        for record in [login(1, 1), logout(1, 1), login(1, 2)] {
            Wtmp(&test.file).append(&record, &mut Patience::default()).unwrap();
        }
        assert_eq!(test.records(), [login(1, 1), logout(1, 1), login(1, 2)]);
    }

    #[test]
    fn what_is_there_already_is_not_appended_again() {
        let test = TestFile::with(b"");
        let once = |record| {
            Wtmp(&test.file).append_once(&record, &mut Patience::default()).unwrap();
        };
        once(login(1, 1));
        once(login(2, 1));
        let later = crate::Time { sec: 1_800_000_000, usec: 5 };
        once(Record { time: later, ..login(1, 1) });
        assert_eq!(test.records(), [login(1, 1), login(2, 1)]);
        for other in [login(1, 2), logout(1, 1), login(1, 1)] {
            once(other);
            assert_eq!(test.records().last(), Some(&other));
        }
    }

    #[test]
    fn the_last_of_a_line_is_found_among_the_last_few_hundred() {
        let mut records = std::vec![login(1, 1), login(2, 2), login(2, 3)];
        for others in [0, 1, 61, 62, 63, 64, 200, 253] {
            records.truncate(3);
            records.extend((0..others).map(|n| login(100 + n, 4)));
            let test = TestFile::of(&records);
            let last = |number| Wtmp(&test.file).last_of_line(&login(number, 1).line).unwrap();
            assert_eq!(last(2), Some(login(2, 3)), "{others}");
            assert_eq!(last(3), None);
        }
        let test = TestFile::of(&[&records[2..3], &[login(1, 1); LAST]].concat());
        assert_eq!(Wtmp(&test.file).last_of_line(&login(2, 3).line).unwrap(), None);
    }

    #[test]
    fn every_torn_tail_is_written_over() {
        for torn in [1, 8, SIZE / 2, SIZE - 1] {
            let mut bytes = bytes_of(&login(1, 1));
            bytes.extend_from_slice(&bytes_of(&login(2, 2))[..torn]);
            let test = TestFile::with(&bytes);
            Wtmp(&test.file).append(&login(3, 3), &mut Patience::default()).unwrap();
            assert_eq!(test.records(), [login(1, 1), login(3, 3)]);
        }
    }

    #[test]
    fn writers_side_by_side_lose_nothing() {
        let test = TestFile::with(b"");
        let path = std::ffi::CString::new(test.path.to_str().unwrap()).unwrap();
        std::thread::scope(|scope| {
            for pid in 1..=8 {
                let path = &path;
                scope.spawn(move || {
                    let file = RecordFile::open(path).unwrap().unwrap();
                    for number in 0..100 {
                        Wtmp(&file).append(&login(number, pid), &mut Patience::default()).unwrap();
                    }
                });
            }
        });
        let records = test.records();
        assert_eq!(records.len(), 800);
        for pid in 1..=8 {
            let own = records.iter().filter(|record| record.pid == pid);
            assert!(own.copied().eq((0..100).map(|number| login(number, pid))));
        }
    }
}

//! utmp: one record for each line.

use core::mem::MaybeUninit;

use crate::errno::Errno;
use crate::record::{DEAD_PROCESS, LOGIN_PROCESS, Record, USER_PROCESS, is_process};

use super::file::RecordFile;
use super::frame::{self, Bytes, LAYOUT, SIZE};
use super::lock::{Lock, Patience};

/// The file of the sessions that are. See utmp(5).
#[derive(Debug)]
pub struct Utmp<'a>(pub &'a RecordFile);

/// Where a line's record is, for a process that writes many.
///
/// Both functions are called while the file is locked, if the lock was had.
pub trait Index {
    /// Where the record of this line is.
    ///
    /// # Errors
    ///
    /// As read(2), where the file had to be read for it.
    fn find(&mut self, utmp: &Utmp<'_>, record: &Record) -> Result<Place, Errno>;

    /// The record is now at `offset`; `alone`: nobody else can have written meanwhile.
    fn wrote(&mut self, utmp: &Utmp<'_>, record: &Record, offset: u64, alone: bool);
}

/// What an index knows of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has no record.
    Nowhere,
    /// Its only record is at this offset.
    Slot(u64),
    /// The file has to be searched.
    Unknown,
}

struct NoIndex;

impl Index for NoIndex {
    fn find(&mut self, _: &Utmp<'_>, _: &Record) -> Result<Place, Errno> {
        Ok(Place::Unknown)
    }

    fn wrote(&mut self, _: &Utmp<'_>, _: &Record, _: u64, _: bool) {}
}

/// Records read at once: 24 KiB, measured to be about as fast as more, and no load for a small
/// stack (RLIMIT_STACK is the caller's).
const BATCH: usize = 24576 / SIZE;

/// The slot of a line.
struct Slot {
    offset: u64,
    bytes: Bytes,
    rank: u8,
}

/// What a pass over the file has found for a line.
#[derive(Default)]
struct Found {
    slot: Option<Slot>,
    live: u32,
}

impl Utmp<'_> {
    /// Writes the record into its line's slot, or appends it. A record of another line is
    /// never touched (glibc goes by `ut_id` alone and overwrites one that shares it); other
    /// live records of the same line become dead.
    ///
    /// # Errors
    ///
    /// As [`crate::store::Wtmp::append`].
    pub fn put(&self, record: &Record, patience: &mut Patience) -> Result<(), Errno> {
        self.put_by(&mut NoIndex, record, patience)
    }

    /// As [`Utmp::put`], with an index in place of the search.
    ///
    /// # Errors
    ///
    /// As [`Utmp::put`].
    pub fn put_by(
        &self,
        index: &mut impl Index,
        record: &Record,
        patience: &mut Patience,
    ) -> Result<(), Errno> {
        self.write(index, record, patience, false)
    }

    /// Writes the record over the line's, if that is a session of the same process; another
    /// that has come to the line since is left alone.
    ///
    /// # Errors
    ///
    /// As [`Utmp::put`].
    pub fn end_by(
        &self,
        index: &mut impl Index,
        record: &Record,
        patience: &mut Patience,
    ) -> Result<(), Errno> {
        self.write(index, record, patience, true)
    }

    fn write(
        &self,
        index: &mut impl Index,
        record: &Record,
        patience: &mut Patience,
        only_own: bool,
    ) -> Result<(), Errno> {
        let encoded = LAYOUT.encode(record);
        let Some(bytes) = encoded.first_chunk::<SIZE>() else {
            return Err(Errno::EIO);
        };
        let lock = Lock::take(&self.0.fd, patience);
        lock.suffices(patience)?;
        for _ in 0..2 {
            let found = match index.find(self, record)? {
                Place::Nowhere => Found::default(),
                Place::Slot(offset) => self.found_at(offset, record)?,
                Place::Unknown => self.find(record)?,
            };
            if only_own && !found.slot.as_ref().is_some_and(|slot| is_own(&slot.bytes, record)) {
                return Ok(());
            }
            let offset = match &found.slot {
                Some(slot) => {
                    frame::replace(self.0, slot.offset, &slot.bytes, bytes)?;
                    slot.offset
                }
                None => frame::append(self.0, &lock, bytes)?,
            };
            if frame::is_at(self.0, offset, bytes)? {
                if found.slot.is_some() {
                    frame::end_torn_tail(self.0, &lock);
                }
                index.wrote(self, record, offset, lock.is_held());
                return match found.live {
                    0 => Ok(()),
                    _ => self.end_others(record, offset),
                };
            }
        }
        Err(Errno::EIO)
    }

    /// Writes `new` over the record `old`, and says whether that still stood there. If not,
    /// nothing is written: its line may be somebody else's by now.
    ///
    /// # Errors
    ///
    /// As [`crate::store::Wtmp::append`].
    pub fn put_instead(
        &self,
        old: &Record,
        new: &Record,
        patience: &mut Patience,
    ) -> Result<bool, Errno> {
        let encoded = LAYOUT.encode(new);
        let Some(new) = encoded.first_chunk::<SIZE>() else {
            return Err(Errno::EIO);
        };
        let _lock = Lock::take(&self.0.fd, patience);
        let mut found = None;
        self.each(
            |bytes| LAYOUT.decode(bytes).is_some_and(|record| record == *old),
            |offset, bytes| found = found.or(Some((offset, *bytes))),
        )?;
        match found {
            Some((offset, bytes)) => frame::replace(self.0, offset, &bytes, new).map(|()| true),
            None => Ok(false),
        }
    }

    /// Shows each process record: its offset and its line.
    ///
    /// # Errors
    ///
    /// As read(2).
    pub fn each_process(&self, mut show: impl FnMut(u64, &[u8; 32])) -> Result<(), Errno> {
        let wanted = |bytes: &Bytes| is_process(LAYOUT.type_of(bytes));
        self.each(wanted, |offset, bytes| {
            if let Some(line) = LAYOUT.line_of(bytes).first_chunk::<32>() {
                show(offset, line);
            }
        })
    }

    /// The record at an offset; `None` behind the end, and for what is no record.
    ///
    /// # Errors
    ///
    /// As read(2).
    pub fn record_at(&self, offset: u64) -> Result<Option<Record>, Errno> {
        let mut bytes: Bytes = [0; SIZE];
        let read = self.0.fd.read_at(&mut bytes, offset)?;
        Ok(LAYOUT.decode(&bytes).filter(|_| read == SIZE))
    }

    /// What an index has found, if it is still so.
    fn found_at(&self, offset: u64, record: &Record) -> Result<Found, Errno> {
        let mut bytes: Bytes = [0; SIZE];
        let read = self.0.fd.read_at(&mut bytes, offset)?;
        let same = LAYOUT.line_of(&bytes) == record.line && is_process(LAYOUT.type_of(&bytes));
        if read != SIZE || !same {
            return self.find(record);
        }
        Ok(Found { slot: Some(Slot { offset, bytes, rank: 0 }), live: 0 })
    }

    /// The best slot of the record's line: live before dead, and before all the one with the
    /// same id, which is the one that glibc's readers and writers find.
    fn find(&self, record: &Record) -> Result<Found, Errno> {
        let mut found = Found::default();
        let mut best_is_live = false;
        self.each_of_line(record, |offset, bytes| {
            let live = is_live(LAYOUT.type_of(bytes));
            let rank = 2 * u8::from(LAYOUT.id_of(bytes) == record.id) + u8::from(live);
            found.live += u32::from(live);
            if found.slot.as_ref().is_none_or(|slot| slot.rank < rank) {
                best_is_live = live;
                found.slot = Some(Slot { offset, bytes: *bytes, rank });
            }
        })?;
        found.live -= u32::from(best_is_live);
        Ok(found)
    }

    /// Ends the live records of the line elsewhere than at `own`.
    fn end_others(&self, record: &Record, own: u64) -> Result<(), Errno> {
        let mut result = Ok(());
        self.each_of_line(record, |offset, bytes| {
            if offset != own && is_live(LAYOUT.type_of(bytes)) {
                if let Some(other) = LAYOUT.decode(bytes) {
                    let ended = Record { ut_type: DEAD_PROCESS, time: record.time, ..other };
                    if let Some(new) = LAYOUT.encode(&ended).first_chunk::<SIZE>() {
                        result = result.and(frame::replace(self.0, offset, bytes, new));
                    }
                }
            }
        })?;
        result
    }

    /// Shows each process record of the record's line, with its offset.
    fn each_of_line(&self, record: &Record, show: impl FnMut(u64, &Bytes)) -> Result<(), Errno> {
        let wanted = |bytes: &Bytes| {
            LAYOUT.line_of(bytes) == record.line && is_process(LAYOUT.type_of(bytes))
        };
        self.each(wanted, show)
    }

    /// Shows each record that is wanted, with its offset.
    fn each(
        &self,
        wanted: impl Fn(&Bytes) -> bool,
        mut show: impl FnMut(u64, &Bytes),
    ) -> Result<(), Errno> {
        let mut buffer = [MaybeUninit::uninit(); SIZE * BATCH];
        let sparse = self.0.fd.stat()?.is_sparse();
        let mut offset = 0u64;
        loop {
            if sparse {
                match self.0.fd.next_data(offset) {
                    Some(data) => offset = data - data % SIZE as u64,
                    None => return Ok(()),
                }
            }
            let read = self.0.fd.read_into(&mut buffer, offset)?;
            for bytes in read.chunks_exact(SIZE).filter_map(<[u8]>::first_chunk::<SIZE>) {
                if wanted(bytes) {
                    show(offset, bytes);
                }
                offset += SIZE as u64;
            }
            if read.len() < SIZE * BATCH {
                return Ok(());
            }
        }
    }
}

fn is_own(bytes: &Bytes, record: &Record) -> bool {
    let found = LAYOUT.decode(bytes);
    found.is_some_and(|found| found.ut_type == USER_PROCESS && found.pid == record.pid)
}

fn is_live(ut_type: i16) -> bool {
    ut_type == USER_PROCESS || ut_type == LOGIN_PROCESS
}

#[cfg(test)]
mod tests {
    use super::super::testing::{TestFile, bytes_of, login, logout};
    use super::*;
    use crate::record::{BOOT_TIME, EMPTY};
    use std::vec::Vec;

    fn put(test: &TestFile, record: &Record) {
        Utmp(&test.file).put(record, &mut Patience::default()).unwrap();
    }

    #[test]
    fn the_first_record_is_appended() {
        let test = TestFile::with(b"");
        put(&test, &login(3, 1));
        assert_eq!(test.records(), [login(3, 1)]);
    }

    struct Fixed(Place, Vec<(u64, bool)>);

    impl Index for Fixed {
        fn find(&mut self, _: &Utmp<'_>, _: &Record) -> Result<Place, Errno> {
            Ok(self.0)
        }

        fn wrote(&mut self, _: &Utmp<'_>, _: &Record, offset: u64, alone: bool) {
            self.1.push((offset, alone));
        }
    }

    #[test]
    fn an_index_is_believed_only_where_it_is_right() {
        let step = SIZE as u64;
        for (place, written) in [
            (Place::Slot(step), step),
            (Place::Slot(0), step),
            (Place::Slot(99 * step), step),
            (Place::Unknown, step),
            // Believed: an index that says so has seen the whole file.
            (Place::Nowhere, 2 * step),
        ] {
            let test = TestFile::of(&[login(1, 1), login(2, 1)]);
            let mut index = Fixed(place, Vec::new());
            let utmp = Utmp(&test.file);
            utmp.put_by(&mut index, &login(2, 9), &mut Patience::default()).unwrap();
            assert_eq!(index.1, [(written, true)], "{place:?}");
            assert_eq!(test.records()[0], login(1, 1));
            assert_eq!(test.records()[written as usize / SIZE], login(2, 9));
        }
    }

    #[test]
    fn only_the_own_session_is_ended() {
        for (before, ended) in
            [(login(3, 1), true), (login(3, 2), false), (logout(3, 1), false), (login(4, 1), false)]
        {
            let test = TestFile::of(&[before]);
            let patience = &mut Patience::default();
            Utmp(&test.file).end_by(&mut NoIndex, &logout(3, 1), patience).unwrap();
            assert_eq!(test.records(), [if ended { logout(3, 1) } else { before }]);
        }
    }

    #[test]
    fn a_line_keeps_its_slot_and_the_others_their_bytes() {
        // More than are read at once, so that the search passes from one batch to the next.
        let mut records: Vec<Record> = (0..2 * BATCH as u32 + 7).map(|n| login(n, 1)).collect();
        for number in [0, 1, BATCH as u32 - 1, BATCH as u32, 2 * BATCH as u32 + 6] {
            let test = TestFile::of(&records);
            for record in [logout(number, 2), login(number, 3)] {
                put(&test, &record);
                records[number as usize] = record;
                assert!(test.records() == records, "pts/{number}");
            }
        }
    }

    #[test]
    fn a_record_of_another_line_with_the_same_id_stays() {
        let mut other = login(1234, 7);
        other.line = *b"pts/51234\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(other.id, login(1234, 1).id);
        let test = TestFile::of(&[other]);
        put(&test, &login(1234, 1));
        assert_eq!(test.records(), [other, login(1234, 1)]);
    }

    #[test]
    fn a_record_that_stands_for_no_process_is_no_slot() {
        for ut_type in [EMPTY, BOOT_TIME, 9, 1000] {
            let other = Record { ut_type, ..login(3, 1) };
            let test = TestFile::of(&[other]);
            put(&test, &login(3, 2));
            assert_eq!(test.records(), [other, login(3, 2)]);
        }
    }

    #[test]
    fn the_slot_is_the_one_that_glibc_finds() {
        let foreign = Record { id: *b"abcd", ..login(3, 1) };
        let test = TestFile::of(&[logout(9, 1), foreign, logout(3, 1)]);
        put(&test, &login(3, 2));
        let records = test.records();
        assert_eq!(records[2], login(3, 2));
        // The other live record of the line has ended, and is otherwise as it was.
        let ended = Record { ut_type: DEAD_PROCESS, time: login(3, 2).time, ..foreign };
        assert_eq!(records[1], ended);
        assert_eq!(records[0], logout(9, 1));
        assert_eq!(records.len(), 3);
    }

    #[test]
    fn every_other_live_record_of_the_line_ends() {
        let strangers = [*b"aaaa", *b"bbbb", *b"cccc"].map(|id| Record { id, ..login(3, 5) });
        let test = TestFile::of(&strangers);
        put(&test, &logout(3, 6));
        let types: Vec<i16> = test.records().iter().map(|record| record.ut_type).collect();
        assert_eq!(types, [DEAD_PROCESS; 3]);
        assert_eq!(test.records()[0], logout(3, 6));
    }

    #[test]
    fn a_record_is_replaced_only_where_it_still_stands() {
        let test = TestFile::of(&[login(1, 1), login(3, 1), login(3, 2)]);
        let instead = |old: &Record, new: &Record| {
            Utmp(&test.file).put_instead(old, new, &mut Patience::default()).unwrap()
        };
        assert!(instead(&login(3, 2), &logout(3, 9)));
        assert!(!instead(&login(3, 2), &logout(3, 10)));
        assert!(!instead(&login(4, 1), &logout(4, 10)));
        assert_eq!(test.records(), [login(1, 1), login(3, 1), logout(3, 9)]);
    }

    #[test]
    fn a_torn_tail_is_written_over() {
        let mut bytes = bytes_of(&login(1, 1));
        bytes.extend_from_slice(&[0xff; 100]);
        let test = TestFile::with(&bytes);
        put(&test, &login(2, 1));
        assert_eq!(test.records(), [login(1, 1), login(2, 1)]);
    }

    #[test]
    fn a_torn_tail_becomes_an_empty_record_when_a_slot_is_written() {
        let mut bytes = bytes_of(&login(1, 1));
        bytes.extend_from_slice(&[0xff; 100]);
        let test = TestFile::with(&bytes);
        put(&test, &logout(1, 1));
        assert_eq!(test.records()[0], logout(1, 1));
        assert_eq!(test.bytes()[SIZE..], [0; SIZE]);
    }

    #[test]
    fn a_torn_tail_stays_without_the_lock() {
        let mut bytes = bytes_of(&login(1, 1));
        bytes.extend_from_slice(&[0xff; 100]);
        let test = TestFile::with(&bytes);
        let path = std::ffi::CString::new(test.path.to_str().unwrap()).unwrap();
        let other = crate::store::RecordFile::open(&path).unwrap().unwrap();
        let lock = Lock::take(&other.fd, &mut Patience::none());
        assert!(lock.is_held());
        Utmp(&test.file).put(&logout(1, 1), &mut Patience::none()).unwrap();
        assert_eq!(test.bytes().len(), SIZE + 100);
    }

    #[test]
    fn a_hole_of_gigabytes_is_passed_over() {
        let test = TestFile::of(&[login(1, 1)]);
        let size: u64 = 4 << 30;
        // Its end is a torn tail, which becomes an empty record.
        let whole = size.div_ceil(SIZE as u64) * SIZE as u64;
        test.file.fd.truncate(size).unwrap();
        put(&test, &login(1, 2));
        put(&test, &login(2, 1));
        let (mut first, mut last) = ([0; SIZE], [0; SIZE]);
        test.file.fd.read_at(&mut first, 0).unwrap();
        test.file.fd.read_at(&mut last, whole).unwrap();
        assert_eq!(first, bytes_of(&login(1, 2))[..]);
        assert_eq!(last, bytes_of(&login(2, 1))[..]);
        assert_eq!(test.file.fd.stat().unwrap().size, whole + SIZE as u64);
    }
}

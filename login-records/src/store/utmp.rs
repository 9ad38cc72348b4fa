//! utmp: one record for each line.

use crate::errno::Errno;
use crate::record::{DEAD_PROCESS, LOGIN_PROCESS, Record, USER_PROCESS, is_process};

use super::file::RecordFile;
use super::frame::{self, Bytes, LAYOUT, SIZE};
use super::lock::{Lock, Patience};

/// The file of the sessions that are. See utmp(5).
#[derive(Debug)]
pub struct Utmp<'a>(pub &'a RecordFile);

/// Records read at once: a little under 64 KiB.
const BATCH: usize = 65536 / SIZE;

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
        let encoded = LAYOUT.encode(record);
        let Some(bytes) = encoded.first_chunk::<SIZE>() else {
            return Err(Errno::EIO);
        };
        let lock = Lock::take(&self.0.fd, patience);
        for _ in 0..2 {
            let found = self.find(record)?;
            let offset = match &found.slot {
                Some(slot) => {
                    frame::replace(self.0, slot.offset, &slot.bytes, bytes)?;
                    slot.offset
                }
                None => frame::append(self.0, &lock, bytes)?,
            };
            if frame::is_at(self.0, offset, bytes)? {
                return match found.live {
                    0 => Ok(()),
                    _ => self.end_others(record, offset),
                };
            }
        }
        Err(Errno::EIO)
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
    fn each_of_line(
        &self,
        record: &Record,
        mut show: impl FnMut(u64, &Bytes),
    ) -> Result<(), Errno> {
        let mut buffer = [[0u8; SIZE]; BATCH];
        let sparse = self.0.fd.stat()?.is_sparse();
        let mut offset = 0u64;
        loop {
            if sparse {
                match self.0.fd.next_data(offset) {
                    Some(data) => offset = data - data % SIZE as u64,
                    None => return Ok(()),
                }
            }
            let read = self.0.fd.read_at(buffer.as_flattened_mut(), offset)?;
            let whole = read / SIZE;
            for bytes in buffer.iter().take(whole) {
                if LAYOUT.line_of(bytes) == record.line && is_process(LAYOUT.type_of(bytes)) {
                    show(offset, bytes);
                }
                offset += SIZE as u64;
            }
            if whole == 0 {
                return Ok(());
            }
        }
    }
}

fn is_live(ut_type: i16) -> bool {
    ut_type == USER_PROCESS || ut_type == LOGIN_PROCESS
}

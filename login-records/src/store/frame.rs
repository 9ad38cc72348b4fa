//! Whole records at whole offsets.
//!
//! What is done here holds with the lock and without it, and for a writer that is stopped
//! between any two of its system calls and goes on when others have written. Every append is
//! one write on an appending descriptor, so it cannot land on another writer's record. A size
//! that is no multiple of the record may be another writer at work (the size grows page by
//! page); only when it stays so is the tail torn. Then only what it lacks of a record is
//! appended, zeros. Whose append reaches the last byte of a slot, and nobody else, owns the slot and
//! writes its record over the whole of it: a torn tail has one owner, whoever looked at it.
//! The file is cut only with the lock, and only to take back our own bytes from a full disk.
//!
//! What remains without the lock: glibc computes the end of the file and then writes there
//! (login/utmp_file.c), so a record that we append between the two is lost, in the instant
//! after the reader that kept us both waiting has left.

use crate::errno::Errno;
use crate::layout::Layout;
use crate::sys::{file_size_limit, monotonic_us, sleep_us};

use super::file::RecordFile;
use super::lock::Lock;

/// Every record written here has the machine's layout.
pub(super) const LAYOUT: Layout = Layout::NATIVE;
/// Bytes a record takes.
pub(super) const SIZE: usize = LAYOUT.size();
const STEP: u64 = SIZE as u64;

/// A record as it stands in the file.
pub(super) type Bytes = [u8; SIZE];

/// How long an odd size has to stay the same to be a torn tail, in microseconds.
const SETTLED: i64 = 20_000;
/// How long a size that keeps moving is watched.
const MOVING: i64 = 200_000;
/// Room that the file size limit must leave: whoever is that near to it would soon tear
/// records, and has lowered it on purpose.
const ROOM: u64 = 1 << 20;

const EMPTY: Bytes = [0; SIZE];
/// How often a record is appended whose slot others keep changing.
const TRIES: u32 = 8;

/// Appends a record and says at which offset it lies.
pub(super) fn append(file: &RecordFile, lock: &Lock<'_>, bytes: &Bytes) -> Result<u64, Errno> {
    let (size, _) = settled_size(file)?;
    check_room(size)?;
    let mut torn = size % STEP;
    for _ in 0..TRIES {
        // Nothing of ours behind what may be another's: we may be killed before it is ours.
        let lacks = if torn == 0 { bytes } else { EMPTY.get(torn as usize..).unwrap_or(&EMPTY) };
        let (written, end) = file.fd.append(lacks)?;
        let start = end.saturating_sub(written as u64);
        if written < lacks.len() {
            take_back(file, lock, start, end);
            return Err(Errno::ENOSPC);
        }
        torn = end % STEP;
        let whole = end - torn;
        if start + STEP == whole && written == SIZE {
            return Ok(start);
        }
        if start < whole {
            // The slot's last byte is ours. What stands behind it, where others have
            // appended or mended since the look at the size, is a torn tail once more.
            return over_torn_tail(file, whole - STEP, bytes);
        }
        // Somebody has mended the tail since: what we have appended is the torn one now.
    }
    Err(Errno::EIO)
}

/// Replaces the record at `offset`, which is `old`.
pub(super) fn replace(
    file: &RecordFile,
    offset: u64,
    old: &Bytes,
    new: &Bytes,
) -> Result<(), Errno> {
    check_room(offset + STEP)?;
    match file.fd.write_at(new, offset) {
        Ok(SIZE) => Ok(()),
        Ok(written) => {
            // Half a record is worse than the old one.
            let _ = file.fd.write_at(old.get(..written).unwrap_or(old), offset);
            Err(Errno::ENOSPC)
        }
        Err(error) => Err(error),
    }
}

/// Whether the record at `offset` is `bytes`.
pub(super) fn is_at(file: &RecordFile, offset: u64, bytes: &Bytes) -> Result<bool, Errno> {
    let mut found: Bytes = [0; SIZE];
    let read = file.fd.read_at(&mut found, offset)?;
    Ok(read == SIZE && found == *bytes)
}

fn over_torn_tail(file: &RecordFile, offset: u64, bytes: &Bytes) -> Result<u64, Errno> {
    match file.fd.write_at(bytes, offset)? {
        SIZE => Ok(offset),
        _ => Err(Errno::ENOSPC),
    }
}

/// Cuts off what a write that was cut short has left, if it is still the end of the file.
fn take_back(file: &RecordFile, lock: &Lock<'_>, start: u64, end: u64) {
    if lock.is_held() && file.fd.stat().is_ok_and(|stat| stat.size == end) {
        let _ = file.fd.truncate(start);
    }
}

/// Makes an empty record (utmp(5), EMPTY) of what a writer killed in the midst of one has
/// left behind the last whole one, where no record has gone over it. It is not cut off: who
/// is stopped before that would cut off what others have made of it.
pub(super) fn end_torn_tail(file: &RecordFile, lock: &Lock<'_>) {
    if !lock.is_held() {
        return;
    }
    if let Ok((size, true)) = settled_size(file) {
        if size % STEP != 0 {
            let _ = append(file, lock, &EMPTY);
        }
    }
}

/// The size, once no other writer is in the midst of a record, and whether it came to rest.
fn settled_size(file: &RecordFile) -> Result<(u64, bool), Errno> {
    let start = monotonic_us();
    let mut size = file.fd.stat()?.size;
    let mut since = start;
    while size % STEP != 0 {
        let now = monotonic_us();
        if now - since >= SETTLED {
            break;
        }
        if now - start >= MOVING {
            return Ok((size, false));
        }
        sleep_us(1000);
        let seen = file.fd.stat()?.size;
        if seen != size {
            (size, since) = (seen, monotonic_us());
        }
    }
    Ok((size, true))
}

fn check_room(end: u64) -> Result<(), Errno> {
    match end.checked_add(ROOM) {
        Some(needed) if needed <= file_size_limit() => Ok(()),
        _ => Err(Errno::EFBIG),
    }
}

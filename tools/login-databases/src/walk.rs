//! Through a file, from record to record.
//!
//! A write that was cut short shifts every record that naive writers append behind it. Both
//! directions find the next record again by what it looks like, and say which bytes were
//! none.

use std::ops::Range;

use login_records::Layout;

use crate::entry::Raw;
use crate::error::Error;
use crate::input::Input;
use crate::plausible::{self, Verdict};

/// What stands in a file.
#[derive(Clone, Copy)]
pub enum Found<'a> {
    /// A record.
    Record {
        /// Where it begins, in bytes.
        offset: u64,
        /// The record.
        raw: Raw<'a>,
    },
    /// Bytes that are no record: a write cut short, or something else.
    Foreign {
        /// Where they begin.
        offset: u64,
        /// How many they are.
        length: u64,
    },
}

/// Read at once.
const CHUNK: usize = 128 << 10;

/// A part of the file in memory.
#[derive(Debug)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
    /// Kept, so that the memory need not be zeroed again.
    length: usize,
}

impl Window {
    fn new() -> Window {
        Window { start: 0, bytes: Vec::new(), length: 0 }
    }

    fn holds(&self, offset: u64, length: usize) -> bool {
        offset >= self.start && offset + length as u64 <= self.start + self.length as u64
    }

    fn load(&mut self, input: &Input, start: u64, end: u64) -> Result<(), Error> {
        let length = (end - start) as usize;
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        self.length = 0;
        input.read_exact_at(&mut self.bytes[..length], start)?;
        (self.start, self.length) = (start, length);
        Ok(())
    }

    fn get(&self, offset: u64, length: usize) -> &[u8] {
        let at = (offset - self.start) as usize;
        &self.bytes[at..at + length]
    }
}

/// Chunk of which the given range is the end, or the beginning.
fn around(input: &Input, offset: u64, length: usize, backwards: bool) -> (u64, u64) {
    let end = offset + length as u64;
    match backwards {
        true => (end.saturating_sub(CHUNK as u64), end),
        false => (offset, (offset + CHUNK as u64).min(input.size())),
    }
}

/// Whether records near an odd one stand out of its frame: not if the one beside it, at
/// `beside`, is as it should be.
fn is_shifted(
    input: &Input,
    layout: &Layout,
    beside: u64,
    others: Range<u64>,
) -> Result<bool, Error> {
    let size = layout.size();
    let from = beside.min(others.start);
    let to = (beside.max(others.end) + size as u64).min(input.size());
    let mut bytes = vec![0; (to - from) as usize];
    input.read_exact_at(&mut bytes, from)?;
    let record = |at: u64| bytes.get((at - from) as usize..)?.get(..size);
    let is = |at| record(at).is_some_and(|bytes| plausible::anywhere(layout, bytes));
    Ok(!is(beside) && others.into_iter().any(is))
}

/// A file's records from its first to its last.
///
/// ```
/// use login_databases::{Forward, Found, Input, Layout, Entry, Kind};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("wtmp");
/// # let entry = Entry::new(Kind::User).with_line("pts/3").with_user("alice");
/// # std::fs::write(&path, &Layout::TIME32.encode(entry.record())[..384])?;
/// let mut records = Forward::new(Input::open(&path)?, Layout::TIME32);
/// while let Some(found) = records.next()? {
///     match found {
///         Found::Record { offset, raw } => assert_eq!((offset, raw.user()), (0, &b"alice"[..])),
///         Found::Foreign { offset, length } => println!("{length} bytes at {offset}"),
///     }
/// }
/// records.rewind();
/// assert!(records.next()?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Forward {
    input: Input,
    layout: Layout,
    window: Window,
    at: u64,
}

impl Forward {
    /// From the beginning of the file.
    pub fn new(input: Input, layout: Layout) -> Forward {
        Forward { input, layout, window: Window::new(), at: 0 }
    }

    /// Back to the beginning.
    pub fn rewind(&mut self) {
        self.at = 0;
        self.window.length = 0;
    }

    /// The file.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// How far into the file one is, in bytes.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    #[allow(clippy::should_implement_trait)] // What it gives points into itself.
    pub fn next(&mut self) -> Result<Option<Found<'_>>, Error> {
        let size = self.layout.size();
        let start = self.at;
        if start >= self.input.size() {
            return Ok(None);
        }
        if start + size as u64 <= self.input.size() {
            self.ensure(start)?;
            if self.is_record(start)? {
                self.at = start + size as u64;
                let raw = Raw::new(&self.layout, self.window.get(start, size));
                return Ok(Some(Found::Record { offset: start, raw }));
            }
        }
        self.at = self.next_record(start + 1)?;
        Ok(Some(Found::Foreign { offset: start, length: self.at - start }))
    }

    fn is_record(&self, start: u64) -> Result<bool, Error> {
        let size = self.layout.size() as u64;
        match plausible::in_frame(&self.layout, self.window.get(start, size as usize)) {
            Verdict::Record => Ok(true),
            Verdict::No => Ok(false),
            Verdict::Odd => {
                let next = start + size;
                Ok(!is_shifted(&self.input, &self.layout, next, start + 1..next)?)
            }
        }
    }

    fn ensure(&mut self, offset: u64) -> Result<(), Error> {
        let size = self.layout.size();
        if !self.window.holds(offset, size) {
            let (start, end) = around(&self.input, offset, size, false);
            self.window.load(&self.input, start, end)?;
        }
        Ok(())
    }

    /// Where the next record begins, at `from` or later; the end of the file if nowhere.
    fn next_record(&mut self, from: u64) -> Result<u64, Error> {
        let size = self.layout.size();
        let mut at = from;
        while at + size as u64 <= self.input.size() {
            self.ensure(at)?;
            let bytes = self.window.get(at, size);
            let framed = (at - from + 1) % size as u64 == 0;
            if plausible::anywhere(&self.layout, bytes)
                || (framed && plausible::in_frame(&self.layout, bytes) == Verdict::Record)
            {
                return Ok(at);
            }
            at += 1;
        }
        Ok(self.input.size())
    }
}

/// A file's records from its last to its first: the newest of a file of any size at once.
#[derive(Debug)]
pub struct Backward {
    input: Input,
    layout: Layout,
    window: Window,
    /// Everything from here on has been shown.
    end: u64,
}

impl Backward {
    /// From the end of the file as it is now.
    pub fn new(input: Input, layout: Layout) -> Backward {
        let end = input.size();
        Backward { input, layout, window: Window::new(), end }
    }

    /// The file.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// How much of the file is left, in bytes.
    pub fn position(&self) -> u64 {
        self.end
    }

    /// What comes before; `None` at the beginning.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    #[allow(clippy::should_implement_trait)] // What it gives points into itself.
    pub fn next(&mut self) -> Result<Option<Found<'_>>, Error> {
        let size = self.layout.size();
        let end = self.end;
        if end == 0 {
            return Ok(None);
        }
        // Records are framed from the beginning; only at the very end can that show.
        let torn = if end == self.input.size() { end % size as u64 } else { 0 };
        let framed = (end - torn).checked_sub(size as u64);
        if let Some(start) = framed {
            self.ensure(start)?;
            if self.is_record(start, end)? {
                if torn > 0 {
                    self.end = end - torn;
                    return Ok(Some(Found::Foreign { offset: end - torn, length: torn }));
                }
                return Ok(Some(self.record(start)));
            }
        }
        let from = if torn > 0 { end } else { end - 1 };
        let found = self.end_of_record(from, end)?;
        if found == end {
            // Not in frame from the beginning, but a record up to the very end.
            return Ok(Some(self.record(end - size as u64)));
        }
        self.end = found;
        Ok(Some(Found::Foreign { offset: found, length: end - found }))
    }

    fn record(&mut self, start: u64) -> Found<'_> {
        self.end = start;
        let raw = Raw::new(&self.layout, self.window.get(start, self.layout.size()));
        Found::Record { offset: start, raw }
    }

    fn is_record(&self, start: u64, end: u64) -> Result<bool, Error> {
        let size = self.layout.size() as u64;
        match plausible::before_a_record(&self.layout, self.window.get(start, size as usize)) {
            Verdict::Record => Ok(true),
            Verdict::No => Ok(false),
            Verdict::Odd => {
                let before = start.saturating_sub(size);
                let others = before + 1..end - size + 1;
                Ok(!is_shifted(&self.input, &self.layout, before, others)?)
            }
        }
    }

    fn ensure(&mut self, offset: u64) -> Result<(), Error> {
        let size = self.layout.size();
        if !self.window.holds(offset, size) {
            let (start, end) = around(&self.input, offset, size, true);
            self.window.load(&self.input, start, end)?;
        }
        Ok(())
    }

    /// Where the last record that ends at `from` or earlier ends; 0 if there is none.
    fn end_of_record(&mut self, from: u64, frame: u64) -> Result<u64, Error> {
        let size = self.layout.size();
        let mut end = from;
        while let Some(start) = end.checked_sub(size as u64) {
            self.ensure(start)?;
            let bytes = self.window.get(start, size);
            let framed = (frame - end) % size as u64 == 0;
            if plausible::anywhere(&self.layout, bytes)
                || (framed && plausible::in_frame(&self.layout, bytes) == Verdict::Record)
            {
                return Ok(end);
            }
            end -= 1;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, Kind, Time};

    const SIZE: usize = 384;

    fn record(n: usize) -> Vec<u8> {
        let entry = Entry::new(Kind::User)
            .with_line(&format!("pts/{n}"))
            .with_user("alice")
            .with_pid(n as i32)
            .with_time(Time { sec: 1_700_000_000 + n as i64, usec: 7 });
        Layout::TIME32.encode(entry.record())[..SIZE].to_vec()
    }

    fn records(count: usize) -> Vec<u8> {
        (0..count).flat_map(record).collect()
    }

    /// Pids of the records, and ranges of what are none, in the file's order.
    type Seen = (Vec<i32>, Vec<(u64, u64)>);

    fn both_ways(bytes: &[u8]) -> Seen {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        let mut seen: Seen = Default::default();
        let mut note = |found: Found<'_>| {
            match found {
                Found::Record { raw, .. } => seen.0.push(raw.pid()),
                Found::Foreign { offset, length } => seen.1.push((offset, length)),
            }
            match found {
                Found::Record { offset, .. } => (offset, SIZE as u64),
                Found::Foreign { offset, length } => (offset, length),
            }
        };
        let mut forward = Forward::new(Input::open(file.path()).unwrap(), Layout::TIME32);
        let mut at = 0;
        while let Some(found) = forward.next().unwrap() {
            let (offset, length) = note(found);
            assert_eq!(offset, at);
            at += length;
        }
        assert_eq!(at, bytes.len() as u64);
        let there = std::mem::take(&mut seen);
        let mut note = |found: Found<'_>| match found {
            Found::Record { offset, raw } => {
                seen.0.push(raw.pid());
                (offset, SIZE as u64)
            }
            Found::Foreign { offset, length } => {
                seen.1.push((offset, length));
                (offset, length)
            }
        };
        let mut backward = Backward::new(Input::open(file.path()).unwrap(), Layout::TIME32);
        while let Some(found) = backward.next().unwrap() {
            let (offset, length) = note(found);
            assert_eq!(offset + length, at);
            at = offset;
        }
        assert_eq!(at, 0);
        seen.0.reverse();
        seen.1.reverse();
        assert_eq!(seen.0, there.0, "records, back and there");
        assert_eq!(seen.1, there.1, "foreign bytes, back and there");
        there
    }

    #[test]
    fn whole_files_of_several_chunks() {
        let count = 3 * CHUNK / SIZE + 5;
        let (pids, foreign) = both_ways(&records(count));
        assert!(pids.into_iter().eq(0..count as i32));
        assert_eq!(foreign, []);
    }

    #[test]
    fn a_torn_tail_is_reported() {
        for torn in [1, 100, SIZE - 1] {
            let mut bytes = records(3);
            bytes.extend_from_slice(&record(3)[..torn]);
            assert_eq!(both_ways(&bytes), (vec![0, 1, 2], vec![(3 * 384, torn as u64)]));
        }
        assert_eq!(both_ways(&[1; 30]), (vec![], vec![(0, 30)]));
    }

    #[test]
    fn records_behind_a_torn_one_are_found() {
        for torn in [1, 4, 30, 100, 200, 383] {
            let mut bytes = records(5);
            bytes.extend_from_slice(&record(9)[..torn]);
            bytes.extend_from_slice(&records(5));
            let pids = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4];
            let foreign = vec![(5 * 384, torn as u64)];
            assert_eq!(both_ways(&bytes), (pids.to_vec(), foreign), "{torn}");
        }
    }

    #[test]
    fn bytes_of_something_else_are_passed_over() {
        for length in [10, SIZE, 5 * SIZE, 2 * CHUNK] {
            let mut bytes = records(4);
            bytes.extend(std::iter::repeat_n(0xff, length));
            bytes.extend_from_slice(&records(4));
            let foreign = vec![(4 * 384, length as u64)];
            assert_eq!(both_ways(&bytes), (vec![0, 1, 2, 3, 0, 1, 2, 3], foreign), "{length}");
        }
    }

    #[test]
    fn nonsense_in_frame_is_a_record() {
        let mut bytes = records(3);
        bytes[SIZE + 44..SIZE + 60].copy_from_slice(b"\x1b[31mroot\x07\xff\xfe\0x\0\0");
        bytes[SIZE + 340..SIZE + 344].fill(0xff);
        assert_eq!(both_ways(&bytes), (vec![0, 1, 2], vec![]));
        let zeros = vec![0; 10 * SIZE];
        assert_eq!(both_ways(&zeros).0, vec![0; 10]);
    }
}

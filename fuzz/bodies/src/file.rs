//! Files of records, in memory.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;

use login_records::store::RecordFile;
use login_records::{Layout, Line, Record, Session, Time};
use nix::sys::memfd::{MFdFlags, memfd_create};

pub(crate) const LAYOUT: Layout = Layout::NATIVE;
pub(crate) const SIZE: usize = LAYOUT.size();

/// Bytes of input that make one record.
const PART: usize = 6;

/// A file, and the session that is to be written to it.
pub(crate) struct Scene {
    pub(crate) before: Vec<u8>,
    pub(crate) number: u32,
    file: File,
}

impl Scene {
    /// The input's first three bytes are the session's line and what is torn at the end of
    /// the file; then six a record, so that a short input is a long file.
    pub(crate) fn new(input: &[u8]) -> Scene {
        let (head, parts) = input.split_at(input.len().min(3));
        let head = |at: usize| head.get(at).copied().unwrap_or_default();
        // Not flattened byte by byte, which takes most of the time when instrumented.
        let mut before = parts.chunks_exact(PART).map(record).collect::<Vec<_>>().concat();
        // Seldom: the stores wait a while for a writer who might still be at work.
        let torn = usize::from(u16::from_le_bytes([head(1), head(2)]));
        if torn < SIZE {
            before.extend(parts.iter().chain(&[0xff]).cycle().take(torn));
        }
        let mut file = File::from(memfd_create(c"records", MFdFlags::MFD_CLOEXEC).expect("memfd"));
        file.write_all(&before).expect("a file in memory");
        Scene { before, number: number(head(0)), file }
    }

    /// The file as the stores open it.
    pub(crate) fn open(&self) -> RecordFile {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let path = CString::new(path).expect("no NUL");
        RecordFile::open(&path).expect("a file in memory").expect("it exists")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a file in memory");
        bytes
    }

    pub(crate) fn session(&self) -> Session<'static> {
        Session { line: Line::pts(self.number), pid: 4711, user: b"fuzz", host: b"host" }
    }
}

pub(crate) const NOW: Time = Time { sec: 1_800_000_000, usec: 999_999 };

pub(crate) fn encode(record: &Record) -> Vec<u8> {
    LAYOUT.encode(record)[..SIZE].to_vec()
}

/// One of few lines, so that they meet; with and without an id of the product's own.
fn number(byte: u8) -> u32 {
    [0, 1, 1234, 11234, 51234, 1_048_575][usize::from(byte) % 6]
}

/// A record, or many of them, or something of its size.
fn record(part: &[u8]) -> Vec<u8> {
    let [kind, line, id, a, b, fill] = part else { unreachable!("six bytes") };
    if kind & 0x80 != 0 {
        // Anything at all.
        return [&part.repeat(SIZE / PART), &part[..SIZE % PART]].concat();
    }
    let line = Line::pts(number(*line));
    let mut record = Session { line, pid: i32::from(*a), user: &[*b], host: part }.login(NOW);
    record.ut_type = i16::from(kind & 15);
    record.session = i64::from(*fill);
    match id % 4 {
        0 | 1 => {}
        2 => record.id = [*id, *a, *b, *fill],
        _ => record.line[31] = *fill,
    }
    // Many of a kind cost little, and make a file of several reads.
    let times = if kind & 0x40 != 0 { 1 + usize::from(*fill) } else { 1 };
    encode(&record).repeat(times)
}

/// The whole records of a file. Those that follow their like are not decoded again.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut last = None;
    for bytes in bytes.chunks_exact(SIZE) {
        let again = records.last().copied().filter(|_| last == Some(bytes));
        records.push(again.unwrap_or_else(|| LAYOUT.decode(bytes).expect("a whole record")));
        last = Some(bytes);
    }
    records
}

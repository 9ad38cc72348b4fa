//! The byte layouts of a record.
//!
//! `struct utmp` differs by machine, and so do the files: glibc's sysdeps/*/utmp-size.h and
//! bits/wordsize.h (2.41), musl's include/utmpx.h (1.2.5).

use crate::record::Record;
use crate::sys::Time;

/// The largest layout's size in bytes.
pub const MAX_RECORD: usize = 400;

/// Byte order of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl Endian {
    /// This machine's.
    pub const NATIVE: Endian =
        if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };
}

/// Where each field of a record lies, and how wide it is.
///
/// The fields that are the same everywhere are a type (two bytes at 0), then, one after the
/// other from `pid` on: pid 4, line 32, id 4, user 32, host 256, termination 2, exit 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    size: usize,
    pid: usize,
    session: Number,
    sec: Number,
    usec: Number,
    addr: usize,
    endian: Endian,
}

/// A number's place: four bytes wide or eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    at: usize,
    wide: bool,
}

const fn narrow(at: usize) -> Number {
    Number { at, wide: false }
}

const fn wide(at: usize) -> Number {
    Number { at, wide: true }
}

const LINE: usize = 4;
const ID: usize = 36;
const USER: usize = 40;
const HOST: usize = 72;
const TERMINATION: usize = 328;
const EXIT: usize = 330;

impl Layout {
    /// 384 bytes, 32-bit seconds: x86, arm, powerpc, riscv, mips, sparc and others with glibc.
    pub const TIME32: Layout = Layout {
        size: 384,
        pid: 4,
        session: narrow(336),
        sec: narrow(340),
        usec: narrow(344),
        addr: 348,
        endian: Endian::NATIVE,
    };

    /// 400 bytes, 64-bit seconds: aarch64, loongarch64, s390x, alpha with glibc; 64-bit musl
    /// (whose session id is four bytes and four of padding: the same for ids that exist).
    pub const TIME64: Layout = Layout {
        size: 400,
        pid: 4,
        session: wide(336),
        sec: wide(344),
        usec: wide(352),
        addr: 360,
        endian: Endian::NATIVE,
    };

    /// 392 bytes, 64-bit seconds aligned to four: arc and or1k with glibc.
    pub const TIME64_PACKED: Layout = Layout {
        size: 392,
        pid: 4,
        session: narrow(336),
        sec: wide(340),
        usec: wide(348),
        addr: 356,
        endian: Endian::NATIVE,
    };

    /// 382 bytes, everything aligned to two: m68k.
    pub const M68K: Layout = Layout {
        size: 382,
        pid: 2,
        session: narrow(334),
        sec: narrow(338),
        usec: narrow(342),
        addr: 346,
        endian: Endian::NATIVE,
    };

    /// This machine's.
    pub const NATIVE: Layout = if cfg!(target_arch = "m68k") {
        Layout::M68K
    } else if cfg!(any(
        all(target_env = "musl", target_pointer_width = "64"),
        target_arch = "aarch64",
        target_arch = "loongarch64",
        target_arch = "s390x",
        target_arch = "alpha",
    )) {
        Layout::TIME64
    } else if cfg!(any(target_arch = "arc", target_arch = "or1k")) {
        Layout::TIME64_PACKED
    } else {
        Layout::TIME32
    };

    /// The four layouts, in this machine's byte order.
    pub const ALL: [Layout; 4] =
        [Layout::TIME32, Layout::TIME64, Layout::TIME64_PACKED, Layout::M68K];

    /// The same layout in another byte order.
    pub const fn with_endian(self, endian: Endian) -> Layout {
        Layout { endian, ..self }
    }

    /// Bytes a record takes.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Byte order.
    pub const fn endian(&self) -> Endian {
        self.endian
    }

    /// The record's bytes: the first [`Layout::size`] of what is returned.
    ///
    /// Seconds that do not fit in 32 bits are cut to their low ones; they are unsigned and
    /// last until 2106 (glibc 2.40 NEWS).
    pub fn encode(&self, record: &Record) -> [u8; MAX_RECORD] {
        let mut bytes = [0; MAX_RECORD];
        self.put_short(&mut bytes, 0, record.ut_type);
        self.put_word(&mut bytes, self.pid, record.pid as u32);
        put(&mut bytes, self.pid + LINE, &record.line);
        put(&mut bytes, self.pid + ID, &record.id);
        put(&mut bytes, self.pid + USER, &record.user);
        put(&mut bytes, self.pid + HOST, &record.host);
        self.put_short(&mut bytes, self.pid + TERMINATION, record.termination);
        self.put_short(&mut bytes, self.pid + EXIT, record.exit);
        self.put_number(&mut bytes, self.session, record.session);
        self.put_number(&mut bytes, self.sec, record.time.sec);
        self.put_number(&mut bytes, self.usec, i64::from(record.time.usec));
        for (n, word) in record.addr.iter().enumerate() {
            // Kept in network byte order, so the machine's does not matter.
            put(&mut bytes, self.addr + 4 * n, &word.to_be_bytes());
        }
        bytes
    }

    /// The record in `bytes`; `None` if there are fewer than [`Layout::size`].
    pub fn decode(&self, bytes: &[u8]) -> Option<Record> {
        if bytes.len() < self.size {
            return None;
        }
        let mut addr = [0; 4];
        for (n, word) in addr.iter_mut().enumerate() {
            *word = u32::from_be_bytes(get(bytes, self.addr + 4 * n));
        }
        Some(Record {
            ut_type: self.short(bytes, 0),
            pid: self.word(bytes, self.pid) as i32,
            line: get(bytes, self.pid + LINE),
            id: get(bytes, self.pid + ID),
            user: get(bytes, self.pid + USER),
            host: get(bytes, self.pid + HOST),
            termination: self.short(bytes, self.pid + TERMINATION),
            exit: self.short(bytes, self.pid + EXIT),
            session: self.signed(bytes, self.session),
            time: self.time_of(bytes),
            addr,
        })
    }

    // One field of a record, for those who read a million and need three fields of most. What
    // lies beyond `bytes` reads as zero, or as an empty slice.

    /// `ut_type` of the record in `bytes`, without decoding the rest.
    pub fn type_of(&self, bytes: &[u8]) -> i16 {
        self.short(bytes, 0)
    }

    /// `ut_pid` of the record in `bytes`.
    pub fn pid_of(&self, bytes: &[u8]) -> i32 {
        self.word(bytes, self.pid) as i32
    }

    /// `ut_line` of the record in `bytes`, all 32 bytes.
    pub fn line_of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        field(bytes, self.pid + LINE, 32)
    }

    /// `ut_id` of the record in `bytes`, all four bytes.
    pub fn id_of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        field(bytes, self.pid + ID, 4)
    }

    /// `ut_user` of the record in `bytes`, all 32 bytes.
    pub fn user_of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        field(bytes, self.pid + USER, 32)
    }

    /// `ut_host` of the record in `bytes`, all 256 bytes.
    pub fn host_of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        field(bytes, self.pid + HOST, 256)
    }

    /// `ut_tv` of the record in `bytes`.
    pub fn time_of(&self, bytes: &[u8]) -> Time {
        Time {
            sec: match self.sec.wide {
                true => self.signed(bytes, self.sec),
                false => i64::from(self.word(bytes, self.sec.at)),
            },
            usec: self.signed(bytes, self.usec) as i32,
        }
    }

    /// The bytes that no field has: 20 that glibc keeps for later, and what pads the end.
    pub fn reserved_of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let at = self.addr + 16;
        field(bytes, at, self.size - at)
    }

    fn put_short(&self, bytes: &mut [u8], at: usize, value: i16) {
        let value = match self.endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        put(bytes, at, &value);
    }

    fn put_word(&self, bytes: &mut [u8], at: usize, value: u32) {
        let value = match self.endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        put(bytes, at, &value);
    }

    fn put_number(&self, bytes: &mut [u8], number: Number, value: i64) {
        if !number.wide {
            return self.put_word(bytes, number.at, value as u32);
        }
        let value = match self.endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        put(bytes, number.at, &value);
    }

    fn short(&self, bytes: &[u8], at: usize) -> i16 {
        match self.endian {
            Endian::Little => i16::from_le_bytes(get(bytes, at)),
            Endian::Big => i16::from_be_bytes(get(bytes, at)),
        }
    }

    fn word(&self, bytes: &[u8], at: usize) -> u32 {
        match self.endian {
            Endian::Little => u32::from_le_bytes(get(bytes, at)),
            Endian::Big => u32::from_be_bytes(get(bytes, at)),
        }
    }

    fn signed(&self, bytes: &[u8], number: Number) -> i64 {
        if !number.wide {
            return i64::from(self.word(bytes, number.at) as i32);
        }
        match self.endian {
            Endian::Little => i64::from_le_bytes(get(bytes, number.at)),
            Endian::Big => i64::from_be_bytes(get(bytes, number.at)),
        }
    }
}

// Neither of these can panic, whatever the place: the helper has no way to report one.

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(field) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..value.len())) {
        field.copy_from_slice(value);
    }
}

fn field(bytes: &[u8], at: usize, length: usize) -> &[u8] {
    bytes.get(at..at + length).unwrap_or(&[])
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_alone_is_the_one_that_is_decoded() {
        let record = sample();
        for layout in Layout::ALL {
            for layout in [layout, layout.with_endian(Endian::Big)] {
                let bytes = layout.encode(&record);
                let bytes = &bytes[..layout.size()];
                assert_eq!(layout.type_of(bytes), record.ut_type);
                assert_eq!(layout.pid_of(bytes), record.pid);
                assert_eq!(layout.line_of(bytes), record.line);
                assert_eq!(layout.id_of(bytes), record.id);
                assert_eq!(layout.user_of(bytes), record.user);
                assert_eq!(layout.host_of(bytes), record.host);
                assert_eq!(layout.time_of(bytes), record.time);
                let reserved = layout.reserved_of(bytes);
                assert!(reserved.len() >= 20 && reserved.iter().all(|byte| *byte == 0));
                assert_eq!(layout.line_of(&bytes[..30]), b"");
            }
        }
    }

    fn sample() -> Record {
        let mut record = Record::EMPTY;
        record.ut_type = 0x0107;
        record.pid = 0x0a0b_0c0d;
        record.line = [b'l'; 32];
        record.id = *b"wxyz";
        record.user = [b'u'; 32];
        record.host = [b'h'; 256];
        record.termination = 0x1112;
        record.exit = 0x2122;
        record.session = 0x3132_3334;
        record.time = Time { sec: 0x4142_4344, usec: 0x0005_0607 };
        record.addr = [0x7f00_0001, 2, 3, 4];
        record
    }

    #[test]
    fn sizes_are_those_of_glibc() {
        assert_eq!(Layout::ALL.map(|layout| layout.size()), [384, 400, 392, 382]);
    }

    #[test]
    fn every_layout_and_byte_order_gives_the_record_back() {
        for layout in Layout::ALL {
            for endian in [Endian::Little, Endian::Big] {
                let layout = layout.with_endian(endian);
                let bytes = layout.encode(&sample());
                assert_eq!(layout.decode(&bytes[..layout.size()]), Some(sample()));
                assert_eq!(layout.decode(&bytes[..layout.size() - 1]), None);
                assert!(bytes[layout.size()..].iter().all(|byte| *byte == 0));
            }
        }
    }

    // Offsets of the fields from ut_session on, as printed by offsetof and as the headers
    // give them: session, its width, seconds, their width, microseconds, address.
    #[test]
    fn fields_lie_where_the_headers_put_them() {
        let places = [
            (Layout::TIME32, 4, 336, 4, 340, 4, 344, 348),
            (Layout::TIME64, 4, 336, 8, 344, 8, 352, 360),
            (Layout::TIME64_PACKED, 4, 336, 4, 340, 8, 348, 356),
            (Layout::M68K, 2, 334, 4, 338, 4, 342, 346),
        ];
        for (layout, pid, session, session_width, sec, sec_width, usec, addr) in places {
            let bytes = layout.with_endian(Endian::Big).encode(&sample());
            assert_eq!(bytes[..2], [0x01, 0x07]);
            assert_eq!(bytes[pid..pid + 4], [0x0a, 0x0b, 0x0c, 0x0d]);
            assert_eq!(bytes[pid + 4..pid + 36], [b'l'; 32]);
            assert_eq!(bytes[pid + 36..pid + 40], *b"wxyz");
            assert_eq!(bytes[pid + 40..pid + 72], [b'u'; 32]);
            assert_eq!(bytes[pid + 72..pid + 328], [b'h'; 256]);
            assert_eq!(bytes[pid + 328..pid + 332], [0x11, 0x12, 0x21, 0x22]);
            assert_eq!(bytes[session + session_width - 4..][..4], [0x31, 0x32, 0x33, 0x34]);
            assert_eq!(bytes[sec + sec_width - 4..][..4], [0x41, 0x42, 0x43, 0x44]);
            assert_eq!(bytes[usec + sec_width - 4..][..4], [0x00, 0x05, 0x06, 0x07]);
            assert_eq!(bytes[addr..addr + 4], [127, 0, 0, 1]);
        }
    }

    #[test]
    fn narrow_seconds_are_unsigned() {
        let mut record = sample();
        record.time.sec = 0xffff_fff0;
        for (layout, expected) in [
            (Layout::TIME32, 0xffff_fff0),
            (Layout::M68K, 0xffff_fff0),
            (Layout::TIME64, 0xffff_fff0),
        ] {
            assert_eq!(layout.decode(&layout.encode(&record)).unwrap().time.sec, expected);
        }
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn the_native_layout_is_libc_s() {
        use core::mem::{offset_of, size_of};
        let layout = Layout::NATIVE;
        assert_eq!(layout.size, size_of::<libc::utmpx>());
        assert_eq!(layout.pid, offset_of!(libc::utmpx, ut_pid));
        assert_eq!(layout.pid + LINE, offset_of!(libc::utmpx, ut_line));
        assert_eq!(layout.pid + ID, offset_of!(libc::utmpx, ut_id));
        assert_eq!(layout.pid + USER, offset_of!(libc::utmpx, ut_user));
        assert_eq!(layout.pid + HOST, offset_of!(libc::utmpx, ut_host));
        assert_eq!(layout.pid + TERMINATION, offset_of!(libc::utmpx, ut_exit));
        assert_eq!(layout.session.at, offset_of!(libc::utmpx, ut_session));
        assert_eq!(layout.sec.at, offset_of!(libc::utmpx, ut_tv));
        assert_eq!(layout.addr, offset_of!(libc::utmpx, ut_addr_v6));
    }
}

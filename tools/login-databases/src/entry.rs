//! A record, in a file's bytes and out of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use login_records::{Layout, Record, Time, padded};

use crate::{Kind, printable, text};

/// A record as it lies in a file: each field is read when it is asked for.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    layout: &'a Layout,
    bytes: &'a [u8],
}

impl<'a> Raw<'a> {
    /// The record in `bytes`, of [`Layout::size`] bytes.
    pub fn new(layout: &'a Layout, bytes: &'a [u8]) -> Raw<'a> {
        Raw { layout, bytes }
    }

    /// `ut_type`.
    pub fn kind(&self) -> Kind {
        Kind::from_type(self.layout.type_of(self.bytes))
    }

    /// `ut_pid`.
    pub fn pid(&self) -> i32 {
        self.layout.pid_of(self.bytes)
    }

    /// `ut_line`.
    pub fn line(&self) -> &'a [u8] {
        text(self.layout.line_of(self.bytes))
    }

    /// `ut_user`.
    pub fn user(&self) -> &'a [u8] {
        text(self.layout.user_of(self.bytes))
    }

    /// `ut_host`.
    pub fn host(&self) -> &'a [u8] {
        text(self.layout.host_of(self.bytes))
    }

    /// `ut_tv`.
    pub fn time(&self) -> Time {
        self.layout.time_of(self.bytes)
    }

    /// Its bytes in the file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The record with all its fields.
    pub fn entry(&self) -> Entry {
        Entry(self.layout.decode(self.bytes).unwrap_or(Record::EMPTY))
    }
}

/// A record out of its file, with all the fields of this platform.
///
/// ```
/// use login_databases::{Entry, Kind};
///
/// let entry = Entry::new(Kind::User).with_line("/dev/pts/3").with_user("alice").with_pid(42);
/// assert_eq!(entry.line(), b"pts/3");
/// assert_eq!(entry.id(), b"ts/3");
/// assert_eq!(entry.user(), b"alice");
/// assert_eq!(entry.address(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entry(pub(crate) Record);

impl Entry {
    /// A record of a kind, with nothing else in it.
    pub fn new(kind: Kind) -> Entry {
        Entry(Record { ut_type: kind.ut_type(), ..Record::EMPTY })
    }

    /// With this line (with or without `/dev/`), cut at 32 bytes, and its id.
    pub fn with_line(mut self, line: &str) -> Entry {
        self.0.line = padded(line.strip_prefix("/dev/").unwrap_or(line).as_bytes());
        self.0.id = login_records::ut_id(&self.0.line);
        self
    }

    /// With this id, cut at four bytes.
    pub fn with_id(mut self, id: &[u8]) -> Entry {
        self.0.id = padded(id);
        self
    }

    /// With this login name, cut at 32 bytes.
    pub fn with_user(mut self, user: impl AsRef<[u8]>) -> Entry {
        self.0.user = padded(user.as_ref());
        self
    }

    /// With this host, cut at 256 bytes.
    pub fn with_host(mut self, host: impl AsRef<[u8]>) -> Entry {
        self.0.host = padded(host.as_ref());
        self
    }

    /// With this process.
    pub fn with_pid(mut self, pid: i32) -> Entry {
        self.0.pid = pid;
        self
    }

    /// With this time.
    pub fn with_time(mut self, time: Time) -> Entry {
        self.0.time = time;
        self
    }

    /// `ut_type`.
    pub fn kind(&self) -> Kind {
        Kind::from_type(self.0.ut_type)
    }

    /// `ut_pid`.
    pub fn pid(&self) -> i32 {
        self.0.pid
    }

    /// `ut_line`: the device without `/dev/`.
    pub fn line(&self) -> &[u8] {
        text(&self.0.line)
    }

    /// `ut_id`.
    pub fn id(&self) -> &[u8] {
        text(&self.0.id)
    }

    /// `ut_user`.
    pub fn user(&self) -> &[u8] {
        text(&self.0.user)
    }

    /// `ut_host`.
    pub fn host(&self) -> &[u8] {
        text(&self.0.host)
    }

    /// Whether it is a shutdown: a change of run level that says so in `ut_user`. macOS has a
    /// type of its own for that, `SHUTDOWN_TIME`.
    ///
    /// ```
    /// use login_databases::{Entry, Kind};
    ///
    /// let level = Entry::new(Kind::RunLevel).with_line("~");
    /// assert!(level.with_user("shutdown").is_shutdown());
    /// assert!(!level.with_user("runlevel").is_shutdown());
    /// ```
    pub fn is_shutdown(&self) -> bool {
        self.kind() == Kind::RunLevel && self.user() == b"shutdown"
    }

    /// `ut_exit`: the signal that ended the process, and its exit status.
    pub fn exit(&self) -> (i16, i16) {
        (self.0.termination, self.0.exit)
    }

    /// `ut_session`.
    pub fn session(&self) -> i64 {
        self.0.session
    }

    /// `ut_tv`: seconds since 1970, and microseconds.
    pub fn time(&self) -> Time {
        self.0.time
    }

    /// `ut_addr_v6`, where there is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self.0.addr {
            [0, 0, 0, 0] => None,
            // One word alone is an address of version 4 (utmp(5)).
            [word, 0, 0, 0] => Some(Ipv4Addr::from(word).into()),
            words => {
                let mut bytes = [0; 16];
                for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
                    to.copy_from_slice(&word.to_be_bytes());
                }
                Some(Ipv6Addr::from(bytes).to_canonical())
            }
        }
    }

    /// The plain fields.
    pub fn record(&self) -> &Record {
        &self.0
    }
}

impl From<Record> for Entry {
    fn from(record: Record) -> Entry {
        Entry(record)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Entry")
            .field("kind", &self.kind())
            .field("pid", &self.pid())
            .field("line", &printable(self.line()))
            .field("id", &printable(self.id()))
            .field("user", &printable(self.user()))
            .field("host", &printable(self.host()))
            .field("time", &self.time())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_versions() {
        let with = |addr| Entry(Record { addr, ..Record::EMPTY }).address();
        assert_eq!(with([0xc0a8_0101, 0, 0, 0]), Some("192.168.1.1".parse().unwrap()));
        assert_eq!(with([0x2001_0db8, 0, 0, 1]), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(with([0, 0, 0xffff, 0x7f00_0001]), Some("127.0.0.1".parse().unwrap()));
    }
}

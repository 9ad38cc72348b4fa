//! utmp and wtmp as glibc lays them out where seconds are 32 bits wide (utmp(5)).
//!
//! Written a second time, apart from the product, so that the two cannot err together.

use std::fmt;

/// Bytes of a record.
pub const SIZE: usize = 384;

/// Process types of `ut_type`.
pub const LOGIN_PROCESS: i16 = 6;
/// A session.
pub const USER_PROCESS: i16 = 7;
/// A session that has ended.
pub const DEAD_PROCESS: i16 = 8;

/// A record as it lies in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record(pub [u8; SIZE]);

impl Record {
    /// A record of another program's making, with an old time.
    pub fn new(ut_type: i16, pid: i32, line: &str, id: &str, user: &str, host: &str) -> Record {
        let mut record = Record([0; SIZE]);
        record.0[0..2].copy_from_slice(&ut_type.to_ne_bytes());
        record.0[4..8].copy_from_slice(&pid.to_ne_bytes());
        for (at, text) in [(8, line), (40, id), (44, user), (76, host)] {
            record.0[at..at + text.len()].copy_from_slice(text.as_bytes());
        }
        record.0[340..344].copy_from_slice(&1_000_000_000_u32.to_ne_bytes());
        record
    }

    fn number(&self, at: usize) -> i32 {
        i32::from_ne_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }

    fn text(&self, at: usize, length: usize) -> String {
        let field = &self.0[at..at + length];
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(length);
        let rest = if field[end..].iter().all(|byte| *byte == 0) { "" } else { " and more" };
        format!("{}{rest}", field[..end].escape_ascii())
    }

    /// Type of record.
    pub fn ut_type(&self) -> i16 {
        i16::from_ne_bytes([self.0[0], self.0[1]])
    }

    /// Process id.
    pub fn pid(&self) -> i32 {
        self.number(4)
    }

    /// Device, without `/dev/`.
    pub fn line(&self) -> String {
        self.text(8, 32)
    }

    /// The four bytes by which glibc finds it.
    pub fn id(&self) -> String {
        self.text(40, 4)
    }

    /// Login name.
    pub fn user(&self) -> String {
        self.text(44, 32)
    }

    /// Host.
    pub fn host(&self) -> String {
        self.text(76, 256)
    }

    /// Seconds since 1970.
    pub fn seconds(&self) -> u32 {
        self.number(340) as u32
    }

    /// Microseconds.
    pub fn microseconds(&self) -> i32 {
        self.number(344)
    }

    /// Whether it is a session now.
    pub fn is_live(&self) -> bool {
        self.ut_type() == USER_PROCESS
    }

    /// Every field by name, as text, nothing left out.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ut_type", self.ut_type().to_string()),
            ("padding", format!("{:?}", &self.0[2..4])),
            ("ut_pid", self.pid().to_string()),
            ("ut_line", self.line()),
            ("ut_id", self.id()),
            ("ut_user", self.user()),
            ("ut_host", self.host()),
            ("ut_exit", format!("{:?}", &self.0[332..336])),
            ("ut_session", self.number(336).to_string()),
            ("ut_tv", format!("{}.{:06}", self.seconds(), self.microseconds())),
            ("ut_addr_v6", format!("{:?}", &self.0[348..364])),
            ("reserved", format!("{:?}", &self.0[364..384])),
        ]
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.ut_type() {
            USER_PROCESS => "session",
            DEAD_PROCESS => "ended",
            LOGIN_PROCESS => "login",
            _ => "other",
        };
        let (line, id, user, host) = (self.line(), self.id(), self.user(), self.host());
        write!(formatter, "{what} line={line} id={id} user={user} host={host}")
    }
}

/// The records of a file's bytes.
///
/// # Errors
///
/// Where the bytes are not whole records.
pub fn decode(bytes: &[u8]) -> Result<Vec<Record>, String> {
    if bytes.len() % SIZE != 0 {
        return Err(format!("{} bytes are not whole records", bytes.len()));
    }
    Ok(bytes.chunks_exact(SIZE).map(|bytes| Record(bytes.try_into().expect("chunk"))).collect())
}

/// A file of records.
pub fn encode(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(|record| record.0).collect()
}

//! One login record, as plain fields.

use crate::line::Line;
use crate::sys::Time;

macro_rules! types {
    ($($name:ident = $value:literal, $what:literal;)*) => {
        $(#[doc = $what] pub const $name: i16 = $value;)*
    };
}

// The numbers are those of utmp(5).
types! {
    EMPTY = 0, "`ut_type` of a record that says nothing.";
    RUN_LVL = 1, "`ut_type` of a change of run level; `shutdown` in `ut_user` is a shutdown.";
    BOOT_TIME = 2, "`ut_type` of a boot.";
    NEW_TIME = 3, "`ut_type` of the clock after a change.";
    OLD_TIME = 4, "`ut_type` of the clock before a change.";
    INIT_PROCESS = 5, "`ut_type` of a process started by init.";
    LOGIN_PROCESS = 6, "`ut_type` of a login prompt.";
    USER_PROCESS = 7, "`ut_type` of a session.";
    DEAD_PROCESS = 8, "`ut_type` of a session that has ended.";
    ACCOUNTING = 9, "`ut_type` no program on Linux writes.";
}

/// A record of utmp or wtmp in memory, wide enough for every [`crate::Layout`].
///
/// Text fields are padded with NUL and need not end in one (utmp(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What the record says: [`USER_PROCESS`] and the like.
    pub ut_type: i16,
    /// Process id of the terminal (of the login process, for other programs' records).
    pub pid: i32,
    /// Device name without "/dev/".
    pub line: [u8; 32],
    /// By which glibc finds the record; see [`crate::ut_id`].
    pub id: [u8; 4],
    /// Login name.
    pub user: [u8; 32],
    /// Remote host, or what the terminal has put there.
    pub host: [u8; 256],
    /// Signal that ended the process (`e_termination`).
    pub termination: i16,
    /// Its exit status (`e_exit`).
    pub exit: i16,
    /// Session id (getsid(2)); 0 where unknown.
    pub session: i64,
    /// When: seconds since 1970 and microseconds.
    pub time: Time,
    /// Internet address of the remote host, in network byte order as four words.
    pub addr: [u32; 4],
}

impl Record {
    /// The record that says nothing.
    pub const EMPTY: Record = Record {
        ut_type: EMPTY,
        pid: 0,
        line: [0; 32],
        id: [0; 4],
        user: [0; 32],
        host: [0; 256],
        termination: 0,
        exit: 0,
        session: 0,
        time: Time { sec: 0, usec: 0 },
        addr: [0; 4],
    };

    /// Whether a process is, or was, at the line: the four types that stand for one slot.
    pub fn is_process(&self) -> bool {
        is_process(self.ut_type)
    }
}

pub(crate) fn is_process(ut_type: i16) -> bool {
    (INIT_PROCESS..=DEAD_PROCESS).contains(&ut_type)
}

/// A terminal session, about to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// The pty's line, proven by [`crate::claim`].
    pub line: Line,
    /// The terminal's process.
    pub pid: i32,
    /// Login name; longer than 32 bytes is cut.
    pub user: &'a [u8],
    /// Host; longer than 256 bytes is cut. The C library writes it at login only.
    pub host: &'a [u8],
}

impl Session<'_> {
    /// The record of its beginning.
    pub fn login(&self, time: Time) -> Record {
        Record { host: padded(self.host), ..self.record(USER_PROCESS, time) }
    }

    /// The record of its end. The user stays filled in: utmps refuses a logout without.
    pub fn logout(&self, time: Time) -> Record {
        self.record(DEAD_PROCESS, time)
    }

    fn record(&self, ut_type: i16, time: Time) -> Record {
        Record {
            ut_type,
            pid: self.pid,
            line: *self.line.bytes(),
            id: self.line.id(),
            user: padded(self.user),
            time,
            ..Record::EMPTY
        }
    }
}

/// A text field of a record: what does not fit is cut, what is left is NUL (utmp(5)).
pub fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut field = [0; N];
    let length = text.len().min(N);
    if let (Some(to), Some(from)) = (field.get_mut(..length), text.get(..length)) {
        to.copy_from_slice(from);
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logout_names_the_user_and_no_host() {
        let session = Session { line: Line::pts(3), pid: 42, user: b"alice", host: b"here" };
        let time = Time { sec: 1, usec: 2 };
        let login = session.login(time);
        let logout = session.logout(time);
        assert_eq!((login.ut_type, logout.ut_type), (USER_PROCESS, DEAD_PROCESS));
        assert_eq!(login.host[..5], *b"here\0");
        assert_eq!(logout.host, [0; 256]);
        assert_eq!(logout.user, login.user);
        assert_eq!(&logout.id, b"ts/3");
        assert_eq!(logout.time, time);
    }

    #[test]
    fn long_texts_are_cut_to_their_fields() {
        let session = Session { line: Line::pts(0), pid: 1, user: &[b'u'; 40], host: &[b'h'; 300] };
        let login = session.login(Time { sec: 0, usec: 0 });
        assert_eq!(login.user, [b'u'; 32]);
        assert_eq!(login.host, [b'h'; 256]);
        assert_eq!(login.exit, 0);
    }
}

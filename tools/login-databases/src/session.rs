//! A session: a login and what became of it.

use std::path::PathBuf;
use std::sync::Arc;

use login_records::Time;

/// What took place from one time to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody was on.
    Login,
    /// The machine was up.
    Boot,
    /// The machine was down.
    Shutdown,
    /// A run level, by its character.
    RunLevel(u8),
    /// The clock before a change.
    OldTime,
    /// The clock after a change.
    NewTime,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A logout was recorded, or the next login on the line; for what is no session: the next
    /// event.
    Recorded,
    /// The machine was shut down.
    Down,
    /// The machine booted with no shutdown before.
    Crash,
    /// It has not ended.
    Open,
    /// No logout was recorded, and yet nobody is there any more.
    Gone,
    /// It is a moment, and has no end.
    Moment,
}

/// A session, a boot or the like, out of any of the databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What took place.
    pub what: What,
    /// Login name.
    pub user: Vec<u8>,
    /// Device without `/dev/`.
    pub line: Vec<u8>,
    /// Remote host, or what the terminal has put there; the kernel's version for a boot.
    pub host: Vec<u8>,
    /// Process, where the database has it.
    pub pid: Option<i32>,
    /// PAM's service, where the database has it.
    pub service: Option<String>,
    /// Beginning.
    pub login: Time,
    /// End; `None` while it lasts, and where it is not known.
    pub logout: Option<Time>,
    /// How it ended.
    pub end: End,
    /// Microseconds by which the clock was set forward between the two.
    pub clock_change: i64,
    /// The file it is from.
    pub source: Arc<PathBuf>,
}

impl Default for Session {
    /// Nobody's: a place for one to be put.
    fn default() -> Session {
        Session {
            what: What::Login,
            user: Vec::new(),
            line: Vec::new(),
            host: Vec::new(),
            pid: None,
            service: None,
            login: Time { sec: 0, usec: 0 },
            logout: None,
            end: End::Open,
            clock_change: 0,
            source: Arc::default(),
        }
    }
}

impl Session {
    /// How long it lasted, in seconds, the clock's changes taken out; `None` while it lasts.
    ///
    /// `last` leaves them in: its duration is that of the clock.
    pub fn seconds(&self) -> Option<i64> {
        let end = self.logout?;
        let micros = micros(end).checked_sub(micros(self.login))?;
        // As last counts: whole seconds of both ends, not of the difference.
        match self.clock_change {
            0 => end.sec.checked_sub(self.login.sec),
            change => micros.checked_sub(i128::from(change))?.div_euclid(1_000_000).try_into().ok(),
        }
    }
}

/// Microseconds since 1970. Wider than what a record may hold.
pub(crate) fn micros(time: Time) -> i128 {
    i128::from(time.sec) * 1_000_000 + i128::from(time.usec)
}

//! utmp and wtmp, as the broker writes them.

use login_records::store::{Patience, RecordFile, UTMP_PATH, Utmp, WTMP_PATH, Wtmp};
use login_records::{DEAD_PROCESS, Errno, Record, USER_PROCESS};

use crate::index::Lines;
use crate::log;

/// Milliseconds that a lock is waited for: any user may hold a read lock for ever, and stop
/// his own helper while it holds a write lock, and all clients wait for it together. Then it
/// is done without, as the stores' documentation has it.
const READERS: u32 = 5;
const WRITERS: u32 = 50;

/// The two files.
#[derive(Default)]
pub struct Stores {
    lines: Lines,
    utmp_held: bool,
    wtmp_held: bool,
}

impl Stores {
    /// Writes a record for a client. What is wrong with wtmp is no failure, as in the helper.
    pub fn write(&mut self, record: &Record) -> Result<(), Errno> {
        // wtmp first: the line's record in utmp says then that all has been done.
        self.append(|wtmp, patience| wtmp.append(record, patience));
        self.put(|utmp, lines, patience| utmp.put_by(lines, record, patience))
    }

    /// Writes a record that may be there already.
    pub fn write_once(&mut self, record: &Record) -> Result<(), Errno> {
        self.append(|wtmp, patience| wtmp.append_once(record, patience));
        self.put(|utmp, lines, patience| utmp.put_by(lines, record, patience))
    }

    /// Writes the logout of a session whose terminal has gone, where the line is still its own.
    pub fn end(&mut self, logout: &Record) -> Result<(), Errno> {
        self.append(|wtmp, patience| match wtmp.last_of_line(&logout.line)? {
            Some(last) if !is_login_of(&last, logout) => Ok(()),
            _ => wtmp.append(logout, patience),
        });
        self.put(|utmp, lines, patience| utmp.end_by(lines, logout, patience))
    }

    /// Whether somebody else has recorded the session's end.
    pub fn has_ended(&self, login: &Record) -> bool {
        let last = match open(WTMP_PATH) {
            Ok(Some(file)) => Wtmp(&file).last_of_line(&login.line).ok().flatten(),
            _ => None,
        };
        last.is_some_and(|last| last.ut_type == DEAD_PROCESS && is_later(&last, login))
    }

    fn append(&mut self, act: impl FnOnce(&Wtmp<'_>, &mut Patience) -> Result<(), Errno>) {
        let mut patience = patience(self.wtmp_held);
        let done = open(WTMP_PATH).and_then(|file| match file {
            Some(file) => act(&Wtmp(&file), &mut patience),
            None => Ok(()),
        });
        self.wtmp_held = patience.was_refused();
        if let Err(errno) = done {
            log::error(format_args!("cannot write to {WTMP_PATH}: {}", errno.name()));
        }
    }

    fn put(
        &mut self,
        act: impl FnOnce(&Utmp<'_>, &mut Lines, &mut Patience) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut patience = patience(self.utmp_held);
        let done = open(UTMP_PATH).and_then(|file| match file {
            Some(file) => act(&Utmp(&file), &mut self.lines, &mut patience),
            None => Ok(()),
        });
        self.utmp_held = patience.was_refused();
        done.inspect_err(|errno| {
            log::error(format_args!("cannot write to {UTMP_PATH}: {}", errno.name()));
        })
    }
}

/// Opened anew each time, since log rotation puts another file in its place.
fn open(path: &str) -> Result<Option<RecordFile>, Errno> {
    RecordFile::open_named(path)
}

/// A lock that was found held is not waited for again before it was had.
fn patience(held: bool) -> Patience {
    if held { Patience::none() } else { Patience::of_ms(READERS, WRITERS) }
}

fn is_login_of(last: &Record, logout: &Record) -> bool {
    last.ut_type == USER_PROCESS && last.pid == logout.pid
}

fn is_later(last: &Record, login: &Record) -> bool {
    (last.time.sec, last.time.usec) >= (login.time.sec, login.time.usec)
}

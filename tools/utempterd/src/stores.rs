//! utmp and wtmp, as the broker writes them: the files, or the daemons where utmps has them.

use std::path::Path;
use std::time::{Duration, Instant};

use login_records::store::{
    Deadline, Index, Patience, Place, RecordFile, UTMP_PATH, UTMPD_PATH, Utmp, Utmps, WTMP_PATH,
    WTMPD_PATH, Wtmp,
};
use login_records::{DEAD_PROCESS, Errno, Line, Record, Time, USER_PROCESS};

use crate::index::Lines;
use crate::last::Last;
use crate::log;

/// Milliseconds that a lock is waited for: any user may hold a read lock for ever, and stop
/// his own helper while it holds a write lock, and all clients wait for it together. Then it
/// is done without, as the stores' documentation has it.
const READERS: u32 = 5;
const WRITERS: u32 = 50;

/// How long utmps is left alone after it has not answered: clients do not wait for it one after
/// the other.
const REST: Duration = Duration::from_secs(10);
/// How long the answer to "is it there?" is good for.
const GOOD: Duration = Duration::from_secs(1);

/// What came of not waiting.
pub enum Written {
    Done(Result<(), Errno>),
    /// Somebody would have to be waited for; wtmp may have it already.
    Waits {
        in_wtmp: bool,
    },
}

/// The two stores.
#[derive(Default)]
pub struct Stores {
    lines: Lines,
    last: Last,
    utmp_held: bool,
    wtmp_held: bool,
    /// Whether utmps keeps the records, and until when that is known.
    utmps: Option<(bool, Instant)>,
    /// Until when it is left alone.
    rests: Option<Instant>,
}

impl Stores {
    /// Writes a record, if that can be done without waiting for anybody.
    pub fn write_at_once(&mut self, record: &Record) -> Written {
        let waits = Written::Waits { in_wtmp: false };
        if self.utmp_held || self.wtmp_held || self.may_have_utmps() {
            return waits;
        }
        let patience = &mut Patience::at_once();
        let in_wtmp = open(WTMP_PATH)
            .and_then(|file| file.map_or(Ok(()), |file| Wtmp(&file).append(record, patience)));
        match in_wtmp {
            Err(Errno::EAGAIN) => return waits,
            Err(errno) => cannot_write(WTMP_PATH, errno),
            Ok(()) => {}
        }
        let in_utmp = open(UTMP_PATH).and_then(|file| {
            let put = |file| Utmp(&file).put_by(&mut self.lines, record, patience);
            file.map_or(Ok(()), put)
        });
        match in_utmp {
            Err(Errno::EAGAIN) => Written::Waits { in_wtmp: true },
            result => Written::Done(result.inspect_err(|errno| cannot_write(UTMP_PATH, *errno))),
        }
    }

    /// Writes a record for a client; `in_wtmp`: it is there already. What is wrong with wtmp is
    /// no failure, as in the helper.
    pub fn write(&mut self, record: &Record, in_wtmp: bool) -> Result<(), Errno> {
        if self.has_utmps() {
            return self.tell_utmps(record);
        }
        // wtmp first: the line's record in utmp says then that all has been done.
        if !in_wtmp {
            self.append(|wtmp, patience| wtmp.append(record, patience));
        }
        self.put(|utmp, lines, patience| utmp.put_by(lines, record, patience))
    }

    /// Writes a login that may be there already.
    pub fn write_once(&mut self, login: &Record) -> Result<(), Errno> {
        let last = self.in_wtmp(login).ok().flatten();
        let is_there = last.is_some_and(|last| Record { time: login.time, ..last } == *login);
        self.write(login, is_there)
    }

    /// Writes the logout of a session whose terminal has gone, where the line is still its own.
    /// `written`: its login is known to have been written.
    pub fn end(&mut self, login: &Record, logout: &Record, written: bool) -> Result<(), Errno> {
        if self.has_utmps() {
            return self.tell_utmps(logout);
        }
        // Whoever has written the end to utmp has been at wtmp before.
        if end_of(login, self.in_utmp(login)).is_none() {
            let is_open = match self.in_wtmp(login) {
                Ok(Some(last)) => is_login_of(&last, logout),
                Ok(None) => written,
                Err(errno) => {
                    cannot_write(WTMP_PATH, errno);
                    false
                }
            };
            if is_open {
                self.append(|wtmp, patience| wtmp.append(logout, patience));
            }
        }
        self.end_in_utmp(logout)
    }

    /// Ends a session in utmp alone, where the line is still its own.
    pub fn end_in_utmp(&mut self, logout: &Record) -> Result<(), Errno> {
        self.put(|utmp, lines, patience| utmp.end_by(lines, logout, patience))
    }

    /// When the session ended, if somebody else has recorded that. There may be no wtmp.
    pub fn ended(&mut self, login: &Record) -> Option<Time> {
        let in_wtmp = self.in_wtmp(login).ok().flatten();
        end_of(login, self.in_utmp(login)).or(end_of(login, in_wtmp))
    }

    /// The line's only record in utmp.
    fn in_utmp(&mut self, login: &Record) -> Option<Record> {
        let utmp = open(UTMP_PATH).ok().flatten()?;
        let utmp = Utmp(&utmp);
        let Ok(Place::Slot(offset)) = self.lines.find(&utmp, login) else {
            return None;
        };
        utmp.record_at(offset).ok()?.filter(|record| record.line == login.line)
    }

    /// The line's last record in wtmp.
    fn in_wtmp(&mut self, login: &Record) -> Result<Option<Record>, Errno> {
        let Some(file) = open(WTMP_PATH)? else {
            return Ok(None);
        };
        let near = Wtmp(&file).last_of_line(&login.line)?;
        match Line::from_name(&login.line).filter(|_| near.is_none()) {
            None => Ok(near),
            Some(line) => self
                .last
                .of_line(WTMP_PATH, line)
                .map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EIO))),
        }
    }

    /// As far as can be said without asking it.
    fn may_have_utmps(&mut self) -> bool {
        let now = Instant::now();
        match self.utmps {
            Some((false, until)) if until > now => false,
            _ => {
                let there = Path::new(UTMPD_PATH).exists();
                if !there {
                    self.utmps = Some((false, now + GOOD));
                }
                there
            }
        }
    }

    fn has_utmps(&mut self) -> bool {
        let now = Instant::now();
        match self.utmps {
            Some((there, until)) if until > now => there,
            _ => {
                let runs = || Utmps::connect(UTMPD_PATH, Deadline::default());
                // Its socket may be left of a daemon that is no more.
                let there = Path::new(UTMPD_PATH).exists() && !matches!(runs(), Ok(None));
                self.utmps = Some((there, now + GOOD));
                there
            }
        }
    }

    fn tell_utmps(&mut self, record: &Record) -> Result<(), Errno> {
        let now = Instant::now();
        if self.rests.is_some_and(|until| until > now) {
            return Err(Errno::ETIMEDOUT);
        }
        let deadline = Deadline::default();
        let in_utmp = Utmps::connect(UTMPD_PATH, deadline)
            .and_then(|utmpd| utmpd.map_or(Ok(()), |utmpd| utmpd.put(record, deadline)));
        let in_wtmp = Utmps::connect(WTMPD_PATH, deadline)
            .and_then(|wtmpd| wtmpd.map_or(Ok(()), |wtmpd| wtmpd.append(record, deadline)));
        for (store, result) in [("utmpd", in_utmp), ("wtmpd", in_wtmp)] {
            if let Err(errno) = result {
                log::error(format_args!("{store}: {}", errno.name()));
            }
            if result == Err(Errno::ETIMEDOUT) {
                self.rests = Some(Instant::now() + REST);
            }
        }
        in_utmp
    }

    fn append(&mut self, act: impl FnOnce(&Wtmp<'_>, &mut Patience) -> Result<(), Errno>) {
        let mut patience = patience(self.wtmp_held);
        let done = open(WTMP_PATH).and_then(|file| match file {
            Some(file) => act(&Wtmp(&file), &mut patience),
            None => Ok(()),
        });
        self.wtmp_held = patience.was_refused();
        if let Err(errno) = done {
            cannot_write(WTMP_PATH, errno);
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
        done.inspect_err(|errno| cannot_write(UTMP_PATH, *errno))
    }
}

fn cannot_write(path: &str, errno: Errno) {
    log::error(format_args!("cannot write to {path}: {}", errno.name()));
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

/// When the login ended, if this record of its line says so.
fn end_of(login: &Record, last: Option<Record>) -> Option<Time> {
    let is_later = |last: &Record| {
        (last.time.sec, last.time.usec) >= (login.time.sec, login.time.usec)
            && last.ut_type == DEAD_PROCESS
    };
    last.filter(is_later).map(|last| last.time)
}

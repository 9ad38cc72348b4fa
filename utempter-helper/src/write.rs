//! The one thing the helper does.

use core::ffi::{CStr, c_int};

use login_records::store::{Patience, RecordFile, UTMP_PATH, Utmp, WTMP_PATH, Wtmp};
use login_records::{Errno, Line, Session, Time};

use crate::arguments::Operation;
use crate::privilege::Lent;
use crate::refusal::Refusal;
use crate::report;
use crate::sys;

/// The library has asked the broker, which did not answer and may have written the record.
const AGAIN: &CStr = c"UTEMPTER_AGAIN=1";

type Opened = Result<Option<RecordFile>, Errno>;

/// Writes the record to utmp and to wtmp; a store that does not exist is switched off.
///
/// What is wrong with wtmp is reported and, as in the C library, no failure. A wrong utmp
/// does not keep the record from wtmp.
pub(crate) fn session(
    lent: &Lent,
    operation: Operation<'_>,
    line: Line,
    pid: c_int,
    user: &[u8],
) -> Result<(), Refusal> {
    let (utmp, wtmp) = lent.with(open)?;
    let (session, now) = (Session { line, pid, user, host: host(operation) }, Time::now());
    let record = match operation {
        Operation::Add(_) => session.login(now),
        Operation::Del => session.logout(now),
    };
    let patience = &mut Patience::default();
    let in_utmp = into(utmp, |file| Utmp(file).put(&record, patience));
    let append = |file: &RecordFile| match sys::environment().any(|entry| entry == AGAIN) {
        true => Wtmp(file).append_once(&record, patience),
        false => Wtmp(file).append(&record, patience),
    };
    if let Err(errno) = into(wtmp, append) {
        report::refused(&cannot_write(errno, WTMP_PATH));
    }
    in_utmp.map_err(|errno| cannot_write(errno, UTMP_PATH))
}

fn open() -> (Opened, Opened) {
    (RecordFile::open_named(UTMP_PATH), RecordFile::open_named(WTMP_PATH))
}

fn into(store: Opened, write: impl FnOnce(&RecordFile) -> Result<(), Errno>) -> Result<(), Errno> {
    store?.as_ref().map_or(Ok(()), write)
}

fn host(operation: Operation<'_>) -> &[u8] {
    match operation {
        Operation::Add(host) => host,
        Operation::Del => &[],
    }
}

fn cannot_write(errno: Errno, path: &'static str) -> Refusal {
    Refusal { errno, what: "cannot write the record to", path }
}

//! The one thing the helper does.

use core::ffi::{CStr, c_int};

use login_records::store::{
    Deadline, Patience, RecordFile, UTMP_PATH, UTMPD_PATH, Utmp, Utmps, WTMP_PATH, WTMPD_PATH, Wtmp,
};
use login_records::{Errno, Line, Record, Session, Time};

use crate::arguments::Operation;
use crate::privilege::Lent;
use crate::refusal::Refusal;
use crate::report;
use crate::sys;

/// The library has asked the broker, which did not answer and may have written the record.
const AGAIN: &CStr = c"UTEMPTER_AGAIN=1";

/// Where a record goes.
enum Store {
    /// Switched off: it does not exist.
    Off,
    File(RecordFile),
    Daemon(Utmps),
}

type Opened = Result<Store, Errno>;

/// Writes the record to utmp and to wtmp, the files, or the daemons where utmps has them; a
/// store that does not exist is switched off.
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
    let deadline = Deadline::default();
    let (utmp, wtmp) = lent.with(|| open(deadline))?;
    let (session, now) = (Session { line, pid, user, host: host(operation) }, Time::now());
    let record = match operation {
        Operation::Add(_) => session.login(now),
        Operation::Del => session.logout(now),
    };
    let patience = &mut Patience::default();
    let in_utmp = utmp.and_then(|utmp| match utmp {
        Store::Off => Ok(()),
        Store::File(file) => Utmp(&file).put(&record, patience),
        Store::Daemon(utmpd) => utmpd.put(&record, deadline),
    });
    let in_wtmp = wtmp.and_then(|wtmp| match wtmp {
        Store::Off => Ok(()),
        Store::File(file) => append(&file, &record, patience),
        Store::Daemon(wtmpd) => wtmpd.append(&record, deadline),
    });
    if let Err(errno) = in_wtmp {
        report::refused(&cannot_write(errno, WTMP_PATH));
    }
    in_utmp.map_err(|errno| cannot_write(errno, UTMP_PATH))
}

/// The daemons know by the effective ids who connects, the files who opens them.
fn open(deadline: Deadline) -> (Opened, Opened) {
    let daemon = |daemon: Option<Utmps>| daemon.map_or(Store::Off, Store::Daemon);
    let file = |path| RecordFile::open_named(path).map(|file| file.map_or(Store::Off, Store::File));
    match Utmps::connect(UTMPD_PATH, deadline).map(daemon) {
        // Not there, so the files are nobody's but the programs'.
        Ok(Store::Off) => (file(UTMP_PATH), file(WTMP_PATH)),
        utmpd => (utmpd, Utmps::connect(WTMPD_PATH, deadline).map(daemon)),
    }
}

fn append(file: &RecordFile, record: &Record, patience: &mut Patience) -> Result<(), Errno> {
    match sys::environment().any(|entry| entry == AGAIN) {
        true => Wtmp(file).append_once(record, patience),
        false => Wtmp(file).append(record, patience),
    }
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

//! `reap`: closes the records of sessions that nobody is in any more.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use login_databases::now::{self, OnNow, Stores};
use login_databases::{Kind, Time, printable};
use login_records::store::{Patience, RecordFile, UTMP_PATH, Utmp, WTMP_PATH, Wtmp};
use login_records::{Errno, Record};
use serde::Serialize;

use super::warn_of;
use crate::cli::Reap;
use crate::failure::{Done, Failure, Status, warn};
use crate::moment::Clock;
use crate::output::Output;
use crate::output::json::{Object, Who};
use crate::output::table::{Column, Table, left, right};

static COLUMNS: [Column; 5] =
    [left("USER", 8), left("LINE", 7), right("PID"), left("LOGIN", 16), left("CLOSED", 6)];

#[derive(Serialize)]
struct Json {
    #[serde(flatten)]
    who: Who,
    login: Option<String>,
    closed: bool,
    error: Option<String>,
}

pub fn run(options: &Reap, output: &mut Output) -> Done {
    let utmp = options.utmp.clone().unwrap_or_else(|| PathBuf::from(UTMP_PATH));
    let wtmp = match (&options.wtmp, &options.utmp) {
        (Some(wtmp), _) => Some(wtmp.clone()),
        (None, None) => Some(PathBuf::from(WTMP_PATH)),
        // Somebody's copy of a utmp has no business in this machine's history.
        (None, Some(_)) => None,
    };
    let now = now::sessions(&Stores { utmp: vec![utmp.clone()], ..Stores::default() });
    if let Some(error) = now.failed.into_iter().next() {
        return Err(error.into());
    }
    now.warnings.iter().for_each(warn_of);
    let ghosts: Vec<OnNow> = now.sessions.into_iter().filter(OnNow::is_ghost).collect();
    let mut status = Status::Well;
    let mut results = Vec::new();
    if options.dry_run || ghosts.is_empty() {
        results.extend(ghosts.iter().map(|_| Ok(false)));
    } else {
        let utmp = open(&utmp)?;
        // A history that is switched off, or that may not be written, keeps no ghost alive.
        let wtmp = wtmp.map(|path| open(&path)).transpose()?;
        for ghost in &ghosts {
            results.push(close(ghost, utmp.as_ref(), wtmp.as_ref().and_then(Option::as_ref)));
        }
    }
    for (ghost, result) in ghosts.iter().zip(&results) {
        if let Err(error) = result {
            warn(&format!("{}: {}", printable(&ghost.line), words(*error)));
            status = Status::Wrong;
        }
    }
    write(&ghosts, &results, options.dry_run, output)?;
    Ok(status)
}

fn open(path: &Path) -> Result<Option<RecordFile>, Failure> {
    let shown = printable(path.as_os_str().as_encoded_bytes());
    let name = CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(|_| Failure::Usage("a path with a NUL".into()))?;
    RecordFile::open(&name).map_err(|errno| match errno {
        Errno::EACCES | Errno::EPERM => Failure::Privilege(format!(
            "{shown} may not be written: reap needs to be root, or in the group of the file"
        )),
        errno => Failure::Nothing(format!("{shown}: {}", words(errno))),
    })
}

fn words(errno: Errno) -> String {
    std::io::Error::from_raw_os_error(errno.0).to_string()
}

/// Closes one, and says whether it was still there to be closed.
fn close(
    ghost: &OnNow,
    utmp: Option<&RecordFile>,
    wtmp: Option<&RecordFile>,
) -> Result<bool, Errno> {
    let (Some(utmp), Some(entry)) = (utmp, &ghost.entry) else {
        return Ok(false);
    };
    let mut patience = Patience::default();
    let live = entry.record();
    let ended = Record { ut_type: Kind::Dead.ut_type(), time: Time::now(), ..*live };
    if !Utmp(utmp).put_instead(live, &ended, &mut patience)? {
        return Ok(false);
    }
    if let Some(wtmp) = wtmp {
        // As a terminal writes it: without the host.
        Wtmp(wtmp).append(&Record { host: [0; 256], ..ended }, &mut patience)?;
    }
    Ok(true)
}

fn write(
    ghosts: &[OnNow],
    results: &[Result<bool, Errno>],
    dry_run: bool,
    output: &mut Output,
) -> std::io::Result<()> {
    let mut clock = Clock::local();
    if output.json {
        let mut object = Object::open(output)?;
        let mut list = object.list(output, "reaped")?;
        for (ghost, result) in ghosts.iter().zip(results) {
            let value = Json {
                who: Who::new(&ghost.user, &ghost.line, &ghost.host, ghost.pid),
                login: clock.rfc3339(ghost.login),
                closed: *result == Ok(true),
                error: result.err().map(words),
            };
            list.value(output, &value)?;
        }
        list.close(output)?;
        return object.close(output);
    }
    let mut table = Table::new(&COLUMNS);
    for (ghost, result) in ghosts.iter().zip(results) {
        table.row(output, |row| {
            row.bytes(&ghost.user);
            row.bytes(&ghost.line);
            row.cell(|to| to.extend(ghost.pid.map(|pid| pid.to_string())));
            row.cell(|to| clock.minute(ghost.login.sec, to));
            row.text(match result {
                _ if dry_run => "would be",
                Ok(true) => "yes",
                Ok(false) => "already",
                Err(_) => "no",
            });
        })?;
    }
    table.finish(output)
}

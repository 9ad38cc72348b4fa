//! `history`: who has been.

use std::path::PathBuf;

use login_databases::{End, Filter, History, Session, Source, Warning, What};
use serde::Serialize;

use super::{not_here, warn_of, write_sources};
use crate::ahead::Ahead;
use crate::cli::{self, Sources};
use crate::failure::{Done, Failure, Status, warn};
use crate::moment::{Clock, duration};
use crate::output::Output;
use crate::output::json::{Object, Who, paths};
use crate::output::progress::Progress;
use crate::output::table::{BAD, Column, FAINT, GOOD, ODD, Row, Table, left, right};

static COLUMNS: [Column; 6] = [
    left("USER", 8),
    left("LINE", 7),
    left("HOST", 8),
    left("LOGIN", 16),
    left("LOGOUT", 16),
    right("DURATION"),
];

#[derive(Serialize)]
struct Json {
    kind: &'static str,
    #[serde(flatten)]
    who: Who,
    service: Option<String>,
    login: Option<String>,
    login_seconds: i64,
    logout: Option<String>,
    logout_seconds: Option<i64>,
    end: &'static str,
    duration_seconds: Option<i64>,
    clock_change_seconds: f64,
    source: String,
}

#[derive(Serialize)]
struct NotRecord {
    path: String,
    offset: u64,
    length: u64,
}

/// A history, and where it is read.
pub struct Opened {
    pub history: History,
    pub sources: Vec<PathBuf>,
    /// Something of this machine's could not be read, and was left out.
    pub incomplete: bool,
}

/// The history that the options name.
pub fn open(sources: &Sources, system: bool, clock: &Clock) -> Result<Opened, Failure> {
    let time = |text: &Option<String>| {
        text.as_deref().map(|text| clock.parse(text)).transpose().map_err(Failure::Usage)
    };
    let bytes = |texts: &[String]| texts.iter().map(|text| text.clone().into_bytes()).collect();
    let filter = Filter {
        users: bytes(&sources.users),
        lines: bytes(&sources.lines),
        since: time(&sources.since)?,
        until: time(&sources.until)?,
        system,
    };
    let mut paths = sources.files.clone();
    for kind in &sources.sources {
        match Source::from(*kind).paths() {
            none if none.is_empty() => return Err(not_here((*kind).into())),
            found => paths.extend(found),
        }
    }
    let own_choice = paths.is_empty();
    if own_choice {
        paths = History::paths_of_this_machine()?;
    }
    if sources.rotated {
        let older: Vec<PathBuf> = paths
            .iter()
            .flat_map(|path| login_databases::rotated(path).unwrap_or_default())
            .filter(|path| !paths.contains(path))
            .collect();
        paths.extend(older);
    }
    let opened = match History::of(&paths) {
        Err(_) if own_choice && paths.len() > 1 => of_readable(paths)?,
        opened => Opened { history: opened?, sources: paths, incomplete: false },
    };
    Ok(Opened { history: opened.history.filtered(filter), ..opened })
}

/// Of those that can be read; what is wrong with the others is said.
fn of_readable(mut paths: Vec<PathBuf>) -> Result<Opened, Failure> {
    let mut errors = Vec::new();
    paths.retain(|path| match History::of(&[path]) {
        Ok(_) => true,
        Err(error) => {
            errors.push(error);
            false
        }
    });
    let history = match (History::of(&paths), errors.pop()) {
        (_, Some(error)) if paths.is_empty() => return Err(error.into()),
        (history, error) => {
            errors.extend(error);
            history?
        }
    };
    errors.iter().for_each(|error| warn(&error.to_string()));
    Ok(Opened { history, sources: paths, incomplete: true })
}

pub fn run(options: &cli::History, output: &mut Output) -> Done {
    let mut clock = Clock::local();
    let Opened { history, sources, incomplete } = open(&options.sources, options.system, &clock)?;
    let mut history = Ahead::of(history);
    let limit = options.limit.unwrap_or(u64::MAX);
    let mut warnings = Vec::new();
    let mut progress = Progress::new(output);
    if output.json {
        let mut object = Object::open(output)?;
        object.field(output, "sources", &paths(&sources))?;
        let mut list = object.list(output, "sessions")?;
        let mut count = 0;
        while count < limit {
            let Some(session) = history.next()? else { break };
            list.value(output, &json(session, &mut clock))?;
            count += 1;
            progress.show(|| history.progress());
        }
        list.close(output)?;
        warnings.extend(history.take_warnings());
        let not_records: Vec<NotRecord> = warnings.iter().map(not_record).collect();
        object.field(output, "not_records", &not_records)?;
        object.close(output)?;
    } else {
        let mut table = Table::new(&COLUMNS);
        let mut count = 0;
        while count < limit {
            let Some(session) = history.next()? else { break };
            table.row(output, |row| fill(row, session, &mut clock))?;
            count += 1;
            progress.show(|| history.progress());
        }
        table.finish(output)?;
        if options.sources.files.is_empty() {
            write_sources(&sources, output)?;
        }
        warnings.extend(history.take_warnings());
    }
    drop(progress);
    use std::io::Write;
    output.flush()?;
    warnings.iter().for_each(warn_of);
    Ok(if warnings.is_empty() && !incomplete { Status::Well } else { Status::Wrong })
}

fn not_record(warning: &Warning) -> NotRecord {
    NotRecord {
        path: warning.path.to_string_lossy().into_owned(),
        offset: warning.offset,
        length: warning.length,
    }
}

fn fill(row: &mut Row, session: &Session, clock: &mut Clock) {
    match session.what {
        What::Login => {
            row.bytes(&session.user);
            row.bytes(&session.line);
        }
        what => {
            row.text(kind(what));
            match what {
                What::RunLevel(level) => row.bytes(&[level]),
                _ => row.text("-"),
            }
        }
    }
    row.bytes(&session.host);
    row.cell(|to| clock.minute(session.login.sec, to));
    match (session.end, session.logout) {
        (End::Recorded, Some(logout)) => row.cell(|to| clock.minute(logout.sec, to)),
        (End::Open, _) if session.what == What::Login => row.text("still here"),
        (End::Open, _) => row.text("still so"),
        (End::Gone, _) => row.text("gone, no logout"),
        (End::Crash, _) => row.text("crash"),
        (End::Down, _) => row.text("down"),
        (End::Moment | End::Recorded, _) => row.text("-"),
    }
    row.cell(|to| {
        if let Some(seconds) = session.seconds() {
            duration(seconds, to);
        }
    });
    match (session.what, session.end) {
        (What::Login, End::Open) => row.style(GOOD),
        (What::Login, End::Gone) => row.style(ODD),
        (_, End::Crash) => row.style(BAD),
        (What::Login, _) => {}
        _ => row.style(FAINT),
    }
}

fn kind(what: What) -> &'static str {
    match what {
        What::Login => "login",
        What::Boot => "boot",
        What::Shutdown => "shutdown",
        What::RunLevel(_) => "run-level",
        What::OldTime => "old-time",
        What::NewTime => "new-time",
    }
}

fn json(session: &Session, clock: &mut Clock) -> Json {
    Json {
        kind: kind(session.what),
        who: Who::new(&session.user, &session.line, &session.host, session.pid),
        service: session.service.clone(),
        login: clock.rfc3339(session.login),
        login_seconds: session.login.sec,
        logout: session.logout.and_then(|time| clock.rfc3339(time)),
        logout_seconds: session.logout.map(|time| time.sec),
        end: match session.end {
            End::Recorded => "logout",
            End::Down => "down",
            End::Crash => "crash",
            End::Open => "open",
            End::Gone => "gone",
            End::Moment => "moment",
        },
        duration_seconds: session.seconds(),
        clock_change_seconds: session.clock_change as f64 / 1e6,
        source: session.source.to_string_lossy().into_owned(),
    }
}

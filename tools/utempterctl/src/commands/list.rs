//! `list`: who is on.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use login_databases::machine::{Process, Terminal};
use login_databases::now::{self, Now, OnNow, Stores};
use login_databases::{Source, is_socket};
use serde::Serialize;

use super::{not_here, warn_of, write_sources};
use crate::cli::List;
use crate::failure::{Done, Failure, Status, warn};
use crate::moment::Clock;
use crate::output::Output;
use crate::output::json::{Object, Who, paths};
use crate::output::table::{Column, FAINT, ODD, Table, left, right};

static COLUMNS: [Column; 7] = [
    left("USER", 8),
    left("LINE", 7),
    left("HOST", 8),
    left("LOGIN", 16),
    right("PID"),
    left("STATE", 5),
    left("STORE", 6),
];

#[derive(Serialize)]
struct Json {
    #[serde(flatten)]
    who: Who,
    login: Option<String>,
    login_seconds: i64,
    state: &'static str,
    process: Option<&'static str>,
    terminal: Option<&'static str>,
    stores: Vec<String>,
}

pub fn run(options: &List, output: &mut Output) -> Done {
    let mut stores = Stores {
        utmp: options.utmp.clone(),
        utmps: options.utmps.clone(),
        wtmpdb: options.wtmpdb.clone(),
    };
    let named = !stores.is_empty();
    if !options.sources.is_empty() {
        let kinds: Vec<Source> = options.sources.iter().map(|kind| Source::from(*kind)).collect();
        if let Some(missing) = kinds.iter().find(|kind| kind.paths().is_empty()) {
            return Err(not_here(*missing));
        }
        stores = Stores::of(&kinds);
    } else if !named {
        stores = Stores::of_this_machine();
    }
    if stores.is_empty() {
        return Err(Failure::Nothing(format!(
            "no store of sessions here: {} does not exist, nor are there utmps or wtmpdb \
             (utempterctl doctor says more)",
            login_records::store::UTMP_PATH
        )));
    }
    let asked: Vec<PathBuf> = stores.paths().cloned().collect();
    let mut now = now::sessions(&stores);
    now.warnings.iter().for_each(warn_of);
    let failed = now.failed.len();
    for error in now.failed.drain(..) {
        // With nothing read at all there is nothing to show.
        if failed == asked.len() {
            return Err(error.into());
        }
        warn(&error.to_string());
    }
    if output.json {
        write_json(&now, &asked, output)?
    } else {
        write_table(&now, &stores, output)?;
        if !named {
            write_sources(&asked, output)?;
        }
    }
    Ok(if failed > 0 || !now.warnings.is_empty() { Status::Wrong } else { Status::Well })
}

/// A store's name, short enough for a column.
fn short<'a>(path: &'a Path, stores: &Stores) -> Cow<'a, str> {
    let daemon = is_socket(path);
    match path.file_name() {
        _ if stores.utmps.as_deref() == Some(path) => "utmps".into(),
        Some(_) if daemon => "wtmpdbd".into(),
        name => name.unwrap_or(path.as_os_str()).to_string_lossy(),
    }
}

fn state(one: &OnNow) -> &'static str {
    match (one.is_ghost(), one.is_stale()) {
        (true, _) => "ghost",
        (_, true) => "stale",
        _ => "on",
    }
}

fn write_table(now: &Now, stores: &Stores, output: &mut Output) -> std::io::Result<()> {
    let mut clock = Clock::local();
    let mut table = Table::new(&COLUMNS);
    for one in &now.sessions {
        table.row(output, |row| {
            row.bytes(&one.user);
            row.bytes(&one.line);
            row.bytes(&one.host);
            row.cell(|to| clock.minute(one.login.sec, to));
            row.cell(|to| to.extend(one.pid.map(|pid| pid.to_string())));
            row.text(state(one));
            let names: Vec<_> = one.stores.iter().map(|path| short(path, stores)).collect();
            row.bytes(names.join(",").as_bytes());
            match state(one) {
                "on" => {}
                "stale" => row.style(ODD),
                _ => row.style(FAINT),
            }
        })?;
    }
    table.finish(output)
}

fn write_json(now: &Now, sources: &[PathBuf], output: &mut Output) -> std::io::Result<()> {
    let mut clock = Clock::local();
    let mut object = Object::open(output)?;
    object.field(output, "boot", &now.boot.and_then(|time| clock.rfc3339(time)))?;
    object.field(output, "sources", &paths(sources))?;
    let mut list = object.list(output, "sessions")?;
    for one in &now.sessions {
        let value = Json {
            who: Who::new(&one.user, &one.line, &one.host, one.pid),
            login: clock.rfc3339(one.login),
            login_seconds: one.login.sec,
            state: state(one),
            process: match one.process {
                Process::Here => Some("here"),
                Process::Gone => Some("gone"),
                Process::Unnamed => None,
            },
            terminal: match one.terminal {
                Terminal::Here => Some("here"),
                Terminal::Another => Some("another's"),
                Terminal::Gone => Some("gone"),
                Terminal::Unnamed => None,
            },
            stores: paths(&one.stores),
        };
        list.value(output, &value)?;
    }
    list.close(output)?;
    object.close(output)
}

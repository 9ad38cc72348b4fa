//! `list`: who is on.

use login_databases::machine::{Process, Terminal};
use login_databases::now::{self, Now, OnNow, Stores};
use serde::Serialize;

use super::warn_of;
use crate::cli::List;
use crate::failure::{Done, Failure, Status, warn};
use crate::moment::Clock;
use crate::output::Output;
use crate::output::json::{Object, hex, text};
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
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_hex: Option<String>,
    line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_hex: Option<String>,
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_hex: Option<String>,
    pid: Option<i32>,
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
    if stores.is_empty() {
        stores = Stores::of_this_machine();
    }
    if stores.is_empty() {
        return Err(Failure::Nothing(format!(
            "no store of sessions here: {} does not exist, nor utmps, nor a file of wtmpdb \
             (utempterctl doctor says more)",
            login_records::store::UTMP_PATH
        )));
    }
    let asked = stores.utmp.len() + usize::from(stores.utmps.is_some()) + stores.wtmpdb.len();
    let mut now = now::sessions(&stores);
    now.warnings.iter().for_each(warn_of);
    let failed = now.failed.len();
    for error in now.failed.drain(..) {
        // With nothing read at all there is nothing to show.
        if failed == asked {
            return Err(error.into());
        }
        warn(&error.to_string());
    }
    if output.json {
        write_json(&now, output)?
    } else {
        write_table(&now, output)?
    }
    Ok(if failed > 0 || !now.warnings.is_empty() { Status::Wrong } else { Status::Well })
}

fn state(one: &OnNow) -> &'static str {
    match (one.is_ghost(), one.is_stale()) {
        (true, _) => "ghost",
        (_, true) => "stale",
        _ => "on",
    }
}

fn write_table(now: &Now, output: &mut Output) -> std::io::Result<()> {
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
            let stores: Vec<_> = one.stores.iter().filter_map(|path| path.file_name()).collect();
            row.bytes(stores.join(",".as_ref()).as_encoded_bytes());
            match state(one) {
                "on" => {}
                "stale" => row.style(ODD),
                _ => row.style(FAINT),
            }
        })?;
    }
    table.finish(output)
}

fn write_json(now: &Now, output: &mut Output) -> std::io::Result<()> {
    let mut clock = Clock::local();
    let mut object = Object::open(output)?;
    object.field(output, "boot", &now.boot.and_then(|time| clock.rfc3339(time)))?;
    let mut list = object.list(output, "sessions")?;
    for one in &now.sessions {
        let value = Json {
            user: text(&one.user),
            user_hex: hex(&one.user),
            line: text(&one.line),
            line_hex: hex(&one.line),
            host: text(&one.host),
            host_hex: hex(&one.host),
            pid: one.pid,
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
            stores: one.stores.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
        };
        list.value(output, &value)?;
    }
    list.close(output)?;
    object.close(output)
}

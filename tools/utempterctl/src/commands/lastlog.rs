//! `lastlog`: when accounts last logged in.

use std::path::{Path, PathBuf};

use login_databases::Input;
use login_databases::lastlog::{self, LastLogin};
use nix::unistd::{Uid, User};
use serde::Serialize;

use crate::cli::Lastlog;
use crate::failure::{Done, Failure, Status};
use crate::moment::Clock;
use crate::output::Output;
use crate::output::json::{Object, hex, text};
use crate::output::table::{Column, Table, left, right};

static COLUMNS: [Column; 5] =
    [left("USER", 8), right("UID"), left("LINE", 7), left("HOST", 8), left("LOGIN", 16)];

#[derive(Serialize)]
struct Json {
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_hex: Option<String>,
    uid: Option<u32>,
    line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_hex: Option<String>,
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_hex: Option<String>,
    service: Option<String>,
    time: Option<String>,
    seconds: i64,
    source: String,
}

pub fn run(options: &Lastlog, output: &mut Output) -> Done {
    let mut files = options.files.clone();
    if files.is_empty() {
        files = lastlog::paths_of_this_machine();
    }
    if files.is_empty() {
        return Err(Failure::Nothing(format!(
            "no last logins here: neither {} nor {} exists",
            lastlog::PATH,
            lastlog::PATH2
        )));
    }
    let mut logins: Vec<(LastLogin, PathBuf)> = Vec::new();
    for path in files {
        logins.extend(read(&path)?.into_iter().map(|login| (login, path.clone())));
    }
    for (login, _) in &mut logins {
        complete(login);
    }
    let wanted = |login: &LastLogin| {
        options.users.is_empty()
            || options.users.iter().any(|user| login.user.as_deref() == Some(user.as_bytes()))
    };
    logins.retain(|(login, _)| wanted(login));
    // The newest first, as in every list of logins here.
    logins.sort_by_key(|(login, _)| std::cmp::Reverse(login.time.sec));
    let mut clock = Clock::local();
    if output.json {
        let mut object = Object::open(output)?;
        let mut list = object.list(output, "logins")?;
        for (login, path) in &logins {
            list.value(output, &json(login, path, &mut clock))?;
        }
        list.close(output)?;
        object.close(output)?;
    } else {
        let mut table = Table::new(&COLUMNS);
        for (login, _) in &logins {
            table.row(output, |row| {
                row.bytes(login.user.as_deref().unwrap_or_default());
                row.cell(|to| to.extend(login.uid.map(|uid| uid.to_string())));
                row.bytes(&login.line);
                row.bytes(&login.host);
                row.cell(|to| clock.minute(login.time.sec, to));
            })?;
        }
        table.finish(output)?;
    }
    Ok(Status::Well)
}

fn read(path: &Path) -> Result<Vec<LastLogin>, Failure> {
    if Input::open(path)?.is_sqlite() {
        return Ok(lastlog::read2(path)?);
    }
    Ok(lastlog::read(path, lastlog::width_of(path)?)?)
}

/// One file has uids and the other names: the accounts know both.
fn complete(login: &mut LastLogin) {
    if let (Some(uid), None) = (login.uid, &login.user) {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        login.user = user.map(|user| user.name.into_bytes());
    } else if let (None, Some(name)) = (login.uid, &login.user) {
        let name = std::str::from_utf8(name).ok();
        let user = name.and_then(|name| User::from_name(name).ok().flatten());
        login.uid = user.map(|user| user.uid.as_raw());
    }
}

fn json(login: &LastLogin, path: &Path, clock: &mut Clock) -> Json {
    let user = login.user.as_deref().unwrap_or_default();
    Json {
        user: text(user),
        user_hex: hex(user),
        uid: login.uid,
        line: text(&login.line),
        line_hex: hex(&login.line),
        host: text(&login.host),
        host_hex: hex(&login.host),
        service: login.service.clone(),
        time: clock.rfc3339(login.time),
        seconds: login.time.sec,
        source: path.to_string_lossy().into_owned(),
    }
}

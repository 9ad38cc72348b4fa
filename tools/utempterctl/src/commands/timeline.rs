//! `timeline`: who was on when, drawn.

mod chart;
mod svg;
mod terminal;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};

use login_databases::{Time, What, printable};
use serde::Serialize;

use super::{history, warn_of};
use crate::cli::Timeline;
use crate::failure::{Done, Failure, Status};
use crate::moment::Clock;
use crate::output::Output;
use crate::output::json::{Object, hex, text};
use chart::Chart;

#[derive(Serialize)]
struct Json {
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_hex: Option<String>,
    seconds: i64,
    spans: Vec<Span>,
}

#[derive(Serialize)]
struct Span {
    login: Option<String>,
    logout: Option<String>,
}

pub fn run(options: &Timeline, output: &mut Output) -> Done {
    let mut clock = Clock::local();
    let history::Opened { mut history, incomplete, .. } =
        history::open(&options.sources, false, &clock)?;
    let now = Time::now().sec;
    let mut spans: HashMap<Vec<u8>, Vec<(i64, i64)>> = HashMap::new();
    for session in history.by_ref() {
        let session = session?;
        // Where nobody logged out, nobody knows until when it lasted.
        let end = match (session.logout, session.end) {
            (Some(logout), _) => logout.sec,
            (None, login_databases::End::Open) => now,
            (None, _) => session.login.sec,
        };
        // A time of no calendar has no place in a picture.
        let places = clock.offset(session.login.sec).is_some() && clock.offset(end).is_some();
        if session.what == What::Login && places && end >= session.login.sec {
            spans.entry(session.user).or_default().push((session.login.sec, end));
        }
    }
    let warnings = history.take_warnings();
    let bound = |text: &Option<String>| {
        text.as_deref().map(|text| clock.parse(text)).transpose().map_err(Failure::Usage)
    };
    let chart = Chart::new(spans, bound(&options.sources.since)?, bound(&options.sources.until)?);
    let Some(chart) = chart else {
        return Err(Failure::Nothing("nobody was on in that time".into()));
    };
    match &options.svg {
        Some(path) if path.as_os_str() == "-" => svg::write(&chart, &mut clock, output)?,
        Some(path) => {
            let failed = |error: std::io::Error| {
                let path = printable(path.as_os_str().as_encoded_bytes());
                Failure::Nothing(format!("{path}: {error}"))
            };
            let mut file = BufWriter::new(File::create(path).map_err(failed)?);
            svg::write(&chart, &mut clock, &mut file)
                .and_then(|()| file.flush())
                .map_err(failed)?;
        }
        None if output.json => write_json(&chart, &mut clock, output)?,
        None => terminal::write(&chart, &mut clock, output)?,
    }
    warnings.iter().for_each(warn_of);
    Ok(if warnings.is_empty() && !incomplete { Status::Well } else { Status::Wrong })
}

fn write_json(chart: &Chart, clock: &mut Clock, output: &mut Output) -> std::io::Result<()> {
    let mut time = |sec| clock.rfc3339(Time { sec, usec: 0 });
    let mut object = Object::open(output)?;
    object.field(output, "since", &time(chart.since))?;
    object.field(output, "until", &time(chart.until))?;
    let mut list = object.list(output, "users")?;
    for user in &chart.users {
        let value = Json {
            user: text(&user.name),
            user_hex: hex(&user.name),
            seconds: user.seconds(),
            spans: user
                .spans
                .iter()
                .map(|(login, logout)| Span { login: time(*login), logout: time(*logout) })
                .collect(),
        };
        list.value(output, &value)?;
    }
    list.close(output)?;
    object.close(output)
}

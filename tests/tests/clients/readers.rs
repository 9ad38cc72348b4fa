//! The programs by which people read utmp and wtmp.

use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

use utempter_tests::world::ALICE;
use utempter_tests::{Outcome, World, bounded, place};

use crate::SOON;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A session on a line, from a host.
pub type Session<'a> = (&'a str, &'a str);

/// A program's output, run as alice.
pub fn output(world: &World, program: &str, arguments: &[&str]) -> Result<String> {
    let mut command = world.command(ALICE, program);
    command.args(arguments);
    bounded::run(&mut command, Duration::from_secs(15))?.text()
}

/// Soon `who`, `utmpdump` and `last` show alice on these lines, and nobody else on any.
pub fn shows(world: &World, sessions: &[Session]) -> Outcome {
    eventually(|| shows_now(world, sessions))
}

/// Soon nobody is on, and `last` shows `count` sessions of alice, each with its end.
pub fn shows_ended(world: &World, count: usize) -> Outcome {
    eventually(|| {
        shows_now(world, &[])?;
        ended_now(world, count)
    })
}

/// Terminals take their time, and two files are written one after the other.
fn eventually(check: impl Fn() -> Outcome) -> Outcome {
    let begin = Instant::now();
    loop {
        match check() {
            Err(_) if begin.elapsed() < SOON => sleep(Duration::from_millis(50)),
            outcome => return outcome,
        }
    }
}

fn shows_now(world: &World, sessions: &[Session]) -> Outcome {
    let who = output(world, "who", &[World::UTMP])?;
    let dump = dump(world, World::UTMP)?;
    let last = last(world)?;
    let live: Vec<&Dumped> = dump.iter().filter(|record| record.kind == "7").collect();
    let rows: Vec<&str> = who.lines().collect();
    let all = format!("{sessions:?}\nwho:\n{who}\nutmpdump: {dump:#?}\nlast: {last:#?}");
    if rows.len() != sessions.len() || live.len() != sessions.len() {
        return Err(all.into());
    }
    for (line, host) in sessions {
        let in_who = rows.iter().any(|row| {
            let words: Vec<&str> = row.split_whitespace().collect();
            let shown = format!("({host})");
            words[..2] == ["alice", line]
                && row.ends_with(if host.is_empty() { "" } else { &shown })
        });
        // It puts question marks for brackets, which are its own.
        let dumped = host.replace(['[', ']'], "?");
        let in_dump = live
            .iter()
            .any(|record| record.user == "alice" && record.line == *line && record.host == dumped);
        // What `last` says of the end depends on the kernel's audit (util-linux: is_phantom).
        let in_last = last.iter().any(|row| {
            let open = row.contains("still") || row.contains("gone - no logout");
            row.starts_with("alice") && row.contains(&format!(" {line} ")) && open
        });
        if !in_who || !in_dump || !in_last {
            return Err(format!("{line}: {in_who} {in_dump} {in_last}\n{all}").into());
        }
    }
    Ok(())
}

fn ended_now(world: &World, count: usize) -> Outcome {
    let last = last(world)?;
    let ended = last.iter().filter(|row| row.starts_with("alice") && row.contains(" - ")).count();
    let open = last.iter().any(|row| row.contains("still") || row.contains("no logout"));
    if ended != count || open {
        return Err(format!("{count} sessions have ended: {last:#?}").into());
    }
    Ok(())
}

fn last(world: &World) -> Result<Vec<String>> {
    place::program("last", "util-linux")?;
    let text = output(world, "last", &["-w", "-f", World::WTMP])?;
    Ok(text.lines().filter(|row| row.starts_with("alice")).map(str::to_owned).collect())
}

/// A record as utmpdump prints it.
#[derive(Debug)]
pub struct Dumped {
    kind: String,
    pub pid: String,
    user: String,
    line: String,
    host: String,
}

/// What utmpdump prints of a file.
pub fn dump(world: &World, file: &str) -> Result<Vec<Dumped>> {
    place::program("utmpdump", "util-linux")?;
    let text = output(world, "utmpdump", &[file])?;
    let rows = text.lines().filter(|row| row.starts_with('['));
    // [type] [pid] [id] [user] [line] [host] [address] [time]
    rows.map(|row| {
        let fields: Vec<&str> =
            row.split("] [").map(|field| field.trim_matches([' ', '['])).collect();
        let [kind, pid, _, user, line, host, _, _] = fields[..] else {
            return Err(format!("utmpdump: {row}").into());
        };
        let [kind, pid, user, line, host] = [kind, pid, user, line, host].map(str::to_owned);
        Ok(Dumped { kind, pid, user, line, host })
    })
    .collect()
}

//! Many terminals at once.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Stdio;

use utempter_tests::pty::Pty;
use utempter_tests::side_by_side::{Comparison, Report, count, full};
use utempter_tests::utmp::Record;
use utempter_tests::world::ALICE;
use utempter_tests::{Outcome, Side, World};

const PROCESSES: usize = 64;

pub fn comparisons() -> Vec<Comparison> {
    let worlds = if full() { 5 } else { 1 };
    let sessions = count(640, 10_000_usize.next_multiple_of(PROCESSES * 5)) / worlds;
    vec![
        Comparison::new("64 terminals at once", move |world, report| {
            crowd(world, report, sessions / PROCESSES)
        })
        .in_worlds(worlds),
    ]
}

fn crowd(world: &World, report: &mut Report, sessions: usize) -> Outcome {
    // Opened here, so that no number is given out twice.
    let ptys: Vec<Pty> = (0..PROCESSES).map(|_| Pty::open()).collect::<Result<_, _>>()?;
    let mut clients = Vec::new();
    for (number, pty) in ptys.iter().enumerate() {
        chown(pty.device(), Some(ALICE.uid), None)?;
        let mut steps = vec!["number a 0".to_owned()];
        for session in 0..sessions {
            steps.push(format!("add a s{session}"));
            steps.push("del a".to_owned());
        }
        // Every other terminal's last session goes on.
        if is_live(number) {
            steps.pop();
        }
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        clients.push(world.client(&steps).stdin(Stdio::from(pty.master()?)).spawn()?);
    }
    for mut client in clients {
        client.wait()?;
    }

    let transcript = fs::read_to_string(World::TRANSCRIPT)?;
    let answers = |text: &str| transcript.lines().filter(|line| line.contains(text)).count();
    let calls = PROCESSES * sessions * 2 - PROCESSES / 2;
    let done = answers("add a: 1,") + answers("del a: 1,");
    let (utmp, wtmp) = (world.utmp()?, world.wtmp()?);
    let wrong = ptys.iter().enumerate().filter(|(number, pty)| {
        let mut own = utmp.iter().filter(|record| record.line() == pty.line());
        let right = own.next().is_some_and(|record| record.is_live() == is_live(*number));
        !right || own.next().is_some()
    });
    let wrong = wrong.count();
    let incomplete: usize = ptys
        .iter()
        .enumerate()
        .map(|(number, pty)| missing(&wtmp, &pty.line(), sessions, is_live(number)))
        .sum();
    report.count("sessions", PROCESSES * sessions);
    report.count("calls that failed", calls - done.min(calls));
    report.count("lines that are wrong in utmp", wrong);
    report.count("records missing from wtmp", incomplete);
    report.count("records too many in wtmp", wtmp.len().saturating_sub(calls));
    if world.side == Side::Ours && (done != calls || wrong + incomplete > 0 || wtmp.len() != calls)
    {
        return Err(format!(
            "{done} of {calls} calls, {wrong} lines wrong, {incomplete} missing, wtmp has {}",
            wtmp.len()
        )
        .into());
    }
    Ok(())
}

fn is_live(number: usize) -> bool {
    number % 2 == 0
}

/// How many of the line's records are not in wtmp, each login before its logout.
fn missing(wtmp: &[Record], line: &str, sessions: usize, live: bool) -> usize {
    let mut own = wtmp.iter().filter(|record| record.line() == line);
    let mut missing = 0;
    for session in 0..sessions {
        let login = own.next().is_some_and(|record| record.host() == format!("s{session}"));
        let last = session + 1 == sessions;
        let logout = (last && live) || own.next().is_some_and(|record| !record.is_live());
        missing += usize::from(!login) + usize::from(!logout);
    }
    missing
}

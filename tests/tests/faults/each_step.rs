//! The helper killed at each of its system calls, one after the other: between two of them
//! nothing changes that others could see.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::chown;
use std::process::Stdio;
use std::time::Duration;

use utempter_tests::pty::{Pty, ending};
use utempter_tests::side_by_side::{Comparison, Report};
use utempter_tests::utmp::{DEAD_PROCESS, Record, SIZE, USER_PROCESS, encode};
use utempter_tests::world::ALICE;
use utempter_tests::{Outcome, Side, World, bounded, place};

use crate::call::{self, call};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const TRACE: &str = "/tmp/trace";

pub fn comparisons() -> Vec<Comparison> {
    vec![
        Comparison::new("the helper killed at each system call, its line new", |world, report| {
            each(world, report, false)
        }),
        Comparison::new(
            "the helper killed at each system call, its line known",
            |world, report| each(world, report, true),
        ),
    ]
}

/// The records before: of alice's line too, where it is known.
fn before(known: bool) -> (Vec<u8>, Vec<u8>) {
    let line = |n| format!("pts/{n}");
    let record = |n| Record::new(USER_PROCESS, 1, &line(n), &line(n)[3..], "bob", "elsewhere");
    // The slot, and the end, are across two pages.
    let mut utmp: Vec<Record> = (900..931).map(record).collect();
    if known {
        utmp[10] = Record::new(DEAD_PROCESS, 1, "pts/0", "ts/0", "alice", "");
    }
    (encode(&utmp), encode(&(900..921).map(record).collect::<Vec<_>>()))
}

/// The helper under strace(1), as alice, its privilege in force. How it ended.
fn traced(options: &[&str]) -> Result<String, Failure> {
    let pty = Pty::open()?;
    chown(pty.device(), Some(ALICE.uid), None)?;
    let mut command = std::process::Command::new(place::program("strace", "strace")?);
    command.args(["-qq", "-u", "alice", "-o", TRACE]).args(options);
    command.arg(place::system_helper()).args(["add", "host"]).stdin(Stdio::from(pty.master()?));
    // What it would print is no matter here.
    Ok(ending(bounded::run(&mut command, Duration::from_secs(15))?.status))
}

fn each(world: &World, report: &mut Report, known: bool) -> Outcome {
    call::prepare()?;
    let (utmp, wtmp) = before(known);
    let reset = || -> Outcome {
        call::fresh(World::UTMP, &utmp)?;
        call::fresh(World::WTMP, &wtmp)
    };
    reset()?;
    let whole = traced(&[])?;
    if whole != "0" {
        return Err(format!("under strace the helper ended with {whole}").into());
    }
    let mut times = HashMap::new();
    let trace = fs::read_to_string(TRACE)?;
    let names = trace.lines().filter_map(|line| line.split_once('(')).map(|(name, _)| name);
    let (mut killed, mut wrong) = (0, Vec::new());
    for name in names {
        let time = times.entry(name).or_insert(0);
        *time += 1;
        // strace itself makes the first exec.
        if name == "execve" {
            continue;
        }
        reset()?;
        let ended = traced(&["-e", &format!("inject={name}:signal=KILL:when={time}")])?;
        killed += u32::from(ended == "SIGKILL");
        let next = call(world, &[])?;
        if let Err(what) = judge(&utmp, &wtmp, known) {
            wrong.push(format!("{name} {time}: {what}"));
        }
        if next.ending != "0" {
            wrong.push(format!("{name} {time}: the next call: {}", next.ending));
        }
    }
    report.count("killed", killed);
    report.count("wrong after the next call", wrong.len());
    if killed < 30 {
        return Err(format!("no more than {killed} were killed").into());
    }
    if world.side == Side::Ours && !wrong.is_empty() {
        return Err(wrong.join("\n").into());
    }
    Ok(())
}

fn judge(utmp: &[u8], wtmp: &[u8], known: bool) -> Result<(), String> {
    let read = |file| fs::read(file).map_err(|error| error.to_string());
    let (mut new_utmp, new_wtmp) = (read(World::UTMP)?, read(World::WTMP)?);
    let own = if known { 10 * SIZE } else { utmp.len() };
    let session = |bytes: &[u8]| {
        let record = Record(bytes.try_into().expect("a chunk"));
        record.is_live() && record.line() == "pts/0" && record.host() == "host"
    };
    if !new_utmp.get(own..own + SIZE).is_some_and(session) {
        return Err("utmp has no session where it should".into());
    }
    if known {
        new_utmp[own..own + SIZE].copy_from_slice(&utmp[own..own + SIZE]);
    } else {
        new_utmp.truncate(own);
    }
    if new_utmp != utmp || read(World::UTMP)?.len() != utmp.len().max(own + SIZE) {
        return Err("utmp has changed elsewhere".into());
    }
    let Some(added) = new_wtmp.strip_prefix(wtmp) else {
        return Err("wtmp has changed elsewhere".into());
    };
    let records = added.len() / SIZE;
    let right = added.len() % SIZE == 0 && (1..=2).contains(&records);
    if !right || !added.chunks_exact(SIZE).all(session) {
        return Err(format!("wtmp has {} bytes more", added.len()));
    }
    Ok(())
}

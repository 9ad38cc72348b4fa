//! Limits that whoever starts the helper has set.

use std::fs;

use utempter_tests::side_by_side::{Comparison, Report, full};
use utempter_tests::utmp::{DEAD_PROCESS, Record, SIZE, USER_PROCESS, encode};
use utempter_tests::world::CLIENT_LIMIT;
use utempter_tests::{Outcome, Side, World, bounded, place};

use crate::call::{self, Called, call};

/// Room behind the record that ours asks for, in bytes.
const ROOM: usize = 1 << 20;
/// Records in utmp before.
const BEFORE: usize = 6;

pub fn comparisons() -> Vec<Comparison> {
    let mut all = Vec::new();
    for slot in [false, true] {
        for hard in [false, true] {
            let name = format!(
                "RLIMIT_FSIZE, {} limit, around {}",
                if hard { "the hard" } else { "the soft" },
                if slot { "a slot in utmp" } else { "the end of utmp" },
            );
            all.push(Comparison::new(name, move |world, report| {
                file_sizes(world, report, slot, hard)
            }));
        }
    }
    all.push(Comparison::new("RLIMIT_NOFILE, the helper's", |world, report| {
        let limits: Vec<u64> = (2..=9).collect();
        helper(world, report, "nofile", &limits)
    }));
    all.push(Comparison::new("RLIMIT_AS, the helper's", |world, report| {
        let step = if full() { 64 } else { 512 };
        let limits: Vec<u64> = (1..8192 / step).map(|n| n * step * 1024).collect();
        helper(world, report, "as", &limits)
    }));
    all.push(Comparison::new("RLIMIT_NPROC, the caller's", |world, report| {
        library(world, report, "nproc", &[1, 2])
    }));
    all.push(Comparison::new("RLIMIT_NOFILE, the caller's", |world, report| {
        library(world, report, "nofile", &(1..=8).collect::<Vec<u64>>())
    }));
    all.push(Comparison::new("RLIMIT_AS, the caller's", |world, report| {
        let step = if full() { 64 } else { 512 };
        let limits: Vec<u64> = (1024 / step..8192 / step).map(|n| n * step * 1024).collect();
        library(world, report, "as", &limits)
    }));
    all
}

fn others() -> Vec<Record> {
    let line = |n| format!("pts/{n}");
    (900..900 + BEFORE)
        .map(|n| Record::new(USER_PROCESS, 1, &line(n), &line(n)[3..], "bob", "elsewhere"))
        .collect()
}

fn file_sizes(world: &World, report: &mut Report, slot: bool, hard: bool) -> Outcome {
    call::prepare()?;
    let mut utmp = others();
    if slot {
        utmp[2] = Record::new(DEAD_PROCESS, 1, "pts/0", "ts/0", "alice", "");
    }
    // wtmp is shorter, so that a limit may hold for utmp alone.
    let (utmp, wtmp) = (encode(&utmp), encode(&others()[..1]));
    let end = if slot { 2 * SIZE } else { utmp.len() };
    // Ours looks at where a slot ends, and at where an append begins.
    let utmp_room = end + if slot { SIZE } else { 0 } + ROOM;
    let wtmp_room = wtmp.len() + ROOM;

    let around = |middle: usize, reach: usize, step: usize| {
        (middle.saturating_sub(reach)..=middle + reach).step_by(step)
    };
    let limits: Vec<usize> = if full() {
        let near = around(end + SIZE, SIZE + 2, 1);
        let rooms = [wtmp_room, utmp_room].into_iter().flat_map(|room| around(room, 3, 1));
        near.chain(around(wtmp.len() + SIZE / 2, SIZE / 2 + 1, 7)).chain(rooms).collect()
    } else {
        let ends = [wtmp.len(), end, end + SIZE, wtmp_room, utmp_room];
        ends.into_iter().flat_map(|end| around(end, 1, 1)).chain([0, end + 100]).collect()
    };

    let mut endings = Tally::default();
    for limit in limits {
        call::fresh(World::UTMP, &utmp)?;
        call::fresh(World::WTMP, &wtmp)?;
        let before = call::snapshot()?;
        let both = if hard { format!("{limit}:{limit}") } else { format!("{limit}:") };
        let called = call(world, &["prlimit", &format!("--fsize={both}")])?;
        let sessions = [World::UTMP, World::WTMP].map(call::has_session);
        let mut changed = call::changed(&before, &call::snapshot()?);
        changed.retain(|file| {
            let recorded = match file.as_str() {
                World::UTMP => sessions[0],
                World::WTMP => sessions[1],
                _ => false,
            };
            !recorded
        });
        let whole = world.utmp().is_ok() && world.wtmp().is_ok();
        endings.add(told(&called, sessions, whole));
        if world.side == Side::C && limit == end && called.ending == "0" {
            return Err("the C library has changed: it writes beyond a limit".into());
        }
        if world.side == Side::Ours {
            let enough = |room: usize| !hard || limit >= room;
            let expected = if enough(utmp_room) { "0" } else { "EFBIG" };
            let in_files = [enough(utmp_room), enough(wtmp_room)];
            if called.ending != expected || sessions != in_files || !changed.is_empty() {
                let what = format!("limit {limit}: {called:?}, recorded {sessions:?}");
                return Err(format!("{what}, also changed {changed:?}").into());
            }
        }
    }
    endings.tell(report);
    Ok(())
}

/// How a call ended, and which files have its record.
fn told(called: &Called, sessions: [bool; 2], whole: bool) -> String {
    let recorded = match sessions {
        [true, true] => "in both",
        [true, false] => "in utmp alone",
        [false, true] => "in wtmp alone",
        [false, false] => "in none",
    };
    format!("{}, {recorded}{}", called.ending, if whole { "" } else { ", torn" })
}

/// How often each was seen, in the order in which they were.
#[derive(Default)]
struct Tally(Vec<(String, usize)>);

impl Tally {
    fn add(&mut self, what: String) {
        match self.0.iter_mut().find(|(other, _)| *other == what) {
            Some((_, times)) => *times += 1,
            None => self.0.push((what, 1)),
        }
    }

    fn tell(&self, report: &mut Report) {
        for (what, times) in &self.0 {
            report.count(what, *times);
        }
    }
}

/// The helper under a limit that may keep it from starting: all or nothing in utmp, and an
/// exit status that says which.
fn helper(world: &World, report: &mut Report, resource: &str, limits: &[u64]) -> Outcome {
    call::prepare()?;
    let mut endings = Tally::default();
    for limit in limits {
        call::fresh(World::UTMP, &encode(&others()))?;
        call::fresh(World::WTMP, &encode(&others()))?;
        let called = call(world, &["prlimit", &format!("--{resource}={limit}:{limit}")])?;
        let sessions = [World::UTMP, World::WTMP].map(call::has_session);
        let whole = world.utmp().is_ok() && world.wtmp().is_ok();
        endings.add(told(&called, sessions, whole));
        if world.side == Side::Ours {
            let right = whole && sessions[0] == (called.ending == "0") && called.ending != "hung";
            if !right {
                return Err(format!("limit {limit}: {called:?}, {sessions:?}").into());
            }
            let count = |file: &str| fs::metadata(file).map(|found| found.len() as usize / SIZE);
            assert!(count(World::UTMP)? == BEFORE + usize::from(sessions[0]), "limit {limit}");
            assert!(count(World::WTMP)? == BEFORE + usize::from(sessions[1]), "limit {limit}");
        }
    }
    endings.tell(report);
    Ok(())
}

/// The library in a process under a limit: it returns, and what it returns is so.
fn library(world: &World, report: &mut Report, resource: &str, limits: &[u64]) -> Outcome {
    call::prepare()?;
    let prlimit = place::program("prlimit", "util-linux")?;
    let mut endings = Tally::default();
    for limit in limits {
        call::fresh(World::UTMP, &encode(&others()))?;
        call::fresh(World::WTMP, &encode(&others()))?;
        fs::write(World::TRANSCRIPT, "")?;
        // Its own log has a high number, so it sets this limit itself.
        let nofile = format!("nofile {limit}");
        let (set, limit_of) = match resource {
            "nofile" => (nofile.as_str(), String::from("--core=0:0")),
            _ => ("sleep 0", format!("--{resource}={limit}:{limit}")),
        };
        let client = world.client(&["open a", set, "add a host"]);
        let mut command = world.command(utempter_tests::world::ALICE, &prlimit.to_string_lossy());
        command.arg(limit_of);
        command.arg(client.get_program()).args(client.get_args());
        let ended = bounded::run(&mut command, CLIENT_LIMIT);
        let transcript = fs::read_to_string(World::TRANSCRIPT)?;
        let Some(answer) = transcript.lines().find_map(|line| line.strip_prefix("add a: ")) else {
            let opened = transcript.lines().any(|line| line.starts_with("pid "));
            let failed = transcript.contains("own step failed");
            endings.add(match (&ended, opened, failed) {
                (Ok(_), true, false) => "the client died in the call".into(),
                (Err(_), _, _) => "the client did not come back".into(),
                _ => "(the client itself could not start)".into(),
            });
            if world.side == Side::Ours && opened && !failed {
                return Err(format!("limit {limit}: {ended:?} {transcript}").into());
            }
            continue;
        };
        let sessions = [World::UTMP, World::WTMP].map(call::has_session);
        let whole = world.utmp().is_ok() && world.wtmp().is_ok();
        let called = Called { ending: answer.replace(',', ""), milliseconds: 0 };
        endings.add(told(&called, sessions, whole));
        if world.side == Side::Ours {
            let right = match answer.split(',').next() {
                Some("1") => sessions[0] && answer.ends_with("kept"),
                _ => !sessions[0] && !answer.ends_with("kept"),
            };
            if !right || !whole || !ended.is_ok_and(|output| output.status.success()) {
                return Err(format!("limit {limit}: {answer}, {sessions:?}").into());
            }
        }
    }
    endings.tell(report);
    Ok(())
}

//! A lock that any user may take and keep, since the files are world-readable.

use std::fs::{File, OpenOptions};
use std::thread::sleep;
use std::time::Duration;

use utempter_tests::lock::{self, Kind};
use utempter_tests::part::{self, Running};
use utempter_tests::side_by_side::{Comparison, Report};
use utempter_tests::utmp::{DEAD_PROCESS, USER_PROCESS};
use utempter_tests::world::{ALICE, BOB, CLIENT_LIMIT, User};
use utempter_tests::{Outcome, Side, World, bounded};

const BOTH: [&str; 2] = [World::UTMP, World::WTMP];
/// What ours may take with a lock held by readers, in milliseconds.
const SOON: u64 = 500;

pub fn comparisons() -> Vec<Comparison> {
    let mut all = Vec::new();
    for (what, files) in [("utmp", &BOTH[..1]), ("wtmp", &BOTH[1..]), ("both", &BOTH[..])] {
        for blocked in [false, true] {
            let caller = if blocked { "every signal blocked" } else { "an ordinary caller" };
            all.push(Comparison::new(
                format!("a reader's lock on {what}: {caller}"),
                move |world, report| reader(world, report, files, blocked),
            ));
        }
    }
    all
}

fn reader(world: &World, report: &mut Report, files: &[&str], blocked: bool) -> Outcome {
    let _holder = hold(world, BOB, "read", files)?;
    let soon = |calls: &[Call; 2]| calls.iter().all(|call| call.milliseconds <= SOON);
    let mut calls = self::calls(world, ALICE, blocked)?;
    // A machine that is busy with something else may be late, but not three times.
    for _ in 1..3 {
        if world.side == Side::Ours && !soon(&calls) {
            for file in [World::UTMP, World::WTMP, World::TRANSCRIPT] {
                OpenOptions::new().write(true).open(file)?.set_len(0)?;
            }
            calls = self::calls(world, ALICE, blocked)?;
        }
    }
    tell(report, &calls);
    let (utmp, wtmp) = (world.utmp()?, world.wtmp()?);
    report.say("sessions in utmp, records in wtmp", format!("{}, {}", utmp.len(), wtmp.len()));
    let [add, del] = &calls;
    if world.side == Side::Ours {
        if add.value != Some(1) || del.value != Some(1) || !soon(&calls) {
            return Err(format!("{calls:?}").into());
        }
        let types = |records: &[utempter_tests::utmp::Record]| -> Vec<i16> {
            records.iter().map(utempter_tests::utmp::Record::ut_type).collect()
        };
        assert_eq!(types(&utmp), [DEAD_PROCESS]);
        assert_eq!(types(&wtmp), [USER_PROCESS, DEAD_PROCESS]);
        return Ok(());
    }
    // The defect that this is about (sourceware bug 24492): ten seconds, or for ever.
    let utmp_is_locked = files.contains(&World::UTMP);
    let expected = match blocked {
        true => add.value.is_none() && wtmp.is_empty(),
        false if utmp_is_locked => add.is_late() && add.value == Some(0) && utmp.is_empty(),
        false => add.is_late() && add.value == Some(1) && wtmp.is_empty(),
    };
    if expected { Ok(()) } else { Err(format!("the C library has changed: {calls:?}").into()) }
}

/// A call of the library: what it returned, and when.
#[derive(Debug, Default)]
pub struct Call {
    pub value: Option<i32>,
    pub milliseconds: u64,
}

impl Call {
    /// glibc's ten seconds.
    pub fn is_late(&self) -> bool {
        self.milliseconds >= 9900
    }

    fn words(&self) -> String {
        match self.value {
            Some(value) => format!("{value} after {:.2} s", self.milliseconds as f64 / 1000.0),
            None => format!("none within {} s in all", CLIENT_LIMIT.as_secs()),
        }
    }
}

/// An add and a del, as the client saw them; the client is killed when its time is over.
pub fn calls(
    world: &World,
    user: User,
    blocked: bool,
) -> Result<[Call; 2], Box<dyn std::error::Error + Send + Sync>> {
    let mut steps = vec!["open a", "clock", "add a host", "clock", "del a", "clock"];
    if blocked {
        steps.insert(0, "block-signals");
    }
    // Not ended in time is an answer here.
    let _ = bounded::run(&mut world.client_of(user, &steps), CLIENT_LIMIT);
    let transcript = std::fs::read_to_string(World::TRANSCRIPT)?;
    let mut calls = [Call::default(), Call::default()];
    let mut since = 0;
    for line in transcript.lines() {
        let number = |text: &str| text.split(',').next().and_then(|text| text.trim().parse().ok());
        if let Some(time) = line.strip_prefix("clock: ") {
            let time: u64 = time.parse()?;
            if let Some(call) = calls.iter_mut().rfind(|call| call.value.is_some()) {
                call.milliseconds = time - since;
            }
            since = time;
        } else if let Some(rest) = line.strip_prefix("add a:") {
            calls[0].value = number(rest);
        } else if let Some(rest) = line.strip_prefix("del a:") {
            calls[1].value = number(rest);
        }
    }
    Ok(calls)
}

/// Puts both calls into the table.
pub fn tell(report: &mut Report, calls: &[Call; 2]) {
    report.say("add", calls[0].words());
    report.say("del", calls[1].words());
}

/// Has somebody hold locks on these files until the world ends.
pub fn hold(
    world: &World,
    user: User,
    kind: &str,
    files: &[&str],
) -> Result<Running, Box<dyn std::error::Error + Send + Sync>> {
    let words: Vec<String> = [&[kind], files].concat().into_iter().map(str::to_owned).collect();
    let mut holder = Running::start(&mut part::command(world, user, "holder", &words))?;
    holder.line()?;
    Ok(holder)
}

/// The part that holds: `read` or `write`, and the files.
pub fn holder(words: &[String]) -> Outcome {
    let (kind, files) = words.split_first().ok_or("a kind and files")?;
    let kind = if kind == "write" { Kind::Write } else { Kind::Read };
    let mut held = Vec::new();
    for file in files {
        let file = match kind {
            Kind::Write => OpenOptions::new().write(true).read(true).open(file)?,
            _ => File::open(file)?,
        };
        lock::take(&file, kind)?;
        held.push(file);
    }
    println!("held");
    loop {
        sleep(Duration::from_secs(1));
    }
}

//! Writers that hold a lock and do not move.

use std::fs::File;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use utempter_tests::lock::{self, Kind};
use utempter_tests::part::{self, ROOT, Running};
use utempter_tests::pty::Pty;
use utempter_tests::side_by_side::{Comparison, Report};
use utempter_tests::utmp::{DEAD_PROCESS, Record, USER_PROCESS};
use utempter_tests::world::{ALICE, BOB};
use utempter_tests::{Outcome, Side, World};

use crate::readers;

/// What ours may take: two seconds of patience with a writer, and then the write, on a machine
/// that may be busy. Less than the helper's own alarm.
const SOON: u64 = 4000;

pub fn comparisons() -> Vec<Comparison> {
    vec![
        Comparison::new("a writer holds both locks for ever", |world, report| {
            let _holder = readers::hold(world, ROOT, "write", &[World::UTMP, World::WTMP])?;
            call(world, report)?;
            Ok(())
        }),
        Comparison::new("a helper stopped by its owner while it holds a lock", stopped),
    ]
}

/// Bob's call beside it.
fn call(world: &World, report: &mut Report) -> Outcome {
    let calls = readers::calls(world, BOB, false)?;
    readers::tell(report, &calls);
    let bob = |records: Vec<Record>| -> Vec<i16> {
        let own = records.iter().filter(|record| record.user() == "bob");
        own.map(Record::ut_type).collect()
    };
    let (utmp, wtmp) = (bob(world.utmp()?), bob(world.wtmp()?));
    report.say("sessions in utmp, records in wtmp", format!("{}, {}", utmp.len(), wtmp.len()));
    if world.side == Side::Ours {
        let [add, del] = &calls;
        let right = |call: &readers::Call| call.value == Some(1) && call.milliseconds < SOON;
        if !right(add) || !right(del) {
            return Err(format!("{calls:?}").into());
        }
        assert_eq!(utmp, [DEAD_PROCESS]);
        assert_eq!(wtmp, [USER_PROCESS, DEAD_PROCESS]);
    } else if !calls[0].is_late() {
        return Err(format!("the C library has changed: {calls:?}").into());
    }
    Ok(())
}

fn stopped(world: &World, report: &mut Report) -> Outcome {
    let mut stopper = Running::start(&mut part::command(world, ALICE, "stopper", &[]))?;
    let helper = Pid::from_raw(stopper.line()?.parse()?);
    call(world, report)?;
    // Awake again, the helper finds its time over, or does what it was about to do.
    kill(helper, Signal::SIGCONT)?;
    stopper.finish()?;
    let utmp = world.utmp()?;
    world.wtmp()?;
    let sessions = utmp.iter().filter(|record| record.user() == "bob").count();
    report.say(
        "bob's record when the helper has gone on",
        if sessions == 1 { "there" } else { "gone" },
    );
    if world.side == Side::Ours {
        assert_eq!(sessions, 1);
    }
    Ok(())
}

/// The part that stops its own helper in the midst of its work.
pub fn stopper(_: &[String]) -> Outcome {
    let pty = Pty::open()?;
    let utmp = File::open(World::UTMP)?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(30) {
        let mut child = pty.helper(&["add", "host"])?.stderr(Stdio::null()).spawn()?;
        let pid = Pid::from_raw(child.id() as i32);
        // Stopped as soon as the lock is seen: it is held for a few dozen microseconds.
        let seen = loop {
            if lock::held(&utmp)? == Kind::Write {
                break true;
            }
            if child.try_wait()?.is_some() {
                break false;
            }
        };
        if seen && kill(pid, Signal::SIGSTOP).is_ok() {
            sleep(Duration::from_millis(50));
            if lock::held(&utmp)? == Kind::Write {
                println!("{pid}");
                child.wait()?;
                return Ok(());
            }
            kill(pid, Signal::SIGKILL)?;
        }
        child.wait()?;
    }
    Err("the helper was never stopped with the lock".into())
}

//! Honest writers beside the helper, and locks that are free.

use std::process::Command;

use utempter_tests::part::{self, Running};
use utempter_tests::side_by_side::{Comparison, Report, WRITER, count, full};
use utempter_tests::{Outcome, Side, World};

use crate::adder;

pub fn comparisons() -> Vec<Comparison> {
    // The long run's 10,000 rounds are shared out: each world has its bound in time.
    let worlds = if full() { 5 } else { 1 };
    let rounds = count(300, 10_000) / worlds;
    vec![
        Comparison::new("a writer of glibc's beside the helper", move |world, report| {
            beside(world, report, rounds)
        })
        .in_worlds(worlds),
    ]
}

fn beside(world: &World, report: &mut Report, rounds: usize) -> Outcome {
    // As root: login programs are.
    let writer = Running::start(Command::new(WRITER).args(["loop", part::stop_file(), "20000"]))?;
    let account = adder::account(vec![adder::start(world, rounds)?]);
    part::stop()?;
    let account = account?;
    account.tell(report);
    let missed = adder::account_of_writer(writer, report)?;
    // Whole files, or this fails.
    world.utmp()?;
    world.wtmp()?;
    if world.side == Side::Ours && (missed > 0 || !account.is_complete()) {
        return Err(format!("{account:?}, of the other writer {missed}").into());
    }
    Ok(())
}

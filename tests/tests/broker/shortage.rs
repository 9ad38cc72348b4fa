//! A broker that has run out of descriptors, and callers who have.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use utempter_tests::part::{Running, command};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Side, broker};

use crate::peer::{Failure, Peer};
use crate::{none, sys};

/// Hundredths of a second of the processor in one and a half.
const MOST: u64 = 30;

pub fn cases() -> Vec<Case> {
    vec![Case::world_of(
        "a broker without a descriptor to refuse with does not spin, and serves again",
        Side::Broker,
        none,
        |world| {
            let pid = world.broker.borrow().as_ref().ok_or("no broker")?.pid();
            sys::limit_files(pid, 3)?;
            let waits: Vec<Peer> = (0..3).map(|_| Peer::connect()).collect::<Result<_, _>>()?;
            sleep(Duration::from_millis(200));
            let before = ticks(pid)?;
            sleep(Duration::from_millis(1500));
            let used = ticks(pid)? - before;
            drop(waits);
            sys::limit_files(pid, 1024)?;
            sleep(Duration::from_millis(500));
            Running::start(&mut command(world, ALICE, "ask", &["0".into()]))?.finish()?;
            if used > MOST || !broker::log().contains("cannot accept") {
                return Err(format!("{used} ticks: {}", broker::log()).into());
            }
            Ok(())
        },
    )]
}

/// What the process has had of the processor, in hundredths of a second.
fn ticks(pid: i32) -> Result<u64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit_once(')').ok_or("a name")?.1;
    let numbers: Vec<&str> = after.split_whitespace().collect();
    Ok(numbers[11].parse::<u64>()? + numbers[12].parse::<u64>()?)
}

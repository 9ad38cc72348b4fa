//! The file of the sessions that are watched, as another broker, another boot or a mishap has
//! left it.

use std::fs;

use utempter_tests::broker::{self, STATE};
use utempter_tests::part::{Running, command};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, World};

use crate::ghosts::start;
use crate::none;
use crate::peer::LONG;
use crate::restart::{crash, restart};

pub fn cases() -> Vec<Case> {
    let damaged = |name: &str, damage: fn(&mut Vec<u8>), left: usize| {
        let name = format!("the broker's file, {name}: said once, and it serves");
        Case::world_of(&name, Side::Broker, none, move |world| {
            let terminal = start(world, "plain")?;
            crash(world)?;
            let mut bytes = fs::read(STATE)?;
            damage(&mut bytes);
            fs::write(STATE, bytes)?;
            for _ in 0..2 {
                restart(world)?;
                broker::until_kept(left, LONG)?;
                Running::start(&mut command(world, ALICE, "ask", &["0".into()]))?.finish()?;
                crash(world)?;
            }
            drop(terminal);
            let log = broker::log();
            match log.lines().filter(|line| line.contains(STATE)).count() {
                1 if log.lines().count() == 1 => Ok(()),
                _ => Err(log.into()),
            }
        })
    };
    vec![
        damaged("a byte", |bytes| bytes.truncate(1), 0),
        damaged("cut off in its head", |bytes| bytes.truncate(511), 0),
        damaged("cut off in a session", |bytes| bytes.truncate(1023), 0),
        damaged("with more behind it", |bytes| bytes.extend([7; 100]), 1),
        damaged("of random bytes", |bytes| noise(bytes), 0),
        damaged("with random bytes in its slots", |bytes| noise(&mut bytes[512..]), 0),
        damaged("of another version", |bytes| bytes[19] += 1, 0),
        damaged("without a head, as it once was", |bytes| drop(bytes.drain(..512)), 0),
        Case::world_of(
            "sessions of an earlier boot have crashed: no logout, and nobody is on",
            Side::Broker,
            none,
            earlier_boot,
        ),
    ]
}

/// As random as it has to be (xorshift).
fn noise(bytes: &mut [u8]) {
    let mut number = 0x9e37_79b9_7f4a_7c15_u64;
    for byte in bytes {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        *byte = number as u8;
    }
}

fn earlier_boot(world: &World) -> Outcome {
    // It lives, but for the number.
    let terminal = start(world, "plain")?;
    crash(world)?;
    let boot = fs::read("/proc/sys/kernel/random/boot_id")?;
    let boot = boot.trim_ascii();
    let mut bytes = fs::read(STATE)?;
    let at = bytes.windows(boot.len()).position(|part| part == boot).ok_or("no boot id is kept")?;
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    fs::write(STATE, bytes)?;
    restart(world)?;
    broker::until_kept(0, LONG)?;
    drop(terminal);
    let (wtmp, live) = (world.wtmp()?, world.live()?);
    if wtmp.len() != 1 || !live.is_empty() {
        return Err(format!("{wtmp:?}, and live {live:?}").into());
    }
    // From now on it is this boot's.
    let terminal = start(world, "plain")?;
    crash(world)?;
    restart(world)?;
    broker::until_kept(1, LONG)?;
    drop(terminal);
    broker::until_kept(0, LONG)?;
    match world.wtmp()?.len() {
        3 => Ok(()),
        _ => Err(format!("{:?}", world.wtmp()?).into()),
    }
}

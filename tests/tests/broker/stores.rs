//! The files, and who is in the way of writing to them.

use std::fs::{self, OpenOptions};
use std::time::{Duration, Instant};

use utempter_tests::lock::{self, Kind};
use utempter_tests::part::{Running, command};
use utempter_tests::utmp::{Record, USER_PROCESS, encode};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, World};

use crate::none;

pub fn cases() -> Vec<Case> {
    let locked = |file: &'static str, kind| {
        let name = format!("a {kind:?} lock that is held on {file} delays nobody twice");
        Case::world_of(&name, Side::Broker, none, move |world| held(world, file, kind))
    };
    vec![
        locked(World::UTMP, Kind::Read),
        locked(World::WTMP, Kind::Read),
        locked(World::UTMP, Kind::Write),
        locked(World::WTMP, Kind::Write),
        Case::world_of(
            "among 100,000 records, others' stay as they are",
            Side::Broker,
            none,
            |world| {
                let many: Vec<Record> = (100..100_100)
                    .map(|n| Record::new(USER_PROCESS, n, &format!("pts/{n}"), "", "bob", "far"))
                    .collect();
                fs::write(World::UTMP, encode(&many))?;
                for _ in 0..3 {
                    ask(world)?;
                }
                let utmp = world.utmp()?;
                if utmp.len() != many.len() + 1 || utmp[..many.len()] != many[..] {
                    return Err(format!("{} records", utmp.len()).into());
                }
                Ok(())
            },
        ),
        Case::world_of("log rotation is followed", Side::Broker, none, |world| {
            ask(world)?;
            fs::rename(World::WTMP, "/var/log/wtmp.1")?;
            fs::write(World::WTMP, "")?;
            ask(world)?;
            let (old, new) = (fs::read("/var/log/wtmp.1")?.len(), world.wtmp()?.len());
            if (old, new) != (2 * utempter_tests::utmp::SIZE, 2) {
                return Err(format!("{old} bytes, {new} records").into());
            }
            Ok(())
        }),
        Case::world_of("no store at all: success", Side::Broker, none, |world| {
            fs::remove_file(World::UTMP)?;
            fs::remove_file(World::WTMP)?;
            ask(world)
        }),
    ]
}

fn ask(world: &World) -> Outcome {
    Running::start(&mut command(world, ALICE, "ask", &["0".into()]))?.finish().map(drop)
}

fn held(world: &World, file: &str, kind: Kind) -> Outcome {
    let lock = OpenOptions::new().read(true).write(true).open(file)?;
    lock::take(&lock, kind)?;
    let begin = Instant::now();
    let clients: Vec<Running> = (0..20)
        .map(|_| Running::start(&mut command(world, ALICE, "ask", &["0".into()])))
        .collect::<Result<_, _>>()?;
    for client in clients {
        client.finish()?;
    }
    let taken = begin.elapsed();
    // The helper alone would wait 40 times 200 ms, or 40 times 2 s.
    if taken > Duration::from_secs(3) {
        return Err(format!("20 clients took {taken:?}").into());
    }
    drop(lock);
    ask(world)?;
    let wtmp = world.wtmp()?;
    if wtmp.len() != 42 || !world.live()?.is_empty() {
        return Err(format!("{} records", wtmp.len()).into());
    }
    Ok(())
}

//! Stores that cannot be written: said once, with what to do; nobody waits for them.

use std::fs;

use nix::libc;
use nix::mount::{MsFlags, mount, umount};
use rusqlite::Connection;
use utempter_tests::broker::{self, Broker};
use utempter_tests::part::{Running, command};
use utempter_tests::utmp::{DEAD_PROCESS, USER_PROCESS};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, World, bounded};

use crate::none;
use crate::peer::LONG;
use crate::restart::{crash, restart, started_for_clients};
use crate::wtmpdb::{DATABASE, create, until};

pub fn cases() -> Vec<Case> {
    let case =
        |name: &str, body: fn(&World) -> Outcome| Case::world_of(name, Side::Broker, none, body);
    vec![
        case("wtmpdb's file is none: said once, and the broker leaves when idle", |world| {
            fs::write(DATABASE, "This is no database. ".repeat(400))?;
            said_once(world, "move it away")?;
            fs::remove_file(DATABASE)?;
            mended(world)
        }),
        case("wtmpdb's file is torn: said once, and the broker leaves when idle", |world| {
            drop(create()?);
            let mut bytes = fs::read(DATABASE)?;
            bytes[200..].fill(0xa5);
            fs::write(DATABASE, bytes)?;
            said_once(world, "move it away")?;
            fs::remove_file(DATABASE)?;
            mended(world)
        }),
        case("wtmpdb's file is without its table: said once, and it leaves when idle", |world| {
            Connection::open(DATABASE)?.execute_batch("CREATE TABLE other(x)")?;
            said_once(world, "wtmpdb itself")?;
            mended(world)
        }),
        case("wtmpdb's file is read-only: said once, and it leaves when idle", |world| {
            drop(create()?);
            let bind = |flags| mount(Some(DATABASE), DATABASE, None::<&str>, flags, None::<&str>);
            bind(MsFlags::MS_BIND)?;
            bind(MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY)?;
            said_once(world, "can be written to")?;
            umount(DATABASE)?;
            mended(world)
        }),
        case("wtmpdb's file is a directory: said once, and it leaves when idle", |world| {
            fs::create_dir(DATABASE)?;
            said_once(world, "can be written to")?;
            fs::remove_dir(DATABASE)?;
            mended(world)
        }),
        case("a disk that is full: the client is told, and what can wait does", full),
        case("a full disk under the broker's own file: sessions are recorded", |world| {
            crash(world)?;
            tmpfs("/run/utempter")?;
            fill("/run/utempter/filler")?;
            restart(world)?;
            ask(world)?;
            let wtmp = world.wtmp()?.len();
            if wtmp != 2 || !broker::log().contains("cannot keep") {
                return Err(format!("{wtmp} records: {}", broker::log()).into());
            }
            Ok(())
        }),
        case("without its directory the broker makes it", |world| {
            crash(world)?;
            fs::remove_dir_all("/run/utempter")?;
            restart(world)?;
            ask(world)
        }),
    ]
}

fn ask(world: &World) -> Outcome {
    Running::start(&mut command(world, ALICE, "ask", &["0".into()]))?.finish().map(drop)
}

/// A session is recorded in utmp and wtmp, the trouble is said once, and the broker leaves.
fn said_once(world: &World, what_to_do: &str) -> Outcome {
    let mut broker = started_for_clients(world)?;
    ask(world)?;
    let types: Vec<i16> = world.wtmp()?.iter().map(|record| record.ut_type()).collect();
    if types != [USER_PROCESS, DEAD_PROCESS] || world.utmp()?.len() != 1 {
        return Err(format!("{types:?}, {:?}", world.utmp()?).into());
    }
    bounded::until("it to leave", LONG, || Ok(broker.ended()? == Some(true)))
        .map_err(|error| format!("{error}\n{}", broker::log()))?;
    let log = broker::log();
    let said: Vec<&str> = log.lines().filter(|line| line.contains("wtmpdb")).collect();
    match said.as_slice() {
        [line] if line.contains(DATABASE) && line.contains(what_to_do) => Ok(()),
        _ => Err(log.into()),
    }
}

/// With a file that can be written, the next broker tells it of what has waited.
fn mended(world: &World) -> Outcome {
    drop(create()?);
    *world.broker.borrow_mut() = Some(Broker::start()?);
    ask(world)?;
    until("two entries", |rows| rows.len() == 2 && rows.iter().all(|row| row.4.is_some()))?;
    broker::until_kept(0, LONG)
}

fn tmpfs(at: &str) -> Outcome {
    Ok(mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), Some("size=128k"))?)
}

/// Takes all the room there is.
fn fill(path: &str) -> Outcome {
    match fs::write(path, vec![0; 1 << 20]) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => Ok(()),
        other => Err(format!("the disk is not full: {other:?}").into()),
    }
}

fn full(world: &World) -> Outcome {
    tmpfs("/var/log")?;
    fs::write(World::WTMP, "")?;
    fs::write("/var/log/utmp", "")?;
    let utmp = Some("/var/log/utmp");
    mount(utmp, World::UTMP, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    drop(create()?);
    fill("/var/log/filler")?;
    let mut broker = started_for_clients(world)?;
    let errno = libc::ENOSPC.to_string();
    Running::start(&mut command(world, ALICE, "answered", &[errno]))?.finish()?;
    bounded::until("it to leave", LONG, || Ok(broker.ended()? == Some(true)))
        .map_err(|error| format!("{error}\n{}", broker::log()))?;
    let (log, utmp, wtmp) = (broker::log(), world.utmp()?, world.wtmp()?);
    let all = [World::WTMP, "/run/utmp", "make room"].iter().all(|word| log.contains(word));
    if !all || !utmp.is_empty() || !wtmp.is_empty() {
        return Err(format!("{utmp:?} {wtmp:?}\n{log}").into());
    }
    fs::remove_file("/var/log/filler")?;
    mended(world)?;
    match world.wtmp()?.len() {
        2 => Ok(()),
        _ => Err(format!("{:?}", world.wtmp()?).into()),
    }
}

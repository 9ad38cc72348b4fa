//! What is measured in worlds.

use std::fs::OpenOptions;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use utempter_tests::lock::{self, Kind};
use utempter_tests::utmp::{DEAD_PROCESS, Record, USER_PROCESS};
use utempter_tests::{Case, Outcome, Side, World, place};

use crate::ground::{Ground, has, program};
use crate::profile;

/// A MiB figure of memory, then of records; rounds and rounds in a block of each.
const MEMORY: [(u64, u32, u32); 6] =
    [(0, 200, 20), (64, 100, 20), (256, 100, 20), (1024, 40, 10), (2048, 24, 6), (4096, 20, 5)];
const RECORDS: [(u64, u32, u32); 7] = [
    (0, 200, 20),
    (1000, 200, 20),
    (3000, 200, 20),
    (10_000, 100, 20),
    (30_000, 60, 20),
    (100_000, 30, 10),
    (300_000, 12, 6),
];
const SMALL: (u32, u32) = (1000, 20);

/// Clients at once, and sessions of each: 10,048 of all.
pub const CROWD: (u32, u32) = (64, 157);

/// The worlds, one for each measurement.
pub fn cases() -> Vec<Case> {
    let case = |name: &str, body: fn(Ground<'_>) -> Outcome| {
        let none = || Err("the programs are brought".into());
        Case::world_of(name, Side::Both, none, move |world| body(Ground::of(world)?))
    };
    vec![
        case("small", small),
        case("one-cpu", one_cpu),
        case("memory", memory),
        case("records", records),
        case("lock", held),
        case("crowd", crowd),
        case("programs", profile::programs),
    ]
}

/// The ways there are here of recording by a library.
fn libraries(with_broker: bool) -> Vec<String> {
    let mut ways = vec!["c=lib:libutempter.so.0".to_owned()];
    for (way, helper) in [("ours", "utempter"), ("nss", "utempter-nss")] {
        if has(helper) {
            ways.push(format!("{way}=lib:{}:{}", program(&format!("{way}.so")), program(helper)));
        }
    }
    if with_broker {
        ways.push(format!("broker=lib:{}", program("broker.so")));
    }
    ways
}

fn time(
    ground: &mut Ground<'_>,
    measurement: &str,
    size: u64,
    (rounds, block): (u32, u32),
    mebibytes: u64,
    ways: &[String],
) -> Outcome {
    // An add and a del are a write to utmp and one to wtmp each. Where the broker does not
    // answer, the library goes to the helper, and nobody would know.
    let writes = |ground: &Ground<'_>| ground.of_broker("io", "syscw:");
    let before = writes(ground)?;
    let mut words = vec![rounds.to_string(), block.to_string(), mebibytes.to_string()];
    words.extend_from_slice(ways);
    ground.measure(measurement, size, "pair", &words)?;
    match (before, writes(ground)?) {
        (Some(before), Some(after)) if after - before < 4 * u64::from(rounds) => {
            Err(format!("{rounds} rounds, and the broker wrote {} times", after - before).into())
        }
        _ => Ok(()),
    }
}

fn small(mut ground: Ground<'_>) -> Outcome {
    ground.new_broker()?;
    let mut ways = libraries(ground.world.side == Side::Both);
    ways.push(format!("c-alone=helper:{}", place::system_helper().display()));
    for (way, helper) in [("ours-alone", "utempter"), ("nss-alone", "utempter-nss")] {
        if has(helper) {
            ways.push(format!("{way}=helper:{}", program(helper)));
        }
    }
    ways.extend(["bare", "static", "dynamic"].map(|name| format!("{name}=run:{}", program(name))));
    ways.push("socket=socket".into());
    time(&mut ground, "small", 0, SMALL, 0, &ways)
}

/// Who asks and who answers on one processor: where each has its own, waking the other is what
/// costs, and the scheduler's choice depends on what else has run.
fn one_cpu(mut ground: Ground<'_>) -> Outcome {
    let mut first = CpuSet::new();
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let cpu = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    first.set(cpu.ok_or("no processor")?)?;
    sched_setaffinity(Pid::from_raw(0), &first)?;
    // It inherits that.
    ground.new_broker()?;
    let mut ways = libraries(ground.world.side == Side::Both);
    ways.push("socket=socket".into());
    time(&mut ground, "one-cpu", 0, SMALL, 0, &ways)
}

fn memory(mut ground: Ground<'_>) -> Outcome {
    ground.new_broker()?;
    let mut ways = libraries(ground.world.side == Side::Both);
    ways.push(format!("bare=run:{}", program("bare")));
    for (mebibytes, rounds, block) in MEMORY {
        if available()? < mebibytes + 512 {
            break;
        }
        time(&mut ground, "memory", mebibytes, (rounds, block), mebibytes, &ways)?;
    }
    Ok(())
}

/// MiB that can be had without any of the machine's being swapped out.
fn available() -> Result<u64, crate::Failure> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib: u64 = line.ok_or("no MemAvailable")?.trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024)
}

fn records(mut ground: Ground<'_>) -> Outcome {
    for (count, rounds, block) in RECORDS {
        let many: Vec<Record> = (100..100 + count as i32)
            .map(|n| Record::new(USER_PROCESS, n, &format!("pts/{n}"), &id(n), "bob", "elsewhere"))
            .collect();
        ground.world.records_before(World::UTMP, &many)?;
        ground.new_broker()?;
        let mut ways = libraries(ground.world.side == Side::Both);
        ways.push(format!("bare=run:{}", program("bare")));
        time(&mut ground, "records", count, (rounds, block), 0, &ways)?;
        if let Some(kib) = ground.of_broker("status", "RssAnon:")? {
            ground.note("records", count, "broker memory", kib as f64)?;
        }
    }
    Ok(())
}

/// Ids that no search by id takes for pts/0's.
fn id(number: i32) -> String {
    format!("{number:06}").split_off(2)
}

/// Twice, since the C library takes ten seconds.
fn held(mut ground: Ground<'_>) -> Outcome {
    let reader = OpenOptions::new().read(true).open(World::UTMP)?;
    for _ in 0..2 {
        for way in libraries(false) {
            ground.world.records_before(World::UTMP, &[])?;
            lock::take(&reader, Kind::Read)?;
            ground.measure("lock", 0, "pair", &["1", "0", "0", &way].map(str::to_owned))?;
            let kept = ground.world.live()?.len();
            let name = way.split('=').next().unwrap_or_default();
            ground.note("lock", 0, &format!("{name} kept"), kept as f64)?;
        }
    }
    Ok(())
}

fn crowd(mut ground: Ground<'_>) -> Outcome {
    if ground.world.side != Side::Both {
        return Ok(());
    }
    ground.new_broker()?;
    let (clients, sessions) = CROWD;
    let words = [clients.to_string(), sessions.to_string(), program("broker.so")];
    ground.measure("crowd", 0, "crowd", &words)?;
    let wtmp = ground.world.wtmp()?;
    let left = ground.world.live()?.len();
    for (what, count) in [
        ("crowd logins", wtmp.iter().filter(|record| record.ut_type() == USER_PROCESS).count()),
        ("crowd logouts", wtmp.iter().filter(|record| record.ut_type() == DEAD_PROCESS).count()),
        ("crowd left", left),
    ] {
        ground.note("crowd", 0, what, count as f64)?;
    }
    Ok(())
}

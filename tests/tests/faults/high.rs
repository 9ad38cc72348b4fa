//! pty numbers from 10000 on, where the last four bytes of the line are no id any more.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use login_records::store::{Patience, RecordFile, Utmp};
use login_records::{Line, Session, Time};
use utempter_tests::side_by_side::{Comparison, Report, WRITER};
use utempter_tests::{Outcome, Side, World, bounded};

/// Pairs pts/N and pts/(N+10000): Linux gives 4096 ptys unless told otherwise, so these
/// records are made through the stores, and with the C library's ids through glibc.
const PAIRS: u32 = 1000;
const FIRST: u32 = 1000;

pub fn comparisons() -> Vec<Comparison> {
    vec![Comparison::new("2000 sessions on ptys N and N+10000", sessions)]
}

fn sessions(world: &World, report: &mut Report) -> Outcome {
    match world.side {
        Side::C => {
            let mut writer = Command::new(WRITER);
            writer.args(["ids", &FIRST.to_string(), &PAIRS.to_string()]);
            bounded::run(&mut writer, Duration::from_secs(60))?.text()?;
        }
        _ => put(|session, time| session.login(time), |_| true)?,
    }
    let live = live(world)?;
    report.count("sessions in utmp", live.len());
    if world.side == Side::C {
        if live.len() != PAIRS as usize {
            return Err(format!("glibc kept {} of the colliding sessions", live.len()).into());
        }
        return Ok(());
    }
    assert_eq!(live.len(), 2 * PAIRS as usize);
    assert!(live.values().all(|times| *times == 1));

    // One of each pair ends, now the lower, now the higher: the other one stays.
    let ends = |number: u32| (number / 10_000 + number) % 2 == 0;
    put(|session, time| session.logout(time), ends)?;
    let live = self::live(world)?;
    let expected = numbers().filter(|number| !ends(*number)).map(|number| format!("pts/{number}"));
    assert!(live.keys().cloned().eq(expected.collect::<std::collections::BTreeSet<_>>()));
    report.count("and when one of each pair has ended", live.len());
    assert_eq!(world.utmp()?.len(), 2 * PAIRS as usize);
    Ok(())
}

fn numbers() -> impl Iterator<Item = u32> {
    (FIRST..FIRST + PAIRS).flat_map(|number| [number, number + 10_000])
}

fn live(world: &World) -> Result<BTreeMap<String, u32>, Box<dyn std::error::Error + Send + Sync>> {
    let mut lines = BTreeMap::new();
    for record in world.live()? {
        *lines.entry(record.line()).or_default() += 1;
    }
    Ok(lines)
}

fn put(
    record: impl Fn(&Session<'_>, Time) -> login_records::Record,
    wanted: impl Fn(u32) -> bool,
) -> Outcome {
    let name = |errno: login_records::Errno| errno.name();
    let file = RecordFile::open_named(World::UTMP).map_err(name)?.ok_or("no utmp")?;
    for number in numbers().filter(|number| wanted(*number)) {
        let session = Session { line: Line::pts(number), pid: 1, user: b"alice", host: b"host" };
        let record = record(&session, Time::now());
        Utmp(&file).put(&record, &mut Patience::default()).map_err(name)?;
    }
    Ok(())
}

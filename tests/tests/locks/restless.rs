//! Everything at once: readers that come and go, writes cut short, writers of glibc's, and
//! terminals of ours. What the race costs that remains without the lock is counted here.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::stat::fstat;
use utempter_tests::lock::{self, Kind};
use utempter_tests::part::{self, ROOT, Running};
use utempter_tests::pty;
use utempter_tests::side_by_side::{Comparison, Report, WRITER, count};
use utempter_tests::utmp::{self, Record, USER_PROCESS};
use utempter_tests::world::BOB;
use utempter_tests::{Outcome, Side, World};

use crate::adder;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A terminal's line in this world's records; those of glibc's writer are pts/900 to 907.
const TORN: &str = "pts/777";

pub fn comparisons() -> Vec<Comparison> {
    let seconds = count(6, 60) as u64;
    vec![
        Comparison::new(
            "readers come and go, writes are cut short, writers beside",
            move |world, report| {
                let readers = [Reader { least: 0, most: 300, gap: 200 }; 2];
                everything(world, report, &readers, Tearing::Yes, 6, seconds)
            },
        ),
        Comparison::new(
            "the race that remains: a reader leaves, and glibc writes",
            move |world, report| {
                // Longer than ours waits, so that most of what ours writes is without a lock.
                let readers = [Reader { least: 210, most: 260, gap: 3 }];
                everything(world, report, &readers, Tearing::No, 16, seconds)
            },
        ),
    ]
}

/// How long a reader keeps its locks, and then leaves them, in milliseconds.
#[derive(Clone, Copy)]
struct Reader {
    least: u64,
    most: u64,
    gap: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tearing {
    Yes,
    No,
}

fn everything(
    world: &World,
    report: &mut Report,
    readers: &[Reader],
    tearing: Tearing,
    terminals: usize,
    seconds: u64,
) -> Outcome {
    let start = |user, name, words: &[u64]| {
        let words: Vec<String> = words.iter().map(u64::to_string).collect();
        Running::start(&mut part::command(world, user, name, &words))
    };
    let readers: Result<Vec<_>, _> = readers
        .iter()
        .map(|Reader { least, most, gap }| start(BOB, "restless", &[*least, *most, *gap]))
        .collect();
    let readers = readers?;
    let tearer = if tearing == Tearing::Yes { Some(start(ROOT, "tearer", &[])?) } else { None };
    let writer = Running::start(Command::new(WRITER).args(["loop", part::stop_file(), "5000"]))?;
    let adders: Result<Vec<_>, _> = (0..terminals).map(|_| adder::start(world, 0)).collect();
    let adders = adders?;
    sleep(Duration::from_secs(seconds));
    part::stop()?;

    for reader in readers {
        reader.finish()?;
    }
    if let Some(tearer) = tearer {
        let numbers = tearer.finish()?;
        report.count("writes cut short", numbers.get("torn").copied().unwrap_or_default());
    }
    let account = adder::account(adders)?;
    account.tell(report);
    adder::account_of_writer(writer, report)?;
    let lost = account.missed + account.lost;
    let records = 2 * account.calls;
    // Of none in N, statistics say at the most three in N (95 %).
    let bound =
        if lost == 0 { format!(", so at most 1 in {}", records / 3) } else { String::new() };
    report.say("of the helper's records lost", format!("{lost} of {records}{bound}"));

    // The next call, with nobody about, leaves whole files.
    let last = adder::account(vec![adder::start(world, 1)?])?;
    let whole = [world.utmp(), world.wtmp()];
    let torn = whole.iter().filter(|records| records.is_err()).count();
    report.count("files torn after the next call", torn);
    let foreign = whole.iter().flatten().map(|records| count_foreign(records)).sum::<usize>();
    report.count("records that nobody wrote", foreign);
    if world.side == Side::Ours {
        let out_of_frame = torn + foreign;
        if !last.is_complete() || out_of_frame > 0 || account.refused > 0 || account.twice > 0 {
            return Err(format!("{account:?}, {out_of_frame} out of frame, last {last:?}").into());
        }
        // Measured: none, or next to none. One in a hundred would be a defect.
        if lost * 100 > 2 * account.calls {
            return Err(format!("too much is lost: {account:?}").into());
        }
    }
    Ok(())
}

/// Records that are none of those that somebody here writes, byte for byte. Of a write cut
/// short the next one makes an empty record.
fn count_foreign(records: &[Record]) -> usize {
    records.iter().filter(|record| record.0 != [0; utmp::SIZE] && !is_somebody_s(record)).count()
}

fn is_somebody_s(record: &Record) -> bool {
    let (line, user, host) = (record.line(), record.user(), record.host());
    let number: usize =
        line.strip_prefix("pts/").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
    let known = match user.as_str() {
        "alice" => number < 100 && (host.starts_with('r') == record.is_live()),
        "daemon" => (900..908).contains(&number) && host.is_empty() && record.is_live(),
        _ => false,
    };
    if !known {
        return false;
    }
    let mut whole =
        Record::new(record.ut_type(), record.pid(), &line, &pty::id(&line), &user, &host);
    // Session and time.
    whole.0[336..348].copy_from_slice(&record.0[336..348]);
    if user == "alice" && adder::session(record) != 0 {
        return false;
    }
    whole == *record
}

/// The part that reads with a lock, as who(1) does, but for longer.
pub fn reader(words: &[String]) -> Outcome {
    let [least, most, gap] = words else { return Err("three times".into()) };
    let (least, most, gap): (u64, u64, u64) = (least.parse()?, most.parse()?, gap.parse()?);
    let files = [File::open(World::UTMP)?, File::open(World::WTMP)?];
    while !part::stopped() {
        for file in &files {
            lock::take(file, Kind::Read)?;
        }
        sleep(Duration::from_millis(fastrand::u64(least..=most)));
        for file in &files {
            lock::take(file, Kind::None)?;
        }
        sleep(Duration::from_millis(fastrand::u64(0..=gap)));
    }
    Ok(())
}

/// The part that is a writer of records killed in the midst of one, over and over.
pub fn tearer(_: &[String]) -> Outcome {
    let mut torn = 0;
    while !part::stopped() {
        sleep(Duration::from_millis(fastrand::u64(20..120)));
        let file = if fastrand::bool() { World::UTMP } else { World::WTMP };
        torn += u32::from(tear(OpenOptions::new().append(true).read(true).open(file)?)?);
    }
    println!("torn={torn}");
    Ok(())
}

fn tear(mut file: File) -> Result<bool, Failure> {
    lock::take(&file, Kind::Write)?;
    let size = usize::try_from(fstat(file.as_fd())?.st_size)?;
    if size % utmp::SIZE != 0 {
        return Ok(false);
    }
    let record = Record::new(USER_PROCESS, 1, TORN, "/777", "torn", "torn");
    file.write_all(&record.0[..fastrand::usize(1..utmp::SIZE)])?;
    Ok(true)
}

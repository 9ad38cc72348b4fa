//! Alice's terminals, adding and removing without end, and an account of what was kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use utempter_tests::part::{self, Running};
use utempter_tests::pty::Pty;
use utempter_tests::side_by_side::Report;
use utempter_tests::utmp::{self, DEAD_PROCESS, Record, USER_PROCESS};
use utempter_tests::world::ALICE;
use utempter_tests::{Outcome, World};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Starts one, of so many rounds; of 0, until all are stopped.
pub fn start(world: &World, rounds: usize) -> Result<Running, Failure> {
    Running::start(&mut part::command(world, ALICE, "adder", &[rounds.to_string()]))
}

/// The part: starts the helper as a terminal would, and looks at utmp after each call.
pub fn part(words: &[String]) -> Outcome {
    let rounds: usize = words.first().ok_or("rounds")?.parse()?;
    let pty = Pty::open()?;
    let (mut calls, mut refused, mut missed) = (0, 0, 0);
    for round in 1.. {
        if if rounds > 0 { round > rounds } else { part::stopped() } {
            break;
        }
        let host = format!("r{round}");
        for (ut_type, words) in [(USER_PROCESS, &["add", &host][..]), (DEAD_PROCESS, &["del"])] {
            calls += 1;
            if !pty.helper(words)?.stderr(Stdio::null()).status()?.success() {
                refused += 1;
            } else if !is_in_utmp(&pty.record(ut_type, &host))? {
                missed += 1;
            }
        }
        // A moment of the terminal's own.
        sleep(Duration::from_micros(fastrand::u64(0..500)));
    }
    let (number, pid) = (&pty.line()[4..].to_owned(), std::process::id());
    println!("pty={number} pid={pid} calls={calls} refused={refused} missed={missed}");
    Ok(())
}

fn is_in_utmp(expected: &Record) -> Result<bool, Failure> {
    let bytes = fs::read(World::UTMP)?;
    Ok(bytes.chunks_exact(utmp::SIZE).any(|bytes| equal_but_time(bytes, &expected.0)))
}

fn equal_but_time(one: &[u8], other: &[u8]) -> bool {
    one[..340] == other[..340] && one[348..] == other[348..]
}

/// What became of all the calls.
#[derive(Debug, Default)]
pub struct Account {
    pub calls: u64,
    pub refused: u64,
    /// Not in utmp when the call had returned with success.
    pub missed: u64,
    /// Not in wtmp at the end, without those of refused calls.
    pub lost: u64,
    /// In wtmp more than once.
    pub twice: u64,
}

/// Waits for adders to come to their end, and compares with what wtmp has. A call that was
/// refused may have reached wtmp, or not.
pub fn account(adders: Vec<Running>) -> Result<Account, Failure> {
    let mut sum = Account::default();
    let finished: Result<Vec<_>, _> = adders.into_iter().map(Running::finish).collect();
    let wtmp = fs::read(World::WTMP)?;
    let records: Vec<Record> = wtmp
        .chunks_exact(utmp::SIZE)
        .map(|bytes| Record(bytes.try_into().expect("a chunk")))
        .collect();
    for numbers in finished? {
        let number = |name: &str| numbers.get(name).copied().unwrap_or_default();
        let line = format!("pts/{}", number("pty"));
        let own: Vec<&Record> = records
            .iter()
            .filter(|record| {
                record.line() == line && u64::from(record.pid() as u32) == number("pid")
            })
            .collect();
        let mut logins: BTreeMap<String, u64> = BTreeMap::new();
        for record in own.iter().filter(|record| record.is_live()) {
            *logins.entry(record.host()).or_default() += 1;
        }
        let rounds = number("calls") / 2;
        let mut present = 0;
        for round in 1..=rounds {
            let times = logins.remove(&format!("r{round}")).unwrap_or_default();
            present += times.min(1);
            sum.twice += times.saturating_sub(1);
        }
        let ends = own.iter().filter(|record| record.ut_type() == DEAD_PROCESS).count() as u64;
        present += ends.min(rounds);
        sum.twice += ends.saturating_sub(rounds);
        sum.calls += number("calls");
        sum.refused += number("refused");
        sum.missed += number("missed");
        sum.lost += (number("calls") - number("refused")).saturating_sub(present);
    }
    Ok(sum)
}

impl Account {
    /// Puts it into the table.
    pub fn tell(&self, report: &mut Report) {
        report.count("calls", self.calls);
        report.count("calls that failed", self.refused);
        report.count("records missed in utmp", self.missed);
        report.count("records lost from wtmp", self.lost);
        report.count("records twice in wtmp", self.twice);
    }

    /// Whether every call has left its one record in each file.
    pub fn is_complete(&self) -> bool {
        self.refused + self.missed + self.lost + self.twice == 0
    }
}

/// What a loop of `c/writer.c` says it has done, and what wtmp has of it.
pub fn account_of_writer(writer: Running, report: &mut Report) -> Result<u64, Failure> {
    let pid = writer.pid();
    let numbers = writer.finish()?;
    let number = |name: &str| numbers.get(name).copied().unwrap_or_default();
    let wtmp = fs::read(World::WTMP)?;
    let mut seen = BTreeSet::new();
    for bytes in wtmp.chunks_exact(utmp::SIZE) {
        let record = Record(bytes.try_into()?);
        if record.pid() == pid && record.user() == "daemon" {
            seen.insert(session(&record));
        }
    }
    let lost = number("rounds") - seen.len() as u64;
    report.count("glibc's writer: rounds", number("rounds"));
    report.count("glibc's writer: refused utmp's lock", number("refused"));
    report.count("glibc's writer: missed in utmp", number("lost"));
    report.count("glibc's writer: not in wtmp", lost);
    Ok(number("refused") + number("lost") + lost)
}

/// `ut_session`.
pub fn session(record: &Record) -> i32 {
    i32::from_ne_bytes(record.0[336..340].try_into().expect("four bytes"))
}

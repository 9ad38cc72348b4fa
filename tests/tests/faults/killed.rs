//! The helper killed at any instant.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use utempter_tests::part::{self, Running};
use utempter_tests::pty::Pty;
use utempter_tests::side_by_side::{Comparison, Report, count, full};
use utempter_tests::utmp::{DEAD_PROCESS, Record, SIZE, USER_PROCESS, encode};
use utempter_tests::world::ALICE;
use utempter_tests::{Outcome, Side, World};

use crate::call;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// After so many kills the files begin anew, so that lines without a slot come again.
const BATCH: usize = 100;
/// Alice's terminals.
const PTYS: usize = 24;

pub fn comparisons() -> Vec<Comparison> {
    let worlds = if full() { 10 } else { 1 };
    let batches = count(300, 10_000) / BATCH / worlds;
    vec![
        Comparison::new("the helper killed at random instants", move |world, report| {
            (0..batches).try_for_each(|_| batch(world, report))
        })
        .in_worlds(worlds),
    ]
}

fn batch(world: &World, report: &mut Report) -> Outcome {
    call::prepare()?;
    // As on most systems, and where a record across two pages has been seen half written.
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    let others: Vec<Record> = (0..37)
        .map(|n| {
            let line = format!("pts/{}", 500 + n);
            let ut_type = if n % 3 == 0 { DEAD_PROCESS } else { USER_PROCESS };
            Record::new(ut_type, 1, &line, &line[3..], "bob", "elsewhere")
        })
        .collect();
    call::fresh(World::UTMP, &encode(&others))?;
    call::fresh(World::WTMP, &encode(&others[..21]))?;

    let words = [BATCH.to_string()];
    let mut killer = Running::start(&mut part::command(world, ALICE, "killer", &words))?;
    let mut faults = Vec::new();
    loop {
        let line = killer.line()?;
        if line == "end" {
            break;
        }
        faults.push(line);
    }
    let numbers = killer.finish()?;
    report.count("killed before the end", BATCH);
    for (name, what) in [
        ("nothing", "  with nothing written"),
        ("utmp", "  with utmp written alone"),
        ("both", "  with both written"),
        ("half", "  with a record half written"),
        ("torn", "  with a file torn"),
    ] {
        report.count(what, numbers.get(name).copied().unwrap_or_default());
    }
    report.count("wrong after the next call", faults.len());
    if world.side == Side::Ours && !faults.is_empty() {
        return Err(faults.join("\n").into());
    }
    Ok(())
}

struct Files {
    utmp: Vec<u8>,
    wtmp: Vec<u8>,
}

impl Files {
    fn read() -> Result<Files, Failure> {
        Ok(Files { utmp: fs::read(World::UTMP)?, wtmp: fs::read(World::WTMP)? })
    }
}

/// The part: calls that are killed, each followed by one that is not, until so many were
/// killed before their end.
pub fn killer(words: &[String]) -> Outcome {
    let rounds: usize = words.first().ok_or("rounds")?.parse()?;
    let ptys: Vec<Pty> = (0..PTYS).map(|_| Pty::open()).collect::<Result<_, _>>()?;
    let utmp = File::open(World::UTMP)?;
    let usual = usual_time(&ptys[0])?;
    let mut aim = usual.mul_f64(0.8);
    let mut seen = [("nothing", 0), ("utmp", 0), ("both", 0), ("half", 0), ("torn", 0)];
    let mut note = |what| {
        seen.iter_mut().filter(|(name, _)| *name == what).for_each(|(_, number)| *number += 1);
    };
    let mut kills = 0;
    for round in 0.. {
        if kills == rounds {
            break;
        }
        let before = Files::read()?;
        let first = Call::random(&ptys, round, "first")?;
        let mut child = first.command()?.spawn()?;
        // Of instants taken at random few are among the microseconds in which it writes, so
        // some are taken about that at which the last ones were not yet, or no longer, before
        // the write, and some right after it.
        match round % 4 {
            0 => spin(usual.mul_f64(fastrand::f64() * 1.1)),
            1 | 2 => spin(aim.mul_f64(0.9 + fastrand::f64() * 0.2)),
            _ => until_written(&utmp, &before.utmp, 2 * usual)?,
        }
        child.kill()?;
        let killed = child.wait()?.signal().is_some();
        let after = Files::read()?;
        let nothing = before.utmp == after.utmp && before.wtmp == after.wtmp;
        if matches!(round % 4, 1 | 2) {
            aim = aim.mul_f64(if killed && nothing { 1.04 } else { 0.96 });
        }
        if killed {
            kills += 1;
            match before.wtmp == after.wtmp {
                _ if nothing => note("nothing"),
                true => note("utmp"),
                false => note("both"),
            }
            if after.utmp.len() % SIZE != 0 || after.wtmp.len() % SIZE != 0 {
                note("torn");
            }
            if is_half(&before.utmp, &after.utmp, &first) {
                note("half");
            }
        }
        let second = Call::random(&ptys, round, "second")?;
        let status = second.command()?.status()?;
        if !status.success() {
            println!("round {round}: the next call: {status}");
        }
        for fault in judge(&before, &Files::read()?, &first, &second) {
            println!("round {round}: {fault} ({} then {})", first.told(), second.told());
        }
    }
    println!("end");
    for (name, number) in seen {
        println!("{name}={number}");
    }
    Ok(())
}

/// Waits as exactly as can be: sleep(2) may take as long as half a helper.
fn spin(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Waits until the file is no more as it was, at the most so long.
fn until_written(file: &File, before: &[u8], most: Duration) -> Outcome {
    let mut bytes = vec![0; before.len() + SIZE];
    let begin = Instant::now();
    while begin.elapsed() < most {
        let read = file.read_at(&mut bytes, 0)?;
        if bytes[..read] != *before {
            break;
        }
    }
    Ok(())
}

/// The time from exec to end of a helper that nobody kills.
fn usual_time(pty: &Pty) -> Result<Duration, Failure> {
    let mut times = Vec::new();
    for _ in 0..15 {
        let mut child = pty.helper(&["del"])?.stderr(Stdio::null()).spawn()?;
        let begin = Instant::now();
        child.wait()?;
        times.push(begin.elapsed());
    }
    times.sort();
    Ok(times[times.len() / 2])
}

struct Call<'a> {
    pty: &'a Pty,
    host: String,
    record: Record,
}

impl<'a> Call<'a> {
    fn random(ptys: &'a [Pty], round: usize, which: &str) -> Result<Call<'a>, Failure> {
        let pty = fastrand::choice(ptys).ok_or("no pty")?;
        let ut_type = if fastrand::bool() { USER_PROCESS } else { DEAD_PROCESS };
        let host = format!("{which}{round}");
        let record = pty.record(ut_type, &host);
        Ok(Call { pty, host, record })
    }

    fn command(&self) -> Result<std::process::Command, Failure> {
        let words = if self.record.is_live() { &["add", &self.host][..] } else { &["del"] };
        let mut command = self.pty.helper(words)?;
        command.stderr(Stdio::null());
        Ok(command)
    }

    fn told(&self) -> String {
        format!("{} {}", if self.record.is_live() { "add" } else { "del" }, self.pty.line())
    }

    fn is(&self, bytes: &[u8]) -> bool {
        let (own, time) = (&self.record.0, 340..348);
        bytes[..time.start] == own[..time.start] && bytes[time.end..] == own[time.end..]
    }

    /// Whether each byte is the old record's or the new one's, in any mixture.
    fn is_half(&self, old: &[u8], bytes: &[u8]) -> bool {
        (0..SIZE).all(|at| {
            (340..348).contains(&at) || bytes[at] == old[at] || bytes[at] == self.record.0[at]
        })
    }
}

/// The first call's slot, when it is neither as it was nor as it should have become.
fn is_half(before: &[u8], after: &[u8], call: &Call<'_>) -> bool {
    before
        .chunks_exact(SIZE)
        .zip(after.chunks_exact(SIZE))
        .any(|(old, new)| old != new && !call.is(new) && call.is_half(old, new))
}

/// What is wrong after a call that was killed and one that was not.
fn judge(before: &Files, after: &Files, killed: &Call<'_>, next: &Call<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let line_of = |bytes: &[u8]| Record(bytes.try_into().expect("a chunk")).line();
    for (name, bytes) in [("utmp", &after.utmp), ("wtmp", &after.wtmp)] {
        if bytes.len() % SIZE != 0 {
            faults.push(format!("{name} has {} bytes", bytes.len()));
        }
    }
    // utmp: every record is in its place, and only the two lines have changed.
    let mut of_next = 0;
    for (number, new) in after.utmp.chunks_exact(SIZE).enumerate() {
        let old = before.utmp.get(number * SIZE..(number + 1) * SIZE);
        if next.is(new) {
            of_next += 1;
            continue;
        }
        let line = line_of(new);
        let allowed = match old {
            Some(old) if old == new => line != next.pty.line(),
            // Half a record is what a kill may leave of the killed call's own.
            Some(old) => line_of(old) == killed.pty.line() && killed.is_half(old, new),
            // A torn tail, made an empty record.
            None => killed.is(new) || new.iter().all(|byte| *byte == 0),
        };
        if !allowed {
            faults.push(format!(
                "utmp record {number}: {:?}",
                Record(new.try_into().expect("a chunk"))
            ));
        }
    }
    if of_next != 1 {
        faults.push(format!("the next call's record is {of_next} times in utmp"));
    }
    // wtmp: what was, then perhaps the killed call's record, then the next one's.
    let added = after.wtmp.strip_prefix(&before.wtmp[..]).unwrap_or_default();
    let added: Vec<&[u8]> = added.chunks_exact(SIZE).collect();
    let right = match added[..] {
        [second] => next.is(second),
        [first, second] => killed.is(first) && next.is(second),
        _ => false,
    };
    if !right {
        faults.push(format!("wtmp: {} records are new, and not as they should be", added.len()));
    }
    faults
}

//! A helper that its owner stops right before a write, and lets go on when somebody else has
//! written without the lock. A file with a torn tail is where they could meet.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::chown;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::libc;
use utempter_tests::part;
use utempter_tests::pty::Pty;
use utempter_tests::utmp::{DEAD_PROCESS, Record, SIZE, USER_PROCESS, encode};
use utempter_tests::world::{ALICE, BOB, CLIENT_LIMIT};
use utempter_tests::{Case, Outcome, Side, World, bounded, place};

use crate::readers;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const TRACE: &str = "/tmp/trace";

/// What a helper changes files by.
const CALLS: [(&str, libc::c_long); 3] = [
    ("write", libc::SYS_write),
    ("pwrite64", libc::SYS_pwrite64),
    ("ftruncate", libc::SYS_ftruncate),
];

pub fn cases() -> Vec<Case> {
    let case = |name, scene| Case::world(name, Side::Ours, move |world| each(world, scene));
    vec![
        case("stopped before each write, with the lock", Scene { locked: true, known: false }),
        case(
            "stopped before each write, with the lock, its line known",
            Scene { locked: true, known: true },
        ),
        case("stopped before each write, without the lock", Scene { locked: false, known: false }),
        case(
            "stopped before each write, without the lock, its line known",
            Scene { locked: false, known: true },
        ),
    ]
}

#[derive(Clone, Copy)]
struct Scene {
    /// Whether the helper has the lock; otherwise a reader has it.
    locked: bool,
    /// Whether alice's line is in utmp already.
    known: bool,
}

impl Scene {
    /// Longer than bob's helper waits for the lock, and less than alice's helper's alarm.
    fn stop(self) -> Duration {
        Duration::from_millis(if self.locked { 3200 } else { 1200 })
    }

    /// Whole records, the same in both files but for alice's.
    fn whole(self) -> [Vec<Record>; 2] {
        let line = |n| format!("pts/{n}");
        let record = |n| Record::new(USER_PROCESS, 1, &line(n), &line(n)[3..], "bob", "elsewhere");
        let wtmp: Vec<Record> = (900..905).map(record).collect();
        let mut utmp = wtmp.clone();
        if self.known {
            utmp[2] = Record::new(DEAD_PROCESS, 1, "pts/0", "ts/0", "alice", "");
        }
        [utmp, wtmp]
    }

    fn reset(self) -> Outcome {
        let torn = Record::new(USER_PROCESS, 1, "pts/777", "/777", "torn", "torn");
        for (file, records) in [World::UTMP, World::WTMP].into_iter().zip(self.whole()) {
            let bytes = [&encode(&records)[..], &torn.0[..256]].concat();
            fs::write(file, bytes)?;
        }
        Ok(())
    }
}

fn each(world: &World, scene: Scene) -> Outcome {
    let files = [World::UTMP, World::WTMP];
    let _reader = match scene.locked {
        true => None,
        false => Some(readers::hold(world, BOB, "read", &files)?),
    };
    scene.reset()?;
    let undisturbed = Helper::start(&[])?.end()?;
    if undisturbed != "0" {
        return Err(format!("under strace the helper ended with {undisturbed}").into());
    }
    let trace = fs::read_to_string(TRACE)?;
    let mut times = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in trace.lines() {
        let Some((name, number)) = CALLS.iter().find(|(name, _)| starts(line, name)) else {
            continue;
        };
        let time = times.entry(*name).or_insert(0);
        *time += 1;
        scene.reset()?;
        if let Err(error) = stopped(world, scene, name, *number, *time) {
            wrong.push(format!("before {name} {time}: {error}"));
        }
    }
    match times.values().sum::<u32>() {
        0..2 => Err(format!("the helper was not seen to write: {trace}").into()),
        _ if wrong.is_empty() => Ok(()),
        _ => Err(wrong.join("\n").into()),
    }
}

fn starts(line: &str, name: &str) -> bool {
    line.strip_prefix(name).is_some_and(|rest| rest.starts_with('('))
}

fn stopped(world: &World, scene: Scene, name: &str, number: libc::c_long, time: u32) -> Outcome {
    let delay = scene.stop().as_micros();
    let helper = Helper::start(&["-e", &format!("inject={name}:delay_enter={delay}:when={time}")])?;
    let at = helper.until_in(number)?;
    let mut other = part::command(world, BOB, "other", &[]);
    let bob = bounded::run(&mut other, CLIENT_LIMIT)?.text()?;
    if helper.call()? != at {
        return Err("bob's helper was too late to meet it".into());
    }
    let ended = helper.end()?;
    if (bob.trim_end(), &*ended) != ("0", "0") {
        return Err(format!("bob's helper ended with {bob}, alice's with {ended}").into());
    }
    for (file, before) in [World::UTMP, World::WTMP].into_iter().zip(scene.whole()) {
        judge(file, &before).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

/// Both have their record, once, and of the others none has changed.
fn judge(file: &str, before: &[Record]) -> Outcome {
    let bytes = fs::read(file)?;
    // Where alice's line has its slot, hers makes an empty record of the torn tail.
    let records: Vec<Record> = bytes
        .chunks_exact(SIZE)
        .map(|bytes| Record(bytes.try_into().expect("a chunk")))
        .filter(|record| record.0 != [0; SIZE])
        .collect();
    let of = |user: &str, host: &str| {
        let own = |record: &&Record| record.user() == user && record.host() == host;
        records.iter().filter(own).filter(|record| record.is_live()).count()
    };
    if (of("alice", "late"), of("bob", "other")) != (1, 1) {
        return Err(format!("not one record of each: {records:?}").into());
    }
    let new = |record: &Record| ["late", "other"].contains(&record.host().as_str());
    let known = before.iter().filter(|record| record.user() == "alice").count();
    if bytes.len() % SIZE != 0 {
        return Err(format!("{} bytes", bytes.len()).into());
    }
    let kept = records.iter().zip(before).filter(|(now, then)| now == then || new(now)).count();
    match kept == before.len() && records.len() == before.len() + 2 - known {
        true => Ok(()),
        false => Err(format!("not what was there and two records more: {records:?}").into()),
    }
}

/// Alice's helper under strace(1), which stops it as well as a signal does, and exactly where
/// it is wanted. Root traces, so the setgid bit is in force.
struct Helper {
    strace: Child,
    _pty: Pty,
}

impl Helper {
    fn start(options: &[&str]) -> Result<Helper, Failure> {
        let pty = Pty::open()?;
        chown(pty.device(), Some(ALICE.uid), None)?;
        let mut command = Command::new(place::program("strace", "strace")?);
        command.args(["-qq", "-u", ALICE.name, "-o", TRACE]).args(options);
        command.arg(place::system_helper()).args(["add", "late"]);
        command.stdin(Stdio::from(pty.master()?)).stdout(Stdio::null());
        Ok(Helper { strace: command.spawn()?, _pty: pty })
    }

    /// The call that the helper is in, with its arguments; empty when there is no helper.
    fn call(&self) -> Result<String, Failure> {
        let strace = self.strace.id();
        let children = fs::read_to_string(format!("/proc/{strace}/task/{strace}/children"))?;
        let helper = children.split_whitespace().next().unwrap_or_default();
        Ok(fs::read_to_string(format!("/proc/{helper}/syscall")).unwrap_or_default())
    }

    /// Waits until the helper stands still in this call.
    fn until_in(&self, number: libc::c_long) -> Result<String, Failure> {
        let mut seen = String::new();
        bounded::until("the helper stands before its write", Duration::from_secs(3), || {
            let call = self.call()?;
            let still = call == seen && call.split(' ').next() == Some(&number.to_string());
            seen = call;
            Ok(still)
        })?;
        Ok(seen)
    }

    fn end(mut self) -> Result<String, Failure> {
        Ok(utempter_tests::pty::ending(self.strace.wait()?))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// The part that is bob's call beside it.
pub fn other(_: &[String]) -> Outcome {
    let status = Pty::open()?.helper(&["add", "other"])?.stderr(Stdio::null()).status()?;
    println!("{}", utempter_tests::pty::ending(status));
    Ok(())
}

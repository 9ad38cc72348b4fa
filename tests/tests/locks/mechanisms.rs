//! The cases for which the stores are as they are, one by one.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::chown;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use login_records::store::{Patience, RecordFile, Utmp};
use login_records::{Line, Session, Time};
use utempter_tests::part::{self, Running};
use utempter_tests::pty::{Pty, ending};
use utempter_tests::side_by_side::{Comparison, Report};
use utempter_tests::utmp::{DEAD_PROCESS, Record, SIZE, USER_PROCESS, decode};
use utempter_tests::world::{ALICE, BOB};
use utempter_tests::{Case, Outcome, Side, World, bounded, place};

use crate::readers;

type Failure = Box<dyn std::error::Error + Send + Sync>;

pub fn comparisons() -> Vec<Comparison> {
    let mut all = Vec::new();
    for file in [World::UTMP, World::WTMP] {
        let name = file.rsplit('/').next().unwrap_or(file);
        all.push(Comparison::new(
            format!("a record that grows in {name} is waited for"),
            move |world, report| growing(world, report, file),
        ));
        all.push(Comparison::new(
            format!("a {name} whose size never rests is not waited for for ever"),
            move |world, report| restless(world, report, file),
        ));
        all.push(Comparison::new(
            format!("a torn tail of {name} is covered while a reader has the lock"),
            move |world, report| torn(world, report, file),
        ));
        all.push(Comparison::new(
            format!("a record overwritten in {name} at once is written again"),
            move |world, report| read_back(world, report, file),
        ));
    }
    all.push(Comparison::new("a record is one write, and in a torn file two", one_write));
    all.push(Comparison::new(
        "a torn tail of utmp becomes empty when a slot is written",
        torn_behind_slot,
    ));
    all
}

pub fn cases() -> Vec<Case> {
    vec![Case::here("a slot is written where it is after an append of the same process", || {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("utmp");
        fs::write(&path, "")?;
        let name = CString::new(path.to_str().ok_or("a path of other than UTF-8")?)?;
        let file = RecordFile::open(&name).map_err(|e| e.name())?.ok_or("no file")?;
        let session = |number| Session { line: Line::pts(number), pid: 7, user: b"u", host: b"h" };
        let now = Time { sec: 1, usec: 0 };
        let puts = [session(1).login(now), session(2).login(now), session(1).logout(now)];
        for record in puts {
            Utmp(&file).put(&record, &mut Patience::default()).map_err(|errno| errno.name())?;
        }
        let types: Vec<i16> = decode(&fs::read(&path)?)?.iter().map(Record::ut_type).collect();
        assert_eq!(types, [8, 7]);
        Ok(())
    })]
}

/// The part that makes one call of the helper: `add` or `del`.
pub fn caller(words: &[String]) -> Outcome {
    let pty = Pty::open()?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let begin = Instant::now();
    let status = pty.helper(&words)?.stderr(Stdio::null()).status()?;
    println!("{} {}", ending(status), begin.elapsed().as_millis());
    Ok(())
}

fn start(world: &World) -> Result<Running, Failure> {
    let words = ["add", "host"].map(str::to_owned);
    Running::start(&mut part::command(world, ALICE, "caller", &words))
}

/// How the helper ended, and after how many milliseconds.
fn end(mut caller: Running) -> Result<(String, u64), Failure> {
    let line = caller.line()?;
    let (ending, milliseconds) = line.rsplit_once(' ').ok_or("two words")?;
    Ok((ending.to_owned(), milliseconds.parse()?))
}

fn other() -> Record {
    Record::new(USER_PROCESS, 1, "pts/900", "/900", "daemon", "elsewhere")
}

/// Another writer's record comes piece by piece, as it does while the kernel copies it, only
/// more slowly: the helper comes in the midst of it.
fn growing(world: &World, report: &mut Report, file: &str) -> Outcome {
    const PIECE: usize = SIZE / 24;
    for _ in 0..20 {
        fs::write(file, other().0)?;
        let mut writer = OpenOptions::new().append(true).open(file)?;
        let record = other().0;
        let mut longest = Duration::ZERO;
        let mut last = Instant::now();
        let mut caller = None;
        for (number, piece) in record.chunks(PIECE).enumerate() {
            writer.write_all(piece)?;
            longest = longest.max(if number > 0 { last.elapsed() } else { Duration::ZERO });
            last = Instant::now();
            if number == 0 {
                caller = Some(start(world)?);
            }
            sleep(Duration::from_millis(4));
        }
        let (ended, _) = end(caller.ok_or("no call")?)?;
        // The machine was busy: this writer itself has rested for too long.
        if longest > Duration::from_millis(15) {
            continue;
        }
        let bytes = fs::read(file)?;
        let kept = bytes.get(SIZE..2 * SIZE) == Some(&record);
        let in_frame =
            bytes.len() == 3 * SIZE && Record(bytes[2 * SIZE..].try_into()?).user() == "alice";
        report.say("the helper", &*ended);
        report.say("the other's record", if kept { "kept" } else { "lost" });
        report.say("the helper's record", if in_frame { "behind it" } else { "not behind it" });
        if world.side == Side::Ours && !(kept && in_frame && ended == "0") {
            return Err(format!("{} bytes, kept {kept}, {ended}", bytes.len()).into());
        }
        return Ok(());
    }
    Err("20 times the machine was too busy for a writer that never rests for 15 ms".into())
}

fn restless(world: &World, report: &mut Report, file: &str) -> Outcome {
    fs::write(file, [&other().0[..], b"x"].concat())?;
    let mut writer = OpenOptions::new().append(true).open(file)?;
    let mut caller = start(world)?;
    let begin = Instant::now();
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(caller.line()));
    let line = loop {
        if begin.elapsed() > Duration::from_secs(15) {
            return Err("the helper did not come back".into());
        }
        // Never a multiple of the record's size.
        if usize::try_from(fs::metadata(file)?.len())? % SIZE < SIZE - 1 {
            writer.write_all(b"x")?;
        }
        match receiver.recv_timeout(Duration::from_millis(4)) {
            Ok(line) => break line?,
            Err(_) => continue,
        }
    };
    let _ = thread.join();
    let (ended, milliseconds) = line.rsplit_once(' ').ok_or("two words")?;
    report.say("the helper", format!("{ended} after {milliseconds} ms"));
    if world.side == Side::Ours && (ended != "0" || milliseconds.parse::<u64>()? > 2500) {
        return Err(line.into());
    }
    Ok(())
}

fn torn(world: &World, report: &mut Report, file: &str) -> Outcome {
    fs::write(file, [&other().0[..], &[7; 100]].concat())?;
    let _holder = readers::hold(world, BOB, "read", &[file])?;
    let (ended, _) = end(start(world)?)?;
    let bytes = fs::read(file)?;
    report.say("the helper", &*ended);
    report.say("the file", format!("{} bytes", bytes.len()));
    if world.side == Side::Ours {
        let records = decode(&bytes)?;
        assert_eq!(records.len(), 2, "{records:?}");
        assert!(records[0] == other(), "{records:?}");
        assert_eq!(records[1].user(), "alice");
        assert_eq!(ended, "0");
    }
    Ok(())
}

/// The line has its slot, so nothing is appended that would cover what a killed writer left.
fn torn_behind_slot(world: &World, report: &mut Report) -> Outcome {
    let own = Record::new(DEAD_PROCESS, 1, "pts/0", "ts/0", "alice", "");
    fs::write(World::UTMP, [&own.0[..], &other().0, &[7; 100]].concat())?;
    let (ended, _) = end(start(world)?)?;
    let bytes = fs::read(World::UTMP)?;
    report.say("the helper", &*ended);
    report.say("the file", format!("{} bytes", bytes.len()));
    if world.side == Side::Ours {
        let records = decode(&bytes)?;
        assert_eq!(records.len(), 3, "{records:?}");
        assert!(records[0].is_live() && records[1] == other(), "{records:?}");
        assert_eq!(records[2].0, [0; SIZE]);
    }
    Ok(())
}

/// The helper under strace(1), as alice, its privilege in force, on a pty of hers.
fn traced(options: &[&str]) -> Result<(Pty, Command), Failure> {
    let pty = Pty::open()?;
    chown(pty.device(), Some(ALICE.uid), None)?;
    let mut command = Command::new(place::program("strace", "strace")?);
    command
        .args(["-u", "alice", "-o", TRACE])
        .args(options)
        .arg(place::system_helper())
        .args(["add", "host"])
        .stdin(Stdio::from(pty.master()?))
        .stdout(Stdio::from(pty.master()?));
    Ok((pty, command))
}

const TRACE: &str = "/tmp/trace";

fn one_write(world: &World, report: &mut Report) -> Outcome {
    // What a torn tail lacks is appended, and then the record goes over the whole slot.
    let cases =
        [("whole files", 0, &["384"; 2][..]), ("torn files", 100, &["284", "384", "284", "384"])];
    for (what, bytes, expected) in cases {
        for file in [World::UTMP, World::WTMP] {
            fs::write(file, [&other().0[..], &[7; 100][..bytes]].concat())?;
        }
        let (_pty, mut command) = traced(&["-e", "trace=write,pwrite64,ftruncate,truncate"])?;
        let status = command.status()?;
        let trace = fs::read_to_string(TRACE)?;
        let writes: Vec<&str> = trace
            .lines()
            .filter(|line| line.contains("write"))
            .map(|line| line.rsplit(' ').next().unwrap_or_default())
            .collect();
        let cuts = trace.lines().filter(|line| line.contains("truncate")).count();
        report.say(
            &format!("{what}: bytes of each write, times cut"),
            format!("{}, {cuts}", writes.join(" ")),
        );
        if world.side == Side::Ours {
            assert!(status.success(), "{status}");
            assert_eq!(writes, expected, "{trace}");
            assert_eq!(cuts, 0, "{trace}");
        }
    }
    Ok(())
}

/// A record of another program's comes over ours as soon as it is there, which is what a
/// writer of glibc's does that had computed the end of the file before.
fn read_back(world: &World, report: &mut Report, file: &'static str) -> Outcome {
    fs::write(file, other().0)?;
    // A pause before each read leaves us the time.
    let inject = "inject=pread64:delay_enter=300000";
    let (_pty, mut command) = traced(&["-e", "trace=pread64", "-e", inject])?;
    let begin = Instant::now();
    let child = std::thread::spawn(move || bounded::run(&mut command, Duration::from_secs(15)));
    let thief = OpenOptions::new().write(true).open(file)?;
    loop {
        if fs::metadata(file)?.len() >= 2 * SIZE as u64 {
            thief.write_all_at(&other().0, SIZE as u64)?;
            break;
        }
        if begin.elapsed() > Duration::from_secs(10) {
            return Err("the helper never wrote".into());
        }
    }
    let status = child.join().expect("the thread")?.status;
    let records = decode(&fs::read(file)?)?;
    let own = records.iter().filter(|record| record.user() == "alice").count();
    report.say("the helper", ending(status));
    report.say("its record", if own == 1 { "there" } else { "lost" });
    let right = own == 1 && records.len() == 3;
    match world.side {
        Side::C if own == 0 => Ok(()),
        Side::C => Err("the C library has changed: it looks at what it has written".into()),
        _ if right => Ok(()),
        _ => Err(format!("{records:?}").into()),
    }
}

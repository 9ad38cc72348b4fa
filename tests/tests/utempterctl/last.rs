//! Sessions that are still open: the same as util-linux's last, which asks the machine about
//! them, so that this needs one of its own. Sessions that have ended are compared beside
//! utempterctl's other tests.
//!
//! Where the two differ, on purpose: a process that has no login uid (in a container, or where
//! no PAM module sets it) is nobody's for last, and its session gone; here the terminal decides.

use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use utempter_tests::pty::Pty;
use utempter_tests::utmp::Record;
use utempter_tests::world::{ALICE, BOB, User};
use utempter_tests::{Case, Outcome, Side, Skip, World};

use crate::{ROOT, Result, case, ctl, finish};

const USER: i16 = 7;
const DEAD: i16 = 8;
const NO_PID: i32 = 0x7fff_fff0;

pub fn cases() -> Vec<Case> {
    vec![
        case("open sessions, as last has them", Side::Ours, compare),
        case("an open session without a login uid: where last differs", Side::Ours, differs),
    ]
}

/// A process with this login uid, or with none.
struct Process(Child);

impl Process {
    fn start(login_uid: Option<u32>) -> Result<Process> {
        // Only a process itself may set it, and here it must be root for that.
        let script = match login_uid {
            Some(uid) => format!("echo {uid} > /proc/self/loginuid && exec sleep 60"),
            None => "exec sleep 60".to_owned(),
        };
        let mut process =
            Process(Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn()?);
        let path = format!("/proc/{}/loginuid", process.0.id());
        let expected = login_uid.unwrap_or(u32::MAX).to_string();
        for _ in 0..200 {
            if std::fs::read_to_string(&path).is_ok_and(|text| text.trim() == expected) {
                return Ok(process);
            }
            if process.0.try_wait()?.is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Err(Skip("login uids cannot be set here (auditing is off, or they are set)".into()).into())
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pty_of(user: User) -> Result<Pty> {
    let pty = Pty::open()?;
    nix::unistd::chown(pty.device().as_str(), Some(user.uid.into()), None)?;
    Ok(pty)
}

fn record(kind: i16, pid: i32, line: &str, user: &str, ago: i64) -> Record {
    let mut record = Record::new(kind, pid, line, line, user, "");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = (now as i64 - ago) as u32;
    record.0[340..344].copy_from_slice(&seconds.to_ne_bytes());
    record
}

/// User, line, login, and how it ended; the end's time for a logout, and minutes.
type Line = (String, String, String, String, Option<i64>);

fn is_util_linux() -> Outcome {
    let version = Command::new("last").arg("--version").output();
    match version {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("util-linux") => Ok(()),
        _ => Err(Skip("last is not util-linux's (Debian 12's package util-linux)".into()).into()),
    }
}

fn last(world: &World) -> Result<Vec<Line>> {
    let arguments = ["-f", World::WTMP, "-w", "-R", "--time-format", "iso"];
    let (status, text) = finish(world.command(ROOT, "last").args(arguments))?;
    if status != 0 {
        return Err(text.into());
    }
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.contains(" begins ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (&[user, tty, login], rest) = words.split_first_chunk().ok_or(line)?;
        let (end, minutes) = match rest {
            ["still", "logged", "in"] => ("open", None),
            ["gone", "-", "no", "logout"] => ("gone", None),
            ["-", end, length] => (*end, Some(minutes(length).ok_or(line)?)),
            _ => return Err(format!("how did {line:?} end?").into()),
        };
        lines.push((user.into(), tty.into(), login.into(), end.into(), minutes));
    }
    Ok(lines)
}

/// `(02:03)`, `(1+02:03)`
fn minutes(length: &str) -> Option<i64> {
    let length = length.strip_prefix('(')?.strip_suffix(')')?;
    let (days, rest) = length.split_once('+').unwrap_or(("0", length));
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str| text.parse::<i64>().ok();
    Some(number(days)? * 1440 + number(hours)? * 60 + number(minutes)?)
}

fn ours(world: &World) -> Result<Vec<Line>> {
    let (status, text) = ctl(world, ROOT, &["history", "--json"])?;
    if status != 0 {
        return Err(text.into());
    }
    let value: Value = serde_json::from_str(&text)?;
    let sessions = value["sessions"].as_array().ok_or("a list")?;
    let line = |session: &Value| {
        let field = |name: &str| session[name].as_str().unwrap_or_default().to_owned();
        let seconds = |name: &str| field(name).replace(".000000", "");
        let end = match field("end").as_str() {
            "logout" => seconds("logout"),
            other => other.to_owned(),
        };
        let minutes = session["duration_seconds"].as_i64().map(|seconds| seconds / 60);
        (field("user"), field("line"), seconds("login"), end, minutes)
    };
    Ok(sessions.iter().map(line).collect())
}

fn ends(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.3.as_str()).collect()
}

fn compare(world: &World) -> Outcome {
    is_util_linux()?;
    let (hers, bobs) = (Process::start(Some(ALICE.uid))?, Process::start(Some(BOB.uid))?);
    let ptys = [pty_of(ALICE)?, pty_of(ALICE)?, pty_of(ALICE)?, pty_of(BOB)?];
    let [one, two, three, four] = ptys.each_ref().map(Pty::line);
    let records = [
        // From before the machine was started.
        record(USER, NO_PID, "pts/90", "alice", 20 * 365 * 86_400),
        record(USER, 1, "pts/91", "alice", 9000),
        record(DEAD, 1, "pts/91", "", 5000),
        record(USER, hers.pid(), &one, "alice", 900),
        // The process is somebody else's by now.
        record(USER, bobs.pid(), &two, "alice", 800),
        // The process is gone, and the terminal is still hers.
        record(USER, NO_PID, &three, "alice", 700),
        record(USER, NO_PID, &four, "alice", 600),
        record(USER, NO_PID, "pts/92", "alice", 500),
        record(USER, hers.pid(), "pts/93", "no-such-user", 400),
        // The process counts, and the terminal does not.
        record(USER, hers.pid(), "pts/94", "alice", 300),
        record(USER, hers.pid(), ":0", "alice", 200),
    ];
    world.records_before(World::WTMP, &records)?;
    let (last, ours) = (last(world)?, ours(world)?);
    if last != ours {
        return Err(format!("last: {last:#?}\nours: {ours:#?}").into());
    }
    // Each kind is among them.
    let ended = &last[8].3;
    let expected =
        ["open", "open", "gone", "gone", "gone", "open", "gone", "open", ended.as_str(), "gone"];
    match ends(&last) == expected && last[8].4 == Some(66) {
        true => Ok(()),
        false => Err(format!("{last:#?}").into()),
    }
}

fn differs(world: &World) -> Outcome {
    is_util_linux()?;
    let hers = Process::start(None)?;
    let pty = pty_of(ALICE)?;
    world.records_before(World::WTMP, &[record(USER, hers.pid(), &pty.line(), "alice", 900)])?;
    let (last, ours) = (last(world)?, ours(world)?);
    match (ends(&last).as_slice(), ends(&ours).as_slice()) {
        (["gone"], ["open"]) => Ok(()),
        _ => Err(format!("last: {last:#?}\nours: {ours:#?}").into()),
    }
}

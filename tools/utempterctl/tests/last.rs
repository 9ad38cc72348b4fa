//! The same sessions and durations as util-linux's last, for the same file.
//!
//! Where the two differ, on purpose:
//!
//! * A boot that ends with no shutdown: last shows it up to the next shutdown there is, over
//!   the boots in between; here it has crashed when the next boot came.
//! * Changes of the clock are taken out of durations here; last leaves them in.
//! * Where login uids are not used (containers), last calls every open session gone.
//! * --since and --until: last forgets records that lie outside, so that a session whose
//!   logout does is shown as still going on or gone; here they are about logins alone.
//! * Torn files: last reads nonsense.

mod common;

use std::process::Command;

use common::*;

/// A line of `last`: user, line, login, how it ended or when, duration in minutes.
type Line = (String, String, String, String, Option<i64>);

fn is_util_linux() -> bool {
    let output = Command::new("last").arg("--version").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux"))
}

/// What last says, the boots aside.
fn last(path: &str) -> Vec<Line> {
    let output = Command::new("last")
        .args(["-f", path, "-w", "-R", "--time-format", "iso"])
        .env("TZ", "UTC")
        .output()
        .expect("last");
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).expect("output in UTF-8");
    let mut lines = Vec::new();
    for line in output.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with("reboot ") || line.contains(" begins ") || words.is_empty() {
            continue;
        }
        // A user or a line may be missing.
        let time = |word: &&str| word.len() == 25 && word.as_bytes()[10] == b'T';
        let at = words.iter().position(time).unwrap_or_else(|| panic!("no time in {line:?}"));
        let user = words[0];
        let (tty, login, rest) = (words[1..at].join(" "), words[at], &words[at + 1..]);
        let (end, length) = match rest {
            ["-", end, length] => (*end, Some(*length)),
            ["still", ..] => ("open", None),
            ["gone", ..] => ("gone", None),
            _ => panic!("how did {line:?} end?"),
        };
        let minutes = length.map(minutes);
        lines.push((
            user.to_string(),
            tty.to_string(),
            login.to_string(),
            end.to_string(),
            minutes,
        ));
    }
    lines
}

/// `(1+02:03)`, `(-00:05)`: minutes without a sign, as the two differ in where it stands.
fn minutes(length: &str) -> i64 {
    let length = length.trim_matches(['(', ')']).trim_start_matches('-');
    let (days, rest) = length.split_once('+').unwrap_or(("0", length));
    let (hours, minutes) = rest.split_once(':').expect("hours and minutes");
    let number = |text: &str| text.trim_start_matches('-').parse::<i64>().expect("a number");
    number(days) * 1440 + number(hours) * 60 + number(minutes)
}

/// What we say, the boots aside, in the same words.
fn ours(path: &str) -> Vec<Line> {
    let value = json(&["history", "-f", path]);
    let mut lines = Vec::new();
    for session in value["sessions"].as_array().expect("a list") {
        if session["kind"] != "login" {
            continue;
        }
        let field = |name: &str| session[name].as_str().unwrap_or_default().to_owned();
        let end = match session["end"].as_str().expect("an end") {
            "logout" => without_fraction(&field("logout")),
            other => other.to_owned(),
        };
        // last shows no more of it.
        let line = field("line").chars().take(12).collect();
        let length = session["duration_seconds"].as_i64().map(|seconds| seconds.abs() / 60);
        lines.push((field("user"), line, without_fraction(&field("login")), end, length));
    }
    lines
}

/// last has whole seconds.
fn without_fraction(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, rest)) => format!("{seconds}{}", &rest[6..]),
        None => time.to_owned(),
    }
}

fn compare(name: &str, records: &[Record]) {
    let place = Place::new();
    let path = place.file("wtmp", &bytes(records));
    let (last, ours) = (last(text(&path)), ours(text(&path)));
    for (n, (one, other)) in last.iter().zip(&ours).enumerate() {
        assert_eq!(one, other, "{name}, session {n}: last, and ours");
    }
    assert_eq!(last.len(), ours.len(), "{name}");
    assert!(!last.is_empty(), "{name}: nothing was compared");
}

#[test]
fn the_same_as_last() {
    if !is_util_linux() {
        return skip(
            "the_same_as_last",
            "last is not util-linux's (Debian 12's package util-linux)",
        );
    }
    for (name, records) in by_hand() {
        compare(name, &records);
    }
    for seed in 1..=40 {
        compare(&format!("seed {seed}"), &random(seed));
    }
}

const T: u32 = 1_700_000_000;

fn by_hand() -> Vec<(&'static str, Vec<Record>)> {
    let on = |line, user, at| record(USER, line, user, T + at);
    let off = |line, user, at| record(DEAD, line, user, T + at);
    let boot = |at| record(BOOT, "~", "reboot", T + at);
    let down = |at| record(RUN_LVL, "~", "shutdown", T + at);
    let level =
        |level: u8, at| Record { pid: level.into(), ..record(RUN_LVL, "~", "runlevel", T + at) };
    vec![
        ("a logout without a user", vec![on("pts/1", "alice", 0), off("pts/1", "", 100)]),
        ("a logout with a user", vec![on("pts/1", "alice", 0), off("pts/1", "alice", 100)]),
        ("a logout with another's name", vec![on("pts/1", "alice", 0), off("pts/1", "bob", 100)]),
        ("a logout on another line", vec![on("pts/1", "alice", 0), off("pts/2", "alice", 100)]),
        (
            "two logins, one logout",
            vec![on("pts/1", "alice", 0), on("pts/1", "bob", 50), off("pts/1", "bob", 4000)],
        ),
        ("two logouts", vec![on("pts/1", "alice", 0), off("pts/1", "", 60), off("pts/1", "", 90)]),
        ("a crash", vec![boot(0), on("tty1", "alice", 10), boot(5000)]),
        ("a shutdown", vec![boot(0), on("tty1", "alice", 10), down(600), boot(5000)]),
        ("a halt by run level", vec![boot(0), on("tty1", "alice", 10), level(b'0', 600)]),
        ("a change of run level", vec![boot(0), on("tty1", "alice", 10), level(b'3', 600)]),
        (
            "a logout behind the shutdown",
            vec![boot(0), on("tty1", "alice", 10), down(600), off("tty1", "", 605), boot(5000)],
        ),
        ("days", vec![on("tty1", "alice", 0), off("tty1", "", 3 * 86_400 + 7260)]),
        ("a clock that went back", vec![on("tty1", "alice", 5000), off("tty1", "", 100)]),
        (
            "names without an end",
            vec![on(&"l".repeat(32), &"u".repeat(32), 0), off(&"l".repeat(32), "", 60)],
        ),
        (
            "a session without a type",
            vec![
                record(EMPTY, "pts/1", "alice", T),
                record(INIT, "pts/2", "bob", T + 5),
                record(PROMPT, "pts/3", "carol", T + 6),
                record(PROMPT, "pts/3", "LOGIN", T + 7),
                record(USER, "pts/1", "", T + 60),
                off("pts/2", "", 90),
            ],
        ),
        ("no line", vec![on("", "alice", 0), off("", "", 10), on("pts/1", "bob", 20)]),
        (
            "a microsecond short of a minute",
            vec![Record { usec: 999_999, ..on("pts/1", "alice", 0) }, off("pts/1", "", 60)],
        ),
    ]
}

/// A day in the life of a machine that is often rebooted.
fn random(seed: u64) -> Vec<Record> {
    let mut state = seed;
    let mut below = |bound: u64| {
        // Knuth's linear congruential generator, MMIX.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut records = vec![record(BOOT, "~", "reboot", T)];
    let mut now = T;
    for _ in 0..1500 {
        now += below(4000) as u32;
        let line = format!("pts/{}", below(12));
        let user =
            ["alice", "bob", "carol", "a-name-of-thirty-two-bytes-exactl"][below(4) as usize];
        let user = &user[..user.len().min(32)];
        match below(40) {
            0 => records.push(record(BOOT, "~", "reboot", now)),
            1 => records.push(record(RUN_LVL, "~", "shutdown", now)),
            2 => {
                let level = [b'0', b'1', b'3', b'5', b'6'][below(5) as usize];
                records.push(Record { pid: level.into(), ..record(RUN_LVL, "~", "runlevel", now) });
            }
            3 => records.push(record(PROMPT, "tty1", "LOGIN", now)),
            4 => records.push(record(INIT, "", "", now)),
            5..=20 => {
                let filled = below(2) == 0;
                records.push(record(DEAD, &line, if filled { user } else { "" }, now));
            }
            _ => records
                .push(Record { usec: below(1_000_000) as i32, ..record(USER, &line, user, now) }),
        }
    }
    records
}

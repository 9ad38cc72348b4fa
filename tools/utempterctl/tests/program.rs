//! The program as people and other programs meet it.

mod common;

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use common::*;
use serde_json::{Value, json as value};

const T: u32 = 1_700_000_000;
/// No process has this pid (proc(5): pid_max is 2^22 at the most), no pty this number.
const NO_PID: i32 = 0x7fff_fff0;
const NO_PTY: &str = "pts/999999";

fn small_wtmp() -> Vec<Record> {
    vec![
        record(BOOT, "~", "reboot", T),
        Record { host: b"there".to_vec(), ..record(USER, "pts/1", "alice", T + 10) },
        record(USER, "pts/2", "bob", T + 20),
        record(DEAD, "pts/1", "", T + 70),
        record(DEAD, "pts/2", "bob", T + 3690),
        record(RUN_LVL, "~", "shutdown", T + 4000),
    ]
}

fn users(value: &Value) -> Vec<&str> {
    let sessions = value["sessions"].as_array().expect("a list");
    sessions.iter().map(|session| session["user"].as_str().unwrap_or("-")).collect()
}

#[test]
fn history_in_json() {
    let place = Place::new();
    let path = place.file("wtmp", &bytes(&small_wtmp()));
    let all = json(&["history", "-f", text(&path), "--system"]);
    assert_eq!(all["format"], 1);
    assert_eq!(users(&all), ["shutdown", "bob", "alice", "reboot"]);
    assert_eq!(
        all["sessions"][2],
        value!({
            "kind": "login", "user": "alice", "line": "pts/1", "host": "there", "pid": 1,
            "service": null, "login": "2023-11-14T22:13:30+00:00", "login_seconds": T + 10,
            "logout": "2023-11-14T22:14:30+00:00", "logout_seconds": T + 70, "end": "logout",
            "duration_seconds": 60, "clock_change_seconds": 0.0, "source": text(&path)
        })
    );
    assert_eq!(all["sessions"][3]["end"], "down");
    assert_eq!(all["not_records"], value!([]));
}

#[test]
fn history_filtered() {
    let place = Place::new();
    let path = place.file("wtmp", &bytes(&small_wtmp()));
    let of = |arguments: &[&str]| {
        let found = json(&[&["history", "-f", text(&path)], arguments].concat());
        users(&found).iter().map(|user| user.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of(&["--user", "alice"]), ["alice"]);
    assert_eq!(of(&["--user", "alice", "--user", "bob"]), ["bob", "alice"]);
    assert_eq!(of(&["--tty", "pts/2"]), ["bob"]);
    assert_eq!(of(&["--tty", "/dev/pts/2"]), ["bob"]);
    assert_eq!(of(&["--limit", "1"]), ["bob"]);
    assert_eq!(of(&["--limit", "0"]), [""; 0]);
    assert_eq!(of(&["--since", "2023-11-14 22:13:40"]), ["bob"]);
    // Her logout lies outside, and counts nevertheless.
    let until = json(&["history", "-f", text(&path), "--until", "@1700000015", "-u", "alice"]);
    assert_eq!(until["sessions"][0]["duration_seconds"], 60);
    let (status, _, errors) = run(&["history", "-f", text(&path), "--since", "soon"]);
    assert_eq!(status, 2);
    assert!(errors.contains("\"soon\" is no time"), "{errors}");
}

#[test]
fn history_of_rotated_and_packed_files() {
    let place = Place::new();
    let records = small_wtmp();
    // Alice's login is in the oldest file, her logout in the next.
    let newest = place.file("wtmp", &bytes(&records[4..]));
    let middle = place.file("wtmp.1", &bytes(&records[2..4]));
    let oldest = place.file("wtmp.2", &bytes(&records[..2]));
    let zipped = Command::new("gzip").arg(&oldest).status().expect("gzip");
    assert!(zipped.success());
    let whole = json(&["history", "-f", text(&newest), "--rotated"]);
    assert_eq!(users(&whole), ["bob", "alice", "reboot"]);
    assert_eq!(whole["sessions"][1]["duration_seconds"], 60);
    assert_eq!(whole["sessions"][1]["source"], text(&place.path("wtmp.2.gz")));
    // By name, in any order, the same.
    let named = [text(&middle), text(&newest), text(&place.path("wtmp.2.gz"))].map(str::to_owned);
    let named = json(&["history", "-f", &named[0], "-f", &named[1], "-f", &named[2]]);
    assert_eq!(named["sessions"], whole["sessions"]);
}

#[test]
fn a_changed_clock_is_taken_out() {
    let place = Place::new();
    let records = [
        record(USER, "pts/1", "alice", T),
        record(OLD_TIME, "|", "date", T + 60),
        record(NEW_TIME, "{", "date", T + 3660),
        record(DEAD, "pts/1", "", T + 3720),
    ];
    let path = place.file("wtmp", &bytes(&records));
    let found = json(&["history", "-f", text(&path), "-x"]);
    let kinds: Vec<_> = found["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["kind"].clone())
        .collect();
    assert_eq!(kinds, ["new-time", "old-time", "login"]);
    assert_eq!(found["sessions"][2]["duration_seconds"], 120);
    assert_eq!(found["sessions"][2]["clock_change_seconds"], 3600.0);
}

#[test]
fn sessions_of_wtmpdb_and_wtmp_together() {
    let place = Place::new();
    let database = place.path("wtmp.db");
    let made = Command::new("sqlite3")
        .arg(&database)
        .arg(format!(
            "CREATE TABLE wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, User TEXT NOT NULL, Login INTEGER, \
             Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT) STRICT;\
             INSERT INTO wtmp VALUES(1,1,'reboot',{0}000000,NULL,'~','6.1',NULL);\
             INSERT INTO wtmp VALUES(2,3,'alice',{1}500000,{2}000000,'pts/1','there','sshd');\
             INSERT INTO wtmp VALUES(3,3,'carol',{3}000000,{2}000000,'ssh','there','sshd');",
            T,
            T + 11,
            T + 70,
            T + 15
        ))
        .output();
    let Ok(made) = made else {
        return skip(
            "sessions_of_wtmpdb_and_wtmp_together",
            "sqlite3 is missing (package sqlite3)",
        );
    };
    assert!(made.status.success(), "{made:?}");
    let alone = json(&["history", "-f", text(&database)]);
    assert_eq!(users(&alone), ["carol", "alice", "reboot"]);
    assert_eq!(alone["sessions"][1]["service"], "sshd");
    assert_eq!(alone["sessions"][1]["duration_seconds"], 59);
    let wtmp = place.file("wtmp", &bytes(&small_wtmp()));
    let both = json(&["history", "-f", text(&database), "-f", text(&wtmp)]);
    assert_eq!(users(&both), ["bob", "carol", "alice", "reboot"]);
}

#[test]
fn list_shows_who_is_on() {
    let place = Place::new();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = now.as_secs() as u32;
    let own = std::process::id() as i32;
    let records = [
        record(BOOT, "~", "reboot", now),
        Record { pid: own, ..record(USER, ":0", "root", now) },
        Record { pid: NO_PID, ..record(USER, NO_PTY, "root", now) },
        Record { pid: NO_PID, ..record(USER, ":1", "root", now) },
        record(DEAD, "pts/3", "root", now),
    ];
    let path = place.file("utmp", &bytes(&records));
    let found = json(&["list", "--utmp", text(&path)]);
    let states: Vec<_> = found["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["line"].as_str().unwrap(), one["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [(":0", "on"), (NO_PTY, "ghost"), (":1", "stale")]);
}

#[test]
fn reap_closes_ghosts_and_nothing_else() {
    let place = Place::new();
    let own = std::process::id() as i32;
    let ghost = Record { pid: NO_PID, host: b"there".to_vec(), ..record(USER, NO_PTY, "root", T) };
    let others = [
        record(BOOT, "~", "reboot", T),
        Record { pid: own, ..record(USER, "pts/999998", "root", u32::MAX) },
        Record { pid: NO_PID, ..record(USER, ":1", "root", T) },
    ];
    let before = [&others[..], std::slice::from_ref(&ghost)].concat();
    let utmp = place.file("utmp", &bytes(&before));
    let wtmp = place.file("wtmp", b"");
    let arguments = ["reap", "--utmp", text(&utmp), "--wtmp", text(&wtmp)];
    let dry = json(&[&arguments[..], &["--dry-run"]].concat());
    assert_eq!(dry["reaped"][0]["closed"], false);
    assert_eq!(std::fs::read(&utmp).unwrap(), bytes(&before), "a dry run changes nothing");
    let done = json(&arguments);
    assert_eq!(done["reaped"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&done["reaped"][0]["line"], &done["reaped"][0]["closed"]),
        (&value!(NO_PTY), &value!(true))
    );
    let after = std::fs::read(&utmp).unwrap();
    assert_eq!(after[..3 * 384], bytes(&others));
    assert_eq!(after.len(), 4 * 384);
    assert_eq!(after[3 * 384], DEAD as u8);
    let history = json(&["dump", text(&wtmp)]);
    let records = &history["files"][0]["records"];
    assert_eq!(records.as_array().unwrap().len(), 1);
    assert_eq!(records[0]["type_name"], "DEAD_PROCESS");
    assert_eq!((&records[0]["user"], &records[0]["host"]), (&value!("root"), &value!(null)));
    // Once more there is nothing to do.
    assert_eq!(json(&arguments)["reaped"], value!([]));
}

#[test]
fn reap_without_the_privilege_says_so() {
    if !nix::unistd::geteuid().is_root() {
        return skip("reap_without_the_privilege_says_so", "needs root, to be nobody");
    }
    let place = Place::new();
    let ghost = Record { pid: NO_PID, ..record(USER, NO_PTY, "root", T) };
    let utmp = place.file("utmp", &ghost.bytes());
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&utmp, 0o644);
    open(utmp.parent().unwrap(), 0o755);
    // Where nobody may start it.
    let program = place.path("utempterctl");
    // By another process: a descriptor of ours that a child has inherited would make it busy.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_utempterctl")).arg(&program).status();
    assert!(copied.unwrap().success());
    open(&program, 0o755);
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["reap", "--utmp", text(&utmp)])
        .output()
        .expect("setpriv (package util-linux)");
    let (status, _, errors) = done(output);
    assert_eq!(status, 4, "{errors}");
    assert!(errors.contains("needs to be root"), "{errors}");
}

#[test]
fn dump_of_any_layout_and_of_what_is_torn() {
    use login_records::{Endian, Layout, Record, Time};
    let place = Place::new();
    for layout in Layout::ALL {
        for layout in [layout.with_endian(Endian::Little), layout.with_endian(Endian::Big)] {
            let mut line = [0; 32];
            line[..5].copy_from_slice(b"pts/1");
            let time = Time { sec: 1_700_000_000, usec: 7 };
            let record = Record { ut_type: 7, pid: 42, line, user: line, time, ..Record::EMPTY };
            let mut contents = layout.encode(&record)[..layout.size()].repeat(5);
            contents.extend_from_slice(&[0xff; 100]);
            let path = place.file("wtmp", &contents);
            let (status, output, errors) = run(&["--json", "dump", text(&path)]);
            assert_eq!(status, 1);
            let offset = 5 * layout.size();
            assert!(errors.contains(&format!("100 bytes at offset {offset} are no record")));
            let found: Value = serde_json::from_str(&output).expect("JSON");
            let file = &found["files"][0];
            assert_eq!(file["record_size"], layout.size());
            assert_eq!(file["count"], 5);
            assert_eq!(file["not_records"], value!([{"offset": offset, "length": 100}]));
            assert_eq!(file["records"][4]["pid"], 42);
            assert_eq!(file["records"][4]["microseconds"], 7);
        }
    }
    let path = place.file("wtmp", &bytes(&small_wtmp()));
    let (status, output, _) = run(&["dump", "--count", text(&path)]);
    assert_eq!(status, 0);
    let row: Vec<&str> = output.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, [text(&path), "2304", "384", "6", "little-endian"]);
}

#[test]
fn lastlog_of_both_kinds() {
    let place = Place::new();
    let path = place.file("lastlog", b"");
    let time = login_databases::Time { sec: 1_700_000_000, usec: 0 };
    login_databases::lastlog::put(&path, 0, time, "tty1", "there").unwrap();
    let found = json(&["lastlog", "-f", text(&path)]);
    let login = &found["logins"][0];
    assert_eq!((&login["user"], &login["uid"]), (&value!("root"), &value!(0)));
    assert_eq!((&login["line"], &login["host"]), (&value!("tty1"), &value!("there")));
    assert_eq!(json(&["lastlog", "-f", text(&path), "-u", "nobody"])["logins"], value!([]));
}

#[test]
fn timeline_in_all_its_shapes() {
    let place = Place::new();
    let path = place.file("wtmp", &bytes(&small_wtmp()));
    let found = json(&["timeline", "-f", text(&path)]);
    assert_eq!(found["users"][0]["user"], "bob");
    assert_eq!(found["users"][0]["seconds"], 3670);
    let (status, output, _) = run(&["timeline", "-f", text(&path)]);
    assert_eq!(status, 0);
    assert_eq!(output.lines().count(), 3, "{output}");
    assert!(output.contains('\u{2588}'), "{output}");
    let svg = place.path("out.svg");
    assert_eq!(run(&["timeline", "-f", text(&path), "--svg", text(&svg)]).0, 0);
    let drawn = std::fs::read_to_string(&svg).unwrap();
    assert_eq!(drawn.matches("class=\"bar\"").count(), 2);
    assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
}

/// Whatever a terminal would obey.
fn has_control(text: &str) -> bool {
    text.chars().any(|character| character != '\n' && login_databases::is_unfit(character))
}

#[test]
fn names_full_of_escapes_reach_no_terminal() {
    let place = Place::new();
    let evil = "\x1b]0;x\x07\u{9b}31m\u{202e}\r\n<&\"";
    let all = |name: &[u8]| {
        let name = name[..name.len().min(32)].to_vec();
        let on = Record {
            kind: USER,
            pid: NO_PID,
            line: name.clone(),
            user: name.clone(),
            host: name.clone(),
            sec: T,
            usec: 0,
        };
        vec![on.clone(), Record { kind: DEAD, sec: T + 100, ..on }]
    };
    for name in [evil.as_bytes(), b"\xff\xfe\x80\x1b[2J", &[1; 32]] {
        // Records that are beyond doubt show the layout.
        let records = [small_wtmp(), all(name)].concat();
        let path = place.file("wtmp", &bytes(&records));
        for command in ["history", "dump", "timeline", "list"] {
            for json in [false, true] {
                let file = if command == "list" { "--utmp" } else { "-f" };
                let mut arguments = vec![command, file, text(&path)];
                if command == "dump" {
                    arguments.remove(1);
                }
                if json {
                    arguments.push("--json");
                }
                let (status, output, errors) = run(&arguments);
                assert_eq!((status, errors.as_str()), (0, ""), "{arguments:?}");
                assert!(!has_control(&output), "{arguments:?}: {output:?}");
                if json {
                    let _: Value = serde_json::from_str(&output).expect("JSON");
                }
            }
        }
        let (status, output, _) = run(&["timeline", "-f", text(&path), "--svg", "-"]);
        assert_eq!(status, 0);
        assert!(!has_control(&output) && !output.contains("<&"), "{output:?}");
    }
    let missing = place.path("\x1b[31mno");
    let (status, _, errors) = run(&["history", "-f", text(&missing)]);
    assert_eq!(status, 3);
    assert!(!has_control(&errors), "{errors:?}");
}

#[test]
fn what_cannot_be_read_is_said_in_a_sentence() {
    let place = Place::new();
    let random: Vec<u8> =
        (0u32..50_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let random = place.file("random", &random);
    let missing = place.path("missing");
    let broken = place.file("broken.gz", b"\x1f\x8b\x08 and no more");
    let sqlite = place.file("other.db", b"SQLite format 3\0 and no more");
    for path in [&random, &missing, &broken, &sqlite, &place.path("")] {
        for command in ["history", "dump", "timeline"] {
            let mut arguments = vec![command];
            arguments.extend((command != "dump").then_some("-f"));
            arguments.push(text(path));
            let (status, output, errors) = run(&arguments);
            assert_eq!((status, output.as_str()), (3, ""), "{arguments:?}: {errors}");
            assert_eq!(errors.lines().count(), 1, "{errors}");
            assert!(errors.starts_with("utempterctl: "), "{errors}");
        }
    }
    assert_eq!(run(&["list", "--utmp", text(&missing)]).0, 3);
    assert_eq!(run(&["lastlog", "-f", text(&missing)]).0, 3);
    assert_eq!(run(&["reap", "--utmp", text(&missing)]).0, 3);
    assert_eq!(run(&["history", "--nonsense"]).0, 2);
    assert_eq!(run(&["dump", "--record-size", "383", text(&random)]).0, 2);
    // Asked for, random bytes are gone through, and reported.
    let (status, _, errors) = run(&["dump", "--record-size", "384", text(&random)]);
    assert_eq!(status, 1);
    assert!(errors.contains("at offset "), "{errors}");
    // An empty file has no sessions, and nothing is wrong with it.
    let empty = place.file("empty", b"");
    assert_eq!(run(&["history", "-f", text(&empty)]), (0, String::new(), String::new()));
}

#[test]
fn impossible_times_are_shown_and_crash_nothing() {
    let place = Place::new();
    let mut records = small_wtmp();
    for (sec, usec) in [(0, 0), (u32::MAX, -1), (u32::MAX, i32::MIN), (1, 2_000_000)] {
        records.push(Record { sec, usec, ..record(USER, "pts/7", "eve", 0) });
        records.push(Record { sec: 5, usec, ..record(DEAD, "pts/7", "", 0) });
    }
    let path = place.file("wtmp", &bytes(&records));
    assert_eq!(
        json(&["history", "-f", text(&path), "-u", "eve"])["sessions"].as_array().unwrap().len(),
        4
    );
    assert_eq!(json(&["dump", text(&path)])["files"][0]["count"], 14);
    for command in ["history", "timeline"] {
        assert_eq!(run(&[command, "-f", text(&path)]).0, 0);
    }
    // Seconds of 64 bits.
    use login_records::{Layout, Time};
    let mut contents = Vec::new();
    let times = [1_700_000_000, i64::MAX, i64::MIN, -1, 1 << 40, 1_700_000_000, 1_700_000_060];
    for sec in times {
        let entry = login_databases::Entry::new(login_databases::Kind::User)
            .with_line("pts/1")
            .with_user("eve")
            .with_time(Time { sec, usec: 0 });
        contents.extend_from_slice(&Layout::TIME64.encode(entry.record())[..400]);
    }
    let path = place.file("wtmp", &contents);
    assert_eq!(json(&["dump", text(&path)])["files"][0]["records"][1]["seconds"], i64::MAX);
    for command in ["history", "timeline"] {
        assert_eq!(run(&[command, "-f", text(&path)]).0, 0, "{command}");
        assert_eq!(run(&[command, "-f", text(&path), "--json"]).0, 0, "{command}");
    }
    assert_eq!(run(&["timeline", "-f", text(&path), "--svg", "-"]).0, 0);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let place = Place::new();
    let path = place.file("wtmp", &bytes(&small_wtmp()).repeat(2000));
    for json in [&[][..], &["--json"]] {
        let arguments = [&["history", "-f", text(&path)], json].concat();
        let mut child =
            ctl(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let (status, _, errors) = done(child.wait_with_output().unwrap());
        assert_eq!((status, errors.as_str()), (0, ""));
    }
}

/// What the program writes to a terminal of 60 columns.
fn on_a_terminal(arguments: &[&str], no_color: bool) -> String {
    let size = nix::pty::Winsize { ws_row: 24, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = nix::pty::openpty(Some(&size), None).expect("a pty");
    let mut command = ctl(arguments);
    command.env("TERM", "xterm").stdout(pty.slave.try_clone().unwrap()).stderr(pty.slave);
    if no_color {
        command.env("NO_COLOR", "1");
    }
    let mut child = command.spawn().expect("utempterctl");
    drop(command);
    let mut master = std::fs::File::from(pty.master);
    let mut output = Vec::new();
    // The end of a pty is an error (EIO).
    let _ = master.read_to_end(&mut output);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    String::from_utf8(output).expect("UTF-8")
}

#[test]
fn colours_and_width_are_the_terminal_s() {
    let place = Place::new();
    let long = Record { host: b"h".repeat(200), ..record(USER, "pts/1", "alice", T) };
    let path = place.file("wtmp", &bytes(&[long, record(BOOT, "~", "reboot", T + 90)]));
    let colored = on_a_terminal(&["history", "-f", text(&path)], false);
    assert!(colored.contains("\x1b["), "{colored:?}");
    let plain = on_a_terminal(&["history", "-f", text(&path)], true);
    assert!(!plain.contains('\x1b'), "{plain:?}");
    for line in plain.lines() {
        assert!(line.trim_end().chars().count() <= 60, "{line:?}");
    }
    assert!(plain.contains('\u{2026}'), "{plain}");
    let (_, piped, _) = run(&["history", "-f", text(&path)]);
    assert!(!piped.contains('\x1b') && piped.contains(&"h".repeat(200)));
    let (_, forced, _) = run(&["--color", "always", "history", "-f", text(&path)]);
    assert!(forced.contains("\x1b["));
}

#[test]
fn completions_and_man_pages() {
    let place = Place::new();
    let directory = place.path("out");
    assert_eq!(run(&["generate", text(&directory)]).0, 0);
    for name in
        ["completions/utempterctl.bash", "completions/_utempterctl", "completions/utempterctl.fish"]
    {
        let text = std::fs::read_to_string(directory.join(name)).expect(name);
        assert!(text.contains("history"), "{name}");
    }
    let commands = ["list", "history", "dump", "lastlog", "reap", "doctor", "timeline"];
    let pages = commands.map(|command| format!("utempterctl-{command}"));
    let pages: Vec<_> = pages
        .iter()
        .map(String::as_str)
        .chain(["utempterctl"])
        .map(|name| directory.join(format!("man1/{name}.1")))
        .collect();
    assert_eq!(std::fs::read_dir(directory.join("man1")).unwrap().count(), pages.len());
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap();
        for section in [".TH UTEMPTERCTL", ".SH NAME", ".SH SYNOPSIS", ".SH JSON"] {
            assert!(text.contains(section), "{section}: {}", page.display());
        }
        assert!(!text.contains(r"\\ "), "{text}");
    }
    let main = std::fs::read_to_string(pages.last().unwrap()).unwrap();
    assert!(main.contains(".SH EXIT STATUS") && main.contains(".SH ENVIRONMENT"), "{main}");
    // What man pages are held to here.
    let lint = Command::new("mandoc").args(["-T", "lint"]).args(&pages).output();
    let Ok(lint) = lint else {
        return skip("completions_and_man_pages", "mandoc is missing (package mandoc)");
    };
    assert_eq!(String::from_utf8_lossy(&lint.stdout), "");
    // And the helps: what continues a line in the source is none of their words.
    for command in commands {
        let (status, text, _) = run(&[command, "--help"]);
        assert!(status == 0 && !text.contains('\\'), "{text}");
    }
}

/// The names of all fields in a value.
fn names(value: &Value, to: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                to.push(name.clone());
                names(value, to);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, to)),
        _ => {}
    }
}

#[test]
fn every_field_is_documented() {
    let place = Place::new();
    let path =
        place.file("wtmp", &bytes(&[small_wtmp(), vec![record(USER, NO_PTY, "eve", T)]].concat()));
    let path = text(&path);
    let lastlog = place.file("lastlog", b"");
    let time = login_databases::Time { sec: 1_700_000_000, usec: 0 };
    login_databases::lastlog::put(&lastlog, 0, time, "tty1", "there").unwrap();
    let readme = include_str!("../README.md");
    for arguments in [
        &["list", "--utmp", path][..],
        &["history", "-f", path],
        &["dump", path],
        &["lastlog", "-f", text(&lastlog)],
        &["timeline", "-f", path],
        &["reap", "--utmp", path, "--dry-run"],
    ] {
        let mut all = Vec::new();
        names(&json(arguments), &mut all);
        let (_, help, _) = run(&[arguments[0], "--help"]);
        assert!(all.len() > 4, "{all:?}");
        for name in all {
            assert!(readme.contains(&format!("`{name}`")), "{name} in README.md");
            assert!(help.contains(&format!("\"{name}\"")), "{name} in {} --help", arguments[0]);
        }
    }
}

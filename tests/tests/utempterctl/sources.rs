//! Sessions recorded by the broker under no_new_privs, as list and history see them: in utmp and
//! wtmp, in wtmpdb's file, and behind its daemon's socket.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rusqlite::Connection;
use serde_json::{Value, json};
use utempter_tests::world::ALICE;
use utempter_tests::wtmpdbd::Wtmpdbd;
use utempter_tests::{Case, Outcome, Side, World, bounded, broker};

use crate::peers::terminal;
use crate::{Result, case, ctl, says};

/// Debian's place.
pub const DATABASE: &str = "/var/log/wtmp.db";
const LONG: Duration = Duration::from_secs(10);

pub fn cases() -> Vec<Case> {
    vec![
        case("a session in utmp, wtmp and wtmpdb's file", Side::Broker, |world| {
            create()?;
            seen(world, &["/var/run/utmp", DATABASE], &["/var/log/wtmp", DATABASE])
        }),
        case("a session in wtmpdb's file alone", Side::Broker, |world| {
            create()?;
            switch_files_off()?;
            seen(world, &[DATABASE], &[DATABASE])
        }),
        case("a session behind wtmpdb's daemon", Side::Broker, |world| {
            let _daemon = Wtmpdbd::start(vec![], Duration::ZERO)?;
            let sockets = ["/var/run/utmp", Wtmpdbd::SOCKET];
            seen(world, &sockets, &["/var/log/wtmp", Wtmpdbd::SOCKET])
        }),
        case("a session behind wtmpdb's daemon alone", Side::Broker, |world| {
            let _daemon = Wtmpdbd::start(vec![], Duration::ZERO)?;
            switch_files_off()?;
            seen(world, &[Wtmpdbd::SOCKET], &[Wtmpdbd::SOCKET])
        }),
        case("wtmpdb's file that this user may not read, with a daemon", Side::Ours, |world| {
            create()?;
            fs::set_permissions(DATABASE, Permissions::from_mode(0o600))?;
            let row = json!({
                "ID": 1, "Type": 3, "User": "alice", "Login": 1_763_769_600_000_000_i64,
                "Logout": 1_763_769_660_000_000_i64, "TTY": "pts/5", "Service": "sshd",
            });
            let _daemon = Wtmpdbd::start(vec![row], Duration::ZERO)?;
            let found = history(world, &[])?;
            expect(&found["sources"], &json!(["/var/log/wtmp", Wtmpdbd::SOCKET]))?;
            expect(&found["sessions"][0]["duration_seconds"], &json!(60))?;
            expect(&found["sessions"][0]["service"], &json!("sshd"))?;
            // Root can read the file, and the daemon is not asked.
            let (_, text) = ctl(world, crate::ROOT, &["history", "--json"])?;
            expect(&parse(&text)?["sources"], &json!(["/var/log/wtmp", DATABASE]))
        }),
        case("wtmpdb's file that cannot be read does not hide wtmp", Side::Ours, |world| {
            fs::write(DATABASE, "SQLite format 3\0 and nothing more")?;
            for command in ["history", "list"] {
                let (status, text) = ctl(world, ALICE, &[command])?;
                says(&text, &["utempterctl: /var/log/wtmp.db: "])?;
                if status != 1 {
                    return Err(format!("{command}: {status}: {text}").into());
                }
            }
            let (status, text) = ctl(world, ALICE, &["history", "--source", "wtmpdb"])?;
            if status != 3 {
                return Err(format!("{status}: {text}").into());
            }
            Ok(())
        }),
        case("a socket that wtmpdb's daemon has left is no source", Side::Ours, |world| {
            fs::create_dir_all("/run/wtmpdb")?;
            drop(std::os::unix::net::UnixListener::bind(Wtmpdbd::SOCKET)?);
            fs::set_permissions(Wtmpdbd::SOCKET, Permissions::from_mode(0o666))?;
            expect(&history(world, &[])?["sources"], &json!(["/var/log/wtmp"]))
        }),
    ]
}

/// wtmpdb's table, as wtmpdb makes it (lib/sqlite.c).
pub fn create() -> Outcome {
    Connection::open(DATABASE)?.execute_batch(
        "CREATE TABLE wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, User TEXT NOT NULL, \
         Login INTEGER, Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT) STRICT;",
    )?;
    Ok(())
}

pub fn switch_files_off() -> Outcome {
    fs::remove_file(World::UTMP)?;
    Ok(fs::remove_file(World::WTMP)?)
}

fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text}").into())
}

fn json_of(world: &World, command: &str, arguments: &[&str]) -> Result<Value> {
    let (status, text) = ctl(world, ALICE, &[&[command, "--json"], arguments].concat())?;
    match status {
        0 => parse(&text),
        _ => Err(format!("{command}: status {status}: {text}").into()),
    }
}

fn history(world: &World, arguments: &[&str]) -> Result<Value> {
    json_of(world, "history", arguments)
}

fn expect(found: &Value, expected: &Value) -> Outcome {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{found}, not {expected}").into()),
    }
}

fn count(value: &Value) -> usize {
    value["sessions"].as_array().map_or(0, Vec::len)
}

/// A session while it lasts and when it has ended: in each store, and shown once.
fn seen(world: &World, now: &[&str], past: &[&str]) -> Outcome {
    let terminal = terminal(world)?;
    // wtmpdb is told after the answer.
    bounded::until("the session in all stores", LONG, || {
        let list = json_of(world, "list", &[])?;
        Ok(list["sessions"][0]["stores"] == json!(now))
    })
    .map_err(|error| format!("{error}: {:?}: {}", json_of(world, "list", &[]), broker::log()))?;
    let list = json_of(world, "list", &[])?;
    let one = &list["sessions"][0];
    expect(&list["sources"], &json!(now))?;
    expect(
        &json!([count(&list), one["user"], one["line"], one["host"], one["state"]]),
        &json!([1, "alice", "pts/0", "from-here", "on"]),
    )?;
    let open = history(world, &[])?;
    let one = &open["sessions"][0];
    expect(&open["sources"], &json!(past))?;
    expect(
        &json!([count(&open), one["user"], one["line"], one["end"]]),
        &json!([1, "alice", "pts/0", "open"]),
    )?;
    // Each store alone has it.
    for path in past {
        let kind = match *path {
            "/var/log/wtmp" => "wtmp",
            DATABASE => "wtmpdb",
            _ => "wtmpdbd",
        };
        for alone in [history(world, &["--source", kind])?, history(world, &["-f", path])?] {
            expect(&json!([count(&alone), alone["sources"]]), &json!([1, [path]]))?;
        }
    }

    kill(Pid::from_raw(terminal.pid()), Signal::SIGKILL)?;
    drop(terminal);
    broker::until_kept(0, LONG)?;
    expect(&json_of(world, "list", &[])?["sessions"], &json!([]))?;
    let ended = history(world, &[])?;
    let one = &ended["sessions"][0];
    expect(&json!([count(&ended), one["end"]]), &json!([1, "logout"]))?;
    match one["duration_seconds"].as_i64() {
        Some(0..60) => Ok(()),
        other => Err(format!("lasted {other:?}").into()),
    }
}

//! wtmpdb: its file, and its daemon.

use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use serde_json::json;
use utempter_tests::part::{Running, command};
use utempter_tests::world::ALICE;
use utempter_tests::wtmpdbd::Wtmpdbd;
use utempter_tests::{Case, Outcome, Side, World, bounded, broker};

use crate::ghosts::start;
use crate::none;
use crate::peer::{Failure, LONG};

/// Debian's place.
pub const DATABASE: &str = "/var/log/wtmp.db";

/// As wtmpdb makes it (lib/sqlite.c).
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, \
    User TEXT NOT NULL, Login INTEGER, Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT) STRICT;";

pub fn cases() -> Vec<Case> {
    let case =
        |name: &str, body: fn(&World) -> Outcome| Case::world_of(name, Side::Broker, none, body);
    vec![
        case("wtmpdb's file: a session has its entry, and that is closed", file_session),
        case("wtmpdb's file: others' entries on the line stay as they are", file_others),
        case(
            "wtmpdb's file: a read lock that is held delays nobody, and loses nothing",
            file_locked,
        ),
        case("wtmpdb's file: locked over a crash, nothing is lost and nothing doubled", file_crash),
        case("wtmpdb's file: 1,000 sessions", file_many),
        case("wtmpdb's daemon: Login and Logout as the interface has them", daemon_session),
        case("wtmpdb's daemon: slow, and nobody waits", daemon_slow),
        case("wtmpdb's daemon: gone, and the file is written", daemon_gone),
        case("wtmpdb's daemon: after a crash, its entry is found again", daemon_crash),
    ]
}

/// ID, Type, User, Login, Logout, TTY, RemoteHost, Service.
pub type Row = (i64, i64, String, i64, Option<i64>, String, Option<String>, String);

pub fn rows() -> Result<Vec<Row>, Failure> {
    let database = Connection::open(DATABASE)?;
    let mut select = database.prepare(
        "SELECT ID, Type, User, Login, Logout, TTY, RemoteHost, Service FROM wtmp ORDER BY ID",
    )?;
    let rows = select.query_map([], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
            row.get(6)?,
            row.get(7)?,
        ))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn create() -> Result<Connection, Failure> {
    let database = Connection::open(DATABASE)?;
    database.execute_batch(SCHEMA)?;
    Ok(database)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

pub fn until(what: &str, mut condition: impl FnMut(&[Row]) -> bool) -> Outcome {
    bounded::until(what, LONG, || Ok(condition(&rows()?)))
        .map_err(|error| format!("{error}: {:?}\n{}", rows(), broker::log()).into())
}

fn session(world: &World) -> Outcome {
    Running::start(&mut command(world, ALICE, "ask", &["0".into()]))?.finish().map(drop)
}

fn file_session(world: &World) -> Outcome {
    drop(create()?);
    let begin = now();
    let terminal = start(world, "plain")?;
    until("the entry", |rows| rows.len() == 1)?;
    let (_, kind, user, login, logout, tty, host, service) = rows()?.remove(0);
    let texts = (user.as_str(), tty.as_str(), host.as_deref(), service.as_str());
    if (kind, logout, texts) != (3, None, ("alice", "pts/0", Some("host"), "utempter"))
        || !(begin..=now()).contains(&login)
    {
        return Err(format!("{:?}", rows()?).into());
    }
    // A ghost's logout, too.
    drop(terminal);
    until("the logout", |rows| rows.len() == 1 && rows[0].4.is_some())?;
    let logout = rows()?[0].4.unwrap_or_default();
    if !(login..=now()).contains(&logout) {
        return Err(format!("{logout} after {login}").into());
    }
    broker::until_kept(0, LONG)
}

fn file_others(world: &World) -> Outcome {
    let database = create()?;
    database.execute_batch(
        "INSERT INTO wtmp (Type, User, Login, TTY, Service) VALUES (3, 'bob', 5, 'pts/0', 'sshd')",
    )?;
    session(world)?;
    until("the logout", |rows| rows.len() == 2 && rows[1].4.is_some())?;
    match rows()?[0].4 {
        None => Ok(()),
        Some(_) => Err("another's entry was closed".into()),
    }
}

/// A reader in the midst of its reading, as any user may be for as long as he likes.
fn reader() -> Result<Connection, Failure> {
    let reader = Connection::open(DATABASE)?;
    reader.execute_batch("BEGIN")?;
    reader.query_row("SELECT count(*) FROM wtmp", [], |_| Ok(()))?;
    Ok(reader)
}

fn file_locked(world: &World) -> Outcome {
    drop(create()?);
    let reader = reader()?;
    let begin = Instant::now();
    for _ in 0..10 {
        session(world)?;
    }
    let taken = begin.elapsed();
    if taken > Duration::from_secs(2) || !broker::log().contains("locked") {
        return Err(format!("{taken:?}: {}", broker::log()).into());
    }
    thread::sleep(Duration::from_millis(500));
    if !rows()?.is_empty() {
        return Err("written under a reader's lock".into());
    }
    drop(reader);
    until("ten entries", |rows| rows.len() == 10 && rows.iter().all(|row| row.4.is_some()))?;
    broker::until_kept(0, LONG)
}

fn file_crash(world: &World) -> Outcome {
    drop(create()?);
    let before = start(world, "plain")?;
    until("its entry", |rows| rows.len() == 1)?;
    let reader = reader()?;
    let stays = start(world, "plain")?;
    drop(before);
    session(world)?;
    bounded::until("one session", LONG, || Ok(world.live()?.len() == 1))?;
    thread::sleep(Duration::from_millis(200));
    world.broker.borrow_mut().take().ok_or("no broker")?.crash()?;
    drop(reader);
    *world.broker.borrow_mut() = Some(broker::Broker::start()?);
    until("what was open is closed, and what is open entered", |rows| {
        let open = rows.iter().filter(|row| row.4.is_none()).count();
        open == 1 && rows[0].4.is_some() && rows.len() >= 2
    })?;
    drop(stays);
    until("all are closed", |rows| rows.iter().all(|row| row.4.is_some()))?;
    broker::until_kept(0, LONG)?;
    // Three sessions, each once.
    let mut logins: Vec<i64> = rows()?.iter().map(|row| row.3).collect();
    logins.dedup();
    match (logins.len(), rows()?.len()) {
        (3, 3) => Ok(()),
        _ => Err(format!("{:?}", rows()?).into()),
    }
}

fn file_many(world: &World) -> Outcome {
    drop(create()?);
    let clients: Vec<Running> = (0..8)
        .map(|_| Running::start(&mut command(world, ALICE, "many", &[])))
        .collect::<Result<_, _>>()?;
    for client in clients {
        client.finish()?;
    }
    until("1,256 entries", |rows| rows.len() == 1256 && rows.iter().all(|row| row.4.is_some()))?;
    broker::until_kept(0, LONG)
}

fn closed(daemon: &Wtmpdbd, count: usize) -> Outcome {
    let all_closed = || {
        let rows = daemon.rows();
        rows.len() == count && rows.iter().all(|row| row["Logout"].is_i64())
    };
    bounded::until("entries closed", LONG, || Ok(all_closed()))
        .map_err(|error| format!("{error}: {:?}", daemon.calls()).into())
}

fn daemon_session(world: &World) -> Outcome {
    let daemon = Wtmpdbd::start(vec![], Duration::ZERO)?;
    // The file of a daemon is the daemon's.
    drop(create()?);
    let begin = now();
    let terminal = start(world, "plain")?;
    bounded::until("the entry", LONG, || Ok(daemon.rows().len() == 1))?;
    let row = daemon.rows().remove(0);
    let login = row["Login"].as_i64().ok_or("no Login")?;
    let expected = json!({
        "ID": 1, "Type": 3, "User": "alice", "Login": login, "TTY": "pts/0",
        "RemoteHost": "host", "Service": "utempter",
    });
    if row != expected || !(begin..=now()).contains(&login) {
        return Err(format!("{row}").into());
    }
    drop(terminal);
    closed(&daemon, 1)?;
    // One without a host has none, and not an empty one.
    session(world)?;
    closed(&daemon, 2)?;
    let calls = daemon.calls();
    let methods: Vec<&str> = calls.iter().filter_map(|call| call["method"].as_str()).collect();
    let expected =
        ["Login", "Logout", "Login", "Logout"].map(|n| format!("org.openSUSE.wtmpdb.{n}"));
    if methods != expected
        || calls[2]["parameters"].get("RemoteHost").is_some()
        || !rows()?.is_empty()
    {
        return Err(format!("{calls:?} {:?}", rows()?).into());
    }
    broker::until_kept(0, LONG)
}

fn daemon_slow(world: &World) -> Outcome {
    let daemon = Wtmpdbd::start(vec![], Duration::from_millis(700))?;
    let begin = Instant::now();
    for _ in 0..3 {
        session(world)?;
    }
    let taken = begin.elapsed();
    if taken > Duration::from_secs(1) {
        return Err(format!("clients waited {taken:?}").into());
    }
    closed(&daemon, 3)
}

fn daemon_gone(world: &World) -> Outcome {
    std::fs::create_dir_all("/run/wtmpdb")?;
    // What a daemon leaves behind.
    drop(UnixListener::bind(Wtmpdbd::SOCKET)?);
    drop(create()?);
    session(world)?;
    until("the entry", |rows| rows.len() == 1 && rows[0].4.is_some())
}

fn daemon_crash(world: &World) -> Outcome {
    let daemon = Wtmpdbd::start(vec![], Duration::ZERO)?;
    let terminal = start(world, "plain")?;
    bounded::until("the entry", LONG, || Ok(daemon.rows().len() == 1))?;
    thread::sleep(Duration::from_millis(200));
    world.broker.borrow_mut().take().ok_or("no broker")?.crash()?;
    *world.broker.borrow_mut() = Some(broker::Broker::start()?);
    drop(terminal);
    closed(&daemon, 1)
}

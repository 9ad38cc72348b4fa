//! wtmpdb: a table of sessions, in SQLite's file or behind its daemon's socket.
//!
//! One row is one session; times are microseconds since 1970 (wtmpdb lib/sqlite.c). The daemon
//! gives all rows at once, which takes memory for each; a file is read in pages.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use login_records::Time;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use utempter_wtmpdb::{BOOT_TIME, Daemon, Failure, RUNLEVEL};
pub use utempter_wtmpdb::{PATHS, SOCKET};

use crate::error::Error;
use crate::session::{End, Session, What};
use crate::sources::is_socket;

/// Rows read at once. In between no lock is held: writers would wait for a pager.
const PAGE: usize = 500;

/// For a daemon to say that it is there; it may have to be started first.
const SHORTLY: Duration = Duration::from_secs(2);

pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed(path))?;
    connection.busy_timeout(Duration::from_secs(2)).map_err(failed(path))?;
    Ok(connection)
}

pub(crate) fn failed(path: &Path) -> impl Fn(rusqlite::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Database(path.clone(), error.to_string())
}

/// The sessions of some tables, newest first.
pub(crate) struct Sessions {
    tables: Vec<Table>,
}

impl Sessions {
    pub(crate) fn of(paths: &[PathBuf]) -> Result<Sessions, Error> {
        let tables = paths.iter().map(|path| Table::open(path)).collect::<Result<_, _>>()?;
        Ok(Sessions { tables })
    }

    pub(crate) fn next(&mut self) -> Result<Option<Session>, Error> {
        let mut newest: Option<(usize, i64)> = None;
        for (at, table) in self.tables.iter_mut().enumerate() {
            if let Some(session) = table.peek()? {
                if newest.is_none_or(|(_, login)| session.login.sec > login) {
                    newest = Some((at, session.login.sec));
                }
            }
        }
        Ok(newest.and_then(|(at, _)| self.tables[at].page.pop()))
    }
}

struct Table {
    path: Arc<PathBuf>,
    /// Where further pages are; `None` where all rows have been read.
    connection: Option<Connection>,
    /// When the machine booted and, where that is known, went down; the oldest first.
    boots: Vec<(i64, Option<i64>)>,
    /// Of the next row, less one.
    id: i64,
    /// The newest last.
    page: Vec<Session>,
}

impl Table {
    fn open(path: &Path) -> Result<Table, Error> {
        if is_socket(path) {
            return Table::ask(path);
        }
        let connection = open(path)?;
        let boots = boots(&connection).map_err(failed(path))?;
        let path = Arc::new(path.to_owned());
        Ok(Table { path, connection: Some(connection), boots, id: i64::MAX, page: Vec::new() })
    }

    /// All that the daemon has.
    fn ask(path: &Path) -> Result<Table, Error> {
        let daemon = Daemon::connect(path).map_err(Error::io(path))?;
        let mut daemon = daemon.ok_or_else(refused).map_err(Error::io(path))?;
        let entries = daemon.entries();
        let entries = entries.map_err(|why| Error::Database(path.to_owned(), why.to_string()))?;
        let mut rows: Vec<Row> = entries.iter().filter_map(Row::of_json).collect();
        drop(entries);
        rows.sort_by_key(|row| row.id);
        let boot = |row: &Row| (row.kind == BOOT_TIME).then_some((row.login, row.logout));
        let mut boots: Vec<_> = rows.iter().filter_map(boot).collect();
        boots.sort_by_key(|(login, _)| *login);
        let path = Arc::new(path.to_owned());
        let page = rows.into_iter().map(|row| row.session(&boots, &path)).collect();
        Ok(Table { path, connection: None, boots, id: i64::MIN, page })
    }

    fn peek(&mut self) -> Result<Option<&Session>, Error> {
        if self.page.is_empty() && self.id > i64::MIN {
            self.read().map_err(failed(&self.path))?;
        }
        Ok(self.page.last())
    }

    fn read(&mut self) -> rusqlite::Result<()> {
        let Some(connection) = &self.connection else { return Ok(()) };
        let mut query = connection.prepare_cached(
            "SELECT ID, Type, User, Login, Logout, TTY, RemoteHost, Service FROM wtmp \
             WHERE ID <= ?1 AND Login IS NOT NULL ORDER BY ID DESC LIMIT ?2",
        )?;
        let mut rows = query.query((self.id, PAGE))?;
        self.id = i64::MIN;
        while let Some(row) = rows.next()? {
            let row = Row::of_sql(row)?;
            self.id = row.id.saturating_sub(1);
            self.page.push(row.session(&self.boots, &self.path));
        }
        self.page.reverse();
        Ok(())
    }
}

fn boots(connection: &Connection) -> rusqlite::Result<Vec<(i64, Option<i64>)>> {
    let mut query = connection.prepare(
        "SELECT Login, Logout FROM wtmp WHERE Type = ?1 AND Login IS NOT NULL ORDER BY Login",
    )?;
    query.query_map([BOOT_TIME], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// A row, wherever it is from.
struct Row {
    id: i64,
    kind: i64,
    user: String,
    login: i64,
    logout: Option<i64>,
    line: String,
    host: String,
    service: Option<String>,
}

impl Row {
    fn of_sql(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
        let text = |at| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
        Ok(Row {
            id: row.get(0)?,
            kind: row.get(1)?,
            user: text(2)?,
            login: row.get(3)?,
            logout: row.get(4)?,
            line: text(5)?,
            host: text(6)?,
            service: row.get(7)?,
        })
    }

    /// Of the interface's type WtmpdbEntry; `None` for what has no login.
    fn of_json(row: &Value) -> Option<Row> {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Some(Row {
            id: row["ID"].as_i64()?,
            kind: row["Type"].as_i64()?,
            user: text("User").unwrap_or_default(),
            login: row["Login"].as_i64()?,
            logout: row["Logout"].as_i64().filter(|logout| *logout != 0),
            line: text("TTY").unwrap_or_default(),
            host: text("RemoteHost").unwrap_or_default(),
            service: text("Service"),
        })
    }

    fn session(self, boots: &[(i64, Option<i64>)], path: &Arc<PathBuf>) -> Session {
        let what = match self.kind {
            BOOT_TIME => What::Boot,
            RUNLEVEL => What::RunLevel(b'?'),
            _ => What::Login,
        };
        let (logout, end) = match self.logout {
            Some(logout) if what == What::Boot => (Some(logout), End::Down),
            Some(logout) => (Some(logout), End::Recorded),
            None => stop(boots, self.login),
        };
        Session {
            what,
            user: self.user.into_bytes(),
            line: self.line.into_bytes(),
            host: self.host.into_bytes(),
            pid: None,
            service: self.service,
            login: time(self.login),
            logout: logout.map(time),
            end,
            clock_change: 0,
            source: path.clone(),
        }
    }
}

/// When the machine stopped that was up at `login`, and how.
fn stop(boots: &[(i64, Option<i64>)], login: i64) -> (Option<i64>, End) {
    let next = boots.partition_point(|(boot, _)| *boot <= login);
    let own = next.checked_sub(1).map(|own| boots[own]);
    match (own.and_then(|(_, down)| down).filter(|down| *down >= login), boots.get(next)) {
        (Some(down), _) => (Some(down), End::Down),
        (None, Some((boot, _))) => (Some(*boot), End::Crash),
        (None, None) => (None, End::Open),
    }
}

pub(crate) fn time(micros: i64) -> Time {
    Time { sec: micros.div_euclid(1_000_000), usec: micros.rem_euclid(1_000_000) as i32 }
}

/// The sessions of a file, or of the daemon behind a socket, that have not ended, newest first:
/// who is on, as wtmpdb knows it.
///
/// # Errors
///
/// [`Error::Database`]; [`Error::Io`] where the daemon cannot be connected to.
pub fn open_sessions(path: &Path) -> Result<Vec<Session>, Error> {
    let mut table = Table::open(path)?;
    let boot = table.boots.last().map_or(0, |(boot, _)| *boot);
    let mut open = Vec::new();
    // Nobody is on from before the last boot: the newest rows suffice.
    while let Some(session) = table.peek()? {
        if session.login.sec < boot.div_euclid(1_000_000) {
            break;
        }
        let session = table.page.pop().expect("it has just been seen");
        if session.end == End::Open && session.what == What::Login {
            open.push(session);
        }
    }
    Ok(open)
}

/// The newest sessions of a file, or of the daemon behind a socket, ended or not.
///
/// # Errors
///
/// As [`open_sessions`].
pub fn newest(path: &Path, count: usize) -> Result<Vec<Session>, Error> {
    let mut table = Table::open(path)?;
    let mut sessions = Vec::new();
    while sessions.len() < count && table.peek()?.is_some() {
        sessions.extend(table.page.pop());
    }
    Ok(sessions)
}

/// Whether it can be read: a file that has wtmpdb's table, or a socket whose daemon answers.
///
/// # Errors
///
/// Why it cannot: as [`open_sessions`].
pub fn answers(path: &Path) -> Result<(), Error> {
    if is_socket(path) {
        let alive = Daemon::connect(path)
            .map_err(Error::io(path))?
            // Not its Ping: with libsystemd 257 that fails in a daemon that is well (wtmpdb 0.75).
            .map(|daemon| daemon.patient(SHORTLY).call("GetBootTime", &serde_json::json!({})));
        return match alive {
            None => Err(Error::Io(path.to_owned(), refused())),
            Some(Ok(_)) => Ok(()),
            // It has looked, and there is none.
            Some(Err(Failure::Refused(name, _))) if name.ends_with(".NoEntryFound") => Ok(()),
            Some(Err(why)) => Err(Error::Database(path.to_owned(), why.to_string())),
        };
    }
    // Without a row it can be read too.
    let look =
        |database: Connection| database.prepare("SELECT ID, Login FROM wtmp LIMIT 1")?.exists([]);
    look(open(path)?).map(drop).map_err(failed(path))
}

fn refused() -> std::io::Error {
    std::io::ErrorKind::ConnectionRefused.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(rows: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wtmp.db");
        let connection = Connection::open(&path).unwrap();
        // Its schema, as its documentation gives it.
        connection
            .execute_batch(&format!(
                "CREATE TABLE wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, User TEXT NOT NULL, \
                 Login INTEGER, Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT) STRICT;\
                 {rows}"
            ))
            .unwrap();
        (directory, path)
    }

    fn row(kind: i64, user: &str, login: i64, logout: &str, tty: &str) -> String {
        format!(
            "INSERT INTO wtmp(Type,User,Login,Logout,TTY,RemoteHost,Service) \
             VALUES({kind},'{user}',{login}000000,{logout},'{tty}','host',NULL);"
        )
    }

    #[test]
    fn rows_without_a_logout_end_with_the_machine() {
        let rows = [
            row(1, "reboot", 100, "190000000", "~"),
            row(3, "alice", 110, "120000000", "pts/1"),
            row(3, "bob", 130, "NULL", "pts/2"),
            row(1, "reboot", 200, "NULL", "~"),
            row(3, "alice", 210, "NULL", "pts/1"),
            row(1, "reboot", 300, "NULL", "~"),
            row(3, "carol", 310, "NULL", "pts/1"),
        ];
        let (_directory, path) = database(&rows.concat());
        let mut sessions = Sessions::of(std::slice::from_ref(&path)).unwrap();
        let mut found = Vec::new();
        while let Some(session) = sessions.next().unwrap() {
            let logout = session.logout.map(|time| time.sec);
            found.push((
                String::from_utf8(session.user).unwrap(),
                session.login.sec,
                logout,
                session.end,
            ));
        }
        let expected = [
            ("carol", 310, None, End::Open),
            ("reboot", 300, None, End::Open),
            ("alice", 210, Some(300), End::Crash),
            ("reboot", 200, Some(300), End::Crash),
            ("bob", 130, Some(190), End::Down),
            ("alice", 110, Some(120), End::Recorded),
            ("reboot", 100, Some(190), End::Down),
        ];
        let expected: Vec<_> =
            expected.map(|(user, login, logout, end)| (user.to_owned(), login, logout, end)).into();
        assert_eq!(found, expected);
        let open = open_sessions(&path).unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].user, b"carol");
    }

    #[test]
    fn more_than_a_page() {
        let rows: String =
            (0..2 * PAGE as i64 + 3).map(|n| row(3, "a", n + 1, "NULL", "x")).collect();
        let (_directory, path) = database(&format!("BEGIN;{rows}COMMIT;"));
        let mut sessions = Sessions::of(&[path]).unwrap();
        for n in (0..2 * PAGE as i64 + 3).rev() {
            assert_eq!(sessions.next().unwrap().unwrap().login.sec, n + 1);
        }
        assert!(sessions.next().unwrap().is_none());
    }

    #[test]
    fn what_is_no_database_of_wtmpdb_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        std::fs::write(&path, "SQLite format 3\0 and nothing more").unwrap();
        assert!(matches!(Sessions::of(std::slice::from_ref(&path)), Err(Error::Database(..))));
        std::fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE other(x);").unwrap();
        assert!(matches!(Sessions::of(&[path]), Err(Error::Database(..))));
    }

    /// A daemon that gives these rows to one caller.
    fn daemon(rows: Value) -> (tempfile::TempDir, PathBuf) {
        use std::io::{Read, Write};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut call = Vec::new();
            while call.last() != Some(&0) {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                call.push(byte[0]);
            }
            let call: Value = serde_json::from_slice(&call[..call.len() - 1]).unwrap();
            assert_eq!(call["method"], "org.openSUSE.wtmpdb.ReadAll");
            let answer = serde_json::json!({ "parameters": { "Success": true, "Data": rows } });
            stream.write_all(&[answer.to_string().as_bytes(), b"\0"].concat()).unwrap();
        });
        (directory, path)
    }

    #[test]
    fn the_daemon_s_rows_are_those_of_a_file() {
        let json = serde_json::json!([
            { "ID": 3, "Type": 3, "User": "bob", "Login": 130_000_000_i64, "TTY": "pts/2",
              "RemoteHost": "host" },
            { "ID": 1, "Type": 1, "User": "reboot", "Login": 100_000_000_i64,
              "Logout": 190_000_000_i64, "TTY": "~", "RemoteHost": "host" },
            { "ID": 2, "Type": 3, "User": "alice", "Login": 110_000_000_i64,
              "Logout": 120_000_000_i64, "TTY": "pts/1", "RemoteHost": "host", "Service": null },
            { "ID": 4, "Type": 1, "User": "reboot", "Login": 200_000_000_i64, "TTY": "~",
              "RemoteHost": "host" },
            { "ID": 5, "Type": 3, "User": "carol", "Login": 210_000_000_i64, "TTY": "pts/1",
              "RemoteHost": "host", "Logout": 0 },
            { "ID": 6, "Type": 0 },
        ]);
        let rows = [
            row(1, "reboot", 100, "190000000", "~"),
            row(3, "alice", 110, "120000000", "pts/1"),
            row(3, "bob", 130, "NULL", "pts/2"),
            row(1, "reboot", 200, "NULL", "~"),
            row(3, "carol", 210, "NULL", "pts/1"),
        ];
        let (_directory, file) = database(&rows.concat());
        let (_other, socket) = daemon(json);
        let all = |path: PathBuf| {
            let mut sessions = newest(&path, 100).unwrap();
            sessions.iter_mut().for_each(|session| session.source = Arc::default());
            sessions
        };
        let of_file = all(file);
        assert_eq!(of_file.len(), 5);
        assert_eq!(all(socket), of_file);
    }
}

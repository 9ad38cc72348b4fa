//! wtmpdb's file: a table of sessions in SQLite.
//!
//! One row is one session; times are microseconds since 1970 (wtmpdb lib/sqlite.c).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use login_records::Time;
use rusqlite::{Connection, OpenFlags, Row};

use crate::error::Error;
use crate::session::{End, Session, What};

/// Where the file may be: upstream's place, and Debian's.
pub const PATHS: [&str; 2] = ["/var/lib/wtmpdb/wtmp.db", "/var/log/wtmp.db"];

/// Rows of `Type` for a boot.
const BOOT: i64 = 1;
/// For a change of run level.
const RUN_LEVEL: i64 = 2;

/// Rows read at once. In between no lock is held: writers would wait for a pager.
const PAGE: usize = 500;

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

/// The sessions of some files, newest first.
pub(crate) struct Sessions {
    files: Vec<File>,
}

impl Sessions {
    pub(crate) fn of(paths: &[PathBuf]) -> Result<Sessions, Error> {
        let files = paths.iter().map(|path| File::open(path)).collect::<Result<_, _>>()?;
        Ok(Sessions { files })
    }

    pub(crate) fn next(&mut self) -> Result<Option<Session>, Error> {
        let mut newest: Option<(usize, i64)> = None;
        for (at, file) in self.files.iter_mut().enumerate() {
            if let Some(session) = file.peek()? {
                if newest.is_none_or(|(_, login)| session.login.sec > login) {
                    newest = Some((at, session.login.sec));
                }
            }
        }
        Ok(newest.and_then(|(at, _)| self.files[at].page.pop()))
    }
}

struct File {
    path: Arc<PathBuf>,
    connection: Connection,
    /// When the machine booted and, where that is known, went down; the oldest first.
    boots: Vec<(i64, Option<i64>)>,
    /// Of the next row, less one.
    id: i64,
    /// The newest last.
    page: Vec<Session>,
}

impl File {
    fn open(path: &Path) -> Result<File, Error> {
        let connection = open(path)?;
        let boots = boots(&connection).map_err(failed(path))?;
        let path = Arc::new(path.to_owned());
        Ok(File { path, connection, boots, id: i64::MAX, page: Vec::new() })
    }

    fn peek(&mut self) -> Result<Option<&Session>, Error> {
        if self.page.is_empty() && self.id > i64::MIN {
            self.read().map_err(failed(&self.path))?;
        }
        Ok(self.page.last())
    }

    fn read(&mut self) -> rusqlite::Result<()> {
        let mut query = self.connection.prepare_cached(
            "SELECT ID, Type, User, Login, Logout, TTY, RemoteHost, Service FROM wtmp \
             WHERE ID <= ?1 AND Login IS NOT NULL ORDER BY ID DESC LIMIT ?2",
        )?;
        let mut rows = query.query((self.id, PAGE))?;
        self.id = i64::MIN;
        while let Some(row) = rows.next()? {
            let session = session(row, &self.boots, &self.path)?;
            self.id = row.get::<_, i64>(0)?.saturating_sub(1);
            self.page.push(session);
        }
        self.page.reverse();
        Ok(())
    }
}

fn boots(connection: &Connection) -> rusqlite::Result<Vec<(i64, Option<i64>)>> {
    let mut query = connection.prepare(
        "SELECT Login, Logout FROM wtmp WHERE Type = ?1 AND Login IS NOT NULL ORDER BY Login",
    )?;
    query.query_map([BOOT], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn session(
    row: &Row<'_>,
    boots: &[(i64, Option<i64>)],
    path: &Arc<PathBuf>,
) -> rusqlite::Result<Session> {
    let text = |at| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
    let kind: i64 = row.get(1)?;
    let login: i64 = row.get(3)?;
    let what = match kind {
        BOOT => What::Boot,
        RUN_LEVEL => What::RunLevel(b'?'),
        _ => What::Login,
    };
    let (logout, end) = match row.get::<_, Option<i64>>(4)? {
        Some(logout) if what == What::Boot => (Some(logout), End::Down),
        Some(logout) => (Some(logout), End::Recorded),
        None => stop(boots, login),
    };
    Ok(Session {
        what,
        user: text(2)?.into_bytes(),
        line: text(5)?.into_bytes(),
        host: text(6)?.into_bytes(),
        pid: None,
        service: row.get(7)?,
        login: time(login),
        logout: logout.map(time),
        end,
        clock_change: 0,
        source: path.clone(),
    })
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

/// The sessions of a file that have not ended, newest first: who is on, as wtmpdb knows it.
///
/// # Errors
///
/// [`Error::Database`].
pub fn open_sessions(path: &Path) -> Result<Vec<Session>, Error> {
    let mut file = File::open(path)?;
    let boot = file.boots.last().map_or(0, |(boot, _)| *boot);
    let mut open = Vec::new();
    // Nobody is on from before the last boot: the newest rows suffice.
    while let Some(session) = file.peek()? {
        if session.login.sec < boot.div_euclid(1_000_000) {
            break;
        }
        let session = file.page.pop().expect("it has just been seen");
        if session.end == End::Open && session.what == What::Login {
            open.push(session);
        }
    }
    Ok(open)
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
}

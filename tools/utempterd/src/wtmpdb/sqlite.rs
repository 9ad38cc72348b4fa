//! wtmpdb's file, where no daemon has it: schema and meaning are wtmpdb's (lib/sqlite.c).

use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode, OpenFlags, OptionalExtension, params};
use utempter_wtmpdb::USER_PROCESS;

use super::entry::{Entry, SERVICE};
use super::queue::{Store, Trouble};

/// The file, open for one group of calls.
pub struct Database(Connection);

impl Database {
    /// Opens a file that exists.
    pub fn open(path: &str) -> Result<Database, Trouble> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        // Waiting is the queue's affair.
        connection.busy_timeout(Duration::ZERO)?;
        Ok(Database(connection))
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        let said = |what_to_do| Trouble::Broken(format!("{error}: {what_to_do}"));
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Trouble::Busy(error.to_string())
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                said("move it away, and wtmpdb makes another")
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                said("see that it and its directory can be written to")
            }
            Some(ErrorCode::DiskFull) => said("make room"),
            Some(ErrorCode::SystemIoFailure) => said("see what the kernel says of its disk"),
            Some(ErrorCode::Unknown) => said("see whether wtmpdb itself reads it"),
            _ => Trouble::Refused(error.to_string()),
        }
    }
}

impl Store for Database {
    fn begin(&mut self) -> Result<(), Trouble> {
        Ok(self.0.execute_batch("BEGIN IMMEDIATE")?)
    }

    fn find(&mut self, entry: &Entry) -> Result<Option<i64>, Trouble> {
        let sql = "SELECT ID FROM wtmp WHERE TTY = ? AND Login = ? AND Service = ?";
        let mut find = self.0.prepare_cached(sql)?;
        let key = params![entry.tty, entry.login, SERVICE];
        Ok(find.query_row(key, |row| row.get(0)).optional()?)
    }

    fn login(&mut self, entry: &Entry) -> Result<i64, Trouble> {
        let sql = "INSERT INTO wtmp (Type, User, Login, TTY, RemoteHost, Service) \
                   VALUES (?, ?, ?, ?, ?, ?)";
        let Entry { user, login, tty, host, .. } = entry;
        let row = params![USER_PROCESS, user, login, tty, host, SERVICE];
        self.0.prepare_cached(sql)?.execute(row)?;
        Ok(self.0.last_insert_rowid())
    }

    fn logout(&mut self, id: i64, time: i64) -> Result<(), Trouble> {
        let sql = "UPDATE wtmp SET Logout = ? WHERE ID = ? AND Logout IS NULL";
        self.0.prepare_cached(sql)?.execute(params![time, id])?;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Trouble> {
        // What is not committed is taken back when the connection is closed.
        Ok(self.0.execute_batch("COMMIT")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_entered_found_and_closed() {
        let path = std::env::temp_dir().join(format!("utempterd-db-{}", std::process::id()));
        let path = path.to_str().unwrap();
        let schema = "CREATE TABLE wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, User TEXT NOT NULL, \
                      Login INTEGER, Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT) STRICT";
        Connection::open(path).unwrap().execute_batch(schema).unwrap();
        let (user, tty, host) = ("alice".into(), "pts/1".into(), Some(":0".into()));
        let entry = Entry { user, login: 5, tty, line: 1, host };
        let mut database = Database::open(path).unwrap();
        database.begin().unwrap();
        let id = database.login(&entry).unwrap();
        assert_eq!(database.find(&entry).unwrap(), Some(id));
        assert_eq!(database.find(&Entry { login: 6, ..entry }).unwrap(), None);
        database.logout(id, 9).unwrap();
        database.logout(id, 10).unwrap();
        database.commit().unwrap();
        let row: (i64, String, i64, i64, String, String, String) = database
            .0
            .query_row(
                "SELECT Type, User, Login, Logout, TTY, RemoteHost, Service FROM wtmp",
                [],
                |r| {
                    Ok((
                        r.get(0)?,
                        r.get(1)?,
                        r.get(2)?,
                        r.get(3)?,
                        r.get(4)?,
                        r.get(5)?,
                        r.get(6)?,
                    ))
                },
            )
            .unwrap();
        let texts = ["alice", "pts/1", ":0", "utempter"].map(str::to_owned);
        let [user, tty, host, service] = texts;
        assert_eq!(row, (3, user, 5, 9, tty, host, service));

        // Somebody else has it: that is said at once.
        let other = Database::open(path).unwrap();
        other.0.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(matches!(database.begin(), Err(Trouble::Busy(_))));
        std::fs::remove_file(path).unwrap();
    }
}

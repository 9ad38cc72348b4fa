//! A session as wtmpdb has it.

use login_records::{Line, Record};

use crate::state::microseconds;

/// What stands in the column Service.
pub const SERVICE: &str = "utempter";

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub user: String,
    /// Microseconds since 1970.
    pub login: i64,
    pub tty: String,
    /// The pty's number.
    pub line: u32,
    pub host: Option<String>,
}

impl Entry {
    pub fn of(login: &Record) -> Entry {
        Entry {
            user: text(&login.user),
            login: microseconds(login.time),
            tty: text(&login.line),
            line: Line::from_name(&login.line).map_or(u32::MAX, |line| line.number()),
            host: Some(text(&login.host)).filter(|host| !host.is_empty()),
        }
    }
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use login_records::{Session, Time};

    #[test]
    fn an_entry_says_what_the_record_says() {
        let session = Session { line: Line::pts(3), pid: 7, user: b"alice", host: b"" };
        let login = session.login(Time { sec: 1_763_769_600, usec: 17 });
        let entry = Entry::of(&login);
        let (user, tty) = ("alice".to_owned(), "pts/3".to_owned());
        assert_eq!(entry, Entry { user, login: 1_763_769_600_000_017, tty, line: 3, host: None });
        let login = Session { host: b":0", ..session }.login(login.time);
        assert_eq!(Entry::of(&login).host.as_deref(), Some(":0"));
    }
}

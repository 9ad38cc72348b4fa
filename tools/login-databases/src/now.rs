//! Who is on now, from every store there is.

use std::path::PathBuf;

use login_records::Time;

use crate::entry::Entry;
use crate::error::Error;
use crate::input::Input;
use crate::kind::Kind;
use crate::machine::{Machine, Process, Terminal};
use crate::sources::Source;
use crate::text::is_same;
use crate::walk::{Forward, Found};
use crate::{Warning, detect, utmps};

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// Files of utmp.
    pub utmp: Vec<PathBuf>,
    /// The socket of utmps' daemon.
    pub utmps: Option<PathBuf>,
    /// Files of wtmpdb, and its daemon's socket.
    pub wtmpdb: Vec<PathBuf>,
}

impl Stores {
    /// Those that exist here. wtmpdb is read by its daemon where its file cannot be.
    pub fn of_this_machine() -> Stores {
        Stores { wtmpdb: Source::wtmpdb(), ..Stores::of(&[Source::Utmp, Source::Utmps]) }
    }

    /// Those of these kinds that exist here. None says who is on in [`Source::Wtmp`].
    pub fn of(sources: &[Source]) -> Stores {
        let mut stores = Stores::default();
        for source in sources {
            let mut paths = source.paths();
            match source {
                Source::Utmp => stores.utmp.append(&mut paths),
                Source::Utmps => stores.utmps = paths.pop(),
                Source::Wtmpdb | Source::WtmpdbDaemon => stores.wtmpdb.append(&mut paths),
                Source::Wtmp => {}
            }
        }
        stores
    }

    /// All of them.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.utmp.iter().chain(&self.utmps).chain(&self.wtmpdb)
    }

    /// Whether there is nowhere to look.
    pub fn is_empty(&self) -> bool {
        self.paths().next().is_none()
    }
}

/// A session that has not ended, as some store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnNow {
    /// Login name.
    pub user: Vec<u8>,
    /// Device without `/dev/`.
    pub line: Vec<u8>,
    /// Remote host, or what the terminal has put there.
    pub host: Vec<u8>,
    /// Process, where the store has it.
    pub pid: Option<i32>,
    /// Since when.
    pub login: Time,
    /// Whether its process is there.
    pub process: Process,
    /// Whether its terminal is there.
    pub terminal: Terminal,
    /// The record, of a store of records.
    pub entry: Option<Entry>,
    /// The stores that have it.
    pub stores: Vec<PathBuf>,
}

impl OnNow {
    /// Whether nobody is there any more: GNU `who` shows no session whose process is gone.
    pub fn is_stale(&self) -> bool {
        match self.process {
            Process::Here => false,
            Process::Gone => true,
            Process::Unnamed => matches!(self.terminal, Terminal::Gone | Terminal::Another),
        }
    }

    /// Whether process and pty are both gone, so that no one's record is lost if this is
    /// closed. Only ptys are ever said to be gone: other lines need not be devices.
    pub fn is_ghost(&self) -> bool {
        self.line.starts_with(b"pts/")
            && self.process == Process::Gone
            && matches!(self.terminal, Terminal::Gone | Terminal::Another)
    }
}

/// Who is on, and what stood in the way of finding out.
#[derive(Debug, Default)]
pub struct Now {
    /// The sessions, in the order of their records.
    pub sessions: Vec<OnNow>,
    /// When the machine booted, if a store says so.
    pub boot: Option<Time>,
    /// Bytes that are no records.
    pub warnings: Vec<Warning>,
    /// Stores that could not be read.
    pub failed: Vec<Error>,
}

/// The sessions of these stores that have not ended, stale ones among them.
pub fn sessions(stores: &Stores) -> Now {
    let mut now = Now::default();
    let mut machine = Machine::default();
    for path in &stores.utmp {
        if let Err(error) = of_file(path, &mut machine, &mut now) {
            now.failed.push(error);
        }
    }
    if let Some(socket) = &stores.utmps {
        match utmps::records(socket) {
            Ok(entries) => {
                for entry in entries {
                    note(&entry, socket.clone(), &mut machine, &mut now);
                }
            }
            Err(error) => now.failed.push(error),
        }
    }
    #[cfg(feature = "wtmpdb")]
    for path in &stores.wtmpdb {
        match crate::wtmpdb::open_sessions(path) {
            Ok(open) => open.into_iter().rev().for_each(|session| {
                let one = OnNow {
                    process: Process::Unnamed,
                    terminal: machine.terminal(&session.line, &session.user),
                    user: session.user,
                    line: session.line,
                    host: session.host,
                    pid: None,
                    login: session.login,
                    entry: None,
                    stores: vec![path.clone()],
                };
                add(one, &mut now);
            }),
            Err(error) => now.failed.push(error),
        }
    }
    #[cfg(not(feature = "wtmpdb"))]
    now.failed.extend(stores.wtmpdb.iter().cloned().map(Error::Unknown));
    now
}

fn of_file(path: &std::path::Path, machine: &mut Machine, now: &mut Now) -> Result<(), Error> {
    let input = Input::open(path)?;
    let layout = detect(&input)?.layout;
    let mut records = Forward::new(input, layout);
    let source = std::sync::Arc::new(path.to_owned());
    while let Some(found) = records.next()? {
        match found {
            Found::Record { raw, .. } if matches!(raw.kind(), Kind::User | Kind::Boot) => {
                note(&raw.entry(), path.to_owned(), machine, now);
            }
            Found::Record { .. } => {}
            Found::Foreign { offset, length } => {
                now.warnings.push(Warning { path: source.clone(), offset, length });
            }
        }
    }
    Ok(())
}

fn note(entry: &Entry, store: PathBuf, machine: &mut Machine, now: &mut Now) {
    match entry.kind() {
        Kind::Boot => now.boot = Some(entry.time()),
        // As who(1): a record without a name is no session.
        Kind::User if !entry.user().is_empty() => {
            let one = OnNow {
                user: entry.user().to_vec(),
                line: entry.line().to_vec(),
                host: entry.host().to_vec(),
                pid: Some(entry.pid()),
                login: entry.time(),
                process: machine.process(entry.pid(), entry.time()),
                terminal: machine.terminal(entry.line(), entry.user()),
                entry: Some(*entry),
                stores: vec![store],
            };
            add(one, now);
        }
        _ => {}
    }
}

/// Adds a session, or another store's word of it.
fn add(one: OnNow, now: &mut Now) {
    let same = |other: &&mut OnNow| {
        is_same(&other.user, &one.user)
            && is_same(&other.line, &one.line)
            && !other.stores.contains(&one.stores[0])
    };
    match now.sessions.iter_mut().find(same) {
        Some(other) => other.stores.extend(one.stores),
        None => now.sessions.push(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use login_records::Layout;

    #[test]
    fn the_sessions_of_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("utmp");
        let own = std::process::id() as i32;
        let at = |kind, line: &str, pid| {
            Entry::new(kind).with_line(line).with_user("root").with_pid(pid).with_time(Time::now())
        };
        let entries = [
            at(Kind::Boot, "~", 0).with_user("reboot"),
            at(Kind::LoginPrompt, "tty1", own).with_user("LOGIN"),
            at(Kind::User, "pts/999999", own),
            at(Kind::User, "pts/999998", i32::MAX),
            at(Kind::Dead, "pts/999997", own),
            at(Kind::User, ":0", i32::MAX),
        ];
        let bytes: Vec<u8> = entries
            .iter()
            .flat_map(|entry| {
                Layout::NATIVE.encode(entry.record())[..Layout::NATIVE.size()].to_vec()
            })
            .collect();
        std::fs::write(&path, bytes).unwrap();
        let now = sessions(&Stores { utmp: vec![path], ..Stores::default() });
        assert!(now.boot.is_some() && now.failed.is_empty() && now.warnings.is_empty());
        let seen: Vec<_> = now
            .sessions
            .iter()
            .map(|one| (one.line.as_slice(), one.is_stale(), one.is_ghost()))
            .collect();
        assert_eq!(
            seen,
            [(&b"pts/999999"[..], false, false), (b"pts/999998", true, true), (b":0", true, false)]
        );
    }
}

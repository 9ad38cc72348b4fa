//! What has to be known after a restart: the sessions that are watched, in a file beside the
//! socket. It lies on a tmpfs, and a slot is written in one piece within one page of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use login_records::{Layout, Record, Time, USER_PROCESS};

use crate::process::Identity;

/// Bytes of a slot.
const SIZE: usize = 512;
/// The records here are of one layout on every machine.
const LAYOUT: Layout = Layout::TIME64;

/// A session, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    pub login: Record,
    pub uid: u32,
    pub process: Identity,
    /// When the pty's node was made, or had last changed: another node's is later, whatever
    /// the clock has been set to since, and no other clock is asked.
    pub changed: Time,
    /// The login has reached utmp and wtmp.
    pub written: bool,
    /// When it ended; until then it is watched, from then on only wtmpdb is waited for.
    pub logout: Option<Time>,
    /// Its entry in wtmpdb.
    pub entry: Option<i64>,
}

/// The file, and which of its slots are free.
pub struct State {
    file: File,
    free: Vec<usize>,
    slots: usize,
}

impl State {
    /// Opens the file; what it holds comes with it.
    ///
    /// # Errors
    ///
    /// As open(2) and read(2).
    pub fn open(path: &Path) -> io::Result<(State, Vec<(usize, Saved)>)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(libc::O_NOFOLLOW).open(path)?;
        let slots = file.metadata()?.len() as usize / SIZE;
        let (mut used, mut free) = (Vec::new(), Vec::new());
        for slot in 0..slots {
            let mut bytes = [0; SIZE];
            file.read_exact_at(&mut bytes, (slot * SIZE) as u64)?;
            match decode(&bytes) {
                Some(saved) => used.push((slot, saved)),
                None => free.push(slot),
            }
        }
        Ok((State { file, free, slots }, used))
    }

    /// Takes a free slot.
    pub fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        })
    }

    /// Keeps a session.
    ///
    /// # Errors
    ///
    /// As write(2).
    pub fn save(&self, slot: usize, saved: &Saved) -> io::Result<()> {
        self.file.write_all_at(&encode(saved), (slot * SIZE) as u64)
    }

    /// Gives a slot back.
    ///
    /// # Errors
    ///
    /// As write(2); the slot is given back all the same.
    pub fn free(&mut self, slot: usize) -> io::Result<()> {
        self.free.push(slot);
        self.file.write_all_at(&[0; SIZE], (slot * SIZE) as u64)
    }
}

fn encode(saved: &Saved) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let mut all = Vec::with_capacity(SIZE);
    all.extend_from_slice(&LAYOUT.encode(&saved.login));
    all.extend_from_slice(&saved.process.0.to_ne_bytes());
    all.extend_from_slice(&saved.logout.map_or(0, microseconds).to_ne_bytes());
    all.extend_from_slice(&saved.entry.unwrap_or(0).to_ne_bytes());
    all.extend_from_slice(&saved.uid.to_ne_bytes());
    all.push(saved.written.into());
    all.extend_from_slice(&saved.changed.sec.to_ne_bytes());
    all.extend_from_slice(&saved.changed.usec.to_ne_bytes());
    bytes[..all.len()].copy_from_slice(&all);
    bytes
}

fn decode(bytes: &[u8; SIZE]) -> Option<Saved> {
    let login = LAYOUT.decode(bytes).filter(|record| record.ut_type == USER_PROCESS)?;
    let at = LAYOUT.size();
    let number = |n: usize| bytes[at + 8 * n..][..8].try_into().map(i64::from_ne_bytes);
    let logout = number(1).ok()?;
    Some(Saved {
        login,
        process: Identity(number(0).ok()? as u64),
        logout: (logout != 0).then(|| time(logout)),
        entry: number(2).ok().filter(|id| *id != 0),
        uid: bytes[at + 24..][..4].try_into().map(u32::from_ne_bytes).ok()?,
        written: bytes[at + 28] != 0,
        changed: Time {
            sec: bytes[at + 29..][..8].try_into().map(i64::from_ne_bytes).ok()?,
            usec: bytes[at + 37..][..4].try_into().map(i32::from_ne_bytes).ok()?,
        },
    })
}

/// Microseconds since 1970.
pub fn microseconds(time: Time) -> i64 {
    time.sec * 1_000_000 + i64::from(time.usec)
}

fn time(microseconds: i64) -> Time {
    let usec = microseconds.rem_euclid(1_000_000) as i32;
    Time { sec: microseconds.div_euclid(1_000_000), usec }
}

#[cfg(test)]
mod tests {
    use super::*;
    use login_records::{Line, Session};

    fn saved(number: u32) -> Saved {
        let session = Session { line: Line::pts(number), pid: 7, user: b"alice", host: b"here" };
        Saved {
            login: session.login(Time { sec: 1_700_000_000, usec: 5 }),
            uid: 4_000_000_000,
            process: Identity(u64::MAX),
            changed: Time { sec: -1, usec: 7 },
            written: true,
            logout: None,
            entry: Some(i64::MAX),
        }
    }

    #[test]
    fn sessions_are_there_after_a_restart() {
        let path = std::env::temp_dir().join(format!("utempterd-state-{}", std::process::id()));
        let (mut state, none) = State::open(&path).unwrap();
        assert!(none.is_empty());
        let ended = Saved { logout: Some(Time { sec: 9, usec: 999_999 }), entry: None, ..saved(2) };
        for (n, saved) in [saved(0), saved(1), ended].iter().enumerate() {
            assert_eq!(state.take(), n);
            state.save(n, saved).unwrap();
        }
        state.free(1).unwrap();
        drop(state);
        let (mut state, used) = State::open(&path).unwrap();
        assert_eq!(used, [(0, saved(0)), (2, ended)]);
        assert_eq!((state.take(), state.take()), (1, 3));
        std::fs::remove_file(&path).unwrap();
    }
}

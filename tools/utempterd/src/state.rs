//! What has to be known after a restart: the sessions that are watched, in a file beside the
//! socket. It lies on a tmpfs, and a slot is written in one piece within one page of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use login_records::{Layout, Line, Record, Time, USER_PROCESS};

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

/// The kernel's number of one run of the machine, as it writes it.
pub type Boot = [u8; 36];

/// What the file begins with, in place of a slot; the boot comes after it.
const HEAD: &[u8] = b"utempterd sessions 1\n";
/// More slots than there can be ptys.
const MOST: usize = 1 << 20;

/// The file, and which of its slots are free.
pub struct State {
    file: File,
    boot: Option<Boot>,
    free: Vec<usize>,
    slots: usize,
}

/// What was in the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub used: Vec<(usize, Saved)>,
    /// As far as can be known.
    pub is_of_this_boot: bool,
    /// What was wrong with it.
    pub damage: Option<&'static str>,
}

impl State {
    /// Opens the file; what it holds comes with it.
    ///
    /// # Errors
    ///
    /// As open(2) and read(2).
    pub fn open(path: &Path, boot: Option<Boot>) -> io::Result<(State, Found)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(libc::O_NOFOLLOW).open(path)?;
        let mut found = Found { is_of_this_boot: true, ..Found::default() };
        let length = file.metadata()?.len();
        let mut state = State { file, boot, free: Vec::new(), slots: 0 };
        if length == 0 {
            return Ok((state, found));
        }
        let Some(head) = state.read(0)?.filter(|head| head.starts_with(HEAD)) else {
            found.damage = Some("not a file of this utempterd");
            state.file.set_len(0)?;
            return Ok((state, found));
        };
        let written = &head[HEAD.len()..][..size_of::<Boot>()];
        let is_other = |boot: &Boot| written != boot && written[0] != 0;
        found.is_of_this_boot = !boot.as_ref().is_some_and(is_other);
        state.slots = (length as usize / SIZE - 1).min(MOST);
        if length != ((state.slots + 1) * SIZE) as u64 {
            found.damage = Some("cut off, or too long");
            state.file.set_len(((state.slots + 1) * SIZE) as u64)?;
        }
        for slot in 0..state.slots {
            let bytes = state.read(at(slot))?.unwrap_or([0; SIZE]);
            match decode(&bytes) {
                Some(saved) => found.used.push((slot, saved)),
                None if bytes == [0; SIZE] => state.free.push(slot),
                None => {
                    found.damage = Some("not all of it is sessions");
                    state.free(slot)?;
                }
            }
        }
        Ok((state, found))
    }

    /// A slot's bytes; `None` where the file ends before.
    fn read(&self, offset: u64) -> io::Result<Option<[u8; SIZE]>> {
        let mut bytes = [0; SIZE];
        match self.file.read_exact_at(&mut bytes, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            read => read.map(|()| Some(bytes)),
        }
    }

    /// From now on it is this boot's: what was found has been settled.
    ///
    /// # Errors
    ///
    /// As write(2).
    pub fn begin(&self) -> io::Result<()> {
        let mut head = [0; SIZE];
        head[..HEAD.len()].copy_from_slice(HEAD);
        let boot = self.boot.unwrap_or([0; size_of::<Boot>()]);
        head[HEAD.len()..][..boot.len()].copy_from_slice(&boot);
        self.file.write_all_at(&head, 0)
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
        self.file.write_all_at(&encode(saved), at(slot))
    }

    /// Gives a slot back.
    ///
    /// # Errors
    ///
    /// As write(2); the slot is given back all the same.
    pub fn free(&mut self, slot: usize) -> io::Result<()> {
        self.free.push(slot);
        self.file.write_all_at(&[0; SIZE], at(slot))
    }
}

fn at(slot: usize) -> u64 {
    ((slot + 1) * SIZE) as u64
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
    Line::from_name(&login.line)?;
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
    use login_records::Session;

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

    const BOOT: Option<Boot> = Some([b'b'; 36]);

    struct Test(std::path::PathBuf);

    impl Test {
        fn new(name: &str) -> Test {
            let name = format!("utempterd-state-{name}-{}", std::process::id());
            Test(std::env::temp_dir().join(name))
        }

        fn open(&self) -> (State, Found) {
            State::open(&self.0, BOOT).unwrap()
        }
    }

    impl Drop for Test {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }

    /// A file with two sessions.
    fn filled(name: &str) -> Test {
        let test = Test::new(name);
        let (mut state, _) = test.open();
        for n in 0..2 {
            let slot = state.take();
            state.save(slot, &saved(n)).unwrap();
        }
        state.begin().unwrap();
        test
    }

    #[test]
    fn sessions_are_there_after_a_restart() {
        let test = Test::new("restart");
        let (mut state, none) = test.open();
        assert_eq!(none, Found { is_of_this_boot: true, ..Found::default() });
        state.begin().unwrap();
        let ended = Saved { logout: Some(Time { sec: 9, usec: 999_999 }), entry: None, ..saved(2) };
        for (n, saved) in [saved(0), saved(1), ended].iter().enumerate() {
            assert_eq!(state.take(), n);
            state.save(n, saved).unwrap();
        }
        state.free(1).unwrap();
        drop(state);
        let (mut state, found) = test.open();
        assert_eq!(found.used, [(0, saved(0)), (2, ended)]);
        assert_eq!((found.is_of_this_boot, found.damage), (true, None));
        assert_eq!((state.take(), state.take()), (1, 3));
    }

    #[test]
    fn sessions_of_another_boot_are_known_as_such() {
        let test = filled("boot");
        for (boot, is_this) in [(BOOT, true), (None, true), (Some([b'c'; 36]), false)] {
            let (_, found) = State::open(&test.0, boot).unwrap();
            assert_eq!((found.used.len(), found.is_of_this_boot), (2, is_this));
        }
        let (state, _) = State::open(&test.0, Some([b'c'; 36])).unwrap();
        state.begin().unwrap();
        assert!(!test.open().1.is_of_this_boot);
    }

    #[test]
    fn what_is_no_session_is_told_once_and_written_over() {
        let whole = std::fs::read(&filled("whole").0).unwrap();
        let with = |at: usize, bytes: &[u8]| {
            let mut damaged = whole.clone();
            damaged[at..][..bytes.len()].copy_from_slice(bytes);
            damaged
        };
        for (bytes, left) in [
            (whole[..1].to_vec(), 0),
            (whole[..SIZE - 1].to_vec(), 0),
            (whole[..3 * SIZE - 1].to_vec(), 1),
            ([&whole[..], b"x"].concat(), 2),
            (with(0, b"utempterd sessions 0"), 0),
            (with(0, &[0xa5; 3 * SIZE]), 0),
            (with(SIZE, &[0xa5; SIZE]), 1),
            // A session by its type, of no line.
            (with(SIZE + 8, &[0xa5; 32]), 1),
            // As it was before it had a head.
            (whole[SIZE..].to_vec(), 0),
        ] {
            let test = Test::new("damaged");
            std::fs::write(&test.0, &bytes).unwrap();
            let (state, found) = test.open();
            assert_eq!(found.used.len(), left);
            assert!(found.damage.is_some());
            state.begin().unwrap();
            let (_, again) = test.open();
            assert_eq!((again.used.len(), again.damage), (left, None));
        }
    }
}

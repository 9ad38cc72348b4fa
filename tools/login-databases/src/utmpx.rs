//! Stepping, finding and putting, as POSIX's `utmpx.h` and macOS's extensions have it.

use std::io;
use std::path::{Path, PathBuf};

use login_records::store::{Patience, UTMP_PATH, Utmp, Wtmp};
use login_records::{Layout, Record, Time};
use nix::libc::{EACCES, EINVAL, ENOENT, EPERM, EROFS};
use nix::unistd::{User, getuid, ttyname};

use crate::detect;
use crate::entry::Entry;
use crate::error::Error;
use crate::input::Input;
use crate::kind::Kind;
use crate::login::{open, os_error};
use crate::walk::{Forward, Found};

/// A file of records, with a place in it.
///
/// | POSIX, macOS | here |
/// |---|---|
/// | `setutxent`, `endutxent` | [`Utmpx::rewind`], drop |
/// | `getutxent` | [`Utmpx::next`] |
/// | `getutxid` | [`Utmpx::by_kind`], [`Utmpx::by_id`] |
/// | `getutxline` | [`Utmpx::by_line`] |
/// | `pututxline` | [`Utmpx::put`] |
/// | `UTMPX_AUTOFILL_MASK` | [`Utmpx::put_filled`] |
/// | `UTMPX_DEAD_IF_CORRESPONDING_MASK` | [`Utmpx::logout`] |
///
/// There is no state shared between threads, and no limit to how many are open.
///
/// ```
/// use login_databases::{Entry, Kind, Utmpx};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("utmp");
/// # std::fs::write(&path, "")?;
/// let mut utmp = Utmpx::open(&path)?;
/// utmp.put_filled(&Entry::new(Kind::User).with_line("pts/3").with_user("alice"))?;
///
/// utmp.rewind()?;
/// let entry = utmp.by_line("pts/3")?.expect("it has been put");
/// assert_eq!(entry.pid(), std::process::id() as i32);
///
/// utmp.logout(&Entry::new(Kind::Dead).with_line("pts/3"))?;
/// let again = utmp.logout(&Entry::new(Kind::Dead).with_line("pts/3"));
/// assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Utmpx {
    path: PathBuf,
    layout: Layout,
    records: Forward,
}

impl Utmpx {
    /// This machine's utmp.
    ///
    /// # Errors
    ///
    /// As [`Utmpx::open`].
    pub fn of_this_machine() -> io::Result<Utmpx> {
        Utmpx::open(UTMP_PATH)
    }

    /// A file of records: a utmp, or a wtmp for reading.
    ///
    /// # Errors
    ///
    /// As open(2); `InvalidData` for what is no file of records.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Utmpx> {
        let path = path.as_ref();
        let input = Input::open(path).map_err(plain)?;
        let layout = detect(&input).map_err(plain)?.layout;
        Ok(Utmpx { path: path.to_owned(), layout, records: Forward::new(input, layout) })
    }

    /// Back to the first record, of the file as it is now.
    ///
    /// # Errors
    ///
    /// As [`Utmpx::open`].
    pub fn rewind(&mut self) -> io::Result<()> {
        *self = Utmpx::open(&self.path)?;
        Ok(())
    }

    /// The next record; `None` behind the last. Bytes that are none are passed over.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    #[allow(clippy::should_implement_trait)] // It is: by `entries`.
    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        loop {
            match self.records.next().map_err(plain)? {
                Some(Found::Record { raw, .. }) => return Ok(Some(raw.entry())),
                Some(Found::Foreign { .. }) => {}
                None => return Ok(None),
            }
        }
    }

    /// The records from here on.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("utmp");
    /// # std::fs::write(&path, "")?;
    /// for entry in login_databases::Utmpx::open(&path)?.entries() {
    ///     println!("{:?}", entry?);
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn entries(&mut self) -> impl Iterator<Item = io::Result<Entry>> {
        std::iter::from_fn(|| self.next().transpose())
    }

    /// The next record of a kind: a boot, say.
    ///
    /// # Errors
    ///
    /// As [`Utmpx::next`].
    pub fn by_kind(&mut self, kind: Kind) -> io::Result<Option<Entry>> {
        self.find(|entry| entry.kind() == kind)
    }

    /// The next record of a process, live or dead, with this id.
    ///
    /// # Errors
    ///
    /// As [`Utmpx::next`].
    pub fn by_id(&mut self, id: &[u8]) -> io::Result<Option<Entry>> {
        self.find(|entry| entry.record().is_process() && entry.id() == id)
    }

    /// The next record of a session or a login prompt on this line, with or without `/dev/`.
    ///
    /// # Errors
    ///
    /// As [`Utmpx::next`].
    pub fn by_line(&mut self, line: &str) -> io::Result<Option<Entry>> {
        let line = line.strip_prefix("/dev/").unwrap_or(line).as_bytes();
        self.find(|entry| {
            matches!(entry.kind(), Kind::User | Kind::LoginPrompt) && entry.line() == line
        })
    }

    fn find(&mut self, wanted: impl Fn(&Entry) -> bool) -> io::Result<Option<Entry>> {
        while let Some(entry) = self.next()? {
            if wanted(&entry) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Puts a record into the place of the one it succeeds, or at the end, and gives it back
    /// as it was written. The next [`Utmpx::next`] gives the first record.
    ///
    /// A process succeeds the one of the same line (of the same id, where it has no line); a
    /// boot the last boot, and so on. glibc goes by the id alone, and so writes over records
    /// of other lines.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a kind that cannot be put, and for a file of another machine's layout;
    /// `EPERM` without the privilege; `ENOENT` where the file does not exist; others as
    /// write(2) gives them.
    pub fn put(&mut self, entry: &Entry) -> io::Result<Entry> {
        let by_line = match entry.kind() {
            Kind::Init | Kind::LoginPrompt | Kind::User | Kind::Dead => !entry.line().is_empty(),
            Kind::RunLevel | Kind::Boot | Kind::NewTime | Kind::OldTime => false,
            Kind::Empty | Kind::Accounting | Kind::Other(_) => return Err(error(EINVAL)),
        };
        let file = self.for_writing()?;
        let mut patience = Patience::default();
        if by_line {
            Utmp(&file).put(entry.record(), &mut patience).map_err(os_error)?;
        } else {
            self.rewind()?;
            let record = entry.record();
            let process = record.is_process();
            let old = self.find(|old| match process {
                true => old.record().is_process() && old.id() == entry.id(),
                false => old.kind() == entry.kind(),
            })?;
            let replaced = match old {
                Some(old) => Utmp(&file).put_instead(old.record(), record, &mut patience),
                None => Ok(false),
            };
            if !replaced.map_err(os_error)? {
                Wtmp(&file).append(record, &mut patience).map_err(os_error)?;
            }
        }
        self.rewind()?;
        Ok(*entry)
    }

    /// As [`Utmpx::put`], after what is missing has been filled in: the time; for processes
    /// the pid (this one's) and the id; for a session the user (this one's) and the line
    /// (the terminal of descriptor 0, 1 or 2).
    ///
    /// # Errors
    ///
    /// As [`Utmpx::put`]; `EINVAL` too where something is missing that is not to be had.
    pub fn put_filled(&mut self, entry: &Entry) -> io::Result<Entry> {
        self.put(&filled(entry)?)
    }

    /// Ends a session: the one on the entry's line (of its id, where it has no line), and of
    /// its process, where it names one. Its host and user stay as they are.
    ///
    /// # Errors
    ///
    /// `EINVAL` where no such session is on; others as [`Utmpx::put`].
    pub fn logout(&mut self, entry: &Entry) -> io::Result<Entry> {
        let file = self.for_writing()?;
        self.rewind()?;
        let live = self.find(|live| {
            let place = match entry.line() {
                b"" => !entry.id().is_empty() && live.id() == entry.id(),
                line => live.line() == line,
            };
            live.kind() == Kind::User && place && (entry.pid() == 0 || live.pid() == entry.pid())
        })?;
        let Some(live) = live else {
            return Err(error(EINVAL));
        };
        let time = if entry.time() == UNSET { Time::now() } else { entry.time() };
        let ended = Entry(Record { ut_type: Kind::Dead.ut_type(), time, ..*live.record() });
        match Utmp(&file).put_instead(live.record(), ended.record(), &mut Patience::default()) {
            Ok(true) => {}
            // Ended by somebody else in between.
            Ok(false) => return Err(error(EINVAL)),
            Err(errno) => return Err(os_error(errno)),
        }
        self.rewind()?;
        Ok(ended)
    }

    fn for_writing(&self) -> io::Result<login_records::store::RecordFile> {
        if self.layout != Layout::NATIVE {
            return Err(error(EINVAL));
        }
        match open(&self.path) {
            Ok(Some(file)) => Ok(file),
            Ok(None) => Err(error(ENOENT)),
            Err(refused) if matches!(refused.raw_os_error(), Some(EACCES | EROFS)) => {
                Err(error(EPERM))
            }
            Err(error) => Err(error),
        }
    }
}

const UNSET: Time = Time { sec: 0, usec: 0 };

fn filled(entry: &Entry) -> io::Result<Entry> {
    let mut entry = *entry;
    if entry.time() == UNSET {
        entry = entry.with_time(Time::now());
    }
    if !entry.record().is_process() {
        return Ok(entry);
    }
    if entry.pid() == 0 {
        entry = entry.with_pid(std::process::id() as i32);
    }
    if entry.kind() == Kind::User {
        if entry.line().is_empty() {
            let id = entry.record().id;
            entry = entry.with_line(&own_line()?);
            if id != [0; 4] {
                entry = entry.with_id(&id);
            }
        }
        if entry.user().is_empty() {
            let user = User::from_uid(getuid()).ok().flatten().ok_or_else(|| error(EINVAL))?;
            entry = entry.with_user(user.name);
        }
    }
    if entry.id().is_empty() && !entry.line().is_empty() {
        entry = entry.with_id(&login_records::ut_id(&entry.record().line));
    }
    Ok(entry)
}

fn own_line() -> io::Result<String> {
    let name = ttyname(io::stdin())
        .or_else(|_| ttyname(io::stdout()))
        .or_else(|_| ttyname(io::stderr()))
        .map_err(|_| error(EINVAL))?;
    name.into_os_string().into_string().map_err(|_| error(EINVAL))
}

fn error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

fn plain(error: Error) -> io::Error {
    match error {
        Error::Io(_, error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utmp() -> (tempfile::TempDir, Utmpx) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("utmp");
        std::fs::write(&path, "").unwrap();
        let utmp = Utmpx::open(&path).unwrap();
        (directory, utmp)
    }

    fn kinds(utmp: &mut Utmpx) -> Vec<(Kind, i32)> {
        utmp.rewind().unwrap();
        utmp.entries()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.kind(), entry.pid()))
            .collect()
    }

    fn on(line: &str, pid: i32) -> Entry {
        Entry::new(Kind::User).with_line(line).with_user("alice").with_pid(pid)
    }

    #[test]
    fn each_has_one_place() {
        let (_directory, mut utmp) = utmp();
        let boot = Entry::new(Kind::Boot).with_line("~").with_user("reboot");
        let init = |id: &[u8], pid| Entry::new(Kind::Init).with_id(id).with_pid(pid);
        for entry in [boot.with_pid(1), on("pts/1", 1), init(b"si", 1), init(b"l2", 1)] {
            utmp.put(&entry).unwrap();
        }
        for entry in [boot.with_pid(2), on("pts/1", 2), init(b"si", 2)] {
            utmp.put(&entry).unwrap();
        }
        let expected = [(Kind::Boot, 2), (Kind::User, 2), (Kind::Init, 2), (Kind::Init, 1)];
        assert_eq!(kinds(&mut utmp), expected);
    }

    #[test]
    fn finders_go_forward_from_where_one_is() {
        let (_directory, mut utmp) = utmp();
        for (line, pid) in [("pts/1", 1), ("pts/2", 2), ("pts/3", 3)] {
            utmp.put(&on(line, pid)).unwrap();
        }
        utmp.put(&Entry::new(Kind::Dead).with_line("pts/2").with_pid(2)).unwrap();
        assert_eq!(utmp.by_id(b"ts/2").unwrap().unwrap().kind(), Kind::Dead);
        assert_eq!(utmp.by_line("/dev/pts/1").unwrap(), None);
        utmp.rewind().unwrap();
        assert_eq!(utmp.by_line("pts/2").unwrap(), None, "a dead session is found by no line");
        utmp.rewind().unwrap();
        assert_eq!(utmp.by_line("pts/3").unwrap().unwrap().pid(), 3);
        assert_eq!(utmp.next().unwrap(), None);
        assert_eq!(utmp.by_kind(Kind::Boot).unwrap(), None);
    }

    #[test]
    fn a_logout_needs_a_login() {
        let (_directory, mut utmp) = utmp();
        let errno = |result: io::Result<Entry>| result.unwrap_err().raw_os_error();
        let logout = Entry::new(Kind::Dead).with_line("pts/1");
        assert_eq!(errno(utmp.logout(&logout)), Some(EINVAL));
        utmp.put(&on("pts/1", 7).with_host("there")).unwrap();
        assert_eq!(errno(utmp.logout(&logout.with_pid(8))), Some(EINVAL));
        let ended = utmp.logout(&logout.with_pid(7)).unwrap();
        assert_eq!((ended.user(), ended.host()), (&b"alice"[..], &b"there"[..]));
        assert!((ended.time().sec - Time::now().sec).abs() < 60);
        assert_eq!(errno(utmp.logout(&logout)), Some(EINVAL));
        assert_eq!(kinds(&mut utmp), [(Kind::Dead, 7)]);
    }

    #[test]
    fn what_cannot_be_put_is_refused() {
        let (directory, mut utmp) = utmp();
        let errno = |result: io::Result<Entry>| result.unwrap_err().raw_os_error();
        for kind in [Kind::Empty, Kind::Accounting, Kind::Other(77)] {
            assert_eq!(errno(utmp.put(&Entry::new(kind))), Some(EINVAL));
        }
        let foreign =
            if Layout::NATIVE == Layout::TIME32 { Layout::TIME64 } else { Layout::TIME32 };
        let path = directory.path().join("foreign");
        let entry = on("pts/1", 1).with_time(Time { sec: 1_700_000_000, usec: 5 });
        std::fs::write(&path, &foreign.encode(entry.record())[..foreign.size()]).unwrap();
        assert_eq!(errno(Utmpx::open(&path).unwrap().put(&on("pts/1", 1))), Some(EINVAL));
        std::fs::remove_file(directory.path().join("utmp")).unwrap();
        assert_eq!(errno(utmp.put(&on("pts/1", 1))), Some(ENOENT));
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        let (_directory, mut utmp) = utmp();
        let put = utmp.put_filled(&Entry::new(Kind::User).with_line("tty9")).unwrap();
        let user = User::from_uid(getuid()).unwrap().unwrap();
        assert_eq!(put.user(), user.name.as_bytes());
        assert_eq!(put.id(), b"tty9");
        assert_eq!(put.pid(), std::process::id() as i32);
        assert!((put.time().sec - Time::now().sec).abs() < 60);
        let boot = utmp.put_filled(&Entry::new(Kind::Boot)).unwrap();
        assert_eq!(boot.pid(), 0);
        assert!(boot.time() != UNSET);
    }
}

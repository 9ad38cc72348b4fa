//! Who has been: sessions from all the files of a history, newest first.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use login_records::{Time, store};

use crate::detect;
use crate::entry::Raw;
use crate::error::Error;
use crate::input::Input;
use crate::machine::Machine;
use crate::pairing::{Pairing, Step};
use crate::session::{End, Session, What};
use crate::sources::Source;
#[cfg(feature = "wtmpdb")]
use crate::sources::is_socket;
use crate::text::is_same;
use crate::walk::{Backward, Found};

/// Which sessions are wanted. Empty lists stand for everybody and everywhere.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of these users.
    pub users: Vec<Vec<u8>>,
    /// On these lines (`pts/3`; `3` stands for `tty3`).
    pub lines: Vec<Vec<u8>>,
    /// Begun at this time or later, in seconds since 1970.
    pub since: Option<i64>,
    /// Begun at this time or earlier.
    pub until: Option<i64>,
    /// Shutdowns, run levels and changes of the clock too.
    pub system: bool,
}

impl Filter {
    fn takes<'a>(
        &self,
        what: What,
        user: impl FnOnce() -> &'a [u8],
        line: impl FnOnce() -> &'a [u8],
        login: Time,
    ) -> bool {
        let is_user = |wanted: &[Vec<u8>]| {
            let user = user();
            wanted.iter().any(|wanted| wanted == user)
        };
        let is_here = |wanted: &[Vec<u8>]| {
            let line = line();
            wanted.iter().any(|wanted| is_line(line, wanted))
        };
        let system = matches!(what, What::Login | What::Boot) || self.system;
        system
            && self.since.is_none_or(|since| login.sec >= since)
            && self.until.is_none_or(|until| login.sec <= until)
            && (self.users.is_empty() || is_user(&self.users))
            && (self.lines.is_empty() || is_here(&self.lines))
    }
}

fn is_line(line: &[u8], wanted: &[u8]) -> bool {
    let wanted = wanted.strip_prefix(b"/dev/").unwrap_or(wanted);
    line == wanted || line.strip_prefix(b"tty") == Some(wanted)
}

/// Something in a file that a reader should know of, and that does not end the reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub path: Arc<PathBuf>,
    /// Where the bytes that are no record begin.
    pub offset: u64,
    /// How many there are.
    pub length: u64,
}

/// The sessions of a history, newest first.
///
/// Files of records are read backwards, whatever their layout and packing; a file of wtmpdb
/// in pages. What both have is given once.
///
/// ```
/// use login_databases::{End, Entry, History, Kind, Layout, Time};
///
/// # let directory = tempfile::tempdir()?;
/// # let wtmp = directory.path().join("wtmp");
/// let at = |kind, sec| Entry::new(kind).with_line("pts/3").with_time(Time { sec, usec: 0 });
/// let mut bytes = Vec::new();
/// for entry in [at(Kind::User, 1_700_000_000).with_user("alice"), at(Kind::Dead, 1_700_000_060)] {
///     bytes.extend_from_slice(&Layout::NATIVE.encode(entry.record())[..Layout::NATIVE.size()]);
/// }
/// std::fs::write(&wtmp, bytes)?;
///
/// let sessions: Vec<_> = History::of(&[wtmp])?.collect::<Result<_, _>>()?;
/// assert_eq!(sessions[0].user, b"alice");
/// assert_eq!((sessions[0].end, sessions[0].seconds()), (End::Recorded, Some(60)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct History {
    filter: Filter,
    machine: Machine,
    /// Files still to be opened, the newest first.
    waiting: VecDeque<PathBuf>,
    current: Option<(Backward, Arc<PathBuf>)>,
    pairing: Pairing,
    warnings: Vec<Warning>,
    /// Bytes of the files that have been read to their end, and of all.
    done: u64,
    total: u64,
    #[cfg(feature = "wtmpdb")]
    database: crate::wtmpdb::Sessions,
    /// Whether there is no database that might have the same sessions.
    from_files_only: bool,
    /// The next session of each, the files' and the database's.
    next: [Option<Session>; 2],
    /// What has been given lately, to know a second copy by.
    lately: VecDeque<Session>,
}

impl History {
    /// This machine's: wtmp and wtmpdb, where they are.
    ///
    /// # Errors
    ///
    /// [`Error::Nowhere`] where there is neither; others where one cannot be read.
    pub fn of_this_machine() -> Result<History, Error> {
        History::of(&History::paths_of_this_machine()?)
    }

    /// Where this machine's history is: wtmp, and wtmpdb's file, or its daemon where the file
    /// cannot be read.
    ///
    /// # Errors
    ///
    /// [`Error::Nowhere`] where there is none.
    pub fn paths_of_this_machine() -> Result<Vec<PathBuf>, Error> {
        let mut paths = Source::Wtmp.paths();
        paths.extend(Source::wtmpdb());
        if paths.is_empty() {
            return Err(Error::Nowhere(format!(
                "no history of logins here: {} does not exist, nor is there wtmpdb",
                store::WTMP_PATH
            )));
        }
        Ok(paths)
    }

    /// These files', records or wtmpdb's, in any order; a socket is that of wtmpdb's daemon.
    ///
    /// # Errors
    ///
    /// Where one cannot be opened, or is neither.
    pub fn of(paths: &[impl AsRef<Path>]) -> Result<History, Error> {
        let mut files = Vec::new();
        #[cfg(feature = "wtmpdb")]
        let mut databases = Vec::new();
        let mut total = 0;
        for path in paths {
            #[cfg(feature = "wtmpdb")]
            if is_socket(path.as_ref()) {
                databases.push(path.as_ref().to_owned());
                continue;
            }
            let input = Input::open(path)?;
            if input.is_sqlite() {
                #[cfg(feature = "wtmpdb")]
                databases.push(input.path().to_owned());
                #[cfg(not(feature = "wtmpdb"))]
                return Err(Error::Unknown(input.path().to_owned()));
                #[cfg(feature = "wtmpdb")]
                continue;
            }
            let layout = detect(&input)?.layout;
            total += input.size();
            files.push((newest(input, layout)?, path.as_ref().to_owned()));
        }
        files.sort_by_key(|(newest, _)| std::cmp::Reverse(*newest));
        #[cfg(feature = "wtmpdb")]
        let from_files_only = databases.is_empty();
        #[cfg(not(feature = "wtmpdb"))]
        let from_files_only = true;
        Ok(History {
            from_files_only,
            filter: Filter::default(),
            machine: Machine::default(),
            waiting: files.into_iter().map(|(_, path)| path).collect(),
            current: None,
            pairing: Pairing::default(),
            warnings: Vec::new(),
            done: 0,
            total,
            #[cfg(feature = "wtmpdb")]
            database: crate::wtmpdb::Sessions::of(&databases)?,
            next: [None, None],
            lately: VecDeque::new(),
        })
    }

    /// With only such sessions.
    pub fn filtered(mut self, filter: Filter) -> History {
        self.filter = filter;
        self
    }

    /// What was found to be no record since this was last asked.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// How many bytes have been read, and of how many.
    pub fn progress(&self) -> (u64, u64) {
        let current = &self.current;
        let read = current.as_ref().map_or(0, |(file, _)| file.input().size() - file.position());
        (self.done + read, self.total)
    }

    fn next_of_files(&mut self, place: &mut Session) -> Result<bool, Error> {
        loop {
            let Some((file, path)) = &mut self.current else {
                let Some(path) = self.waiting.pop_front() else {
                    return Ok(false);
                };
                let input = Input::open(&path)?;
                let layout = detect(&input)?.layout;
                self.current = Some((Backward::new(input, layout), Arc::new(path)));
                continue;
            };
            let raw = match file.next()? {
                Some(Found::Record { raw, .. }) => raw,
                Some(Found::Foreign { offset, length }) => {
                    self.warnings.push(Warning { path: path.clone(), offset, length });
                    continue;
                }
                None => {
                    self.done += file.input().size();
                    self.current = None;
                    continue;
                }
            };
            let Some(step) = self.pairing.feed(raw) else {
                continue;
            };
            if !self.filter.takes(step.what, || raw.user(), || raw.line(), raw.time()) {
                continue;
            }
            fill(place, raw, step, &mut self.machine, path);
            return Ok(true);
        }
    }

    #[cfg(feature = "wtmpdb")]
    fn next_of_database(&mut self) -> Result<Option<Session>, Error> {
        while let Some(mut session) = self.database.next()? {
            if self.filter.takes(session.what, || &session.user, || &session.line, session.login) {
                if session.end == End::Open
                    && session.what == What::Login
                    && !self.machine.is_on(&session.user, &session.line, 0, session.login)
                {
                    session.end = End::Gone;
                }
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    #[cfg(not(feature = "wtmpdb"))]
    fn next_of_database(&mut self) -> Result<Option<Session>, Error> {
        Ok(None)
    }

    /// As `next`, into the memory of a session that is needed no more; says whether there is
    /// one. For those who read a million.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read.
    pub fn next_into(&mut self, place: &mut Session) -> Result<bool, Error> {
        if self.from_files_only {
            return self.next_of_files(place);
        }
        match self.advance()? {
            Some(session) => *place = session,
            None => return Ok(false),
        }
        Ok(true)
    }

    fn advance(&mut self) -> Result<Option<Session>, Error> {
        loop {
            if self.next[0].is_none() {
                let mut session = Session::default();
                self.next[0] = self.next_of_files(&mut session)?.then_some(session);
            }
            if self.next[1].is_none() {
                self.next[1] = self.next_of_database()?;
            }
            let newer = match &self.next {
                [Some(one), Some(other)] => usize::from(one.login.sec < other.login.sec),
                [None, Some(_)] => 1,
                [Some(_), None] => 0,
                [None, None] => return Ok(None),
            };
            let Some(session) = self.next[newer].take() else {
                return Ok(None);
            };
            if !self.is_second_copy(&session) {
                return Ok(Some(session));
            }
        }
    }

    /// Whether the other database has given this session already.
    fn is_second_copy(&mut self, session: &Session) -> bool {
        /// Seconds by which two writers of one session may be apart.
        const APART: i64 = 5;
        self.lately.retain(|other| other.login.sec.saturating_sub(session.login.sec) <= APART);
        let same = |other: &Session| {
            other.source != session.source
                && other.what == session.what
                && (other.what == What::Boot
                    || (is_same(&other.user, &session.user) && is_same(&other.line, &session.line)))
        };
        if let Some(at) = self.lately.iter().position(same) {
            self.lately.remove(at);
            return true;
        }
        self.lately.push_back(session.clone());
        false
    }
}

impl Iterator for History {
    type Item = Result<Session, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut session = Session::default();
        self.next_into(&mut session).map(|is_one| is_one.then_some(session)).transpose()
    }
}

/// Seconds of the newest record among the last few; files are read in this order.
fn newest(input: Input, layout: login_records::Layout) -> Result<i64, Error> {
    let mut file = Backward::new(input, layout);
    for _ in 0..16 {
        match file.next()? {
            Some(Found::Record { raw, .. }) if raw.time().sec != 0 => return Ok(raw.time().sec),
            Some(_) => {}
            None => break,
        }
    }
    Ok(0)
}

fn fill(
    slot: &mut Session,
    raw: Raw<'_>,
    step: Step,
    machine: &mut Machine,
    source: &Arc<PathBuf>,
) {
    let (user, line, pid, login) = (raw.user(), raw.line(), raw.pid(), raw.time());
    let open = step.end == End::Open && step.what == What::Login;
    let gone = open && !machine.is_on(user, line, pid, login);
    for (to, from) in [(&mut slot.user, user), (&mut slot.line, line), (&mut slot.host, raw.host())]
    {
        to.clear();
        to.extend_from_slice(from);
    }
    slot.what = step.what;
    slot.pid = Some(pid);
    slot.service = None;
    slot.login = login;
    slot.logout = step.logout;
    slot.end = if gone { End::Gone } else { step.end };
    slot.clock_change = step.clock_change;
    if !Arc::ptr_eq(&slot.source, source) {
        slot.source = source.clone();
    }
}

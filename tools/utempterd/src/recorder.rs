//! What records: one thing after the other, so that a line's logins and logouts keep their
//! order. It has a thread, which may wait for locks and daemons. Where nobody has to be waited
//! for and nothing is queued, the thread of the sockets records by itself: going by way of
//! another costs a sixth of the time.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Relaxed, Release},
};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use login_records::{Line, Record, Session, Slave, Time};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::client::Client;
use crate::log;
use crate::process::{self, Identity};
use crate::protocol::Operation;
use crate::state::{Boot, Found, Saved, State};
use crate::stores::{Stores, Written};
use crate::wtmpdb::Wtmpdb;

/// Something to be done.
pub enum Job {
    Record(Box<Asked>),
    /// The nodes of these ptys have been removed.
    Gone(Vec<u32>),
    /// Nodes have been removed, nobody knows which.
    SomeGone,
    /// wtmpdb has taken the login of a slot, on this pty, as this entry.
    Entered {
        slot: usize,
        line: u32,
        entry: i64,
    },
    /// wtmpdb needs no more of a slot.
    Closed(usize),
    /// Whether wtmpdb takes nothing, and will not by itself.
    Stuck(bool),
}

/// A request whose every word has been checked.
pub struct Asked {
    pub operation: Operation,
    pub slave: Slave,
    pub process: Identity,
    pub user: Vec<u8>,
    pub host: Vec<u8>,
    pub client: Client,
    /// What has been done of it at once.
    pub begun: Option<Begun>,
}

/// A record that is not in all its places yet.
pub struct Begun {
    now: Time,
    /// Of a login.
    slot: Option<usize>,
    in_wtmp: bool,
}

/// How much there is to do, for whoever decides to leave.
pub struct Load {
    /// Jobs sent and not done.
    pub jobs: AtomicUsize,
    /// Sessions that are watched, or that wtmpdb has not closed.
    pub sessions: AtomicUsize,
    /// Wakes the thread of the sockets.
    pub wake: EventFd,
    /// Whether it wants to know when there are no more sessions, since it may leave then.
    pub may_leave: bool,
}

impl Load {
    /// # Errors
    ///
    /// Where there are no more descriptors.
    pub fn new(may_leave: bool) -> nix::Result<Load> {
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Load { jobs: AtomicUsize::new(0), sessions: AtomicUsize::new(0), wake, may_leave })
    }
}

/// A session that is watched.
struct Watched {
    slave: Slave,
    slot: usize,
    saved: Saved,
}

/// The thread's own.
pub struct Recorder {
    stores: Stores,
    state: Option<State>,
    /// Slots of a broker that can keep nothing.
    next_slot: usize,
    wtmpdb: Wtmpdb,
    watched: HashMap<u32, Watched>,
    /// Ended, and waited for by wtmpdb only.
    ended: HashMap<usize, Saved>,
    /// These need not be waited for.
    stuck: bool,
    load: Arc<Load>,
}

impl Recorder {
    /// Takes up what an earlier broker has left.
    pub fn new(state: &Path, load: Arc<Load>, jobs: Sender<Job>) -> Recorder {
        let (state, found) = match State::open(state, boot()) {
            Ok((kept, found)) => {
                if let Some(damage) = &found.damage {
                    let path = state.display();
                    log::error(format_args!("{path}: {damage}; what it kept is watched no more"));
                }
                (Some(kept), found)
            }
            Err(error) => {
                log::error(format_args!("cannot keep {}: {error}", state.display()));
                (None, Found::default())
            }
        };
        let wtmpdb = Wtmpdb::new(jobs, Arc::clone(&load));
        let mut recorder = Recorder {
            stores: Stores::default(),
            state,
            next_slot: 0,
            wtmpdb,
            watched: HashMap::new(),
            ended: HashMap::new(),
            stuck: false,
            load,
        };
        for (slot, saved) in found.used {
            match found.is_of_this_boot {
                true => recorder.settle(slot, saved),
                false => recorder.settle_crashed(slot, saved),
            }
        }
        if let Some(Err(error)) = recorder.state.as_ref().map(State::begin) {
            log::error(format_args!("cannot keep sessions: {error}"));
        }
        recorder.count();
        recorder
    }

    /// Works until nobody can send any more.
    pub fn run(shared: &Mutex<Recorder>, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let mut recorder = shared.lock().unwrap_or_else(PoisonError::into_inner);
            recorder.act(job);
            recorder.count();
            recorder.load.jobs.fetch_sub(1, Release);
        }
    }

    fn act(&mut self, job: Job) {
        match job {
            Job::Record(asked) => drop(self.record(asked, false)),
            Job::Gone(lines) => lines.iter().for_each(|line| self.look(*line)),
            Job::SomeGone => {
                let all: Vec<u32> = self.watched.keys().copied().collect();
                all.iter().for_each(|line| self.look(*line));
            }
            Job::Entered { slot, line, entry } => self.entered(slot, line, entry),
            Job::Closed(slot) => self.closed(slot),
            Job::Stuck(stuck) => self.stuck = stuck,
        }
    }

    /// Records without waiting for anybody; gives back what would have to wait.
    pub fn record_at_once(&mut self, asked: Box<Asked>) -> Option<Box<Asked>> {
        if self.is_gone(asked.slave.line().number()) {
            return Some(asked);
        }
        let left = self.record(asked, true);
        self.count();
        left
    }

    fn count(&self) {
        // Those that are kept in the file, the next broker settles.
        let waits = !self.stuck || self.state.is_none();
        let sessions = self.watched.len() + if waits { self.ended.len() } else { 0 };
        let before = self.load.sessions.swap(sessions, Relaxed);
        if self.load.may_leave && before > 0 && sessions == 0 {
            let _ = self.load.wake.write(1);
        }
    }

    fn record(&mut self, mut asked: Box<Asked>, at_once: bool) -> Option<Box<Asked>> {
        let line = asked.slave.line();
        let number = line.number();
        let begun = asked.begun.take();
        if begun.is_none() {
            // The line may have been another terminal's, whose end is not known yet.
            self.look(number);
        }
        let now = begun.as_ref().map_or_else(Time::now, |begun| begun.now);
        let pid = asked.client.pid;
        let session = Session { line, pid, user: &asked.user, host: &asked.host };
        let record = match asked.operation {
            Operation::Add => session.login(now),
            Operation::Del => session.logout(now),
        };
        let (uid, process) = (asked.client.uid, asked.process);
        let changed = asked.slave.changed().unwrap_or(Time { sec: 0, usec: 0 });
        let mut saved = Saved {
            login: record,
            uid,
            process,
            changed,
            written: false,
            logout: None,
            entry: None,
        };
        let mut begun = begun.unwrap_or_else(|| Begun {
            now,
            slot: (asked.operation == Operation::Add).then(|| self.keep(&saved)),
            in_wtmp: false,
        });
        let result = match at_once {
            false => self.stores.write(&record, begun.in_wtmp),
            true => match self.stores.write_at_once(&record) {
                Written::Done(result) => result,
                Written::Waits { in_wtmp } => {
                    begun.in_wtmp = in_wtmp;
                    asked.begun = Some(begun);
                    return Some(asked);
                }
            },
        };
        let Asked { slave, client, .. } = *asked;
        client.answer(result);
        match begun.slot {
            Some(slot) => {
                saved.written = true;
                self.save(slot, &saved);
                self.watch(Watched { slave, slot, saved });
                // It may have ended before it was watched.
                self.look(number);
            }
            None => {
                if let Some(watched) = self.watched.remove(&number) {
                    self.forget(watched, now);
                }
            }
        }
        None
    }

    fn watch(&mut self, session: Watched) {
        let (slot, login) = (session.slot, session.saved.login);
        let before = self.watched.insert(session.slave.line().number(), session);
        if let Some(before) = before {
            // Recorded anew on the same line: the stores have one record for it, wtmpdb two.
            self.forget(before, login.time);
        }
        self.wtmpdb.login(slot, &login, false);
    }

    fn is_gone(&self, line: u32) -> bool {
        self.watched.get(&line).is_some_and(|watched| watched.slave.is_gone())
    }

    /// Ends the session of a line whose pty is gone.
    fn look(&mut self, line: u32) {
        if !self.is_gone(line) {
            return;
        }
        if let Some(watched) = self.watched.remove(&line) {
            let now = Time::now();
            self.log_out(&watched.saved, now);
            self.forget(watched, now);
        }
    }

    /// Writes the logout that nobody else has written.
    fn log_out(&mut self, saved: &Saved, now: Time) {
        if let Some(logout) = logout_of(saved, now) {
            // The stores have told of what went wrong.
            let _ = self.stores.end(&saved.login, &logout, saved.written);
        }
    }

    /// A session has ended; wtmpdb may have to be told.
    fn forget(&mut self, watched: Watched, now: Time) {
        let Watched { slot, mut saved, .. } = watched;
        saved.logout = Some(now);
        self.close(slot, saved);
    }

    fn close(&mut self, slot: usize, saved: Saved) {
        if self.wtmpdb.logout(slot, &saved) {
            self.save(slot, &saved);
            self.ended.insert(slot, saved);
        } else {
            self.free(slot);
        }
    }

    fn entered(&mut self, slot: usize, line: u32, entry: i64) {
        let watched = self.watched.get_mut(&line).filter(|watched| watched.slot == slot);
        let saved = watched.map(|watched| &mut watched.saved).or(self.ended.get_mut(&slot));
        if let Some(saved) = saved {
            saved.entry = Some(entry);
            let saved = *saved;
            self.save(slot, &saved);
        }
    }

    fn closed(&mut self, slot: usize) {
        if self.ended.remove(&slot).is_some() {
            self.free(slot);
        }
    }

    /// What an earlier broker has left of a session.
    fn settle(&mut self, slot: usize, saved: Saved) {
        if saved.entry.is_none() {
            // It may never have got there, or not have told that it did.
            self.wtmpdb.login(slot, &saved.login, true);
        }
        if saved.logout.is_some() {
            return self.close(slot, saved);
        }
        let slave = Line::from_name(&saved.login.line).and_then(|line| still_there(line, &saved));
        let now = Time::now();
        let ended = self.stores.ended(&saved.login);
        match slave {
            _ if ended.is_some() => self.close(slot, Saved { logout: ended, ..saved }),
            Some(slave) => {
                let mut saved = saved;
                if !saved.written {
                    // Not known how far it got, nor what the client was told.
                    let _ = self.stores.write_once(&saved.login);
                    saved.written = true;
                    self.save(slot, &saved);
                }
                self.watched.insert(slave.line().number(), Watched { slave, slot, saved });
            }
            None => {
                self.log_out(&saved, now);
                self.close(slot, Saved { logout: Some(now), ..saved });
            }
        }
    }

    /// What a broker has left before the machine was started anew. When the session ended is
    /// not known, and the readers of the history say so: they find the boot after the login.
    fn settle_crashed(&mut self, slot: usize, saved: Saved) {
        if saved.logout.is_some() {
            return self.settle(slot, saved);
        }
        if saved.entry.is_none() {
            self.wtmpdb.login(slot, &saved.login, true);
        }
        if let Some(logout) = logout_of(&saved, Time::now()) {
            let _ = self.stores.end_in_utmp(&logout);
        }
        self.free(slot);
    }

    fn keep(&mut self, saved: &Saved) -> usize {
        self.next_slot += 1;
        let slot = self.state.as_mut().map_or(self.next_slot, State::take);
        self.save(slot, saved);
        slot
    }

    fn save(&self, slot: usize, saved: &Saved) {
        if let Some(Err(error)) = self.state.as_ref().map(|state| state.save(slot, saved)) {
            log::error(format_args!("cannot keep a session: {error}"));
        }
    }

    fn free(&mut self, slot: usize) {
        if let Some(Err(error)) = self.state.as_mut().map(|state| state.free(slot)) {
            log::error(format_args!("cannot forget a session: {error}"));
        }
    }
}

fn logout_of(saved: &Saved, now: Time) -> Option<Record> {
    let line = Line::from_name(&saved.login.line)?;
    let Record { pid, user, .. } = saved.login;
    let length = user.iter().take_while(|byte| **byte != 0).count();
    Some(Session { line, pid, user: &user[..length], host: b"" }.logout(now))
}

/// What tells this run of the machine from others; `None` where that is not to be seen, as in
/// a service without /proc/sys.
fn boot() -> Option<Boot> {
    let text = fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    text.first_chunk().copied()
}

/// The pty of the session, if it is still the same. The number may be another pty's by now:
/// that has a node made later, and the terminal that was recorded does not live. (Where the
/// owner has changed the node's mode meanwhile, as mesg(1) does, the terminal decides.)
fn still_there(line: Line, saved: &Saved) -> Option<Slave> {
    let slave = Slave::at(line).ok()?;
    let untouched = slave.changed() == Ok(saved.changed);
    let lives = process::of_pid(saved.login.pid) == Some(saved.process);
    (slave.owner() == Ok(saved.uid) && (untouched || lives)).then_some(slave)
}

//! What wtmpdb has still to be told, in its order, tried again until it takes it.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use utempter_wtmpdb::{Daemon, PATHS, SOCKET};

use crate::log;
use crate::recorder::{Job, Load};

use super::entry::Entry;
use super::sqlite::Database;

/// What is to be told.
#[derive(Clone, Debug)]
pub enum Op {
    /// `once`: unless there is such an entry.
    Login { slot: usize, entry: Entry, once: bool },
    /// `id`: the entry, where it is known.
    Logout { slot: usize, entry: Entry, id: Option<i64>, time: i64 },
}

/// Why it did not take it.
#[derive(Debug)]
pub enum Trouble {
    /// Locked, or away: try again.
    Busy(String),
    /// Its file cannot be written as it is. Time alone does not mend that.
    Broken(String),
    /// It will not.
    Refused(String),
}

impl Trouble {
    /// Of which file.
    fn of(self, path: &str) -> Trouble {
        let of = |why| format!("{path}: {why}");
        match self {
            Trouble::Busy(why) => Trouble::Busy(of(why)),
            Trouble::Broken(why) => Trouble::Broken(of(why)),
            Trouble::Refused(why) => Trouble::Refused(of(why)),
        }
    }
}

/// wtmpdb, by whichever way.
pub trait Store {
    /// Begins a group of calls that count together or not at all, where it has such.
    fn begin(&mut self) -> Result<(), Trouble> {
        Ok(())
    }
    fn find(&mut self, entry: &Entry) -> Result<Option<i64>, Trouble>;
    fn login(&mut self, entry: &Entry) -> Result<i64, Trouble>;
    fn logout(&mut self, id: i64, time: i64) -> Result<(), Trouble>;
    /// Ends the group.
    fn commit(&mut self) -> Result<(), Trouble> {
        Ok(())
    }
}

/// Pauses between two attempts grow from the one to the other: whoever holds a lock for ever
/// shall not have an idle machine wake for it.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(300);
/// The longest pause where there is news, after which it is tried at once.
const NEWS: Duration = Duration::from_secs(2);
/// What is kept at the most, should it stay locked; some 30 MB.
const MOST: usize = 65_536;
/// Operations of one group.
const GROUP: usize = 512;

pub struct Queue {
    ops: VecDeque<Op>,
    /// Entries of sessions that have not ended.
    entries: HashMap<usize, i64>,
    jobs: Sender<Job>,
    load: Arc<Load>,
    /// What has been said of the trouble there is.
    said: Option<String>,
    /// Nobody need stay for it.
    stuck: bool,
}

impl Queue {
    pub fn new(jobs: Sender<Job>, load: Arc<Load>) -> Queue {
        let (ops, entries) = (VecDeque::new(), HashMap::new());
        Queue { ops, entries, jobs, load, said: None, stuck: false }
    }

    /// Works until nobody can send any more.
    pub fn run(mut self, queued: Receiver<Op>) {
        let mut pause = SHORTEST;
        let mut tried = Instant::now();
        // None: not before there is news.
        let mut again = Some(tried);
        loop {
            let next = match again.filter(|_| !self.ops.is_empty()) {
                None => queued.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => queued.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match next {
                Ok(op) => {
                    self.add(op);
                    again = Some(again.map_or(tried + NEWS, |at| at.min(tried + NEWS)));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(op) = queued.try_recv() {
                self.add(op);
            }
            while again.is_some_and(|at| Instant::now() >= at) && !self.ops.is_empty() {
                let trouble = self.attempt().err();
                tried = Instant::now();
                match &trouble {
                    None => pause = SHORTEST,
                    Some(Trouble::Busy(_)) => {
                        again = Some(tried + pause);
                        pause = (pause * 2).min(LONGEST);
                    }
                    Some(Trouble::Broken(_) | Trouble::Refused(_)) => again = None,
                }
                self.report(trouble, pause == LONGEST);
            }
        }
    }

    /// Says what is wrong, once, and whether there is something to stay for: sessions that
    /// wait for a broken file, or for too `long`, are kept for the next broker.
    fn report(&mut self, trouble: Option<Trouble>, long: bool) {
        let (text, stuck) = match trouble {
            None => (None, false),
            Some(Trouble::Busy(why)) => (Some(format!("{why}; trying again")), long),
            Some(Trouble::Broken(why) | Trouble::Refused(why)) => (Some(why), true),
        };
        if let Some(text) = text.as_ref().filter(|text| self.said.as_ref() != Some(*text)) {
            log::error(format_args!("wtmpdb: {text}"));
        }
        self.said = text;
        if self.stuck != stuck {
            self.stuck = stuck;
            self.tell(Job::Stuck(stuck));
        }
    }

    fn add(&mut self, op: Op) {
        if self.ops.len() >= MOST {
            log::error(format_args!("wtmpdb has not answered for too long: entries are lost"));
            if let Some(Op::Logout { slot, .. }) = self.ops.pop_front() {
                self.tell(Job::Closed(slot));
            }
        }
        self.ops.push_back(op);
    }

    /// Tells it a group of operations.
    fn attempt(&mut self) -> Result<(), Trouble> {
        if Path::new(SOCKET).exists() {
            // Its socket may be left of a daemon that is no more.
            match Daemon::connect(SOCKET) {
                Ok(Some(mut daemon)) => return self.group(&mut daemon, 1),
                Ok(None) => {}
                Err(error) => return Err(Trouble::Busy(error.to_string())),
            }
        }
        match PATHS.iter().find(|path| Path::new(path).exists()) {
            Some(path) => {
                let told = Database::open(path).and_then(|mut file| self.group(&mut file, GROUP));
                told.map_err(|trouble| trouble.of(path))
            }
            None => {
                // Switched off meanwhile.
                self.give_up();
                Ok(())
            }
        }
    }

    fn give_up(&mut self) {
        while let Some(op) = self.ops.pop_front() {
            if let Op::Logout { slot, .. } = op {
                self.tell(Job::Closed(slot));
            }
        }
    }

    fn group(&mut self, store: &mut impl Store, size: usize) -> Result<(), Trouble> {
        store.begin()?;
        let count = self.ops.len().min(size);
        let mut entered: HashMap<usize, i64> = HashMap::new();
        let mut done = Vec::new();
        for op in self.ops.iter().take(count) {
            let known = |slot: usize| entered.get(&slot).or(self.entries.get(&slot)).copied();
            match apply(store, op, known) {
                Ok(Some((slot, line, entry))) => {
                    entered.insert(slot, entry);
                    done.push(Job::Entered { slot, line, entry });
                }
                Ok(None) => {}
                Err(trouble @ (Trouble::Busy(_) | Trouble::Broken(_))) => return Err(trouble),
                Err(Trouble::Refused(why)) => log::error(format_args!("wtmpdb: {why}")),
            }
            if let Op::Logout { slot, .. } = op {
                entered.remove(slot);
                done.push(Job::Closed(*slot));
            }
        }
        store.commit()?;
        for op in self.ops.drain(..count) {
            if let Op::Logout { slot, .. } = op {
                self.entries.remove(&slot);
            }
        }
        self.entries.extend(entered);
        done.into_iter().for_each(|job| self.tell(job));
        Ok(())
    }

    fn tell(&self, job: Job) {
        self.load.jobs.fetch_add(1, Relaxed);
        let _ = self.jobs.send(job);
    }
}

type Entered = Option<(usize, u32, i64)>;

fn apply(
    store: &mut impl Store,
    op: &Op,
    known: impl Fn(usize) -> Option<i64>,
) -> Result<Entered, Trouble> {
    match op {
        Op::Login { slot, entry, once } => {
            let there = if *once { store.find(entry)? } else { None };
            let id = match there {
                Some(id) => id,
                None => store.login(entry)?,
            };
            Ok(Some((*slot, entry.line, id)))
        }
        Op::Logout { slot, entry, id, time } => {
            let id = match known(*slot).or(*id) {
                Some(id) => Some(id),
                None => store.find(entry)?,
            };
            if let Some(id) = id {
                store.logout(id, *time)?;
            }
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Fake {
        rows: Vec<(Entry, Option<i64>)>,
        busy: usize,
    }

    impl Store for Fake {
        fn find(&mut self, entry: &Entry) -> Result<Option<i64>, Trouble> {
            Ok(self.rows.iter().position(|row| row.0 == *entry).map(|at| at as i64))
        }
        fn login(&mut self, entry: &Entry) -> Result<i64, Trouble> {
            if self.busy > 0 {
                self.busy -= 1;
                return Err(Trouble::Busy("locked".into()));
            }
            self.rows.push((entry.clone(), None));
            Ok(self.rows.len() as i64 - 1)
        }
        fn logout(&mut self, id: i64, time: i64) -> Result<(), Trouble> {
            self.rows[id as usize].1 = Some(time);
            Ok(())
        }
    }

    fn entry(tty: &str, login: i64) -> Entry {
        Entry { user: "u".into(), login, tty: tty.into(), line: 1, host: None }
    }

    #[test]
    fn a_logout_closes_what_its_login_made() {
        let (jobs, told) = std::sync::mpsc::channel();
        let mut queue = Queue::new(jobs, Arc::new(Load::new(false).unwrap()));
        let mut store = Fake { busy: 1, ..Fake::default() };
        let (one, two) = (entry("pts/1", 10), entry("pts/1", 20));
        for op in [
            Op::Login { slot: 1, entry: one.clone(), once: false },
            Op::Login { slot: 2, entry: two.clone(), once: false },
            Op::Logout { slot: 1, entry: one.clone(), id: None, time: 30 },
        ] {
            queue.add(op);
        }
        assert!(queue.group(&mut store, 100).is_err());
        assert_eq!(queue.ops.len(), 3);
        queue.group(&mut store, 100).unwrap();
        assert_eq!(store.rows, [(one, Some(30)), (two.clone(), None)]);
        assert!(queue.ops.is_empty());
        queue.add(Op::Logout { slot: 2, entry: two.clone(), id: None, time: 40 });
        queue.group(&mut store, 100).unwrap();
        assert_eq!(store.rows[1], (two, Some(40)));
        assert_eq!(told.try_iter().count(), 4);
        assert!(queue.entries.is_empty());
    }

    #[test]
    fn what_may_be_there_is_looked_for_first() {
        let (jobs, _told) = std::sync::mpsc::channel();
        let mut queue = Queue::new(jobs, Arc::new(Load::new(false).unwrap()));
        let mut store = Fake::default();
        store.rows.push((entry("pts/1", 10), None));
        queue.add(Op::Login { slot: 1, entry: entry("pts/1", 10), once: true });
        queue.add(Op::Login { slot: 2, entry: entry("pts/2", 10), once: true });
        queue.add(Op::Logout { slot: 3, entry: entry("pts/1", 10), id: None, time: 11 });
        queue.group(&mut store, 100).unwrap();
        assert_eq!(store.rows, [(entry("pts/1", 10), Some(11)), (entry("pts/2", 10), None)]);
    }

    #[test]
    fn nobody_stays_for_what_is_broken_or_busy_for_too_long() {
        let (jobs, told) = std::sync::mpsc::channel();
        let mut queue = Queue::new(jobs, Arc::new(Load::new(false).unwrap()));
        let busy = || Some(Trouble::Busy("locked".into()));
        let broken = || Some(Trouble::Broken("torn".into()));
        for (trouble, long, expected) in [
            (busy(), false, None),
            (busy(), true, Some(true)),
            (busy(), true, None),
            (None, false, Some(false)),
            (broken(), false, Some(true)),
            (broken(), false, None),
            (busy(), false, Some(false)),
        ] {
            queue.report(trouble, long);
            let stuck = told.try_recv().ok().map(|job| matches!(job, Job::Stuck(true)));
            assert_eq!(stuck, expected);
        }
    }

    #[test]
    fn the_queue_does_not_grow_for_ever() {
        let (jobs, told) = std::sync::mpsc::channel();
        let mut queue = Queue::new(jobs, Arc::new(Load::new(false).unwrap()));
        for slot in 0..MOST + 10 {
            queue.add(Op::Logout { slot, entry: entry("pts/1", 1), id: None, time: 2 });
        }
        assert_eq!(queue.ops.len(), MOST);
        assert_eq!(told.try_iter().count(), 10);
    }
}

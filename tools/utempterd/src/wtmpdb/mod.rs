//! wtmpdb: the history of logins on systems without wtmp. Only root may write to it.
//!
//! Its daemon may be slow, and any user may hold a read lock on its database for ever, so it
//! has a thread and a queue of its own; no client waits for it.

mod entry;
mod queue;
mod sqlite;
mod varlink;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use login_records::Record;
use utempter_wtmpdb::{PATHS, SOCKET};

use crate::log;
use crate::recorder::{Job, Load};
use crate::state::{Saved, microseconds};

use entry::Entry;
use queue::{Op, Queue};

/// How long the answer to "is it there?" is good for.
const GOOD: Duration = Duration::from_secs(1);

/// Where wtmpdb is told of sessions.
pub struct Wtmpdb {
    ops: Option<Sender<Op>>,
    jobs: Sender<Job>,
    load: Arc<Load>,
    there: Option<(bool, Instant)>,
}

impl Wtmpdb {
    pub fn new(jobs: Sender<Job>, load: Arc<Load>) -> Wtmpdb {
        Wtmpdb { ops: None, jobs, load, there: None }
    }

    /// Has a login entered. `once`: it may have been.
    pub fn login(&mut self, slot: usize, login: &Record, once: bool) {
        if self.is_there() {
            self.send(Op::Login { slot, entry: Entry::of(login), once });
        }
    }

    /// Has a session's entry closed; `false` where there is no wtmpdb.
    pub fn logout(&mut self, slot: usize, saved: &Saved) -> bool {
        let Some(time) = saved.logout.filter(|_| self.is_there()) else {
            return false;
        };
        let (entry, time) = (Entry::of(&saved.login), microseconds(time));
        self.send(Op::Logout { slot, entry, id: saved.entry, time })
    }

    fn send(&mut self, op: Op) -> bool {
        if self.ops.is_none() {
            let (ops, queued) = channel();
            let queue = Queue::new(self.jobs.clone(), Arc::clone(&self.load));
            match thread::Builder::new().name("wtmpdb".into()).spawn(|| queue.run(queued)) {
                Ok(_) => self.ops = Some(ops),
                Err(error) => log::error(format_args!("no thread for wtmpdb: {error}")),
            }
        }
        self.ops.as_ref().is_some_and(|ops| ops.send(op).is_ok())
    }

    fn is_there(&mut self) -> bool {
        let now = Instant::now();
        match self.there {
            Some((there, until)) if until > now => there,
            _ => {
                let mut all = [SOCKET].into_iter().chain(PATHS);
                let there = all.any(|path| Path::new(path).exists());
                self.there = Some((there, now + GOOD));
                there
            }
        }
    }
}

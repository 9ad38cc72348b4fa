//! Sessions read by a thread of its own while those before are being written.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use login_databases::{Error, History, Session, Warning};

/// Batches on their way; the memory is theirs.
const ON_THE_WAY: usize = 4;
/// Sessions in a batch. The first have one and two, so that nobody waits for a first line.
const MOST: usize = 512;

/// Some sessions, and what became known beside them.
#[derive(Default)]
struct Batch {
    sessions: Vec<Session>,
    /// How many of them are new; the others only lend their memory.
    count: usize,
    warnings: Vec<Warning>,
    progress: (u64, u64),
    /// Set in the last batch.
    end: Option<Result<(), Error>>,
}

/// A history that is read ahead.
pub struct Ahead {
    full: Receiver<Batch>,
    empty: Sender<Batch>,
    batch: Batch,
    next: usize,
    warnings: Vec<Warning>,
}

impl Ahead {
    /// Begins to read.
    pub fn of(history: History) -> Ahead {
        let (send, full) = sync_channel(ON_THE_WAY);
        let (empty, back) = channel();
        // It ends by itself when nobody wants more; nothing is to be waited for then.
        thread::spawn(move || read(history, &send, &back));
        Ahead { full, empty, batch: Batch::default(), next: 0, warnings: Vec::new() }
    }

    /// The next session; `None` behind the last.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read.
    pub fn next(&mut self) -> Result<Option<&Session>, Error> {
        while self.next >= self.batch.count {
            if let Some(end) = self.batch.end.take() {
                self.batch.count = 0;
                self.next = 0;
                // Said once, and then no more.
                self.batch.end = Some(Ok(()));
                return end.map(|()| None);
            }
            let Ok(batch) = self.full.recv() else { return Ok(None) };
            let used = std::mem::replace(&mut self.batch, batch);
            // Nobody takes it back where the reading has ended.
            let _ = self.empty.send(used);
            self.warnings.append(&mut self.batch.warnings);
            self.next = 0;
        }
        self.next += 1;
        Ok(self.batch.sessions.get(self.next - 1))
    }

    /// How many bytes have been read, and of how many.
    pub fn progress(&self) -> (u64, u64) {
        self.batch.progress
    }

    /// What was found to be no record so far.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }
}

fn read(mut history: History, full: &SyncSender<Batch>, empty: &Receiver<Batch>) {
    let mut size = 1;
    loop {
        let mut batch = empty.try_recv().unwrap_or_default();
        (batch.count, batch.end) = (0, None);
        while batch.count < size && batch.end.is_none() {
            if batch.count == batch.sessions.len() {
                batch.sessions.push(Session::default());
            }
            match history.next_into(&mut batch.sessions[batch.count]) {
                Ok(true) => batch.count += 1,
                Ok(false) => batch.end = Some(Ok(())),
                Err(error) => batch.end = Some(Err(error)),
            }
        }
        batch.warnings = history.take_warnings();
        batch.progress = history.progress();
        let ended = batch.end.is_some();
        if full.send(batch).is_err() || ended {
            return;
        }
        size = (2 * size).min(MOST);
    }
}

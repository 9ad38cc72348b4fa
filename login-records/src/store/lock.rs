//! The lock that writers of these files agree on, with bounds.
//!
//! glibc locks the whole file with fcntl(2) and waits up to ten seconds. The files are
//! world-readable, so anybody may hold a read lock on them for ever (sourceware bug 24492):
//! a lock that a reader holds is waited for a little while and then done without. What can
//! then go wrong, and how the writers of this crate keep it small, stands in `frame.rs`.

use crate::errno::Errno;
use crate::sys::{Blocker, Fd, monotonic_us, sleep_us};

const MS: i64 = 1000;

/// How long one caller waits for locks, over all the stores it writes.
#[derive(Debug)]
pub struct Patience {
    /// Microseconds left for readers.
    readers: i64,
    /// Microseconds left for writers.
    writers: i64,
}

/// What every store's lock is waited for, even when the patience has been spent on another.
const AT_LEAST: i64 = 25 * MS;

impl Default for Patience {
    /// Readers are waited for 200 ms, writers, who are honest load, for two seconds.
    fn default() -> Patience {
        Patience { readers: 200 * MS, writers: 2000 * MS }
    }
}

impl Patience {
    /// Waits no longer than the least, as for a lock already known to be held.
    pub fn none() -> Patience {
        Patience { readers: 0, writers: 0 }
    }

    fn allows(&self, blocker: Blocker, waited: i64) -> bool {
        let left = match blocker {
            Blocker::Writer => self.writers,
            Blocker::Reader | Blocker::Nothing => self.readers,
        };
        waited < left.max(AT_LEAST)
    }

    fn spend(&mut self, waited: i64) {
        self.readers -= waited;
        self.writers -= waited;
    }
}

/// A file locked for writing, or not; unlocked at the end.
pub(super) struct Lock<'a> {
    fd: &'a Fd,
    held: bool,
}

impl<'a> Lock<'a> {
    /// Locks the file, or goes on without where the lock is not to be had in time: held by a
    /// reader, or by a writer that does not move (stopped by its owner, say; a record of our
    /// own line written beside it is better than none), or on a filesystem without locks.
    pub(super) fn take(fd: &'a Fd, patience: &mut Patience) -> Lock<'a> {
        let held = match fd.try_lock() {
            Ok(()) => true,
            Err(error) => blocked(error) && wait(fd, patience),
        };
        Lock { fd, held }
    }

    /// Whether the lock was had.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        if self.held {
            self.fd.unlock();
        }
    }
}

fn blocked(error: Errno) -> bool {
    error == Errno::EAGAIN || error == Errno::EACCES
}

fn wait(fd: &Fd, patience: &mut Patience) -> bool {
    let start = monotonic_us();
    let mut pause = MS / 10;
    let held = loop {
        if !patience.allows(fd.blocker(), monotonic_us() - start) {
            break false;
        }
        sleep_us(pause);
        pause = (pause * 2).min(5 * MS);
        match fd.try_lock() {
            Ok(()) => break true,
            Err(error) if blocked(error) => {}
            Err(_) => break false,
        }
    };
    patience.spend(monotonic_us() - start);
    held
}

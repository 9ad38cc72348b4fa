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
    /// What every store's lock is waited for, even when the patience was spent on another.
    least: i64,
    /// A lock was not had.
    refused: bool,
    /// Without a lock, nothing is written.
    strict: bool,
}

impl Default for Patience {
    /// Readers are waited for 200 ms, writers, who are honest load, for two seconds.
    fn default() -> Patience {
        Patience {
            readers: 200 * MS,
            writers: 2000 * MS,
            least: 25 * MS,
            refused: false,
            strict: false,
        }
    }
}

impl Patience {
    /// Does not wait: for a lock already known to be held.
    pub fn none() -> Patience {
        Patience::of_ms(0, 0)
    }

    /// Does not wait, nor do without: where a lock is held, nothing is written (`EAGAIN`).
    pub fn at_once() -> Patience {
        Patience { strict: true, ..Patience::none() }
    }

    /// Waits for readers `readers` ms and for writers `writers` ms.
    pub fn of_ms(readers: u32, writers: u32) -> Patience {
        let (readers, writers) = (i64::from(readers) * MS, i64::from(writers) * MS);
        Patience { readers, writers, least: 0, refused: false, strict: false }
    }

    /// Whether a lock was held by others to the end, and has been done without.
    pub fn was_refused(&self) -> bool {
        self.refused
    }

    fn allows(&self, blocker: Blocker, waited: i64) -> bool {
        let left = match blocker {
            Blocker::Reader => self.readers,
            // Nothing: a writer who has just left, and another may have come.
            Blocker::Writer | Blocker::Nothing => self.writers,
        };
        waited < left.max(self.least)
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
        patience.refused |= !held;
        Lock { fd, held }
    }

    /// Whether what the lock is for may be done: with it, or by a patience that does without.
    pub(super) fn suffices(&self, patience: &Patience) -> Result<(), Errno> {
        if self.held || !patience.strict { Ok(()) } else { Err(Errno::EAGAIN) }
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

#[cfg(test)]
mod tests {
    use super::super::testing::{TestFile, login};
    use super::super::{RecordFile, Utmp};
    use super::*;
    use std::ffi::CString;
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::thread;
    use std::time::Duration;

    fn again(test: &TestFile) -> RecordFile {
        let path = CString::new(test.path.to_str().unwrap()).unwrap();
        RecordFile::open(&path).unwrap().unwrap()
    }

    /// Somebody who may do no more than read, and holds a read lock.
    #[allow(unsafe_code)]
    fn reader(test: &TestFile) -> File {
        let file = File::open(&test.path).unwrap();
        let lock = libc::flock {
            l_type: libc::F_RDLCK as _,
            l_whence: libc::SEEK_SET as _,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        // SAFETY: `lock` is a valid struct flock.
        assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &lock) }, 0);
        file
    }

    #[test]
    fn a_reader_is_not_waited_for_long() {
        let test = TestFile::with(b"");
        let _reader = reader(&test);
        let mut patience = Patience::default();
        let start = monotonic_us();
        assert!(!Lock::take(&test.file.fd, &mut patience).is_held());
        let waited = monotonic_us() - start;
        assert!((200 * MS..1000 * MS).contains(&waited), "{waited} us");
        // The next store of the same caller gets the least.
        let start = monotonic_us();
        assert!(!Lock::take(&test.file.fd, &mut patience).is_held());
        assert!(monotonic_us() - start < 150 * MS);
        Utmp(&test.file).put(&login(1, 1), &mut patience).unwrap();
        assert_eq!(test.records(), [login(1, 1)]);
    }

    #[test]
    fn a_reader_that_leaves_in_time_is_waited_for() {
        let test = TestFile::with(b"");
        let reader = reader(&test);
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            drop(reader);
        });
        assert!(Lock::take(&test.file.fd, &mut Patience::default()).is_held());
        thread.join().unwrap();
    }

    #[test]
    fn who_has_no_time_writes_nothing_without_the_lock() {
        let test = TestFile::with(b"");
        let held = reader(&test);
        let (utmp, wtmp) = (Utmp(&test.file), super::super::Wtmp(&test.file));
        let start = monotonic_us();
        assert_eq!(utmp.put(&login(1, 1), &mut Patience::at_once()), Err(Errno::EAGAIN));
        assert_eq!(wtmp.append(&login(1, 1), &mut Patience::at_once()), Err(Errno::EAGAIN));
        assert!(monotonic_us() - start < 100 * MS);
        assert_eq!(test.bytes(), b"");
        drop(held);
        utmp.put(&login(1, 1), &mut Patience::at_once()).unwrap();
        assert_eq!(test.records(), [login(1, 1)]);
    }

    #[test]
    fn a_writer_is_waited_for_longer_than_a_reader() {
        let test = TestFile::with(b"");
        let other = again(&test);
        let held = thread::spawn(move || {
            let lock = Lock::take(&other.fd, &mut Patience::default());
            assert!(lock.is_held());
            thread::sleep(Duration::from_millis(500));
        });
        thread::sleep(Duration::from_millis(50));
        assert!(Lock::take(&test.file.fd, &mut Patience::default()).is_held());
        held.join().unwrap();
    }

    #[test]
    fn a_writer_that_does_not_move_is_not_waited_for_for_ever() {
        let test = TestFile::with(b"");
        let other = again(&test);
        let lock = Lock::take(&other.fd, &mut Patience::default());
        assert!(lock.is_held());
        let start = monotonic_us();
        Utmp(&test.file).put(&login(1, 1), &mut Patience::default()).unwrap();
        let waited = monotonic_us() - start;
        assert!((2000 * MS..4000 * MS).contains(&waited), "{waited} us");
        assert_eq!(test.records(), [login(1, 1)]);
    }
}

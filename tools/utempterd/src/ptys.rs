//! Which ptys have ended: the kernel tells by inotify of nodes removed from /dev/pts.
//!
//! A session ends with its pty: when the last copy of the master is closed, wherever it had
//! been handed. That the process has ended says nothing (it may have forked), and while it
//! lives it cannot end a session whose master it has closed.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// The watched directory.
pub struct Ptys(Inotify);

/// What was removed.
pub enum Removed {
    These(Vec<u32>),
    /// More than the kernel has kept.
    Some,
}

impl Ptys {
    /// # Errors
    ///
    /// Where there is no /dev/pts, or the system has no more watches.
    pub fn watch() -> nix::Result<Ptys> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        inotify.add_watch("/dev/pts", AddWatchFlags::IN_DELETE)?;
        Ok(Ptys(inotify))
    }

    /// What has been removed since.
    pub fn removed(&self) -> Removed {
        let events = self.0.read_events().unwrap_or_default();
        if events.iter().any(|event| event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW)) {
            return Removed::Some;
        }
        let names = events.iter().filter_map(|event| event.name.as_ref()?.to_str()?.parse().ok());
        Removed::These(names.collect())
    }
}

impl AsFd for Ptys {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

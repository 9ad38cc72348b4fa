//! Locks that anybody may hold on world-readable files, inherited or not.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::time::{Duration, Instant};

use nix::libc::{F_RDLCK, F_WRLCK};
use utempter_tests::{Case, Side, World};

use crate::attempt::{Attempt, Result};
use crate::scene::{Expect, Row, Scene};
use crate::sys::{self, Owner};

use Expect::{Recorded, Refused};

/// Both stores: 0.2 s for the one, no more than a glance at the other.
const SOON: Duration = Duration::from_millis(700);

/// A read lock taken by alice that the helper inherits.
fn inherited(stores: &'static [&'static str], owner: Owner) -> Result<Attempt> {
    Ok(Attempt::new()?.step(move || {
        for store in stores {
            let fd = sys::keep(File::open(store)?.into_raw_fd())?;
            sys::lock(fd, owner, F_RDLCK)?;
        }
        Ok(())
    }))
}

pub fn rows() -> Vec<Row> {
    vec![
        // A lock of the helper's own process: kept by exec, and no hindrance to fcntl's own.
        Row::new("an inherited POSIX read lock on utmp", Recorded, Recorded, |_| {
            inherited(&[World::UTMP], Owner::Posix)
        }),
        Row::new("an inherited OFD read lock on utmp", Recorded, Refused(1), |_| {
            inherited(&[World::UTMP], Owner::Ofd)
        }),
        Row::new("a caller deaf to every signal", Recorded, Recorded, |_| {
            Ok(Attempt::new()?.step(|| {
                sys::deaf();
                Ok(())
            }))
        }),
    ]
}

fn soon(stores: &'static [&'static str], owner: Owner) -> Result {
    // A machine that is busy with something else may be late, but not three times.
    let mut times = Vec::new();
    for _ in 0..3 {
        let mut attempt = inherited(stores, owner)?;
        let begin = Instant::now();
        Scene::expect(&mut attempt, &Recorded)?;
        times.push(begin.elapsed());
        if times.last().is_some_and(|time| *time < SOON) {
            return Ok(());
        }
    }
    Err(format!("it took {times:?}").into())
}

pub fn cases() -> Vec<Case> {
    const BOTH: [&str; 2] = [World::UTMP, World::WTMP];
    vec![
        Case::world("inherited read locks of every kind end soon", Side::Ours, |_| {
            for owner in [Owner::Posix, Owner::Ofd] {
                soon(&[World::UTMP], owner)?;
                soon(&[World::WTMP], owner)?;
                soon(&BOTH, owner)?;
            }
            Ok(())
        }),
        Case::world("alice cannot have a write lock", Side::Ours, |_| {
            let mut attempt = Attempt::new()?.step(|| {
                for store in BOTH {
                    let fd = sys::keep(File::open(store)?.into_raw_fd())?;
                    for owner in [Owner::Posix, Owner::Ofd] {
                        match sys::lock(fd, owner, F_WRLCK) {
                            Err(_) => {}
                            Ok(()) => return Err(std::io::Error::other("a write lock was given")),
                        }
                    }
                    if OpenOptions::new().write(true).open(store).is_ok() {
                        return Err(std::io::Error::other("a store was opened for writing"));
                    }
                }
                Ok(())
            });
            Scene::expect(&mut attempt, &Recorded).map(drop)
        }),
        Case::world("the lock is gone when the helper is", Side::Ours, |_| {
            let mut attempt = Attempt::new()?;
            Scene::expect(&mut attempt, &Recorded)?;
            for store in BOTH {
                let file = OpenOptions::new().write(true).open(store)?;
                sys::lock(file.as_raw_fd(), Owner::Posix, F_WRLCK)?;
            }
            Ok(())
        }),
    ]
}

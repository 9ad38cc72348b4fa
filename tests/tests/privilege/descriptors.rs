//! The descriptors are the caller's: which are open, and what they are.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::libc::{self, EBADF, EINVAL, ENOTTY, EPERM};
use nix::unistd::pipe;
use utempter_tests::world::BOB;
use utempter_tests::{Case, Side, World};

use crate::attempt::{Attempt, Result, pty_of};
use crate::scene::{Expect, Row, Scene};
use crate::sys;

use Expect::{Recorded, Refused};

/// fd 0 is this file, opened by alice.
fn file(name: &'static str, ours: i32, flags: i32, path: &'static str) -> Row {
    Row::new(name, Refused(ours), Refused(1), move |_| {
        Ok(Attempt::new()?.step(move || {
            let mode = flags & libc::O_ACCMODE;
            let file = OpenOptions::new()
                .read(mode != libc::O_WRONLY)
                .write(mode != libc::O_RDONLY)
                .custom_flags(flags & !libc::O_ACCMODE | libc::O_NOCTTY)
                .open(path)?;
            sys::dup2(file.as_raw_fd(), 0)
        }))
    })
}

/// fd 0 is what `make` makes.
fn made(
    name: &'static str,
    ours: i32,
    make: impl Fn() -> io::Result<OwnedFd> + Send + Sync + Copy + 'static,
) -> Row {
    Row::new(name, Refused(ours), Refused(1), move |_| {
        Ok(Attempt::new()?.step(move || sys::dup2(make()?.as_raw_fd(), 0)))
    })
}

pub fn rows() -> Vec<Row> {
    vec![
        file("fd 0 is /dev/null", ENOTTY, libc::O_RDWR, "/dev/null"),
        file("fd 0 is a directory", EBADF, libc::O_RDONLY | libc::O_DIRECTORY, "/tmp"),
        file("fd 0 is utmp, read-only", EBADF, libc::O_RDONLY, World::UTMP),
        file("fd 0 is her terminal's slave", ENOTTY, libc::O_RDWR, "/dev/pts/0"),
        file("fd 0 is a path to her slave", EBADF, libc::O_PATH, "/dev/pts/0"),
        file("fd 0 is a path to the ptmx", EBADF, libc::O_PATH, "/dev/ptmx"),
        file("fd 0 is a master, read-only", EBADF, libc::O_RDONLY, "/dev/ptmx"),
        file("fd 0 is a master, write-only", EBADF, libc::O_WRONLY, "/dev/ptmx"),
        made("fd 0 is a pipe", EBADF, || Ok(pipe()?.0)),
        made("fd 0 is a socket", ENOTTY, || Ok(std::os::unix::net::UnixStream::pair()?.0.into())),
        made("fd 0 is a file of hers", ENOTTY, || {
            let file = tempfile::tempfile_in("/tmp/home")?;
            Ok(file.into())
        }),
        Row::new("fd 0 is bob's master, handed over", Refused(EPERM), Refused(1), |_| {
            let master = pty_of(BOB)?;
            Ok(Attempt::on(master))
        }),
        Row::new("fds 0, 1 and 2 are the master", Recorded, Recorded, |_| {
            Ok(Attempt::new()?.step(on_the_master))
        }),
        Row::new(
            "the master on fd 1 and 2, and a reason to tell",
            Refused(EINVAL),
            Refused(1),
            |_| Ok(Attempt::new()?.host("\t").env("UTEMPTER_DEBUG=1").step(on_the_master)),
        ),
        Row::new("fds 1 and 2 are utmp, read-only", Refused(EINVAL), Refused(1), |_| {
            Ok(Attempt::new()?.host("\t").env("UTEMPTER_DEBUG=1").step(|| {
                let utmp = File::open(World::UTMP)?;
                sys::dup2(utmp.as_raw_fd(), 1)?;
                sys::dup2(utmp.as_raw_fd(), 2)
            }))
        }),
        Row::new("400 descriptors on utmp and wtmp, read-only", Recorded, Recorded, |_| {
            Ok(Attempt::new()?.step(|| {
                for store in [World::UTMP, World::WTMP] {
                    let file = File::open(store)?;
                    for _ in 0..200 {
                        sys::keep(file.as_raw_fd())?;
                    }
                }
                Ok(())
            }))
        }),
    ]
}

fn on_the_master() -> io::Result<()> {
    sys::dup2(0, 1)?;
    sys::dup2(0, 2)
}

pub fn cases() -> Vec<Case> {
    vec![Case::world("every combination of fds 0, 1 and 2 closed", Side::Ours, |_| closed())]
}

/// The C library opens what is missing in a setgid program, so that a store never gets one
/// of these numbers.
fn closed() -> Result {
    for closed in 0..8 {
        for debug in ["X=1", "UTEMPTER_DEBUG=1"] {
            for (host, fits) in [("host", true), ("\t", false)] {
                let mut attempt = Attempt::new()?.env(debug).host(host).step(move || {
                    (0..3).filter(|fd| closed & 1 << fd != 0).for_each(sys::close);
                    Ok(())
                });
                let expect = match (closed & 1 != 0, fits) {
                    (_, false) => Refused(EINVAL),
                    (true, _) => Refused(EBADF),
                    (false, true) => Recorded,
                };
                let scene = Scene::new()?;
                let ended = attempt.run()?;
                scene
                    .judge(&attempt, &ended, &expect)
                    .map_err(|error| format!("closed {closed:03b}, host {host:?}: {error}"))?;
            }
        }
    }
    Ok(())
}

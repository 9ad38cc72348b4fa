//! Worlds that alice makes for herself, in which she is root: the setgid is void there.

use std::fs;
use std::io;
use std::path::Path;

use nix::libc::{self, EACCES};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_no_new_privs;
use utempter_tests::world::{ALICE, new_devpts};
use utempter_tests::{Case, Side, Skip, World};

use crate::attempt::{Attempt, Result};
use crate::scene::{Expect, Row, Scene};

use Expect::Refused;

/// A user and mount namespace of the caller's own, where alice is root.
fn own_namespaces() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {} 1", ALICE.uid))?;
    fs::write("/proc/self/gid_map", format!("0 {} 1", ALICE.gid))
}

fn mount_(kind: &str, from: &str, at: &str, flags: MsFlags) -> io::Result<()> {
    let none = None::<&Path>;
    Ok(mount(Some(from), Path::new(at), Some(kind), flags, none)?)
}

fn other<E: std::fmt::Display>(error: E) -> io::Error {
    io::Error::other(error.to_string())
}

/// Her own `/run` and `/var/log`, with stores that she may write.
fn own_stores() -> io::Result<()> {
    for (directory, store) in [("/run", World::UTMP), ("/var/log", World::WTMP)] {
        mount_("tmpfs", "tmpfs", directory, MsFlags::empty())?;
        fs::write(store, "")?;
    }
    Ok(())
}

fn own_passwd(text: &str) -> io::Result<()> {
    mount_("tmpfs", "tmpfs", "/tmp/home", MsFlags::empty())?;
    fs::write("/tmp/home/passwd", text)?;
    mount_("none", "/tmp/home/passwd", "/etc/passwd", MsFlags::MS_BIND)
}

/// What came of it in the real stores: nothing, whatever it says.
fn nothing(mut attempt: Attempt, allowed: &[i32]) -> Result {
    let scene = Scene::new()?;
    let ended = attempt.run()?;
    if ended.is_exit(126) {
        let why = String::from_utf8_lossy(&ended.error).into_owned();
        return Err(Skip(format!("needs user namespaces for all: {why}")).into());
    }
    if !allowed.iter().any(|status| ended.is_exit(*status)) {
        return Err(format!("it was {}", ended.words()).into());
    }
    if !scene.whole()?.is_empty() || !ended.output.is_empty() {
        return Err("something was written".into());
    }
    scene.nothing_else(&attempt)
}

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("without new privileges", Refused(EACCES), Refused(1), |_| {
            Ok(Attempt::new()?.step(|| Ok(set_no_new_privs()?)))
        }),
        Row::new("a user namespace where alice is root", Refused(EACCES), Refused(1), |_| {
            Ok(Attempt::new()?.step(own_namespaces))
        }),
        Row::new("alice is root, with a passwd of hers", Refused(EACCES), Refused(1), |_| {
            Ok(Attempt::new()?.step(|| {
                own_namespaces()?;
                own_passwd("bob:x:0:0::/:/bin/sh\n")
            }))
        }),
        Row::new("alice is root, with a devpts of hers", Refused(libc::EXDEV), Refused(1), |_| {
            Ok(Attempt::new()?.step(|| {
                own_namespaces()?;
                mount_("devpts", "devpts", "/dev/pts", MsFlags::empty())
            }))
        }),
        Row::new(
            "alice is root, with no /dev/pts at all",
            Refused(libc::EXDEV),
            Refused(1),
            |_| {
                Ok(Attempt::new()?.step(|| {
                    own_namespaces()?;
                    mount_("tmpfs", "tmpfs", "/dev/pts", MsFlags::empty())
                }))
            },
        ),
    ]
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::world(
            "alice is root, with stores of hers: they alone are written",
            Side::Ours,
            |_| {
                let attempt = Attempt::new()?.step(|| {
                    own_namespaces()?;
                    own_stores()
                });
                nothing(attempt, &[0])
            },
        ),
        Case::world("alice is root, with stores that are no files", Side::Ours, |_| {
            for make in [fifo, directory, link] {
                let attempt = Attempt::new()?.step(move || {
                    own_namespaces()?;
                    mount_("tmpfs", "tmpfs", "/run", MsFlags::empty())?;
                    make(World::UTMP)
                });
                let refusals = [libc::ESPIPE, libc::EISDIR, libc::EACCES];
                nothing(attempt, &refusals)?;
            }
            Ok(())
        }),
        Case::world("alice is root, with everything of hers", Side::Ours, |_| {
            let attempt = Attempt::new()?.step(|| {
                own_namespaces()?;
                new_devpts("/dev/pts".as_ref())
                    .or_else(|_| {
                        mount_("devpts", "devpts", "/dev/pts", MsFlags::empty()).map_err(other)
                    })
                    .map_err(other)?;
                own_passwd("root:x:0:0::/:/bin/sh\n")?;
                own_stores()?;
                let flags = nix::fcntl::OFlag::O_RDWR | nix::fcntl::OFlag::O_NOCTTY;
                let master =
                    nix::fcntl::open("/dev/pts/ptmx", flags, nix::sys::stat::Mode::empty())?;
                crate::sys::dup2(std::os::fd::AsRawFd::as_raw_fd(&master), 0)
            });
            nothing(attempt, &[0])
        }),
    ]
}

fn fifo(path: &str) -> io::Result<()> {
    Ok(nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o666))?)
}

fn directory(path: &str) -> io::Result<()> {
    fs::create_dir(path)
}

/// To something that she may not write.
fn link(path: &str) -> io::Result<()> {
    std::os::unix::fs::symlink("/etc/passwd", path)
}

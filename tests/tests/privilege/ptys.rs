//! Whose pty, and which.

use std::fs::{self, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::libc::{self, ENOTTY, EPERM, EXDEV};
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::posix_openpt;
use nix::sys::stat::Mode;
use nix::unistd::pipe;
use utempter_tests::utmp::DEAD_PROCESS;
use utempter_tests::world::{ALICE, BOB, User, new_devpts};
use utempter_tests::{Case, Side};

use crate::attempt::{Attempt, Ended, Result, pty_of};
use crate::fuse;
use crate::scene::{Entry, Expect, Row, Scene};
use crate::sys;

use Expect::{As, Recorded, Refused};

const ROOT: User = User { name: "root", uid: 0, gid: 0 };

/// Alice's `pts/0`, and a master with the same number of another instance, opened by her.
fn another_instance(owner: User) -> Result<Attempt> {
    let own = pty_of(ALICE)?;
    fs::create_dir("/tmp/pts")?;
    new_devpts("/tmp/pts".as_ref())?;
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = sys::as_user(owner.uid, || open("/tmp/pts/ptmx", flags, Mode::empty()))?;
    // Both are number 0, and both stay open.
    keep(own);
    Ok(Attempt::on(master))
}

/// Open until the world ends.
fn keep(fd: OwnedFd) {
    std::mem::forget(fd);
}

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("her own pty", Recorded, Recorded, |_| Attempt::new()),
        Row::new("her own pty, its end", ended(), ended(), |_| {
            Ok(Attempt::new()?.words(["utempter", "del"]))
        }),
        Row::new("bob's pty", Refused(EPERM), Refused(1), |_| {
            let master = pty_of(BOB)?;
            Ok(Attempt::on(master))
        }),
        Row::new("bob's pty, its end", Refused(EPERM), Refused(1), |_| {
            let master = pty_of(BOB)?;
            Ok(Attempt::on(master).words(["utempter", "del"]))
        }),
        Row::new("root's pty", Refused(EPERM), Refused(1), |_| {
            let master = pty_of(ROOT)?;
            Ok(Attempt::on(master))
        }),
        Row::new("her pty, by bob", Refused(EPERM), Refused(1), |_| Ok(Attempt::new()?.by(BOB))),
        Row::new("her pty, by root", Refused(EPERM), Refused(1), |_| Ok(Attempt::new()?.by(ROOT))),
        // Whoever can mount a devpts would have the records of ptys that are not his.
        Row::new(
            "a master of another devpts, the number of hers",
            Refused(EXDEV),
            Recorded,
            |_| another_instance(ALICE),
        ),
        Row::new("a master of another devpts, there bob's", Refused(EXDEV), Recorded, |_| {
            another_instance(BOB)
        }),
        Row::new("a master of another devpts, no such number", Refused(EXDEV), Refused(1), |_| {
            let attempt = another_instance(ALICE)?;
            // The first one is taken; the next has a number that /dev/pts does not have.
            let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
            for _ in 0..20 {
                keep(open("/tmp/pts/ptmx", flags, Mode::empty())?);
            }
            let master = sys::as_user(ALICE.uid, || open("/tmp/pts/ptmx", flags, Mode::empty()))?;
            keep(attempt.master);
            Ok(Attempt::on(master))
        }),
        // Her terminal's master is another program's, sshd's say: the line is not hers to write.
        Row::new(
            "a file that answers as the master of her line",
            Refused(ENOTTY),
            Recorded,
            |_| {
                keep(pty_of(ALICE)?);
                fuse::serve(0, 99)?;
                let (unused, _) = pipe()?;
                Ok(Attempt::on(unused).step(|| {
                    let file = OpenOptions::new().read(true).write(true).open(fuse::FILE)?;
                    sys::dup2(file.as_raw_fd(), 0)?;
                    let path = libc::O_PATH | libc::O_NOCTTY;
                    let slave =
                        OpenOptions::new().read(true).custom_flags(path).open("/dev/pts/0")?;
                    sys::dup2(slave.as_raw_fd(), 99)
                }))
            },
        ),
        Row::new("a file of hers mounted over the slave", Refused(EXDEV), Recorded, |_| {
            let attempt = Attempt::new()?;
            fs::write("/tmp/home/slave", "")?;
            std::os::unix::fs::chown("/tmp/home/slave", Some(ALICE.uid), None)?;
            let none = None::<&Path>;
            let slave = Path::new("/dev/pts/0");
            mount(Some("/tmp/home/slave"), slave, none, MsFlags::MS_BIND, none)?;
            Ok(attempt)
        }),
        Row::new("a pty still locked", Recorded, Recorded, |_| {
            let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
            let master = sys::as_user(ALICE.uid, || posix_openpt(flags))?.into();
            Ok(Attempt::on(master))
        }),
        Row::new("a pty whose slave has been closed", Recorded, Recorded, |_| {
            let attempt = Attempt::new()?;
            drop(sys::slave(attempt.master.as_fd())?);
            Ok(attempt)
        }),
    ]
}

fn ended() -> Expect {
    As(Entry { ut_type: DEAD_PROCESS, host: String::new(), ..Entry::default() })
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::world("a fresh master is not left hung up", Side::Ours, |_| {
            let mut attempt = Attempt::new()?;
            Scene::expect(&mut attempt, &Recorded)?;
            // Scene::expect has opened the slave: look at one that nobody has.
            let mut attempt = Attempt::new()?;
            attempt.run()?;
            let mut fds = [PollFd::new(attempt.master.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::ZERO)? {
                0 => Ok(()),
                _ => Err(format!("{:?}", fds[0].revents()).into()),
            }
        }),
        Case::world("a pty that closes midway", Side::Ours, |_| closes_midway()),
    ]
}

/// The terminal closes master and slave at one instant after another: the helper's own fd 0
/// keeps the pty and its number until it ends, so that nobody else's can be meant.
fn closes_midway() -> Result {
    for wait in 0..150 {
        let mut attempt = Attempt::new()?;
        let scene = Scene::new()?;
        let running = attempt.start()?;
        let begin = std::time::Instant::now();
        while begin.elapsed().as_micros() < wait * 20 {
            std::hint::spin_loop();
        }
        drop(std::mem::replace(&mut attempt.master, pipe()?.0));
        let ended: Ended = running.end()?;
        if !ended.is_exit(0) || scene.whole()?.len() != 2 {
            return Err(format!("closed after {} us: {}", wait * 20, ended.words()).into());
        }
    }
    Ok(())
}

//! Wrong descriptors, others' terminals, broken helpers: 0, errno says why, in time, and no
//! record is written or changed.

use std::error::Error;
use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, unlockpt};
use nix::unistd::{Uid, seteuid};
use utempter_tests::utmp::{Record, USER_PROCESS};
use utempter_tests::world::{BOB, new_devpts};
use utempter_tests::{Case, Outcome, Side, World, place, run};

/// The helper is killed after 6 s; the rest is for a busy machine.
const DEADLINE: Duration = Duration::from_secs(8);

/// Where a step must stand in the script: the pty is prepared before.
const ADD: &str = "add a host";
const DEL: &str = "del a";

fn main() -> ExitCode {
    run([descriptors(), hosts(), ptys_of_others(), helpers()].into_iter().flatten().collect())
}

/// These steps, then add and del, which both fail with `errno`.
fn refused(name: &str, errno: &'static str, steps: &'static [&'static str]) -> Case {
    Case::world(name, Side::Ours, move |world| fails(world, errno, steps, &[ADD, DEL]))
}

fn fails(world: &World, errno: &str, before: &[&str], calls: &[&str]) -> Outcome {
    // Nobody's record may change either.
    let others = [
        Record::new(USER_PROCESS, 1, "pts/0", "ts/0", "bob", "elsewhere"),
        Record::new(USER_PROCESS, 1, "pts/1", "ts/1", "bob", "elsewhere"),
    ];
    world.records_before(World::UTMP, &others)?;
    world.records_before(World::WTMP, &others)?;
    for call in calls {
        fs::write(World::TRANSCRIPT, "")?;
        let steps = [before, &[*call][..]].concat();
        let begin = Instant::now();
        let lines = world.run(&steps)?;
        let elapsed = begin.elapsed();
        let verb = call.split(' ').next().unwrap_or_default();
        let expected = format!(": 0, errno {errno}");
        if !lines.iter().any(|line| line.starts_with(verb) && line.ends_with(&expected)) {
            return Err(format!("not {verb}{expected}: {lines:#?}").into());
        }
        if elapsed > DEADLINE {
            return Err(format!("{call} took {elapsed:?}").into());
        }
    }
    if world.utmp()? != others || world.wtmp()? != others {
        return Err(format!("records: {:#?} {:#?}", world.utmp()?, world.wtmp()?).into());
    }
    Ok(())
}

fn descriptors() -> Vec<Case> {
    vec![
        refused("a descriptor of -1", "EBADF", &["number a -1"]),
        refused("a descriptor of the lowest number there is", "EBADF", &["number a -2147483648"]),
        refused("a descriptor that was never open", "EBADF", &["number a 77"]),
        refused("a descriptor above every limit", "EBADF", &["number a 2147483647"]),
        refused("a master that is closed", "EBADF", &["open a", "close a"]),
        // Each of its ends is open one way only.
        refused("a pipe", "EBADF", &["pipe a"]),
        refused("a file", "ENOTTY", &["open-path a /run/transcript"]),
        refused("/dev/null", "ENOTTY", &["open-path a /dev/null"]),
        refused("a slave", "ENOTTY", &["open b", "slave a b"]),
        refused("a slave that is fd 0", "ENOTTY", &["open b", "slave a b", "move a 0"]),
        refused("a slave whose master is closed", "ENOTTY", &["open b", "slave a b", "close b"]),
        refused("a read-only master", "EBADF", &["open-readonly a"]),
        refused("a master by O_PATH", "EBADF", &["open b", "open-path-only a b"]),
    ]
}

fn hosts() -> Vec<Case> {
    let refused_host = |name: &str, call: &'static str| {
        Case::world(name, Side::Ours, move |world| fails(world, "EINVAL", &["open a"], &[call]))
    };
    vec![
        refused_host("a host with a newline", "add a host\nname"),
        refused_host("a host that begins with a space", "add a  host"),
        refused_host("a host in UTF-8", "add a h\u{f6}st"),
    ]
}

/// A pty opened by the user who is `uid`, inherited by what is started.
fn pty_of(uid: u32) -> Result<PtyMaster, Box<dyn Error + Send + Sync>> {
    seteuid(Uid::from_raw(uid))?;
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY);
    let unlocked = master.and_then(|master| {
        grantpt(&master)?;
        unlockpt(&master)?;
        Ok(master)
    });
    seteuid(Uid::from_raw(0))?;
    Ok(unlocked?)
}

fn inherited(name: &str, uid: u32) -> Case {
    Case::world(name, Side::Ours, move |world| {
        let master = pty_of(uid)?;
        let step = format!("number a {}", master.as_raw_fd());
        fails(world, "EPERM", &[&step], &[ADD, DEL])
    })
}

fn ptys_of_others() -> Vec<Case> {
    let other_devpts = |name: &str, before: &'static [&'static str]| {
        Case::world(name, Side::Ours, move |world| {
            fs::create_dir("/tmp/devpts")?;
            new_devpts("/tmp/devpts".as_ref())?;
            let steps = [before, &["open-path a /tmp/devpts/ptmx", "unlock a"]].concat();
            fails(world, "EXDEV", &steps, &[ADD, DEL])
        })
    };
    vec![
        inherited("another user's pty", BOB.uid),
        inherited("root's pty", 0),
        other_devpts("a master of another devpts, whose number is free here", &[]),
        other_devpts("a master of another devpts, whose number is the user's here", &["open b"]),
        Case::world("a pty given away by chown", Side::Ours, |world| {
            let master = pty_of(0)?;
            std::os::unix::fs::chown("/dev/pts/0", Some(BOB.uid), None)?;
            let step = format!("number a {}", master.as_raw_fd());
            fails(world, "EPERM", &[&step], &[ADD, DEL])
        }),
    ]
}

/// A helper of this text and mode in place of the built-in one.
fn helper(name: &str, errno: &'static str, mode: u32, text: &'static str) -> Case {
    Case::world(name, Side::Ours, move |world| {
        let path = "/tmp/bin/helper";
        fs::write(path, text)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        fails(world, errno, &["helper /tmp/bin/helper", "open a"], &[ADD, DEL])
    })
}

fn helpers() -> Vec<Case> {
    vec![
        refused("a helper that is missing", "ENOENT", &["helper /tmp/bin/missing", "open a"]),
        refused("a helper whose path is empty", "ENOENT", &["helper ", "open a"]),
        refused("a helper that is a directory", "EACCES", &["helper /tmp/bin", "open a"]),
        refused("a helper below a file", "ENOTDIR", &["helper /run/utmp/helper", "open a"]),
        helper("a helper that is not executable", "EACCES", 0o644, "#!/bin/sh\nexit 0\n"),
        helper("a helper of no known format", "ENOEXEC", 0o755, "exit 0\n"),
        helper("a helper that is killed", "EIO", 0o755, "#!/bin/sh\nkill -KILL $$\n"),
        helper("a helper that faults", "EIO", 0o755, "#!/bin/sh\nkill -SEGV $$\n"),
        helper("a helper that says EINTR", "EIO", 0o755, "#!/bin/sh\nexit 4\n"),
        helper("a helper that says what is no errno", "EIO", 0o755, "#!/bin/sh\nexit 255\n"),
        helper("a helper that hangs", "ETIMEDOUT", 0o755, "#!/bin/sh\nexec sleep 60\n"),
        helper(
            "a helper that hangs and ignores its alarm",
            "ETIMEDOUT",
            0o755,
            "#!/bin/sh\ntrap '' ALRM TERM\nexec sleep 60\n",
        ),
        helper("a helper that stops itself", "ETIMEDOUT", 0o755, "#!/bin/sh\nkill -STOP $$\n"),
        Case::world("no hung helper is left behind", Side::Ours, |world| {
            let text = "#!/bin/sh\ntrap '' ALRM\nexec sleep 61\n";
            fs::write("/tmp/bin/helper", text)?;
            fs::set_permissions("/tmp/bin/helper", Permissions::from_mode(0o755))?;
            fails(world, "ETIMEDOUT", &["helper /tmp/bin/helper", "open a"], &[ADD])?;
            for process in fs::read_dir("/proc")?.flatten() {
                let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
                if command == b"sleep\x0061\0" {
                    return Err("the helper still runs".into());
                }
            }
            Ok(())
        }),
        Case::world("a helper that is not setgid", Side::Ours, |world| {
            fs::set_permissions(place::system_helper(), Permissions::from_mode(0o755))?;
            fails(world, "EACCES", &["open a"], &[ADD, DEL])
        }),
        Case::world("a helper that only others may execute", Side::Ours, |world| {
            fs::set_permissions(place::system_helper(), Permissions::from_mode(0o2700))?;
            fails(world, "EACCES", &["open a"], &[ADD, DEL])
        }),
        Case::world("remove_added_record without a record", Side::Ours, |world| {
            fails(world, "ENOENT", &["open a"], &["del-added"])
        }),
    ]
}

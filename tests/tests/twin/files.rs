//! utmp and wtmp in every state an administrator or an accident leaves them in.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use utempter_tests::twin::Scenario;
use utempter_tests::utmp::{Record, USER_PROCESS};
use utempter_tests::{Outcome, World};

const SESSION: [&str; 3] = ["open a", "add a host", "del a"];

fn root_only(file: &str) -> Outcome {
    chown(file, Some(0), Some(0))?;
    Ok(fs::set_permissions(file, Permissions::from_mode(0o600))?)
}

/// The first bytes of a record whose writer was stopped in the middle.
fn tear(file: &str) -> Outcome {
    let whole = Record::new(USER_PROCESS, 1, "pts/7", "ts/7", "bob", "");
    fs::write(file, whole.0)?;
    let mut file = OpenOptions::new().append(true).open(file)?;
    Ok(file.write_all(&[7; 100])?)
}

/// Holds a lock of `kind` on the whole file for as long as the answer lives.
fn lock(file: &str, kind: i32) -> Result<File, Box<dyn std::error::Error + Send + Sync>> {
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    let whole = libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&whole))?;
    Ok(file)
}

fn written_to_for(name: &'static str, file: &'static str, milliseconds: u64) -> Scenario {
    Scenario::new(name, move |world| {
        let lock = lock(file, libc::F_WRLCK)?;
        let release = thread::spawn(move || {
            thread::sleep(Duration::from_millis(milliseconds));
            drop(lock);
        });
        let ended = world.run(&SESSION);
        release.join().expect("the lock's thread");
        ended.map(drop)
    })
}

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("an unwritable wtmp", |world| {
            root_only(World::WTMP)?;
            world.run(&SESSION).map(drop)
        }),
        Scenario::new("an unwritable utmp", |world| {
            root_only(World::UTMP)?;
            world.run(&SESSION).map(drop)
        }),
        Scenario::new("no utmp", |world| {
            fs::remove_file(World::UTMP)?;
            world.run(&SESSION).map(drop)
        }),
        Scenario::new("no wtmp", |world| {
            fs::remove_file(World::WTMP)?;
            world.run(&SESSION).map(drop)
        }),
        Scenario::new("neither utmp nor wtmp", |world| {
            fs::remove_file(World::UTMP)?;
            fs::remove_file(World::WTMP)?;
            world.run(&SESSION).map(drop)
        }),
        Scenario::new("a torn record at the end of utmp", |world| {
            tear(World::UTMP)?;
            world.run(&SESSION).map(drop)
        }),
        Scenario::new("a torn record at the end of wtmp", |world| {
            tear(World::WTMP)?;
            world.run(&SESSION).map(drop)
        }),
        Scenario::new("a reader keeps a lock on utmp", |world| {
            let _lock = lock(World::UTMP, libc::F_RDLCK)?;
            world.run(&["open a", "add a host"]).map(drop)
        }),
        Scenario::new("a reader keeps a lock on wtmp", |world| {
            let _lock = lock(World::WTMP, libc::F_RDLCK)?;
            world.run(&["open a", "add a host"]).map(drop)
        }),
        written_to_for("another writer has utmp for a second", World::UTMP, 1000),
        written_to_for("another writer has wtmp for a second", World::WTMP, 1000),
    ]
}

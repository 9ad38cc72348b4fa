//! What the helper says to syslog, and that it never waits for it.

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc::{self, EINVAL};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use utempter_tests::{Case, Side};

use crate::attempt::{Attempt, Result};
use crate::scene::{Expect, Scene};
use crate::sys;

use Expect::Refused;

const LOG: &str = "/dev/log";

/// A `/dev` of the world's own, with what the helper and these tests need of it.
fn own_dev() -> Result {
    let none = None::<&Path>;
    let dev = Path::new("/tmp/dev");
    fs::create_dir(dev)?;
    mount(Some("tmpfs"), dev, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    fs::create_dir(dev.join("pts"))?;
    for name in ["null", "full", "ptmx", "pts"] {
        let from = Path::new("/dev").join(name);
        let to = dev.join(name);
        if name != "pts" {
            File::create(&to)?;
        }
        // Before this /dev/ptmx may be a link.
        let from = if name == "ptmx" { Path::new("/dev/pts/ptmx") } else { &from };
        mount(Some(from), &to, none, MsFlags::MS_BIND, none)?;
    }
    let all = MsFlags::MS_BIND | MsFlags::MS_REC;
    Ok(mount(Some(dev), Path::new("/dev"), none, all, none)?)
}

fn daemon() -> Result<UnixDatagram> {
    own_dev()?;
    let socket = UnixDatagram::bind(LOG)?;
    fs::set_permissions(LOG, Permissions::from_mode(0o666))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A daemon that does not read, with its queue full.
fn full_daemon() -> Result<UnixDatagram> {
    let daemon = daemon()?;
    let other = UnixDatagram::unbound()?;
    other.set_nonblocking(true)?;
    loop {
        match other.send_to(b"<83>full", LOG) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(daemon),
            Err(error) => return Err(error.into()),
        }
    }
}

fn told() -> Result {
    let daemon = daemon()?;
    // A success is not told.
    Scene::expect(&mut Attempt::new()?, &Expect::Recorded)?;
    let mut bytes = [0; 1024];
    match daemon.recv(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        other => return Err(format!("a success was told: {other:?}").into()),
    }
    // A refusal is, without a byte of the caller's.
    let mut attempt = Attempt::new()?.host("caller's\n<0>kernel: words").env("TZ=:/tmp/home/zone");
    let scene = Scene::new()?;
    let running = attempt.start()?;
    let (helper, terminal) = (running.helper, running.terminal);
    let ended = running.end()?;
    scene.judge(&attempt, &ended, &Refused(EINVAL))?;
    let count = daemon.recv(&mut bytes)?;
    let expected = format!(
        "<83>utempter[{helper}]: [ppid={terminal}] \
         the host has a byte that is not printable: EINVAL (22)"
    );
    match &bytes[..count] {
        text if text == expected.as_bytes() => Ok(()),
        text => Err(format!("{:?}", text.escape_ascii().to_string()).into()),
    }
}

fn never_waits() -> Result {
    let _daemon = full_daemon()?;
    let begin = Instant::now();
    Scene::expect(&mut Attempt::new()?.host("\t"), &Refused(EINVAL))?;
    match begin.elapsed() {
        time if time < Duration::from_millis(2500) => Ok(()),
        time => Err(format!("it took {time:?}").into()),
    }
}

/// The C library's syslog(3) waits for the daemon, and its caller for the helper.
fn waits() -> Result {
    let _daemon = full_daemon()?;
    let mut attempt = Attempt::new()?.host("\t");
    let running = attempt.start()?;
    std::thread::sleep(Duration::from_secs(3));
    kill(sys::pid(running.helper), Signal::SIGKILL)?;
    let ended = running.end()?;
    match ended.is_killed() && ended.status & 0x7f == libc::SIGKILL {
        true => Ok(()),
        false => Err(format!("after 3 s it had ended: {}", ended.words()).into()),
    }
}

/// Anything else than a daemon's socket there.
fn no_daemon() -> Result {
    own_dev()?;
    for make in [
        || Ok(()),
        || File::create(LOG).map(drop),
        || {
            fs::remove_file(LOG)?;
            std::os::unix::fs::symlink("/tmp/home/log", LOG)
        },
    ] {
        make()?;
        Scene::expect(&mut Attempt::new()?.host("\t"), &Refused(EINVAL))?;
    }
    Ok(())
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::world("syslog is told of refusals, in words of the helper's", Side::Ours, |_| told()),
        Case::world("syslog's queue is full", Side::Ours, |_| never_waits()),
        Case::world("syslog's queue is full: the C library waits", Side::C, |_| waits()),
        Case::world("no syslog", Side::Ours, |_| no_daemon()),
    ]
}

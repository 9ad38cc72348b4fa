//! Users who want the broker to run out of something, or to hang.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::Pid;
use utempter_tests::part::{Running, command};
use utempter_tests::pty::Pty;
use utempter_tests::world::{ALICE, BOB};
use utempter_tests::{Case, Outcome, Side, World, bounded};

use crate::peer::{ADD, Failure, LONG, Peer, ask, request};
use crate::{fuse, none, sys};

/// More than a broker has that nobody asks anything of, and far less than there were tried.
const THREADS: usize = 12;
const DESCRIPTORS: usize = 400;

pub fn cases() -> Vec<Case> {
    let case =
        |name: &str, body: fn(&World) -> Outcome| Case::world_of(name, Side::Broker, none, body);
    vec![
        case("FUSE files sent by whoever is not greeted pile up nowhere", |world| {
            fuse_files(world, "refused")
        }),
        case("FUSE files behind a request pile up nowhere", |world| fuse_files(world, "behind")),
        case("FUSE files with each of 100 requests pile up nowhere", |world| {
            fuse_files(world, "each")
        }),
        case("lingering sockets behind a request delay nobody", lingering),
        case("a broker that can start no thread says so, and serves again", |world| {
            let pid = broker(world)?;
            // Its threads map what they need when they begin.
            std::thread::sleep(Duration::from_millis(300));
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
            let kib: u64 =
                size.and_then(|s| s.split_whitespace().next()).ok_or("size?")?.parse()?;
            // Enough for everything but another stack.
            sys::limit_memory(pid.as_raw(), Some((kib + 256) * 1024))?;
            let again = format!("{}", libc::EAGAIN);
            Running::start(&mut command(world, ALICE, "answered", &[again]))?.finish()?;
            sys::limit_memory(pid.as_raw(), None)?;
            Running::start(&mut command(world, ALICE, "answered", &["0".into()]))?
                .finish()
                .map(drop)
        }),
        case("nobody else can hold the lock of the broker's socket", |_| {
            let mode = std::fs::metadata("/run/utempter/lock")?.permissions().mode();
            match mode & 0o777 {
                0o600 => Ok(()),
                other => Err(format!("mode {other:o}").into()),
            }
        }),
    ]
}

fn broker(world: &World) -> Result<Pid, Failure> {
    let broker = world.broker.borrow();
    Ok(Pid::from_raw(broker.as_ref().ok_or("no broker")?.pid()))
}

fn entries(path: String) -> Result<usize, Failure> {
    Ok(std::fs::read_dir(path)?.count())
}

fn bob_is_served(world: &World) -> Outcome {
    let begin = Instant::now();
    Running::start(&mut command(world, BOB, "ask", &["0".into()]))?.finish()?;
    match begin.elapsed() {
        taken if taken < Duration::from_secs(1) => Ok(()),
        taken => Err(format!("bob was served after {taken:?}").into()),
    }
}

fn fuse_files(world: &World, how: &str) -> Outcome {
    let daemon = fuse::serve_hanging()?;
    let mut alice = Running::start(&mut command(world, ALICE, "hostile", &[how.into()]))?;
    let line = alice.line()?;
    let served = bob_is_served(world);
    let pid = broker(world)?;
    let threads = entries(format!("/proc/{pid}/task"))?;
    let descriptors = entries(format!("/proc/{pid}/fd"))?;
    // Alice, too, hangs in closing them.
    kill(daemon, Signal::SIGKILL)?;
    served?;
    if line != "sent" || threads > THREADS || descriptors > DESCRIPTORS {
        return Err(format!("{line}: {threads} threads, {descriptors} descriptors").into());
    }
    bounded::until("alice to be served again", LONG, || {
        let ask = Running::start(&mut command(world, ALICE, "ask", &["0".into()]))?.finish();
        Ok(ask.is_ok())
    })
}

fn lingering(world: &World) -> Outcome {
    let pid = broker(world)?;
    let mut alice = Running::start(&mut command(world, ALICE, "hostile", &["linger".into()]))?;
    if alice.line()? != "greeted" {
        return Err("not greeted".into());
    }
    // It shall find the request and what is behind it together, and the last copies of that.
    kill(pid, Signal::SIGSTOP)?;
    std::fs::write("/tmp/home/go", "")?;
    let sent = alice.line();
    kill(pid, Signal::SIGCONT)?;
    if sent? != "sent" {
        return Err("not sent".into());
    }
    bob_is_served(world)
}

/// As alice: asks, and is answered so.
pub fn answered(words: &[String]) -> Outcome {
    let expected: u16 = words.first().ok_or("what?")?.parse()?;
    let pty = Pty::open()?;
    match ask(&request(ADD, "host"), &[pty.number_of_descriptor()])? {
        Some(errno) if errno == expected => Ok(()),
        other => Err(format!("answered {other:?}").into()),
    }
}

/// As alice.
pub fn part(words: &[String]) -> Outcome {
    let how = words.first().ok_or("how?")?.as_str();
    let pty = Pty::open()?;
    let master = pty.number_of_descriptor();
    if how == "linger" {
        return linger(master);
    }
    let file = OpenOptions::new().read(true).write(true).open(fuse::FILE)?;
    let files: Vec<RawFd> = vec![file.as_raw_fd(); 50];
    let ask_with_files = |peer: &Peer| peer.send(&request(ADD, "host"), &files);
    match how {
        "refused" => {
            let peer = Peer::greeted()?.ok_or("not greeted")?;
            ask_with_files(&peer)?;
            peer.answer()?;
            for _ in 0..300 {
                // It may be hung up on first, or find a full backlog.
                let _ = Peer::connect().and_then(|peer| ask_with_files(&peer));
            }
        }
        "behind" => {
            let peer = Peer::greeted()?.ok_or("not greeted")?;
            peer.send(&request(ADD, "host"), &[master])?;
            while ask_with_files(&peer).is_ok() {}
            for _ in 0..100 {
                let peer = Peer::connect()?;
                while ask_with_files(&peer).is_ok() {}
            }
        }
        _ => {
            let peers: Vec<Peer> =
                (0..100).filter_map(|_| Peer::greeted().transpose()).collect::<Result<_, _>>()?;
            for peer in &peers {
                ask_with_files(peer)?;
            }
        }
    }
    std::thread::sleep(Duration::from_millis(300));
    println!("sent");
    sys::exit_now(0);
}

/// Sends sockets whose last copy waits in close(2) for an hour.
fn linger(master: RawFd) -> Outcome {
    let peer = Peer::greeted()?.ok_or("not greeted")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("greeted");
    while !Path::new("/tmp/home/go").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    peer.send(&request(ADD, "host"), &[master])?;
    for _ in 0..3 {
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let linger = libc::linger { l_onoff: 1, l_linger: 3600 };
        setsockopt(&stream, sockopt::Linger, &linger)?;
        stream.set_nonblocking(true)?;
        while (&stream).write(&[0; 65536]).is_ok() {}
        stream.set_nonblocking(false)?;
        peer.send(b"more", &[stream.as_raw_fd()])?;
    }
    println!("sent");
    std::thread::sleep(LONG);
    Ok(())
}

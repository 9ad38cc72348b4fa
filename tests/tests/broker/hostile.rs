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

use crate::peer::{ADD, Failure, LONG, Peer, request};
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
    let ask = |peer: &Peer| peer.send(&request(ADD, "host"), &files);
    match how {
        "refused" => {
            let peer = Peer::greeted()?.ok_or("not greeted")?;
            ask(&peer)?;
            peer.answer()?;
            for _ in 0..300 {
                // It may be hung up on first, or find a full backlog.
                let _ = Peer::connect().and_then(|peer| ask(&peer));
            }
        }
        "behind" => {
            let peer = Peer::greeted()?.ok_or("not greeted")?;
            peer.send(&request(ADD, "host"), &[master])?;
            while ask(&peer).is_ok() {}
            for _ in 0..100 {
                let peer = Peer::connect()?;
                while ask(&peer).is_ok() {}
            }
        }
        _ => {
            let peers: Vec<Peer> =
                (0..100).filter_map(|_| Peer::greeted().transpose()).collect::<Result<_, _>>()?;
            for peer in &peers {
                ask(peer)?;
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

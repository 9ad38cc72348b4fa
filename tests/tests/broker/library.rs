//! The library as the broker's client: every way in which a broker can fail it. Here the
//! helper works, and the broker is an imitation.

use std::fs::{self, Permissions};
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, accept,
    bind, connect, listen, recvmsg, send, socket,
};
use nix::unistd::Pid;
use utempter_tests::broker::SOCKET;
use utempter_tests::compile::{program, source};
use utempter_tests::utmp::{Record, USER_PROCESS, encode};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, World, bounded, place};

use crate::peer::{Failure, LONG};
use crate::sys;

const SESSION: [&str; 2] = ["open a", "add a host"];

/// What an imitation does with each connection.
#[derive(Clone)]
enum Does {
    /// Greets so, or not at all.
    Greets(Option<Vec<u8>>),
    /// Takes the request, and answers so, or hangs up.
    Answers(Option<Vec<u8>>),
    /// Takes the request, writes the record as a broker does, and hangs up.
    WritesAndGoes,
    /// Takes the request, and says nothing.
    Waits,
}

/// What a connection has brought.
#[derive(Debug, Default)]
struct Seen {
    request: Vec<u8>,
    descriptors: usize,
}

fn errno(number: i32) -> Does {
    let [low, high] = (number as u16).to_le_bytes();
    Does::Answers(Some(vec![b'u', b't', low, high]))
}

pub fn cases() -> Vec<Case> {
    let case = |name: &str, body: fn(&World) -> Outcome| Case::world(name, Side::Ours, body);
    let mut cases = vec![
        case("no greeting: the helper, after a second", no_greeting),
        case("a broker that hangs up at once: the helper", |world| {
            by_helper(world, Does::Greets(Some(vec![])), Duration::from_secs(1), 0)
        }),
        case("a greeting that is none: the helper, and no master is sent", |world| {
            for greeting in [&b"xx\x01\x00"[..], b"ut\x00\x00", b"ut", b"ut\x01\x00\x00"] {
                fresh()?;
                by_helper(world, Does::Greets(Some(greeting.into())), Duration::from_secs(1), 0)?;
            }
            Ok(())
        }),
        case("a broker that is gone after the request: the helper, once", |world| {
            by_helper(world, Does::Answers(None), Duration::from_secs(1), 1)
        }),
        case("a broker that has written and is gone: nothing is appended twice", |world| {
            by_helper(world, Does::WritesAndGoes, Duration::from_secs(1), 1)
        }),
        case("a broker that never answers: the helper, after three seconds", |world| {
            by_helper(world, Does::Waits, Duration::from_secs(5), 1)
        }),
        case("a full backlog: the helper, at once", full_backlog),
        case("a socket nobody listens at: the helper", |world| {
            drop(listening(1)?);
            recorded(world, Duration::from_secs(1))
        }),
        case("a helper that was set: the broker is not asked", |world| {
            let seen = imitate(errno(0))?;
            let helper = place::system_helper();
            let step = format!("helper {}", helper.display());
            let lines = world.run(&["open a", &step, "add a host"])?;
            if world.live()?.len() != 1 || seen.try_recv().is_ok() {
                return Err(format!("{lines:?}").into());
            }
            Ok(())
        }),
        case("a setgid caller: the broker is not asked", |world| {
            let seen = imitate(errno(0))?;
            chown(World::CLIENT, None, Some(ALICE.gid + 50))?;
            fs::set_permissions(World::CLIENT, Permissions::from_mode(0o2755))?;
            world.run(&SESSION)?;
            not_asked(world, &seen)
        }),
        case("a setuid caller: the broker is not asked", |world| {
            let seen = imitate(errno(0))?;
            chown(World::CLIENT, Some(0), None)?;
            fs::set_permissions(World::CLIENT, Permissions::from_mode(0o4755))?;
            let lines = world.run(&SESSION)?;
            match seen.try_recv() {
                Ok(_) => Err("it was asked".into()),
                // Its pty is root's: the helper goes by the real uid, and refuses.
                Err(_) if lines.iter().any(|line| line == "add a: 0, errno EPERM") => Ok(()),
                Err(_) => Err(format!("{lines:?}").into()),
            }
        }),
        case("a newer broker is spoken to in version 1", |world| {
            let seen = imitate_with(b"ut\x09\x07", errno(0))?;
            world.run(&SESSION)?;
            let seen = seen.recv_timeout(LONG)?;
            let expected = b"\x01\x01\x05alicehost";
            if seen.request != expected || seen.descriptors != 1 {
                return Err(format!("{seen:?}").into());
            }
            Ok(())
        }),
        case("a master is not left on its way to a broker that does not read", in_flight),
        Case::world_of("a cancelled thread", Side::Ours, asker, |world| asks(world, "cancel")),
        Case::world_of(
            "a signal handler that interrupts a call, and calls",
            Side::Ours,
            asker,
            |world| asks(world, "signal"),
        ),
        Case::world_of(
            "descriptors, signals and errno after every kind of call",
            Side::Ours,
            asker,
            |world| asks(world, "state"),
        ),
        Case::world_of("eight threads ask the real broker at once", Side::Broker, asker, |world| {
            asks_of_real(world, "threads")?;
            let wtmp = world.wtmp()?.len();
            if wtmp != 1600 || !world.live()?.is_empty() {
                return Err(format!("{wtmp} records, {:?}", world.live()?).into());
            }
            Ok(())
        }),
        Case::world_of("a caller with 1 GiB asks as fast", Side::Broker, asker, |world| {
            asks_of_real(world, "large")
        }),
    ];
    for (name, number) in [
        ("EPROTONOSUPPORT", libc::EPROTONOSUPPORT),
        ("EOPNOTSUPP", libc::EOPNOTSUPP),
        ("EPROTO", libc::EPROTO),
        ("EAGAIN", libc::EAGAIN),
    ] {
        let does = errno(number);
        cases.push(Case::world(
            &format!("answered {name}: the helper"),
            Side::Ours,
            move |world| by_helper(world, does.clone(), Duration::from_secs(1), 1),
        ));
    }
    for (name, number) in [("EPERM", libc::EPERM), ("EXDEV", libc::EXDEV), ("EIO", libc::EIO)] {
        let does = errno(number);
        cases.push(Case::world(
            &format!("answered {name}: that is final"),
            Side::Ours,
            move |world| {
                let _seen = imitate(does.clone())?;
                let lines = world.run(&SESSION)?;
                if !lines.contains(&format!("add a: 0, errno {name}")) || !world.utmp()?.is_empty()
                {
                    return Err(format!("{lines:?}").into());
                }
                Ok(())
            },
        ));
    }
    cases
}

fn listening(backlog: i32) -> Result<OwnedFd, Failure> {
    fs::create_dir_all("/run/utempter")?;
    let _ = fs::remove_file(SOCKET);
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(SOCKET)?)?;
    fs::set_permissions(SOCKET, Permissions::from_mode(0o666))?;
    listen(&socket, Backlog::new(backlog)?)?;
    Ok(socket)
}

fn imitate(does: Does) -> Result<Receiver<Seen>, Failure> {
    imitate_with(b"ut\x01\x00", does)
}

fn imitate_with(greeting: &'static [u8], does: Does) -> Result<Receiver<Seen>, Failure> {
    let listener = listening(16)?;
    let (tell, seen) = channel();
    thread::spawn(move || {
        while let Ok(fd) = accept(listener.as_raw_fd()) {
            let connection = sys::owned(fd);
            let found = serve(&connection, greeting, &does);
            if matches!(does, Does::Waits | Does::Greets(None)) {
                // Kept open, for as long as the test runs.
                std::mem::forget(connection);
            } else {
                drop(connection);
            }
            let _ = tell.send(found);
        }
    });
    Ok(seen)
}

fn serve(connection: &OwnedFd, greeting: &[u8], does: &Does) -> Seen {
    let fd = connection.as_raw_fd();
    let say = |message: &[u8]| {
        // It may be gone.
        let _ = send(fd, message, MsgFlags::MSG_NOSIGNAL);
    };
    match does {
        Does::Greets(None) => return Seen::default(),
        Does::Greets(Some(greeting)) if greeting.is_empty() => return Seen::default(),
        Does::Greets(Some(greeting)) => say(greeting),
        _ => say(greeting),
    }
    let mut room = [0; 1024];
    let mut control = nix::cmsg_space!([i32; 4]);
    let mut parts = [IoSliceMut::new(&mut room)];
    let Ok(got) = recvmsg::<()>(fd, &mut parts, Some(&mut control), MsgFlags::empty()) else {
        return Seen::default();
    };
    let length = got.bytes;
    let mut descriptors = 0;
    for message in got.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(received) = message {
            descriptors += received.len();
            received.into_iter().for_each(|fd| drop(sys::owned(fd)));
        }
    }
    match does {
        Does::Answers(Some(answer)) => say(answer),
        Does::WritesAndGoes => {
            let peer = nix::sys::socket::getsockopt(
                connection,
                nix::sys::socket::sockopt::PeerCredentials,
            );
            let pid = peer.map_or(0, |peer| peer.pid());
            let record = Record::new(USER_PROCESS, pid, "pts/0", "ts/0", "alice", "host");
            fs::write(World::WTMP, encode(&[record])).expect("wtmp");
            fs::write(World::UTMP, encode(&[record])).expect("utmp");
        }
        _ => {}
    }
    Seen { request: room[..length].to_vec(), descriptors }
}

fn fresh() -> Outcome {
    fs::write(World::UTMP, "")?;
    fs::write(World::TRANSCRIPT, "")?;
    Ok(fs::write(World::WTMP, "")?)
}

/// The session is recorded, once, in this time.
fn recorded(world: &World, limit: Duration) -> Outcome {
    let begin = Instant::now();
    let lines = world.run(&SESSION)?;
    let taken = begin.elapsed();
    let (utmp, wtmp) = (world.utmp()?, world.wtmp()?);
    let once = utmp.len() == 1 && wtmp.len() == 1 && wtmp[0].is_live() && utmp[0].is_live();
    if !once || !lines.contains(&"add a: 1, errno kept".to_owned()) {
        return Err(format!("{lines:?} {utmp:?} {wtmp:?}").into());
    }
    if taken > limit {
        return Err(format!("after {taken:?}").into());
    }
    Ok(())
}

fn by_helper(world: &World, does: Does, limit: Duration, descriptors: usize) -> Outcome {
    let seen = imitate(does)?;
    recorded(world, limit)?;
    let seen = seen.recv_timeout(LONG)?;
    if seen.descriptors != descriptors {
        return Err(format!("{seen:?}").into());
    }
    Ok(())
}

fn not_asked(world: &World, seen: &Receiver<Seen>) -> Outcome {
    if seen.try_recv().is_ok() {
        return Err("it was asked".into());
    }
    match world.live()?.len() {
        1 => Ok(()),
        _ => Err(format!("{:?}", world.utmp()?).into()),
    }
}

fn no_greeting(world: &World) -> Outcome {
    let _seen = imitate(Does::Greets(None))?;
    let begin = Instant::now();
    recorded(world, Duration::from_secs(3))?;
    match begin.elapsed() {
        taken if taken >= Duration::from_secs(1) => Ok(()),
        taken => Err(format!("after {taken:?}").into()),
    }
}

fn full_backlog(world: &World) -> Outcome {
    let _listener = listening(1)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let mut waiting = Vec::new();
    loop {
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
        match connect(socket.as_raw_fd(), &UnixAddr::new(SOCKET)?) {
            Ok(()) => waiting.push(socket),
            Err(nix::errno::Errno::EAGAIN) => break,
            Err(error) => return Err(error.into()),
        }
    }
    recorded(world, Duration::from_millis(900))
}

/// The library has connected, and nobody accepts: its pty ends with it all the same.
fn in_flight(world: &World) -> Outcome {
    let _listener = listening(16)?;
    let mut client = world.client(&["open a", "add a host", "sleep 10000"]).spawn()?;
    bounded::until("its pty", LONG, || Ok(fs::exists("/dev/pts/0")?))?;
    bounded::until("the record, by the helper", LONG, || Ok(world.live()?.len() == 1))?;
    kill(Pid::from_raw(client.id() as i32), Signal::SIGKILL)?;
    client.wait()?;
    bounded::until("the pty's end", Duration::from_secs(1), || Ok(!fs::exists("/dev/pts/0")?))
}

fn asker() -> Result<PathBuf, Failure> {
    let arguments = [
        source("asker.c").into_os_string(),
        "-pthread".into(),
        "-I".into(),
        place::repository().join("include").into(),
        place::c_library()?.into(),
    ];
    program("asker", "gcc", &arguments)
}

fn asks(world: &World, what: &str) -> Outcome {
    let _seen = imitate(Does::Waits)?;
    asks_of_real(world, what)
}

fn asks_of_real(world: &World, what: &str) -> Outcome {
    let mut command: Command = world.command(ALICE, World::CLIENT);
    command.arg(what);
    bounded::run(&mut command, Duration::from_secs(60))?.text().map(drop)
}

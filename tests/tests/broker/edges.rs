//! What happens at the edges: a service manager's variables, half-closed connections, callers
//! without descriptors or a uid, and the broker's own end.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept, bind, listen, socket,
};
use nix::unistd::Pid;
use utempter_tests::broker::{self, Broker, SOCKET};
use utempter_tests::part::{ROOT, Running, command};
use utempter_tests::pty::Pty;
use utempter_tests::utmp::{DEAD_PROCESS, USER_PROCESS};
use utempter_tests::world::{ALICE, BOB, User};
use utempter_tests::{Case, Outcome, Side, World, bounded, place};

use crate::none;
use crate::peer::{ADD, DEL, Failure, LONG, Peer, ask, request};
use crate::restart::{crash, restart};

/// Bytes of a memfd whose last copy takes its time to be closed.
const LARGE: i64 = 1 << 30;
/// Clients that are busy when the broker is told to leave.
const BUSY: usize = 8;

pub fn cases() -> Vec<Case> {
    let case =
        |name: &str, body: fn(&World) -> Outcome| Case::world_of(name, Side::Broker, none, body);
    vec![
        case("LISTEN_PID of another: a socket of its own", |world| {
            owns(world, "LISTEN_PID=1 LISTEN_FDS=1")
        }),
        case("LISTEN_PID or LISTEN_FDS that are no numbers: a socket of its own", |world| {
            owns(world, "LISTEN_PID=x LISTEN_FDS=1")?;
            owns(world, "LISTEN_PID=$$ LISTEN_FDS=-1")?;
            owns(world, "LISTEN_PID=$$ LISTEN_FDS=")
        }),
        case("LISTEN_FDS without LISTEN_PID: a socket of its own", |world| {
            owns(world, "LISTEN_FDS=1")
        }),
        case("any LISTEN_FDNAMES: the socket that is passed", |world| {
            for names in ["", "utempterd.socket", "a:b:c", "\u{fc}"] {
                crash(world)?;
                let command =
                    passed(&format!("LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES='{names}'"));
                *world.broker.borrow_mut() = Some(start(command, listening(SockType::SeqPacket)?)?);
                served(world, ALICE)?;
            }
            Ok(())
        }),
        case("no socket, or another's type: refused in words", |world| {
            crash(world)?;
            for (variables, stdin, words) in [
                ("LISTEN_PID=$$ LISTEN_FDS=0", null()?, "and not one"),
                ("LISTEN_PID=$$ LISTEN_FDS=2", null()?, "and not one"),
                ("LISTEN_PID=$$ LISTEN_FDS=1", null()?, "not a SOCK_SEQPACKET"),
                (
                    "LISTEN_PID=$$ LISTEN_FDS=1",
                    listening(SockType::Stream)?,
                    "not a SOCK_SEQPACKET",
                ),
            ] {
                let output = bounded::run(passed(variables).stdin(stdin), LONG)?;
                if output.status.code() != Some(1) || !output.text.contains(words) {
                    return Err(format!("{variables}: {}", output.text).into());
                }
            }
            Ok(())
        }),
        case("a connection that is closed for writing is answered", |world| {
            Running::start(&mut command(world, ALICE, "half", &[]))?.finish()?;
            match world.live()?.len() {
                0 => Ok(()),
                _ => Err("recorded without its end".into()),
            }
        }),
        case("a large memfd behind a request is not freed by the thread of the sockets", large),
        case("SIGTERM among requests: no record is lost, doubled or half", stopped),
        case("a uid that the broker's user namespace does not know is refused", nobody),
        Case::world("a caller without a descriptor to spare: the helper", Side::Ours, |world| {
            // That somebody listens is enough to be asked.
            fs::create_dir_all("/run/utempter")?;
            let listens = listening(SockType::SeqPacket)?;
            let nonblocking = FcntlArg::F_SETFL(OFlag::O_NONBLOCK);
            fcntl(&listens, nonblocking)?;
            let asked = || accept(listens.as_raw_fd()) != Err(Errno::EAGAIN);
            let lines = world.run(&["open a", "nofile 4", "add a host"])?;
            if world.live()?.len() != 1 || asked() {
                return Err(format!("{lines:?}").into());
            }
            // With one to spare it would have been.
            world.run(&["open a", "add a host"])?;
            match asked() {
                true => Ok(()),
                false => Err("it is not asked at all".into()),
            }
        }),
    ]
}

fn null() -> Result<OwnedFd, Failure> {
    Ok(File::open("/dev/null")?.into())
}

/// A socket as the service manager makes it.
fn listening(kind: SockType) -> Result<OwnedFd, Failure> {
    let _ = fs::remove_file(SOCKET);
    let socket = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(SOCKET)?)?;
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(SOCKET, everybody)?;
    listen(&socket, Backlog::new(64)?)?;
    Ok(socket)
}

/// The broker with these variables, and standard input as descriptor 3.
fn passed(variables: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("exec 3<&0 0</dev/null; {variables} exec /tmp/bin/utempterd")]);
    command
}

fn start(mut command: Command, stdin: OwnedFd) -> Result<Broker, Failure> {
    let log = fs::OpenOptions::new().create(true).append(true).open(broker::LOG)?;
    let broker = Broker::from(command.stdin(stdin).stderr(log).spawn()?);
    Ok(broker)
}

fn served(world: &World, user: User) -> Outcome {
    Running::start(&mut command(world, user, "ask", &["0".into()]))?.finish().map(drop)
}

/// What is passed is not taken; a socket of its own is made.
fn owns(world: &World, variables: &str) -> Outcome {
    crash(world)?;
    let _ = fs::remove_file(SOCKET);
    *world.broker.borrow_mut() = Some(start(passed(variables), null()?)?);
    bounded::until("its socket", LONG, || Ok(Peer::greeted().is_ok_and(|peer| peer.is_some())))?;
    served(world, ALICE)
}

/// As alice: closes one direction.
pub fn half(_: &[String]) -> Outcome {
    let pty = Pty::open()?;
    for operation in [ADD, DEL] {
        let peer = Peer::greeted()?.ok_or("not greeted")?;
        peer.send(&request(operation, ""), &[pty.number_of_descriptor()])?;
        peer.close_for_writing()?;
        match peer.answer()? {
            Some(0) => {}
            other => return Err(format!("answered {other:?}").into()),
        }
    }
    // Without a request there is no answer, and it is not waited for one.
    let peer = Peer::greeted()?.ok_or("not greeted")?;
    peer.close_for_writing()?;
    let begin = Instant::now();
    match (peer.answer()?, begin.elapsed()) {
        (None, taken) if taken < Duration::from_secs(1) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn large(world: &World) -> Outcome {
    let pid = world.broker.borrow().as_ref().ok_or("no broker")?.pid();
    let mut alice = Running::start(&mut command(world, ALICE, "large", &[]))?;
    if alice.line()? != "greeted" {
        return Err("not greeted".into());
    }
    // It shall have the last copy.
    kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
    fs::write("/tmp/home/go", "")?;
    let sent = alice.line();
    kill(Pid::from_raw(pid), Signal::SIGCONT)?;
    if sent? != "sent" {
        return Err("not sent".into());
    }
    served(world, BOB)?;
    let used = || -> Result<(u64, u64), Failure> {
        let (mut sockets, mut purge) = (0, 0);
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = task?.path();
            let stat = fs::read_to_string(path.join("stat"))?;
            let after = stat.rsplit_once(')').ok_or("a name")?.1;
            let time = after.split_whitespace().nth(12).ok_or("a time")?.parse()?;
            match fs::read_to_string(path.join("comm"))?.trim() {
                "purge" => purge = time,
                "utempterd" => sockets = time,
                _ => {}
            }
        }
        Ok((sockets, purge))
    };
    // In hundredths of a second of the kernel's time; a GiB takes several.
    bounded::until("the memory to be freed", LONG, || Ok(used()?.1 >= 2))
        .map_err(|error| format!("{error}: {:?}", used()))?;
    match used()? {
        (sockets, purge) if sockets < purge => Ok(()),
        other => Err(format!("sockets and purge: {other:?}").into()),
    }
}

/// As alice: a request, and memory behind it.
pub fn memory(_: &[String]) -> Outcome {
    let pty = Pty::open()?;
    let peer = Peer::greeted()?.ok_or("not greeted")?;
    let memory = memfd_create(c"large", MFdFlags::MFD_CLOEXEC)?;
    nix::fcntl::fallocate(&memory, nix::fcntl::FallocateFlags::empty(), 0, LARGE)?;
    println!("greeted");
    while !Path::new("/tmp/home/go").exists() {
        sleep(Duration::from_millis(5));
    }
    peer.send(&request(ADD, "host"), &[pty.number_of_descriptor()])?;
    peer.send(b"more", &[memory.as_raw_fd()])?;
    drop(memory);
    println!("sent");
    sleep(LONG);
    Ok(())
}

fn stopped(world: &World) -> Outcome {
    let clients: Vec<Running> = (0..BUSY)
        .map(|_| Running::start(&mut command(world, ALICE, "busy", &[])))
        .collect::<Result<_, _>>()?;
    sleep(Duration::from_millis(400));
    let mut broker = world.broker.borrow_mut().take().ok_or("no broker")?;
    kill(Pid::from_raw(broker.pid()), Signal::SIGTERM)?;
    bounded::until("it to leave", LONG, || Ok(broker.ended()?.is_some()))?;
    if broker.ended()? != Some(true) {
        return Err("the signal has killed it".into());
    }
    let (mut logins, mut logouts) = (0, 0);
    for client in clients {
        let numbers = client.finish()?;
        logins += numbers["logins"] as usize;
        logouts += numbers["logouts"] as usize;
    }
    // Whole records, or this fails; at most one of each client's is without its answer.
    let wtmp = world.wtmp()?;
    let of = |ut_type| wtmp.iter().filter(|record| record.ut_type() == ut_type).count();
    let (found, ends) = (of(USER_PROCESS), of(DEAD_PROCESS));
    let rest = (found + ends).checked_sub(logins + logouts);
    if logins < BUSY || found < logins || ends < logouts || rest.is_none_or(|rest| rest > BUSY) {
        return Err(format!("{logins}, {logouts} answered, {found}, {ends} in wtmp").into());
    }
    restart(world)?;
    broker::until_kept(0, LONG)?;
    let wtmp = world.wtmp()?;
    let of = |ut_type| wtmp.iter().filter(|record| record.ut_type() == ut_type).count();
    match of(USER_PROCESS) == of(DEAD_PROCESS) && world.live()?.is_empty() {
        true => Ok(()),
        false => Err(format!("{:?}", world.live()?).into()),
    }
}

/// As alice: sessions, as long as there is a broker.
pub fn busy(_: &[String]) -> Outcome {
    let pty = Pty::open()?;
    let mut answered = [0, 0];
    'all: loop {
        for (n, operation) in [ADD, DEL].into_iter().enumerate() {
            // The connection is refused or ends.
            match ask(&request(operation, ""), &[pty.number_of_descriptor()]) {
                Ok(Some(0)) => answered[n] += 1,
                Ok(Some(errno)) => return Err(format!("answered {errno}").into()),
                Ok(None) | Err(_) => break 'all,
            }
        }
    }
    println!("logins={} logouts={}", answered[0], answered[1]);
    Ok(())
}

fn nobody(world: &World) -> Outcome {
    crash(world)?;
    let _ = fs::remove_file(SOCKET);
    let unshare = place::program("unshare", "util-linux")?;
    let mut command = Command::new(unshare);
    command.args(["--user", "--map-root-user", "/tmp/bin/utempterd"]).stdout(Stdio::null());
    *world.broker.borrow_mut() = Some(start(command, null()?)?);
    bounded::until("its socket", LONG, || Ok(Peer::greeted().is_ok_and(|peer| peer.is_some())))
        .map_err(|error| format!("{error}\n{}", broker::log()))?;
    served(world, ROOT)?;
    // For it, she and her pty are of the same uid, as are all others.
    let refused = ["refused".to_owned()];
    Running::start(&mut utempter_tests::part::command(world, ALICE, "ask", &refused))?.finish()?;
    match world.wtmp()?.len() {
        2 => Ok(()),
        _ => Err(format!("{:?}", world.wtmp()?).into()),
    }
}

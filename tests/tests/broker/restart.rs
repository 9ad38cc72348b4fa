//! A broker that crashes, and one that leaves.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use nix::unistd::Pid;
use utempter_tests::broker::{self, Broker, SOCKET};
use utempter_tests::part::{Running, command};
use utempter_tests::utmp::{DEAD_PROCESS, Record, USER_PROCESS};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, World, bounded};

use crate::ghosts::start;
use crate::peer::{Failure, LONG};
use crate::{none, wtmpdb};

pub fn cases() -> Vec<Case> {
    vec![
        Case::world_of("after a crash it settles what it finds", Side::Broker, none, |world| {
            let stays = start(world, "plain")?;
            let dies = start(world, "plain")?;
            let forks = start(world, "forks");
            crash(world)?;
            kill(Pid::from_raw(dies.pid()), Signal::SIGKILL)?;
            drop(dies);
            let mut forks = forks?;
            let heir: i32 = forks.line()?.parse()?;
            let before = world.wtmp()?;
            restart(world)?;
            bounded::until("one logout", LONG, || Ok(world.live()?.len() == 2))?;
            broker::until_kept(2, LONG)?;
            let after = world.wtmp()?;
            if after.len() != before.len() + 1 || after[..before.len()] != before[..] {
                return Err(format!("{before:?}, and then {after:?}").into());
            }
            // What lived on is still watched.
            kill(Pid::from_raw(heir), Signal::SIGKILL)?;
            drop(stays);
            bounded::until("the others' logouts", LONG, || Ok(world.live()?.is_empty()))?;
            broker::until_kept(0, LONG)?;
            pairs(world, 3)
        }),
        Case::world_of("ten crashes double nothing", Side::Broker, none, |world| {
            let terminal = start(world, "plain")?;
            for _ in 0..10 {
                crash(world)?;
                restart(world)?;
            }
            let wtmp = world.wtmp()?;
            if wtmp.len() != 1 || world.live()?.len() != 1 {
                return Err(format!("{wtmp:?}").into());
            }
            drop(terminal);
            bounded::until("the logout", LONG, || Ok(world.live()?.is_empty()))?;
            broker::until_kept(0, LONG)?;
            pairs(world, 1)
        }),
        Case::world_of("a line that was another's meanwhile", Side::Broker, none, |world| {
            let terminal = start(world, "plain")?;
            crash(world)?;
            drop(terminal);
            a_tick();
            // The same number, another pty, and nobody has recorded it.
            let _other = utempter_tests::pty::Pty::open()?;
            nix::unistd::chown("/dev/pts/0", Some(ALICE.uid.into()), None)?;
            restart(world)?;
            bounded::until("the logout", LONG, || Ok(world.live()?.is_empty()))?;
            pairs(world, 1)
        }),
        Case::world_of(
            "a line that was another's meanwhile, and a clock that was set back",
            Side::Broker,
            none,
            |world| {
                let terminal = start(world, "plain")?;
                crash(world)?;
                drop(terminal);
                // As if recorded an hour from now: the seconds of the record in the first slot,
                // behind the head.
                let mut state = fs::read(broker::STATE)?;
                let seconds = &mut state[512 + 344..512 + 352];
                let later = i64::from_ne_bytes((&*seconds).try_into()?) + 3600;
                seconds.copy_from_slice(&later.to_ne_bytes());
                fs::write(broker::STATE, state)?;
                a_tick();
                let _other = utempter_tests::pty::Pty::open()?;
                nix::unistd::chown("/dev/pts/0", Some(ALICE.uid.into()), None)?;
                restart(world)?;
                bounded::until("the logout", LONG, || Ok(world.live()?.is_empty()))?;
                pairs(world, 1)
            },
        ),
        Case::world_of("a session that another has ended meanwhile", Side::Broker, none, |world| {
            let terminal = start(world, "plain")?;
            crash(world)?;
            // As a helper would.
            let mut wtmp = world.wtmp()?;
            let mut logout = wtmp[0];
            logout.0[0..2].copy_from_slice(&DEAD_PROCESS.to_ne_bytes());
            wtmp.push(logout);
            fs::write(World::WTMP, utempter_tests::utmp::encode(&wtmp))?;
            fs::write(World::UTMP, logout.0)?;
            restart(world)?;
            broker::until_kept(0, LONG)?;
            drop(terminal);
            std::thread::sleep(Duration::from_millis(300));
            pairs(world, 1)
        }),
        Case::world_of(
            "a session that another has ended meanwhile, where there is no wtmp",
            Side::Broker,
            none,
            |world| {
                fs::remove_file(World::WTMP)?;
                drop(wtmpdb::create()?);
                let terminal = start(world, "plain")?;
                wtmpdb::until("the entry", |rows| rows.len() == 1)?;
                crash(world)?;
                // As a helper would, a second after the login.
                let mut logout = world.utmp()?[0];
                logout.0[0..2].copy_from_slice(&DEAD_PROCESS.to_ne_bytes());
                let second = u32::from_ne_bytes(logout.0[340..344].try_into()?) + 1;
                logout.0[340..344].copy_from_slice(&second.to_ne_bytes());
                fs::write(World::UTMP, logout.0)?;
                std::thread::sleep(Duration::from_millis(2500));
                restart(world)?;
                broker::until_kept(0, LONG)?;
                drop(terminal);
                // It has ended when the helper says.
                let found = wtmpdb::rows()?.remove(0).4.unwrap_or_default() / 1_000_000;
                if found != i64::from(second) || world.utmp()?.len() != 1 {
                    return Err(format!("{found}, and not {second}").into());
                }
                Ok(())
            },
        ),
        Case::world_of(
            "an end far back in wtmp is not written twice, nor one forgotten",
            Side::Broker,
            none,
            |world| {
                fs::remove_file(World::UTMP)?;
                let ended = start(world, "plain")?;
                let stays = start(world, "plain")?;
                let mut wtmp = world.wtmp()?;
                let mut logout = wtmp[0];
                logout.0[0..2].copy_from_slice(&DEAD_PROCESS.to_ne_bytes());
                let other = |n| Record::new(USER_PROCESS, n, &format!("pts/{n}"), "", "bob", "");
                wtmp.extend((1000..1300).map(other));
                wtmp.push(logout);
                wtmp.extend((2000..2300).map(other));
                fs::write(World::WTMP, utempter_tests::utmp::encode(&wtmp))?;
                drop(ended);
                drop(stays);
                broker::until_kept(0, LONG)?;
                let wtmp = world.wtmp()?;
                let dead = wtmp.iter().filter(|record| record.ut_type() == DEAD_PROCESS);
                let mut lines: Vec<String> = dead.map(Record::line).collect();
                lines.sort();
                if lines != ["pts/0", "pts/1"] {
                    return Err(format!("{lines:?}").into());
                }
                Ok(())
            },
        ),
        Case::world_of("a second broker at the same socket is refused", Side::Broker, none, |_| {
            let status = Broker::command()?.status()?;
            if status.success() || !broker::log().contains("another broker runs") {
                return Err(format!("{status}: {}", broker::log()).into());
            }
            Ok(())
        }),
        Case::world_of(
            "started for a client, it leaves when idle, and not before",
            Side::Broker,
            none,
            idle,
        ),
        Case::world_of("what it is given as a socket has to be one", Side::Broker, none, |world| {
            crash(world)?;
            let mut command = activated("2");
            command.stdin(fs::File::open("/dev/null")?);
            let output = bounded::run(&mut command, LONG)?;
            if output.status.success() || !output.text.contains("and not one") {
                return Err(output.text.into());
            }
            Ok(())
        }),
        Case::world_of("unknown words are refused", Side::Broker, none, |_| {
            for words in [&["x"][..], &["--idle"], &["--idle", "x"], &["--idle", "-1"]] {
                let output = bounded::run(
                    std::process::Command::new("/tmp/bin/utempterd").args(words),
                    LONG,
                )?;
                if output.status.code() != Some(2) || !output.text.contains("usage: utempterd") {
                    return Err(format!("{words:?}: {}", output.text).into());
                }
            }
            Ok(())
        }),
    ]
}

/// The times of nodes are the clock's of its last tick: two ptys of one tick look alike.
fn a_tick() {
    std::thread::sleep(Duration::from_millis(20));
}

pub fn crash(world: &World) -> Outcome {
    world.broker.borrow_mut().take().ok_or("no broker")?.crash()
}

pub fn restart(world: &World) -> Outcome {
    *world.broker.borrow_mut() = Some(Broker::start()?);
    Ok(())
}

/// Each login of wtmp has its logout, and no more.
fn pairs(world: &World, sessions: usize) -> Outcome {
    let wtmp = world.wtmp()?;
    let of = |ut_type| wtmp.iter().filter(|record| record.ut_type() == ut_type).count();
    if (of(USER_PROCESS), of(DEAD_PROCESS)) != (sessions, sessions) || wtmp.len() != 2 * sessions {
        return Err(format!("{wtmp:?}").into());
    }
    Ok(())
}

/// The broker as a service manager starts it: the socket is descriptor 3, which the shell moves
/// there from standard input.
fn activated(count: &str) -> std::process::Command {
    let mut command = std::process::Command::new("/bin/sh");
    let script = format!(
        "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS={count} exec /tmp/bin/utempterd --idle 1"
    );
    command.args(["-c", &script]);
    command
}

fn listening() -> Result<OwnedFd, Failure> {
    fs::remove_file(SOCKET)?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(SOCKET)?)?;
    fs::set_permissions(SOCKET, fs::Permissions::from_mode(0o666))?;
    listen(&socket, Backlog::new(64)?)?;
    Ok(socket)
}

/// A broker in the place of the world's, as a service manager starts it.
pub fn started_for_clients(world: &World) -> Result<Broker, Failure> {
    crash(world)?;
    let socket = listening()?;
    let log = fs::OpenOptions::new().create(true).append(true).open(broker::LOG)?;
    Ok(Broker::from(activated("1").stdin(socket).stderr(log).spawn()?))
}

fn idle(world: &World) -> Outcome {
    crash(world)?;
    let socket = listening()?;
    let started = || -> Result<Broker, Failure> {
        let mut command = activated("1");
        Ok(Broker::from(command.stdin(socket.try_clone()?).spawn()?))
    };
    let mut broker = started()?;
    let terminal = start(world, "plain")?;
    std::thread::sleep(Duration::from_millis(2500));
    if broker.ended()?.is_some() {
        return Err("it has left with a session to watch".into());
    }
    drop(terminal);
    bounded::until("it to leave", LONG, || Ok(broker.ended()? == Some(true)))?;
    pairs(world, 1)?;
    // The next client is served by the next.
    let mut waiting = Running::start(&mut command(world, ALICE, "session", &["plain".into()]))?;
    std::thread::sleep(Duration::from_millis(100));
    let mut broker = started()?;
    if waiting.line()? != "recorded" {
        return Err("not recorded".into());
    }
    drop(waiting);
    bounded::until("it to leave", LONG, || Ok(broker.ended()? == Some(true)))?;
    pairs(world, 2)
}

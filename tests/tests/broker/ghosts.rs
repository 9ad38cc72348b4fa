//! Terminals that die without a word, and those that only seem to.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid};
use utempter_tests::part::{Running, command};
use utempter_tests::pty::Pty;
use utempter_tests::utmp::{DEAD_PROCESS, USER_PROCESS};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, World, bounded, broker, place};

use crate::peer::{ADD, Failure, LONG, Peer, ask, request};
use crate::{none, sys};

/// Within this a dead terminal's logout is written.
const SECOND: Duration = Duration::from_secs(1);

pub fn cases() -> Vec<Case> {
    vec![
        Case::world_of("a terminal killed by SIGKILL", Side::Broker, none, |world| {
            let terminal = start(world, "plain")?;
            kill(Pid::from_raw(terminal.pid()), Signal::SIGKILL)?;
            ended_within_a_second(world, 1)
        }),
        Case::world_of(
            "a terminal that closes the master and stays",
            Side::Broker,
            none,
            |world| {
                let _terminal = start(world, "closes")?;
                ended_within_a_second(world, 1)
            },
        ),
        Case::world_of("a terminal that forks: the pty lives on", Side::Broker, none, |world| {
            let mut terminal = start(world, "forks")?;
            let heir: i32 = terminal.line()?.parse()?;
            terminal.finish()?;
            lives(world)?;
            kill(Pid::from_raw(heir), Signal::SIGKILL)?;
            ended_within_a_second(world, 1)
        }),
        Case::world_of("a terminal that execs: the pty lives on", Side::Broker, none, |world| {
            let terminal = start(world, "execs")?;
            lives(world)?;
            kill(Pid::from_raw(terminal.pid()), Signal::SIGKILL)?;
            ended_within_a_second(world, 1)
        }),
        Case::world_of(
            "a line used again at once is not ended for the old",
            Side::Broker,
            none,
            |world| {
                for _ in 0..20 {
                    let old = start(world, "plain")?;
                    kill(Pid::from_raw(old.pid()), Signal::SIGKILL)?;
                    drop(old);
                    let new = start(world, "plain")?;
                    lives(world)?;
                    drop(new);
                    ended_within_a_second(world, 0)?;
                }
                // Each login with its own logout after it.
                let types: Vec<i16> = world.wtmp()?.iter().map(|record| record.ut_type()).collect();
                if types != [USER_PROCESS, DEAD_PROCESS].repeat(40) {
                    return Err(format!("{types:?}").into());
                }
                Ok(())
            },
        ),
        Case::world_of(
            "a client that dies with its master on the way",
            Side::Broker,
            none,
            |world| {
                let broker = pid_of_broker(world)?;
                // Connected and greeted, and then the broker is kept from reading.
                let terminal = start(world, "dies midway")?;
                kill(broker, Signal::SIGSTOP)?;
                std::fs::write("/tmp/home/go", "")?;
                bounded::until("its death", LONG, || Ok(Path::new("/tmp/home/gone").exists()))?;
                drop(terminal);
                kill(broker, Signal::SIGCONT)?;
                bounded::until("the pty's end", LONG, || Ok(!Path::new("/dev/pts/0").exists()))?;
                broker::until_kept(0, LONG)?;
                let live = world.live()?;
                if !live.is_empty() {
                    return Err(format!("{live:?}").into());
                }
                Ok(())
            },
        ),
        Case::world("a tmux server with ten panes, killed by SIGKILL", Side::Broker, tmux),
        Case::world("xterm, killed by SIGKILL", Side::Broker, xterm),
    ]
}

fn pid_of_broker(world: &World) -> Result<Pid, Failure> {
    let broker = world.broker.borrow();
    Ok(Pid::from_raw(broker.as_ref().ok_or("no broker")?.pid()))
}

/// A terminal with a session.
pub fn start(world: &World, how: &str) -> Result<Running, Failure> {
    let mut terminal = Running::start(&mut command(world, ALICE, "session", &[how.to_owned()]))?;
    match terminal.line()?.as_str() {
        "recorded" => Ok(terminal),
        other => Err(other.into()),
    }
}

fn lives(world: &World) -> Outcome {
    sleep(Duration::from_millis(300));
    match world.live()?.len() {
        1 => Ok(()),
        count => Err(format!("{count} sessions: {:?}", world.utmp()?).into()),
    }
}

/// All sessions have ended, and wtmp has `logouts` of them (0: not looked at).
fn ended_within_a_second(world: &World, logouts: usize) -> Outcome {
    let begin = Instant::now();
    let ended = || -> Result<bool, Failure> {
        let wtmp = world.wtmp()?;
        let found = wtmp.iter().filter(|record| record.ut_type() == DEAD_PROCESS).count();
        Ok(world.live()?.is_empty() && (logouts == 0 || found == logouts))
    };
    bounded::until("the logouts", LONG, ended)
        .map_err(|error| format!("{error}: {:?} {:?}", world.utmp(), world.wtmp()))?;
    let taken = begin.elapsed();
    if taken > SECOND {
        return Err(format!("the logouts came after {taken:?}").into());
    }
    Ok(())
}

/// As alice: a terminal.
pub fn session(words: &[String]) -> Outcome {
    let how = words.first().ok_or("how?")?.as_str();
    let pty = Pty::open()?;
    let master = pty.number_of_descriptor();
    if how == "dies midway" {
        let peer = Peer::greeted()?.ok_or("not greeted")?;
        println!("recorded");
        while !Path::new("/tmp/home/go").exists() {
            sleep(Duration::from_millis(5));
        }
        peer.send(&request(ADD, "host"), &[master])?;
        std::fs::write("/tmp/home/gone", "")?;
        sys::exit_now(0);
    }
    let answer = ask(&request(ADD, "host"), &[master])?;
    if answer != Some(0) {
        return Err(format!("answered {answer:?}").into());
    }
    println!("recorded");
    match how {
        "closes" => {
            drop(pty);
            sleep(LONG);
        }
        "forks" => match sys::fork()? {
            ForkResult::Parent { child } => {
                println!("{child}");
                sys::exit_now(0);
            }
            ForkResult::Child => {
                // Its standard output is what the test waits for the end of.
                nix::unistd::close(1)?;
                sleep(LONG);
            }
        },
        "execs" => {
            use std::os::unix::process::CommandExt;
            nix::fcntl::fcntl(
                pty.master()?,
                nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
            )?;
            let kept = pty.master()?;
            let _ = Command::new("sleep").arg("60").stdin(Stdio::from(kept)).exec();
        }
        _ => sleep(Duration::from_secs(60)),
    }
    Ok(())
}

fn tmux(world: &World) -> Outcome {
    place::program("tmux", "tmux")?;
    let tmux = |words: &[&str]| {
        let mut command = world.command(ALICE, "tmux");
        command.args(["-S", "/tmp/home/tmux", "-f", "/dev/null"]).args(words);
        bounded::run(&mut command, LONG)?.text()
    };
    tmux(&["new-session", "-d", "-x", "200", "-y", "100"])?;
    for _ in 1..10 {
        tmux(&["new-window", "-d"])?;
    }
    let server: i32 = tmux(&["display-message", "-p", "#{pid}"])?.trim().parse()?;
    bounded::until("ten sessions", LONG, || Ok(world.live()?.len() == 10))?;
    kill(Pid::from_raw(server), Signal::SIGKILL)?;
    ended_within_a_second(world, 10)
}

fn xterm(world: &World) -> Outcome {
    place::program("Xvfb", "xvfb")?;
    place::program("xterm", "xterm")?;
    let number = "/run/display";
    let mut server = world.command(ALICE, "Xvfb");
    server.args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]);
    server.stdout(File::create(number)?).stderr(Stdio::null()).spawn()?;
    let read = || std::fs::read_to_string(number).unwrap_or_default();
    bounded::until("the X server", LONG, || Ok(read().ends_with('\n')))?;
    let display = format!(":{}", read().trim());
    let mut xterm = world.command(ALICE, "xterm");
    let mut xterm = xterm.env("DISPLAY", &display).spawn()?;
    bounded::until("a session", LONG, || Ok(world.live()?.len() == 1))?;
    xterm.kill()?;
    xterm.wait()?;
    ended_within_a_second(world, 1)
}

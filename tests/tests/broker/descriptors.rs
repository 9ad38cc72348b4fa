//! What may be sent in place of a pty's master.

use std::fs::{File, OpenOptions};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::{ForkResult, pipe};
use utempter_tests::part::{Running, command};
use utempter_tests::pty::Pty;
use utempter_tests::world::{ALICE, BOB, User, new_devpts};
use utempter_tests::{Case, Outcome, Side, World, bounded, broker};

use crate::peer::{ADD, Failure, LONG, Peer, ask, request};
use crate::{fuse, none, sys};

const KINDS: &[(&str, i32)] = &[
    ("none", libc::EPROTO),
    ("two masters", libc::EPROTO),
    ("253 masters", libc::EPROTO),
    ("a master and a file", libc::EPROTO),
    ("a pipe's reading end", libc::EBADF),
    ("a slave", libc::ENOTTY),
    ("/dev/null", libc::ENOTTY),
    ("a directory", libc::EBADF),
    ("a regular file", libc::ENOTTY),
    ("a socket", libc::ENOTTY),
    ("a master open for reading", libc::EBADF),
    ("a master open by O_PATH", libc::EBADF),
    ("a master of another devpts", libc::EXDEV),
];

pub fn cases() -> Vec<Case> {
    let kinds = KINDS.iter().map(|(name, _)| {
        Case::world_of(&format!("sent: {name}"), Side::Broker, none, move |world| {
            if name.contains("another devpts") {
                std::fs::create_dir("/run/pts")?;
                new_devpts("/run/pts".as_ref())?;
            }
            part(world, ALICE, "descriptors", name)?;
            nothing_recorded(world)?;
            part(world, BOB, "ask", "0")?;
            // The broker goes on with alice, once it has closed what was strange.
            bounded::until("alice to be served again", LONG, || {
                Ok(part(world, ALICE, "ask", "0").is_ok())
            })
        })
    });
    let others = [
        Case::world_of("root's own request for alice's pty", Side::Broker, none, |world| {
            let pty = Pty::open()?;
            nix::unistd::chown(pty.device().as_str(), Some(ALICE.uid.into()), None)?;
            let answer = ask(&request(ADD, "host"), &[pty.number_of_descriptor()])?;
            match answer {
                Some(errno) if errno == libc::EPERM as u16 => nothing_recorded(world),
                other => Err(format!("answered {other:?}").into()),
            }
        }),
        Case::world_of("alice's request for root's pty", Side::Broker, none, |world| {
            let pty = Pty::open()?;
            let mut command = command(world, ALICE, "descriptors", &["inherited".into()]);
            // As its standard input.
            command.stdin(pty.master()?);
            bounded::run(&mut command, LONG)?.text()?;
            nothing_recorded(world)
        }),
        Case::world_of(
            "a connection that outlives its process is nobody's",
            Side::Broker,
            none,
            |world| {
                part(world, ALICE, "successor", "")?;
                bounded::until("its heir's answer", LONG, || {
                    Ok(std::path::Path::new("/tmp/home/answer").exists())
                })?;
                let answer = std::fs::read_to_string("/tmp/home/answer")?;
                if answer != format!("{:?}", Some(libc::ESRCH as u16)) {
                    return Err(format!("answered {answer}").into());
                }
                nothing_recorded(world)
            },
        ),
        Case::world_of("a file of a user's FUSE mount", Side::Broker, none, fuse_file),
        Case::world_of("a TCP socket that lingers", Side::Broker, none, |world| {
            let broker = world.broker.borrow().as_ref().map(|broker| broker.pid());
            let broker = nix::unistd::Pid::from_raw(broker.ok_or("no broker")?);
            let mut alice = Running::start(&mut command(world, ALICE, "strange", &["tcp".into()]))?;
            let greeted = alice.line()?;
            // The last copy shall be the one that is sent.
            nix::sys::signal::kill(broker, nix::sys::signal::Signal::SIGSTOP)?;
            std::fs::write("/tmp/home/go", "")?;
            let sent = alice.line()?;
            nix::sys::signal::kill(broker, nix::sys::signal::Signal::SIGCONT)?;
            if (greeted.as_str(), sent.as_str()) != ("greeted", "sent") {
                return Err(format!("{greeted}, {sent}").into());
            }
            quick(world, BOB)?;
            // It lingers, and so alice is not served.
            part(world, ALICE, "ask", "refused")
        }),
        Case::world_of(
            "a FUSE file behind the request is not closed in the way",
            Side::Broker,
            none,
            |world| {
                let daemon = fuse::serve_hanging()?;
                let words = ["behind".to_owned()];
                let mut alice = Running::start(&mut command(world, ALICE, "strange", &words))?;
                let line = alice.line()?;
                let bob = quick(world, BOB);
                // Alice, too, hangs in closing it.
                nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGKILL)?;
                if line != "answered Some(0)" {
                    return Err(line.into());
                }
                bob
            },
        ),
    ];
    kinds.chain(others).collect()
}

fn part(world: &World, user: User, name: &str, word: &str) -> Outcome {
    Running::start(&mut command(world, user, name, &[word.to_owned()]))?.finish().map(drop)
}

fn nothing_recorded(world: &World) -> Outcome {
    let (utmp, wtmp) = (world.utmp()?, world.wtmp()?);
    if !utmp.is_empty() || !wtmp.is_empty() {
        return Err(format!("{utmp:?} {wtmp:?}").into());
    }
    Ok(())
}

/// Served at once, whatever others have done.
fn quick(world: &World, user: User) -> Outcome {
    let begin = Instant::now();
    part(world, user, "ask", "0")?;
    let taken = begin.elapsed();
    if taken > Duration::from_secs(1) {
        return Err(format!("{} was served after {taken:?}", user.name).into());
    }
    Ok(())
}

/// As alice: sends it.
pub fn send(words: &[String]) -> Outcome {
    let name = words.first().ok_or("no name")?.as_str();
    let pty = Pty::open()?;
    let master = pty.number_of_descriptor();
    let mut kept: Vec<OwnedFd> = Vec::new();
    let descriptors: Vec<RawFd> = match name {
        "inherited" => {
            let answer = ask(&request(ADD, "host"), &[0])?;
            return expect(answer, libc::EPERM);
        }
        "none" => vec![],
        "two masters" => vec![master, master],
        "253 masters" => vec![master; 253],
        "a master and a file" => {
            kept.push(File::open("/etc/passwd")?.into());
            vec![master, kept[0].as_raw_fd()]
        }
        other => {
            kept.push(open(other, &pty)?);
            vec![kept[0].as_raw_fd()]
        }
    };
    let (_, errno) = KINDS.iter().find(|(other, _)| *other == name).ok_or("no such kind")?;
    expect(ask(&request(ADD, "host"), &descriptors)?, *errno)
}

fn expect(answer: Option<u16>, errno: i32) -> Outcome {
    match answer {
        Some(found) if found == errno as u16 => Ok(()),
        other => Err(format!("answered {other:?}, and not {errno}").into()),
    }
}

fn open(kind: &str, pty: &Pty) -> Result<OwnedFd, Failure> {
    let open = |path: &str, write: bool, flags: i32| {
        let flags = flags | libc::O_NOCTTY;
        OpenOptions::new().read(true).write(write).custom_flags(flags).open(path)
    };
    Ok(match kind {
        "a pipe's reading end" => pipe()?.0,
        "a slave" => open(&pty.device(), true, 0)?.into(),
        "/dev/null" => open("/dev/null", true, 0)?.into(),
        "a directory" => open("/tmp", false, libc::O_DIRECTORY)?.into(),
        "a regular file" => {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true);
            options.open("/tmp/home/file")?.into()
        }
        "a socket" => std::os::unix::net::UnixDatagram::unbound()?.into(),
        "a master open for reading" => open("/dev/ptmx", false, 0)?.into(),
        "a master open by O_PATH" => open("/dev/ptmx", false, libc::O_PATH)?.into(),
        "a master of another devpts" => open("/run/pts/ptmx", true, 0)?.into(),
        other => return Err(format!("what is {other}?").into()),
    })
}

/// As alice: connects, and leaves the connection to a child.
pub fn successor(_: &[String]) -> Outcome {
    let pty = Pty::open()?;
    let peer = Peer::greeted()?.ok_or("not greeted")?;
    let parent = std::process::id();
    match sys::fork()? {
        ForkResult::Parent { .. } => Ok(()),
        ForkResult::Child => {
            while nix::unistd::getppid().as_raw() == parent as i32 {
                std::thread::sleep(Duration::from_millis(5));
            }
            // The parent may be seen to have gone before it has been collected.
            std::thread::sleep(Duration::from_millis(50));
            let answer = peer
                .send(&request(ADD, "host"), &[pty.number_of_descriptor()])
                .and_then(|()| peer.answer());
            let text =
                answer.map_or_else(|error| error.to_string(), |answer| format!("{answer:?}"));
            let _ = std::fs::write("/tmp/home/new", text);
            let _ = std::fs::rename("/tmp/home/new", "/tmp/home/answer");
            sys::exit_now(0);
        }
    }
}

/// As alice: sends what takes long to close.
pub fn strange(words: &[String]) -> Outcome {
    let peer = Peer::greeted()?.ok_or("not greeted")?;
    match words.first().map(String::as_str) {
        Some("tcp") => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let stream = TcpStream::connect(listener.local_addr()?)?;
            let linger = libc::linger { l_onoff: 1, l_linger: 3600 };
            setsockopt(&stream, sockopt::Linger, &linger)?;
            // What nobody reads, so that there is something to linger for.
            stream.set_nonblocking(true)?;
            while std::io::Write::write(&mut &stream, &[0; 65536]).is_ok() {}
            // As one that waits does it: what lingers is a close that waits.
            stream.set_nonblocking(false)?;
            println!("greeted");
            while !std::path::Path::new("/tmp/home/go").exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
            peer.send(&request(ADD, "host"), &[stream.as_fd().as_raw_fd()])?;
            drop(stream);
            println!("sent");
            std::thread::sleep(LONG);
            Ok(())
        }
        Some("behind") => {
            let pty = Pty::open()?;
            peer.send(&request(ADD, "host"), &[pty.number_of_descriptor()])?;
            let file = OpenOptions::new().read(true).write(true).open(fuse::FILE)?;
            for message in [&b""[..], b"more"] {
                let _ = peer.send(message, &[file.as_raw_fd()]);
            }
            println!("answered {:?}", peer.answer()?);
            sys::exit_now(0);
        }
        _ => {
            let file = OpenOptions::new().read(true).write(true).open(fuse::FILE)?;
            peer.send(&request(ADD, "host"), &[file.as_raw_fd()])?;
            let answer = peer.answer()?;
            println!("answered {answer:?}");
            sys::exit_now(0);
        }
    }
}

/// Its daemon never answers when the file is closed.
fn fuse_file(world: &World) -> Outcome {
    let daemon = fuse::serve_hanging()?;
    let mut alice = Running::start(&mut command(world, ALICE, "strange", &["fuse".into()]))?;
    let line = alice.line()?;
    if line != format!("answered {:?}", Some(libc::ENOTTY as u16)) {
        return Err(line.into());
    }
    quick(world, BOB)?;
    // Its sender is served no more: not even greeted.
    if part(world, ALICE, "ask", "refused").is_err() {
        return Err(format!("alice is served all the same\n{}", broker::log()).into());
    }
    quick(world, BOB)?;
    // With the daemon gone, the kernel ends what hung.
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGKILL)?;
    bounded::until("alice to be served again", LONG, || Ok(part(world, ALICE, "ask", "0").is_ok()))
}

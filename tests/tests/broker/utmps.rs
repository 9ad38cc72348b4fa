//! utmps: the broker and the helper as clients of its daemons, which are imitated here after
//! what utmps documents of itself, byte by byte.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt};
use utempter_tests::part::{Running, command};
use utempter_tests::pty::Pty;
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, Skip, World, bounded, broker, place};

use crate::none;
use crate::peer::{Failure, LONG};

/// Bytes of utmps' struct utmpx on 64-bit machines, whatever the C library's has.
const SIZE: usize = 400;
/// Where its seconds are, 64 bits wide.
const SECONDS: usize = 344;

pub fn cases() -> Vec<Case> {
    vec![
        Case::world_of("utmps: the broker's session and its end", Side::Broker, none, |world| {
            let seen = daemons(&[0; 8])?;
            Running::start(&mut command(world, ALICE, "ask", &["0".into()]))?.finish()?;
            let all = take(&seen, 4)?;
            for (call, (daemon, word, kind)) in all.iter().zip(EXPECTED) {
                check(call, daemon, word, kind)?;
                // utmps asks for root, or its own group, and here it is root.
                if call.uid != 0 {
                    return Err(format!("{call:?}").into());
                }
            }
            // With daemons, files are not written besides.
            match world.utmp()?.is_empty() && world.wtmp()?.is_empty() {
                true => Ok(()),
                false => Err("files were written".into()),
            }
        }),
        Case::world_of("utmps: a ghost's logout", Side::Broker, none, |world| {
            let seen = daemons(&[0; 8])?;
            let terminal = crate::ghosts::start(world, "plain")?;
            drop(terminal);
            let kinds: Vec<i16> = take(&seen, 4)?.iter().map(Call::kind).collect();
            if kinds != [7, 7, 8, 8] {
                return Err(format!("{kinds:?}").into());
            }
            broker::until_kept(0, LONG)
        }),
        Case::world_of("utmps: its refusal is the client's errno", Side::Broker, none, |world| {
            let _seen = daemons(&[1; 8])?;
            let ended = Running::start(&mut command(world, ALICE, "ask", &["0".into()]))?.finish();
            match ended {
                Err(_) if broker::log().contains("utmpd: EPERM") => Ok(()),
                other => Err(format!("{other:?}: {}", broker::log()).into()),
            }
        }),
        Case::world_of(
            "utmps: a daemon that hangs is waited for once",
            Side::Broker,
            none,
            |world| {
                let _listener = listen("utmpd")?;
                let begin = Instant::now();
                for _ in 0..5 {
                    let _ =
                        Running::start(&mut command(world, ALICE, "ask", &["0".into()]))?.finish();
                }
                match begin.elapsed() {
                    taken if taken < Duration::from_secs(5) => Ok(()),
                    taken => Err(format!("{taken:?}").into()),
                }
            },
        ),
        Case::world_of("utmps: the helper's session and its end", Side::Ours, none, |world| {
            by_helper(world, &place::system_helper())
        }),
        Case::world_of(
            "utmps: a daemon that hangs ends no helper's call late",
            Side::Ours,
            none,
            |_| {
                let _listeners = [listen("utmpd")?, listen("wtmpd")?];
                let begin = Instant::now();
                let status = helper(&place::system_helper(), "add")?;
                let taken = begin.elapsed();
                if status != Some(nix::libc::ETIMEDOUT) || taken > Duration::from_secs(4) {
                    return Err(format!("{status:?} after {taken:?}").into());
                }
                Ok(())
            },
        ),
        Case::world_of("utmps: the helper built for musl", Side::Ours, musl_helper, |world| {
            // In place of the client of these worlds.
            let helper = Path::new(World::CLIENT);
            std::os::unix::fs::chown(helper, Some(0), Some(utmp_group()?))?;
            fs::set_permissions(helper, Permissions::from_mode(0o2711))?;
            by_helper(world, helper)
        }),
    ]
}

/// Which daemon, its word, and ut_type; login first.
const EXPECTED: [(&str, u8, i16); 4] =
    [("utmpd", b'E', 7), ("wtmpd", b'+', 7), ("utmpd", b'E', 8), ("wtmpd", b'+', 8)];

/// What a daemon was asked.
#[derive(Debug)]
struct Call {
    daemon: &'static str,
    bytes: Vec<u8>,
    uid: u32,
    gid: u32,
}

impl Call {
    fn kind(&self) -> i16 {
        i16::from_ne_bytes([self.bytes[1], self.bytes[2]])
    }
}

fn listen(name: &str) -> Result<UnixListener, Failure> {
    fs::create_dir_all("/run/utmps")?;
    let path = format!("/run/utmps/.{name}-socket");
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(path, Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// Both daemons: each request is a word and a record, each answer a byte.
fn daemons(answers: &'static [u8]) -> Result<Receiver<Call>, Failure> {
    let (tell, seen) = channel();
    for name in ["utmpd", "wtmpd"] {
        let (listener, tell) = (listen(name)?, tell.clone());
        thread::spawn(move || {
            for (stream, answer) in listener.incoming().flatten().zip(answers.iter().cycle()) {
                serve(name, stream, *answer, &tell);
            }
        });
    }
    Ok(seen)
}

fn serve(daemon: &'static str, mut stream: UnixStream, answer: u8, tell: &Sender<Call>) {
    let peer = getsockopt(&stream, sockopt::PeerCredentials).expect("who asks");
    let mut bytes = vec![0; 1 + SIZE];
    // One that only looks whether the daemon is there asks nothing.
    if stream.read_exact(&mut bytes).is_err() {
        return;
    }
    let call = Call { daemon, bytes, uid: peer.uid(), gid: peer.gid() };
    let _ = tell.send(call);
    stream.write_all(&[answer]).expect("the answer");
    let rest = stream.read_to_end(&mut Vec::new());
    assert!(matches!(rest, Ok(0)), "one request, and nothing behind it");
}

fn take(seen: &Receiver<Call>, count: usize) -> Result<Vec<Call>, Failure> {
    Ok((0..count).map(|_| seen.recv_timeout(LONG)).collect::<Result<_, _>>()?)
}

/// The record's fields at their offsets: those of utmps' structure on a 64-bit machine.
fn check(call: &Call, daemon: &str, word: u8, kind: i16) -> Outcome {
    let record = &call.bytes[1..];
    let text = |at: usize, length: usize| {
        let field = &record[at..at + length];
        String::from_utf8_lossy(field).trim_end_matches('\0').to_owned()
    };
    let host = if kind == 7 { text(76, 256) } else { String::new() };
    let zero = record[332..SECONDS].iter().all(|byte| *byte == 0);
    let time = i64::from_ne_bytes(record[SECONDS..SECONDS + 8].try_into()?);
    let found = (call.daemon, call.bytes[0], call.kind(), text(8, 32), text(40, 4), text(44, 32));
    let strings = ["pts/0", "ts/0", "alice"].map(str::to_owned);
    let [line, id, user] = strings;
    if found != (daemon, word, kind, line, id, user) || !zero || time < 1_700_000_000 {
        return Err(format!("{found:?} {host} {zero} {time}").into());
    }
    Ok(())
}

/// The helper on a pty of alice's.
fn helper(program: &Path, word: &str) -> Result<Option<i32>, Failure> {
    let pty = Pty::open()?;
    nix::unistd::chown(pty.device().as_str(), Some(ALICE.uid.into()), None)?;
    let mut command = Command::new("setpriv");
    // By way of a shell: process 1 of this world is no terminal that is recorded.
    command.args([
        "--reuid=7001",
        "--regid=7001",
        "--clear-groups",
        "sh",
        "-c",
        "\"$0\" \"$1\"; exit $?",
    ]);
    command.arg(program).arg(word);
    command.stdin(Stdio::from(pty.master()?)).env("LOGNAME", "alice");
    Ok(bounded::run(&mut command, LONG)?.status.code())
}

fn by_helper(world: &World, program: &Path) -> Outcome {
    let seen = daemons(&[0; 8])?;
    let group = utmp_group()?;
    for word in ["add", "del"] {
        match helper(program, word)? {
            Some(0) => {}
            other => return Err(format!("{word}: {other:?}").into()),
        }
    }
    for (call, (daemon, word, kind)) in take(&seen, 4)?.iter().zip(EXPECTED) {
        check(call, daemon, word, kind)?;
        // The user for wtmpd, the group for utmpd.
        if (call.uid, call.gid) != (ALICE.uid, group) {
            return Err(format!("{call:?}").into());
        }
    }
    match world.utmp()?.is_empty() && world.wtmp()?.is_empty() {
        true => Ok(()),
        false => Err("files were written".into()),
    }
}

fn utmp_group() -> Result<u32, Failure> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata(World::UTMP)?.gid())
}

/// The helper, built for x86_64-unknown-linux-musl.
fn musl_helper() -> Result<std::path::PathBuf, Failure> {
    let target = "x86_64-unknown-linux-musl";
    let list = Command::new("rustup").args(["target", "list", "--installed"]).output();
    let installed = list.is_ok_and(|list| String::from_utf8_lossy(&list.stdout).contains(target));
    if !installed {
        return Err(Skip(format!("needs Rust's target {target} (rustup target add)")).into());
    }
    let directory = std::env::current_exe()?.with_extension("musl");
    let mut build = Command::new("cargo");
    build
        .args(["build", "--release", "--locked", "--offline", "-p", "utempter-helper"])
        .args(["--target", target, "--target-dir"])
        .arg(&directory)
        .current_dir(place::repository());
    bounded::run(&mut build, Duration::from_secs(300))?.text()?;
    Ok(directory.join(target).join("release/utempter"))
}

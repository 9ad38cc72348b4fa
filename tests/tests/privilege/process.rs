//! The helper's process, in the hands of alice while it runs.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::libc::{self, F_WRLCK};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, pipe};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Side, Skip, World, bounded, place};

use crate::attempt::{Attempt, Result, Running};
use crate::scene::{Expect, Row, Scene};
use crate::sys::{self, Owner};

use Expect::{Killed, Refused};

pub fn rows() -> Vec<Row> {
    vec![
        // The kernel gives no group to a program that its caller traces.
        Row::new("started under PTRACE_TRACEME", Refused(libc::EACCES), Refused(1), |_| {
            Ok(Attempt::new()?.step(sys::trace_me))
        }),
        Row::new(
            "started with root and directory shared",
            Refused(libc::EACCES),
            Refused(1),
            |_| {
                Ok(Attempt::new()?.step(|| match sys::fork_sharing_fs()? {
                    0 => {
                        std::thread::sleep(Duration::from_millis(1500));
                        sys::exit_now(0);
                    }
                    _ => Ok(()),
                }))
            },
        ),
    ]
}

/// A helper that waits for the lock on utmp, with both stores open and the lock's holder.
pub fn caught(attempt: &mut Attempt) -> Result<(Running, OwnedFd)> {
    let utmp = OpenOptions::new().read(true).write(true).open(World::UTMP)?;
    sys::lock(utmp.as_raw_fd(), Owner::Posix, F_WRLCK)?;
    let running = attempt.start()?;
    let directory = format!("/proc/{}/fd", running.helper);
    bounded::until("the helper opens wtmp", Duration::from_secs(2), || {
        let links = fs::read_dir(&directory)?.flatten().map(|entry| fs::read_link(entry.path()));
        Ok(links.flatten().any(|file| file == Path::new(World::WTMP)))
    })?;
    Ok((running, utmp.into()))
}

/// What alice tries on a process, and whether she may.
fn attacks(pid: i32, address: usize) -> Vec<(&'static str, bool)> {
    let open = |name: &str, write: bool| {
        OpenOptions::new().read(!write).write(write).open(format!("/proc/{pid}/{name}")).is_ok()
    };
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).is_ok();
    let mut tried = vec![
        ("prlimit", sys::limit_of_other(pid, 1000).is_ok()),
        ("pidfd_getfd", sys::take_descriptor(pid, 0).is_ok()),
        ("process_vm_readv", sys::other_memory(pid, address, false).is_ok()),
        ("process_vm_writev", sys::other_memory(pid, address, true).is_ok()),
        ("/proc/PID/mem to read", open("mem", false)),
        ("/proc/PID/mem to write", open("mem", true)),
        ("/proc/PID/maps", open("maps", false)),
        ("/proc/PID/environ", open("environ", false)),
        ("/proc/PID/auxv", open("auxv", false)),
        ("/proc/PID/coredump_filter", open("coredump_filter", true)),
        ("/proc/PID/oom_score_adj", open("oom_score_adj", true)),
        ("/proc/PID/fd", fs::read_dir(format!("/proc/{pid}/fd")).is_ok()),
        ("/proc/PID/map_files", fs::read_dir(format!("/proc/{pid}/map_files")).is_ok()),
        ("/proc/PID/exe", link("exe")),
        ("/proc/PID/cwd", link("cwd")),
        ("/proc/PID/root", link("root")),
        ("/proc/PID/fd/0", link("fd/0")),
    ];
    // Last, and one at a time: they stop the process.
    for seize in [true, false] {
        let attached = sys::attach(pid, seize).is_ok();
        tried.push((if seize { "PTRACE_SEIZE" } else { "PTRACE_ATTACH" }, attached));
        if attached {
            break;
        }
    }
    tried
}

/// Does something as alice in a process of her own, and brings back what it says.
fn as_alice(what: impl FnOnce() -> String) -> Result<String> {
    let (answer, told) = pipe()?;
    let (mut answer, mut told) = (File::from(answer), File::from(told));
    match sys::fork()? {
        ForkResult::Parent { child } => {
            drop(told);
            let mut text = String::new();
            answer.read_to_string(&mut text)?;
            sys::wait(child.as_raw())?;
            Ok(text)
        }
        ForkResult::Child => {
            let ids = (ALICE.uid, ALICE.gid);
            if sys::become_(ids, ids).is_ok() {
                let _ = told.write_all(what().as_bytes());
            }
            sys::exit_now(0)
        }
    }
}

fn succeeded(tried: Vec<(&'static str, bool)>) -> String {
    let names = tried.into_iter().filter(|(_, done)| *done).map(|(name, _)| name);
    names.collect::<Vec<_>>().join(", ")
}

/// All of it on a helper at work; and, so that the refusals mean something, on a process of
/// alice's own that is not setgid.
fn at_work() -> Result {
    static BYTE: u8 = 0;
    let address = (&raw const BYTE).addr();
    let own = own_process(address)?;
    for attack in
        ["prlimit", "pidfd_getfd", "/proc/PID/mem to write", "/proc/PID/fd", "PTRACE_SEIZE"]
    {
        if !own.split(", ").any(|done| done == attack) {
            return Err(format!("{attack} is refused on alice's own process too: {own}").into());
        }
    }

    let mut attempt = Attempt::new()?;
    let scene = Scene::new()?;
    let (running, lock) = caught(&mut attempt)?;
    let helper = running.helper;
    let status = fs::read_to_string(format!("/proc/{helper}/status"))?;
    let done = as_alice(|| succeeded(attacks(helper, address)))?;
    drop(lock);
    let ended = running.end()?;
    scene.judge(&attempt, &ended, &Expect::Recorded)?;
    if !done.is_empty() {
        return Err(format!("alice may, with the running helper: {done}").into());
    }
    // While it works: effective and for files alice's, saved the one that was lent.
    let utmp = fs::metadata(World::UTMP)?.gid();
    let ids = |name: &str, ids: [u32; 4]| {
        let line = format!("{name}:\t{}", ids.map(|id| id.to_string()).join("\t"));
        match status.lines().any(|found| found == line) {
            true => Ok(()),
            false => Err(format!("not {line:?}: {status}")),
        }
    };
    ids("Gid", [ALICE.gid, ALICE.gid, utmp, ALICE.gid])?;
    ids("Uid", [ALICE.uid; 4])?;
    Ok(())
}

/// What alice may do with a sleep of her own.
fn own_process(address: usize) -> Result<String> {
    as_alice(|| {
        let Ok(mut child) = Command::new("/bin/sleep").arg("5").spawn() else {
            return "no sleep".into();
        };
        // Its exec has begun, and may not be over.
        std::thread::sleep(Duration::from_millis(100));
        let tried = attacks(child.id() as i32, address);
        let _ = child.kill();
        let _ = child.wait();
        succeeded(tried)
    })
}

/// With a core limit as high as it goes, from a directory of alice's.
fn no_core() -> Result {
    setrlimit(Resource::RLIMIT_CORE, libc::RLIM_INFINITY, libc::RLIM_INFINITY)?;
    std::env::set_current_dir("/tmp/home")?;
    let mut control = Command::new("/bin/sleep").uid(ALICE.uid).arg("5").spawn()?;
    std::thread::sleep(Duration::from_millis(100));
    kill(sys::pid(control.id() as i32), Signal::SIGQUIT)?;
    if !control.wait()?.core_dumped() {
        return Err(Skip("this system dumps no core of /bin/sleep either".into()).into());
    }
    for entry in fs::read_dir("/tmp/home")? {
        fs::remove_file(entry?.path())?;
    }
    for signal in [Signal::SIGQUIT, Signal::SIGSEGV, Signal::SIGABRT, Signal::SIGBUS] {
        let mut attempt = Attempt::new()?;
        let scene = Scene::new()?;
        let (running, lock) = caught(&mut attempt)?;
        kill(sys::pid(running.helper), signal)?;
        let ended = running.end()?;
        drop(lock);
        scene.judge(&attempt, &ended, &Killed(signal as i32))?;
        if ended.dumped_core() {
            return Err(format!("{signal}: a core was dumped").into());
        }
    }
    Ok(())
}

/// What the linker and loader do for each helper.
fn built() -> Result {
    let stage = place::Stage::main();
    protected(&stage.dynamic_helper(), &["libc.so.6"])?;
    stage.freestanding_helper().map_or(Ok(()), |helper| protected(&helper, &[]))
}

fn protected(helper: &Path, needs: &[&str]) -> Result {
    let readelf = place::program("readelf", "binutils")?;
    let mut command = Command::new(readelf);
    command.env("LC_ALL", "C").args(["-W", "-h", "-l", "-d", "-r"]).arg(helper);
    let text = bounded::run(&mut command, Duration::from_secs(10))?.text()?;
    let lines: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let has =
        |words: &[&str]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    for wanted in [
        &["Type:", "DYN (Position-Independent Executable file)"][..],
        &["GNU_RELRO"],
        &["FLAGS", "BIND_NOW"],
        &["GNU_STACK", " RW "],
    ] {
        if !has(wanted) {
            return Err(format!("no {wanted:?} in\n{text}").into());
        }
    }
    let none: &[&[&str]] = &[&["INTERP"], &["(RELR)"], &["IRELATIV"], &["TLS"]];
    let other = [&["RPATH"][..], &["RUNPATH"], &["TEXTREL"], &["LOAD", "RWE"]];
    // Whatever has no loader starts with what it knows of itself.
    let own = if needs.is_empty() { none } else { &[] };
    for other in other.iter().chain(own) {
        if has(other) {
            return Err(format!("{other:?} in\n{text}").into());
        }
    }
    let needed: Vec<&String> = lines.iter().filter(|line| line.contains("NEEDED")).collect();
    let is = |(needed, name): (&&String, &&str)| needed.ends_with(&format!("[{name}]"));
    match needed.len() == needs.len() && needed.iter().zip(needs).all(is) {
        true => Ok(()),
        false => Err(format!("it needs {needed:?}").into()),
    }
}

/// What the freestanding helper has protected by itself, as the kernel sees it while it works.
fn relocated() -> Result {
    let helper = place::system_helper();
    if place::other_helper(&helper).is_none() {
        return Err(Skip("no freestanding helper is installed here".into()).into());
    }
    let mut attempt = Attempt::new()?;
    let (running, lock) = caught(&mut attempt)?;
    let maps = fs::read_to_string(format!("/proc/{}/maps", running.helper))?;
    kill(sys::pid(running.helper), Signal::SIGKILL)?;
    running.end()?;
    drop(lock);
    let own: Vec<&str> = maps.lines().filter(|line| line.ends_with("/utempter")).collect();
    let with = |flags: &str| own.iter().filter(|line| line.contains(flags)).count();
    // Code, and before or behind it what is only read; the relocated part is read-only too.
    match (with(" r-xp "), with(" r--p "), with("wxp "), maps.contains("libc")) {
        (1, 1.., 0, false) if with(" rw-p ") == 0 => Ok(()),
        _ => Err(format!("unexpected:\n{maps}").into()),
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::here("the helper's file has no fixed address, late binding or search path", built),
        Case::world("the freestanding helper protects itself", Side::Ours, |_| relocated()),
        Case::world("a helper at work is out of alice's reach", Side::Ours, |_| at_work()),
        Case::world("a helper that is killed leaves no core", Side::Ours, |_| no_core()),
    ]
}

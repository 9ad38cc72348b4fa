//! The environment is the caller's: what it says is judged or not looked at.

use std::fs;

use nix::libc::{EINVAL, EPERM, ESRCH};
use nix::sys::signal::{Signal, kill};
use utempter_tests::world::{ALICE, BOB};
use utempter_tests::{Case, Side, World, compile};

use crate::attempt::{Attempt, Result};
use crate::scene::{Entry, Expect, Row, Scene};
use crate::sys;

use Expect::{As, Recorded, Refused};

/// What a loaded library does at once, if it is loaded.
const MARK: &str = "/tmp/home/loaded";

const EVIL: &str = r#"
#include <fcntl.h>
#include <unistd.h>
unsigned la_version(unsigned version) { return version; }
__attribute__((constructor)) static void loaded(void)
{
    close(open("/tmp/home/loaded", O_CREAT | O_WRONLY, 0666));
}
"#;

/// A shared library that leaves a mark, under the name given.
fn evil(name: &str) -> Result {
    let source = "/tmp/home/evil.c";
    fs::write(source, EVIL)?;
    compile::compile("gcc", &["-shared", "-fPIC", "-o", name, source])?;
    Ok(())
}

fn user(name: &str) -> Expect {
    As(Entry { user: name.into(), ..Entry::default() })
}

/// One entry that must not matter.
fn harmless(name: &'static str, entry: &'static str) -> Row {
    Row::new(name, Recorded, Recorded, move |_| Ok(Attempt::new()?.env(entry)))
}

fn logname(name: &'static str, value: &'static [u8]) -> Row {
    Row::new(name, Recorded, Recorded, move |_| {
        Ok(Attempt::new()?.without("LOGNAME").env([b"LOGNAME=", value].concat()))
    })
}

fn pid(name: &'static str, ours: i32, entry: impl AsRef<[u8]> + Send + Sync + 'static) -> Row {
    // The C library does not know the name.
    Row::new(name, Refused(ours), Recorded, move |_| Ok(Attempt::new()?.env(&entry)))
}

/// A process of somebody's, which waits to be killed.
fn sleeper(world: &World, of: utempter_tests::world::User) -> Result<std::process::Child> {
    Ok(world.command(of, "/bin/sleep").arg("100").spawn()?)
}

pub fn rows() -> Vec<Row> {
    let mut rows = vec![
        harmless("GCONV_PATH", "GCONV_PATH=/tmp/home"),
        harmless("NLSPATH", "NLSPATH=/tmp/home/%N"),
        harmless("LOCPATH and LC_ALL", "LOCPATH=/tmp/home"),
        harmless("TZ with a path", "TZ=:/tmp/home/zone"),
        harmless("TZDIR", "TZDIR=/tmp/home"),
        harmless("LOCALDOMAIN", "LOCALDOMAIN=example.org"),
        harmless("RES_OPTIONS", "RES_OPTIONS=debug ndots:99999999999"),
        harmless("RESOLV_HOST_CONF", "RESOLV_HOST_CONF=/tmp/home/hosts"),
        harmless("HOSTALIASES", "HOSTALIASES=/tmp/home/aliases"),
        harmless("MALLOC_TRACE", "MALLOC_TRACE=/tmp/home/trace"),
        harmless("MALLOC_PERTURB_", "MALLOC_PERTURB_=165"),
        harmless("MALLOC_ARENA_MAX", "MALLOC_ARENA_MAX=-1"),
        harmless("GLIBC_TUNABLES", "GLIBC_TUNABLES=glibc.malloc.check=3:glibc.malloc.perturb=1"),
        harmless(
            "GLIBC_TUNABLES of the 2023 overflow",
            "GLIBC_TUNABLES=glibc.malloc.mxfast=glibc.malloc.mxfast=A",
        ),
        harmless("LD_DEBUG to a file", "LD_DEBUG=all"),
        harmless("LD_DEBUG_OUTPUT", "LD_DEBUG_OUTPUT=/tmp/home/debug"),
        harmless("LD_PROFILE_OUTPUT", "LD_PROFILE_OUTPUT=/tmp/home"),
        harmless("LD_BIND_NOW and LD_SHOW_AUXV", "LD_SHOW_AUXV=1"),
        harmless("NIS_PATH", "NIS_PATH=/tmp/home"),
        // Names of the build's own variables; constants since.
        harmless("UTEMPTER_UTMP", "UTEMPTER_UTMP=/tmp/home/utmp"),
        harmless("UTEMPTER_WTMP", "UTEMPTER_WTMP=/tmp/home/wtmp"),
        harmless("TMPDIR", "TMPDIR=/tmp/home"),
        harmless("an entry without an equals sign", "UTEMPTER_PID"),
        harmless("a name that only begins with UTEMPTER_PID", "UTEMPTER_PIDS=1"),
        logname("LOGNAME of another user", b"bob"),
        logname("LOGNAME of root", b"root"),
        logname("LOGNAME of nobody", b"no-such-user"),
        logname("LOGNAME with an escape sequence", b"\x1b[2Jalice"),
        logname("LOGNAME with a line of passwd", b"x:x:0:0::/:\nalice"),
        logname("LOGNAME that is no UTF-8", b"\xff\xfe\x80"),
        logname("LOGNAME with a path", b"../../tmp/home/x"),
        logname("LOGNAME of 100 kB", &[b'a'; 100_000]),
        Row::new("LOGNAME is another name of her uid", user("alice2"), Recorded, |_| {
            Ok(Attempt::new()?.without("LOGNAME").env("LOGNAME=alice2"))
        }),
        Row::new("LOGNAME twice", Recorded, Recorded, |_| {
            Ok(Attempt::new()?.env("LOGNAME=bob").env("LOGNAME=root"))
        }),
        Row::new("no environment at all", Recorded, Recorded, |_| {
            let mut attempt = Attempt::new()?;
            attempt.environment.clear();
            Ok(attempt)
        }),
        Row::new("1.5 MB of environment", Recorded, Recorded, |_| {
            let mut attempt = Attempt::new()?;
            for n in 0..15_000 {
                attempt = attempt.env(format!("FILL{n}={}", "x".repeat(90)));
            }
            Ok(attempt)
        }),
        Row::new("UTEMPTER_PID twice", Refused(EINVAL), Recorded, |_| {
            Ok(Attempt::new()?.env("UTEMPTER_PID=2").env("UTEMPTER_PID=2"))
        }),
        pid("UTEMPTER_PID twice, once malformed", EINVAL, "UTEMPTER_PID=x"),
        pid("UTEMPTER_PID empty", EINVAL, "UTEMPTER_PID="),
        pid("UTEMPTER_PID 0, its own process group", EINVAL, "UTEMPTER_PID=0"),
        pid("UTEMPTER_PID -1, every process", EINVAL, "UTEMPTER_PID=-1"),
        pid("UTEMPTER_PID +2", EINVAL, "UTEMPTER_PID=+2"),
        pid("UTEMPTER_PID with a space", EINVAL, "UTEMPTER_PID= 2"),
        pid("UTEMPTER_PID hexadecimal", EINVAL, "UTEMPTER_PID=0x2"),
        pid("UTEMPTER_PID with a newline", EINVAL, "UTEMPTER_PID=2\n"),
        pid("UTEMPTER_PID of other digits", EINVAL, "UTEMPTER_PID=\u{0662}"),
        pid("UTEMPTER_PID 2^31", EINVAL, "UTEMPTER_PID=2147483648"),
        pid("UTEMPTER_PID 2^32 + 2", EINVAL, "UTEMPTER_PID=4294967298"),
        pid("UTEMPTER_PID 2^64 + 2", EINVAL, "UTEMPTER_PID=18446744073709551618"),
        pid("UTEMPTER_PID of 100 kB", EINVAL, "UTEMPTER_PID=".to_owned() + &"9".repeat(100_000)),
        pid("UTEMPTER_PID of no process", ESRCH, "UTEMPTER_PID=2147483647"),
        pid("UTEMPTER_PID 1, root's", EPERM, "UTEMPTER_PID=1"),
        pid("UTEMPTER_PID 1 with zeros before", EPERM, "UTEMPTER_PID=0000000000000000001"),
    ];
    rows.push(Row::new("UTEMPTER_PID of bob's process", Refused(EPERM), Recorded, |world| {
        let bob = sleeper(world, BOB)?;
        Ok(Attempt::new()?.env(format!("UTEMPTER_PID={}", bob.id())))
    }));
    rows.push(Row::new("UTEMPTER_PID of a dead process", Refused(ESRCH), Recorded, |world| {
        let mut child = sleeper(world, ALICE)?;
        child.kill()?;
        child.wait()?;
        Ok(Attempt::new()?.env(format!("UTEMPTER_PID={}", child.id())))
    }));
    rows
}

/// What a program that is not setgid does with the entry: it must do what the helper does
/// not, or the test shows nothing.
fn control(world: &World, entry: &str) -> Result {
    let (name, value) = entry.split_once('=').ok_or("no value")?;
    let _ = world.command(ALICE, "/bin/true").env(name, value).output()?;
    match fs::remove_file(MARK) {
        Ok(()) => Ok(()),
        Err(error) => Err(format!("{entry} does nothing to /bin/true either: {error}").into()),
    }
}

fn loader(name: &'static str, library: &'static str, entry: &'static str) -> Case {
    Case::world(name, Side::Ours, move |world| {
        evil(library)?;
        control(world, entry)?;
        Scene::expect(&mut Attempt::new()?.env(entry), &Recorded)?;
        match fs::exists(MARK)? {
            true => Err("the library was loaded".into()),
            false => Ok(()),
        }
    })
}

pub fn cases() -> Vec<Case> {
    vec![
        loader("LD_PRELOAD", "/tmp/home/evil.so", "LD_PRELOAD=/tmp/home/evil.so"),
        loader("LD_AUDIT", "/tmp/home/evil.so", "LD_AUDIT=/tmp/home/evil.so"),
        Case::world("LD_LIBRARY_PATH", Side::Ours, |world| {
            evil("/tmp/home/libc.so.6")?;
            let mut control = world.command(ALICE, "/bin/true");
            if control.env("LD_LIBRARY_PATH", "/tmp/home").status()?.success() {
                return Err("/bin/true runs with a C library of alice's that is none".into());
            }
            let mut attempt = Attempt::new()?.env("LD_LIBRARY_PATH=/tmp/home");
            Scene::expect(&mut attempt, &Recorded).map(drop)
        }),
        Case::world("LD_PROFILE", Side::Ours, |_| {
            let mut attempt = Attempt::new()?.env("LD_PROFILE=libc.so.6");
            let scene = Scene::new()?;
            let ended = attempt.run()?;
            scene.judge(&attempt, &ended, &Recorded)?;
            // The loader itself (glibc before 2.39) would write to a directory that no
            // system has, and says so.
            match ended.error.is_empty() || ended.error.starts_with(b"/var/profile/") {
                true => Ok(()),
                false => Err(format!("fd 2: {}", ended.error.escape_ascii()).into()),
            }
        }),
        Case::world("UTEMPTER_PID of another process of hers", Side::Ours, |world| {
            let mut other = sleeper(world, ALICE)?;
            let id = other.id() as i32;
            let expect = As(Entry { pid: Some(id), ..Entry::default() });
            Scene::expect(&mut Attempt::new()?.env(format!("UTEMPTER_PID={id}")), &expect)?;
            // Asked about, not signalled.
            if other.try_wait()?.is_some() {
                return Err("the process has ended".into());
            }
            Ok(kill(sys::pid(id), Signal::SIGKILL)?)
        }),
        Case::world("UTEMPTER_DEBUG tells on fd 2 alone, and only when set", Side::Ours, |_| {
            let expected = b"utempter: the host has a byte that is not printable: EINVAL (22)\n";
            for (entry, expected) in
                [("UTEMPTER_DEBUG=1", &expected[..]), ("UTEMPTER_DEBUG=", expected), ("X=1", b"")]
            {
                let mut attempt = Attempt::new()?.host("\x1b[2J").env(entry);
                let scene = Scene::new()?;
                let ended = attempt.run()?;
                scene.judge(&attempt, &ended, &Refused(EINVAL))?;
                if ended.error != expected {
                    return Err(format!("fd 2: {:?}", ended.error.escape_ascii()).into());
                }
            }
            Ok(())
        }),
    ]
}

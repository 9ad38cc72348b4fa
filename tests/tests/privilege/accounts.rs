//! The login name, by the helper that reads `/etc/passwd` itself: it is the one that the C
//! library would find, in each case, and what the file does not tell is handed over.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::libc;
use utempter_tests::world::{ALICE, NAMELESS, User};
use utempter_tests::{Case, Side, Skip, World, place, utmp};

use crate::attempt::{Attempt, Result};
use crate::calls::trace;
use crate::scene::Scene;

const PASSWD: &str = "/etc/passwd";
const NSSWITCH: &str = "/etc/nsswitch.conf";
/// One source that knows what the file knows, but is another.
const COMPAT: &str = "passwd: compat\ngroup: files\n";

/// From here on no helper reads the file itself.
pub fn hand_over() -> Result {
    Ok(fs::write(NSSWITCH, COMPAT)?)
}

fn other() -> Result<PathBuf> {
    let none = || Skip("no freestanding helper is installed here".into());
    Ok(place::other_helper(&place::system_helper()).ok_or_else(none)?)
}

/// Who finds the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The freestanding helper by itself.
    Itself,
    /// The other one, in its place.
    Other,
}
use By::{Itself, Other};

/// What came of an add: the exit status, and the records of utmp but for time and pid.
fn outcome(helper: &Path, user: User, logname: Option<&str>) -> Result<String> {
    for store in [World::UTMP, World::WTMP] {
        fs::write(store, "")?;
    }
    let mut attempt = Attempt::on(crate::attempt::pty_of(user)?).by(user).without("LOGNAME");
    attempt.helper = helper.into();
    if let Some(name) = logname {
        attempt = attempt.env(format!("LOGNAME={name}"));
    }
    let ended = attempt.run()?;
    let mut text = ended.words();
    for store in [World::UTMP, World::WTMP] {
        for record in utmp::decode(&fs::read(store)?)? {
            let fields = record.fields().into_iter();
            let fields = fields.filter(|(name, _)| !["ut_pid", "ut_tv"].contains(name));
            text += &format!("\n{store}: {:?}", fields.collect::<Vec<_>>());
        }
    }
    Ok(text)
}

/// Both helpers do the same, and it is this one that has found the name.
fn same(user: User, logname: Option<&str>, by: By) -> Result {
    let (helper, other) = (place::system_helper(), other()?);
    let expected = outcome(&other, user, logname)?;
    let found = outcome(&helper, user, logname)?;
    if found != expected {
        return Err(format!("expected {expected}\nfound {found}").into());
    }
    // With nobody to hand over to.
    let away = other.with_file_name("away");
    fs::rename(&other, &away)?;
    let alone = outcome(&helper, user, logname);
    fs::rename(&away, &other)?;
    let alone = alone?;
    let by_itself = alone == expected;
    if by_itself != (by == Itself) || (!by_itself && !alone.contains("exit 2")) {
        return Err(format!("by {by:?}? expected {expected}\nalone {alone}").into());
    }
    Ok(())
}

const ROOT: &str = "root:x:0:0:root:/root:/bin/sh\n";
const ALICES: &str = "alice:x:7001:7001:Alice:/tmp/home:/bin/sh\n";
const SECOND: &str = "alice2:x:7001:7001::/tmp/home:/bin/sh\n";
const BOBS: &str = "bob:x:7002:7002:bob:/tmp/home:/bin/sh\n";

/// Each LOGNAME with a file of several names of one uid.
fn lognames() -> Result {
    for text in [
        [ROOT, ALICES, SECOND, BOBS].concat(),
        [ROOT, BOBS, SECOND, ALICES].concat(),
        // A name twice: the first entry is it.
        [ROOT, "alice:x:7009:7009::/:/bin/sh\n", ALICES, SECOND, BOBS].concat(),
        [ROOT, SECOND, "alice:x:7009:7009::/:/bin/sh\n", ALICES, BOBS].concat(),
    ] {
        fs::write(PASSWD, &text)?;
        for (name, by) in [
            (None, Itself),
            (Some("alice"), Itself),
            (Some("alice2"), Itself),
            (Some("bob"), Itself),
            (Some("root"), Itself),
            (Some(""), Itself),
            // Another source may know it, with this very uid.
            (Some("carol"), Other),
            (Some("Alice"), Other),
            (Some("alice "), Other),
            (Some("alice:x"), Other),
            (Some("x"), Other),
        ] {
            same(ALICE, name, by).map_err(|error| format!("{name:?} in\n{text}{error}"))?;
        }
    }
    Ok(())
}

/// Each odd line, in front of alice's, in its place and behind it.
fn odd_lines() -> Result {
    let long = format!("long:x:1:1:{}:/:/bin/sh\n", "g".repeat(5000));
    let long_alice = format!("alice:x:7001:7001:{}:/:/bin/sh\n", "g".repeat(1000));
    let huge = format!("huge:x:1:1:{}:/:/bin/sh\n", "g".repeat(20_000));
    for line in [
        "\n",
        " \n",
        "# alice:x:7009:7009::/:/bin/sh\n",
        "#:x:7001:7001::/:/bin/sh\n",
        "+::::::\n",
        "+\n",
        "-alice::::::\n",
        "+alice:x:7001:7001::/:/bin/sh\n",
        ":x:7001:7001::/:/bin/sh\n",
        " alice:x:7001:7001::/:/bin/sh\n",
        "\talice:x:7001:7001::/:/bin/sh\n",
        "alice\n",
        "alice:x\n",
        "alice:x:7001\n",
        "alice:x:7001:7001\n",
        "alice:x:7001:7001::::\n",
        "alice:x:7001:7001::/:/bin/sh:more\n",
        "alice:x: 7001:7001::/:/bin/sh\n",
        "alice:x:+7001:7001::/:/bin/sh\n",
        "alice:x:-7001:7001::/:/bin/sh\n",
        "alice:x:7001 :7001::/:/bin/sh\n",
        "alice:x:0x1b59:7001::/:/bin/sh\n",
        "alice:x::7001::/:/bin/sh\n",
        "alice:x:7001::::/bin/sh\n",
        "alice:x:4294974297:7001::/:/bin/sh\n",
        "alice:x:99999999999999999999:7001::/:/bin/sh\n",
        "alice:x:7001:7001::/:/bin/sh\r\n",
        "ali\rce:x:7001:7001::/:/bin/sh\n",
        "alice\0:x:7001:7001::/:/bin/sh\n",
        "\0alice:x:7001:7001::/:/bin/sh\n",
        "alice:x:7001:7001:\0:/:/bin/sh\n",
        "alice:x:7001:7001:\x0b:/:/bin/sh\n",
        &long,
        &long_alice,
        &huge,
    ] {
        // What lies behind the line that is looked for is not read.
        for (text, by) in [
            ([ROOT, line, ALICES].concat(), Other),
            ([ROOT, line].concat(), Other),
            ([ROOT, ALICES, line].concat(), Itself),
        ] {
            fs::write(PASSWD, &text)?;
            let told = |error| format!("{:?}: {error}", &line[..line.len().min(60)]);
            same(ALICE, Some("alice"), by).map_err(told)?;
        }
    }
    Ok(())
}

/// Lines that are not odd, though they look so.
fn plain_lines() -> Result {
    for line in [
        "alice::7001:7001:::\n",
        "alice:x:007001:0:\u{dc}ml\u{e4}ut, Office 1, +49:/no such/:\n",
        "alice:x:7001:4294967295:x,y,z:/:/bin/sh\n",
        "a:x:7001:1::/:/bin/sh\n",
        "a-name-of-more-than-thirty-two-bytes-in-all:x:7001:1::/:/bin/sh\n",
    ] {
        fs::write(PASSWD, [ROOT, line].concat())?;
        same(ALICE, None, Itself).map_err(|error| format!("{line:?}: {error}"))?;
    }
    // A thousand others first, across the bounds of what is read at once.
    let others: String = (0..1000).map(|n| format!("user{n}:x:{n}:1:{n}:/:/bin/sh\n")).collect();
    fs::write(PASSWD, [&others, ALICES].concat())?;
    same(ALICE, Some("alice"), Itself)
}

/// Files that are no such files, and one that ends too early.
fn odd_files() -> Result {
    let torn = [ROOT, ALICES.trim_end()].concat();
    for text in ["", "\n", ROOT, &torn, &torn[..torn.len() - 20], &ALICES[..12]] {
        fs::write(PASSWD, text)?;
        same(ALICE, Some("alice"), Other).map_err(|error| format!("{text:?}: {error}"))?;
        same(ALICE, None, Other).map_err(|error| format!("{text:?}: {error}"))?;
    }
    fs::write(PASSWD, [ROOT, ALICES].concat())?;
    for mode in [0o600, 0o000] {
        fs::set_permissions(PASSWD, fs::Permissions::from_mode(mode))?;
        same(ALICE, Some("alice"), Other).map_err(|error| format!("mode {mode:o}: {error}"))?;
    }
    Ok(())
}

/// Each order of sources.
fn sources() -> Result {
    for (text, by) in [
        ("passwd: files\n", Itself),
        ("passwd:files\n", Itself),
        (" passwd:\tfiles systemd # and more\n", Itself),
        ("passwd: files sss ldap\n", Itself),
        ("passwd files\n", Itself),
        ("passwd_compat: nis\npasswd: files\n", Itself),
        ("passwd: compat\npasswd: files\n", Itself),
        ("passwd: files\npasswd: compat\n", Other),
        ("passwd: compat\n", Other),
        ("passwd: systemd files\n", Other),
        ("passwd: sss files\n", Other),
        ("passwd: ldap [NOTFOUND=continue] files\n", Other),
        ("passwd: files [SUCCESS=continue] compat\n", Other),
        ("passwd: files [SUCCESS=merge] compat\n", Other),
        ("passwd: files[NOTFOUND=return]\n", Other),
        ("passwd: filesystem\n", Other),
        ("passwd :files\n", Other),
        ("passwd:\n", Other),
        ("# passwd: files\n", Other),
        ("group: files\n", Other),
        ("passwd: files", Other),
        ("", Other),
    ] {
        fs::write(NSSWITCH, text)?;
        same(ALICE, Some("alice"), by).map_err(|error| format!("{text:?}: {error}"))?;
        // Without a name anywhere, each has the same to say.
        same(NAMELESS, None, Other).map_err(|error| format!("{text:?}, nobody: {error}"))?;
    }
    Ok(())
}

/// The other helper is started as the caller has started this one, and protected as it is:
/// with the group, as a program whose variables the loader does not heed, and with no
/// descriptor more.
fn handed_over() -> Result {
    let other = other()?;
    hand_over()?;
    let environment = ["LOGNAME=alice", "LD_PRELOAD=/tmp/home/trap", "LD_DEBUG=all"];
    let calls = trace(&place::system_helper(), &["add", "host"], &environment)?;
    let is_exec = |text: &str| text.starts_with("execve(");
    let at = calls.iter().rposition(|call| is_exec(&call.text)).unwrap_or_default();
    let exec = &calls[at].text;
    let opened = calls[..at].iter().filter(|call| call.text.starts_with("openat(")).count();
    let closed = calls[..at].iter().filter(|call| call.text.starts_with("close(")).count();
    let wanted = format!("execve({other:?}, [{:?}, \"add\", \"host\"], ", place::system_helper());
    if at == 0 || !exec.starts_with(&wanted) || !exec.ends_with(" = 0") {
        return Err(format!("{wanted} was {exec}").into());
    }
    // TIOCGPTPEER gives one too.
    if closed != opened + 1 {
        return Err(format!("{opened} opened, {closed} closed before {exec}").into());
    }
    match calls[at + 1..].iter().find(|call| call.text.contains("/tmp/home/trap")) {
        Some(call) => Err(format!("it is heeded: {}", call.text).into()),
        None => Ok(()),
    }
}

/// There is nobody to hand over to.
fn nobody_there() -> Result {
    let other = other()?;
    hand_over()?;
    let no_program = |make: fn(&Path) -> std::io::Result<()>, status: i32| {
        let away = other.with_file_name("away");
        fs::rename(&other, &away)?;
        make(&other)?;
        let mut attempt = Attempt::new()?;
        let scene = Scene::new()?;
        let ended = attempt.run()?;
        scene.judge(&attempt, &ended, &crate::scene::Expect::Refused(status))?;
        fs::rename(&away, &other)?;
        Result::Ok(())
    };
    no_program(|_| Ok(()), libc::ENOENT)?;
    no_program(|path| fs::write(path, "words"), libc::EACCES)?;
    no_program(
        |path| {
            fs::write(path, "words")?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        },
        libc::ENOEXEC,
    )
}

pub fn cases() -> Vec<Case> {
    let case = |name, body: fn() -> Result| {
        Case::world(name, Side::Ours, move |_| other().and_then(|_| body()))
    };
    vec![
        case("login names: LOGNAME chooses as with the other helper", lognames),
        case("login names: odd lines of passwd are the other helper's", odd_lines),
        case("login names: plain lines of passwd", plain_lines),
        case("login names: odd files are the other helper's", odd_files),
        case("login names: each order of sources", sources),
        case("handing over: as the caller has started it", handed_over),
        case("handing over: nobody is there", nobody_there),
    ]
}

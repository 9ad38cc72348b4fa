//! `utempterctl` on machines where terminals are recorded, and on machines where they are not.

mod broker;
mod confined;
mod last;
mod peers;
mod sources;
mod utmps;

use std::error::Error;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::mount::{MsFlags, mount};
use utempter_tests::utmp::{DEAD_PROCESS, Record, USER_PROCESS};
use utempter_tests::world::{ALICE, User};
use utempter_tests::{Case, Outcome, Side, Skip, World, bounded, part, place, run};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const ROOT: User = User { name: "root", uid: 0, gid: 0 };
const LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if let Some(code) = part::continue_as(peers::PARTS) {
        return code;
    }
    let groups = [
        health(),
        stores(),
        helpers(),
        confined::cases(),
        sessions(),
        broker::cases(),
        utmps::cases(),
        sources::cases(),
        last::cases(),
    ];
    run(groups.into_iter().flatten().collect())
}

/// The program beside the tests; the world has it as its client.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.ancestors().nth(2).ok_or("no directory above")?.join("utempterctl");
    match path.exists() {
        true => Ok(path),
        false => {
            Err(Skip(format!("{} is missing: cargo build -p utempterctl", path.display())).into())
        }
    }
}

fn case(name: &str, side: Side, body: impl Fn(&World) -> Outcome + Send + Sync + 'static) -> Case {
    Case::world_of(name, side, program, body)
}

/// Its exit status and output.
fn ctl(world: &World, user: User, arguments: &[&str]) -> Result<(i32, String)> {
    finish(world.command(user, World::CLIENT).args(arguments))
}

fn finish(command: &mut Command) -> Result<(i32, String)> {
    let output = bounded::run(command, LIMIT)?;
    Ok((output.status.code().ok_or("it was killed")?, output.text))
}

/// The doctor says that terminals are not recorded, and these words.
fn ill(world: &World, user: User, words: &[&str]) -> Outcome {
    let (status, text) = ctl(world, user, &["doctor"])?;
    says(&text, words)?;
    match status {
        1 if text.contains("\nerror ") => Ok(()),
        1 if text.starts_with("error ") => Ok(()),
        _ => Err(format!("status {status}: {text}").into()),
    }
}

/// All is well, and these words.
fn well(world: &World, user: User, words: &[&str]) -> Outcome {
    let (status, text) = ctl(world, user, &["doctor"])?;
    says(&text, words)?;
    if status != 0 || !text.ends_with("\nA terminal is recorded here.\n") {
        return Err(format!("status {status}: {text}").into());
    }
    Ok(())
}

fn says(text: &str, words: &[&str]) -> Outcome {
    match words.iter().find(|words| !text.contains(**words)) {
        Some(missing) => Err(format!("nothing of {missing:?} in: {text}").into()),
        None => Ok(()),
    }
}

fn health() -> Vec<Case> {
    let health = |name: &str, side, user: User| {
        case(name, side, move |world| {
            well(world, user, &["was recorded", "/var/run/utmp", "/var/log/wtmp"])?;
            // What the trial leaves: a session that has ended.
            let utmp = world.utmp()?;
            let history = world.wtmp()?;
            if utmp.len() != 1 || utmp[0].is_live() || history.len() != 2 {
                return Err(format!("{utmp:#?} {history:#?}").into());
            }
            Ok(())
        })
    };
    vec![
        health("a healthy machine, as a user", Side::Ours, ALICE),
        health("a healthy machine with the C library", Side::C, ALICE),
        case("a healthy machine, as root, who tries it as nobody", Side::Ours, |world| {
            let passwd = fs::read_to_string("/etc/passwd")?;
            fs::write("/etc/passwd", passwd + "nobody:x:65534:65534::/:/bin/false\n")?;
            well(world, ROOT, &["was recorded by the helper as nobody in"])
        }),
        case("the doctor in JSON", Side::Ours, |world| {
            let (status, text) = ctl(world, ALICE, &["doctor", "--json"])?;
            says(
                &text,
                &["{\"format\":1,\"recorded\":true,", "\"check\":\"trial\",\"level\":\"ok\""],
            )?;
            if status != 0 { Err(text.into()) } else { Ok(()) }
        }),
        case("a history that is switched off is no illness", Side::Ours, |world| {
            fs::remove_file(World::WTMP)?;
            well(world, ALICE, &["note     wtmp", "switched off"])
        }),
        case("a torn history is mended by the next record", Side::Ours, |world| {
            fs::write(World::WTMP, [1; 100])?;
            well(world, ALICE, &["the last 100 bytes are no whole record"])
        }),
        case("a lock, and who holds it", Side::Ours, |world| {
            let file = File::open(World::UTMP)?;
            let lock = nix::libc::flock {
                l_type: nix::libc::F_RDLCK as _,
                l_whence: nix::libc::SEEK_SET as _,
                l_start: 0,
                l_len: 0,
                l_pid: 0,
            };
            let own = format!("process {}", std::process::id());
            for lock in [FcntlArg::F_SETLK(&lock), FcntlArg::F_OFD_SETLK(&lock)] {
                fcntl(&file, lock)?;
                well(
                    world,
                    ROOT_AS_SEEN,
                    &[&own, "holds a read lock on", "/utmp", "mend it: kill"],
                )?;
                let unlock = nix::libc::flock { l_type: nix::libc::F_UNLCK as _, ..LOCK };
                fcntl(&file, FcntlArg::F_SETLK(&unlock))?;
            }
            Ok(())
        }),
    ]
}

/// Root sees every process's descriptors; so does this.
const ROOT_AS_SEEN: User = ROOT;
const LOCK: nix::libc::flock =
    nix::libc::flock { l_type: 0, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };

fn stores() -> Vec<Case> {
    vec![
        case("no utmp", Side::Ours, |world| {
            fs::remove_file(World::UTMP)?;
            ill(
                world,
                ALICE,
                &[
                    "/run/utmp does not exist",
                    "mend it: install -o root -g utmp -m 0664 /dev/null /run/utmp",
                ],
            )
        }),
        case("the command that mends a missing utmp mends it", Side::Ours, |world| {
            fs::remove_file(World::UTMP)?;
            let (_, text) = ctl(world, ALICE, &["doctor"])?;
            let mend = text.lines().find_map(|line| line.split_once("mend it: install"));
            let (_, rest) = mend.ok_or_else(|| format!("no command in: {text}"))?;
            let made = Command::new("sh").arg("-c").arg(format!("install{rest}")).status()?;
            if !made.success() {
                return Err("the command failed".into());
            }
            well(world, ALICE, &[])
        }),
        case("a utmp that its group may not write", Side::Ours, |world| {
            fs::set_permissions(World::UTMP, Permissions::from_mode(0o644))?;
            ill(world, ALICE, &["is 0644 root:utmp", "chmod 0664 /run/utmp"])
        }),
        case("a utmp of another group", Side::Ours, |world| {
            chown(World::UTMP, None, Some(0))?;
            ill(world, ALICE, &["is 0664 root:root", "chgrp utmp /run/utmp"])
        }),
        case("a utmp that is a directory", Side::Ours, |world| {
            fs::remove_file(World::UTMP)?;
            fs::create_dir(World::UTMP)?;
            ill(world, ALICE, &["/run/utmp is no file"])
        }),
        case("a utmp of another kind of machine", Side::Ours, |world| {
            let record = login_records::Record {
                ut_type: USER_PROCESS,
                pid: 7,
                line: *b"pts/9\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                time: login_records::Time { sec: 1_700_000_000, usec: 0 },
                ..login_records::Record::EMPTY
            };
            let foreign = login_records::Layout::TIME64.encode(&record);
            fs::write(World::UTMP, foreign.repeat(4))?;
            ill(world, ALICE, &["has records of 400 bytes; this machine's have 384"])
        }),
        case("a wtmp of something else", Side::Ours, |world| {
            fs::write(World::WTMP, "words and words\n".repeat(500))?;
            ill(world, ALICE, &["/var/log/wtmp holds no records"])
        }),
    ]
}

fn helpers() -> Vec<Case> {
    let mode = |name: &str, mode, words: &'static [&'static str]| {
        case(name, Side::Ours, move |world| {
            fs::set_permissions("/tmp/lib/utempter/utempter", Permissions::from_mode(mode))?;
            ill(world, ALICE, words)
        })
    };
    vec![
        mode("a helper that is not setgid", 0o755, &["is not setgid", "chmod 2711 /usr/lib/"]),
        mode("a helper that cannot be executed", 0o2644, &["is no program"]),
        case("a helper on a file system mounted nosuid", Side::Ours, |world| {
            let helper = place::system_helper();
            let directory = helper.parent().ok_or("a directory")?;
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_NOSUID;
            mount(None::<&str>, directory, None::<&str>, flags, None::<&str>)?;
            ill(world, ALICE, &["is mounted nosuid", "remount,suid"])
        }),
        case("a helper that is missing", Side::Ours, |world| {
            let (status, text) = ctl(world, ALICE, &["doctor", "--helper", "/tmp/no helper"])?;
            says(&text, &["/tmp/no helper: No such file"])?;
            if status != 1 { Err(text.into()) } else { Ok(()) }
        }),
        case("a helper that does nothing and is content", Side::Ours, |world| {
            let path = "/tmp/bin/helper";
            fs::write(path, "#!/bin/sh\n")?;
            fs::set_permissions(path, Permissions::from_mode(0o2755))?;
            let (status, text) = ctl(world, ALICE, &["doctor", "--helper", path])?;
            says(&text, &["was not recorded by the helper in /var/run/utmp"])?;
            if status != 1 { Err(text.into()) } else { Ok(()) }
        }),
    ]
}

fn sessions() -> Vec<Case> {
    vec![
        case("list, reap and history on the machine's own stores", Side::Ours, |world| {
            let ghost = Record::new(USER_PROCESS, 0x7fff_fff0, "pts/77", "s/77", "alice", "there");
            world.records_before(World::UTMP, &[ghost])?;
            world.records_before(World::WTMP, &[ghost])?;
            let (_, text) = ctl(world, ALICE, &["list"])?;
            says(&text, &["alice", "pts/77", "ghost"])?;
            let (_, text) = ctl(world, ALICE, &["history"])?;
            says(&text, &["alice", "pts/77", "gone, no logout"])?;
            let (status, text) = ctl(world, ALICE, &["reap"])?;
            says(&text, &["reap needs to be root"])?;
            if status != 4 || world.live()?.is_empty() {
                return Err(format!("status {status}: {text}").into());
            }
            let (status, text) = ctl(world, ROOT, &["reap"])?;
            says(&text, &["pts/77", "yes"])?;
            let ended =
                |record: &Record| i16::from_ne_bytes([record.0[0], record.0[1]]) == DEAD_PROCESS;
            if status != 0 || !world.live()?.is_empty() || !world.wtmp()?.last().is_some_and(ended)
            {
                return Err(format!("status {status}: {text}").into());
            }
            Ok(())
        }),
        case("a machine with no store at all", Side::Ours, |world| {
            fs::remove_file(World::UTMP)?;
            fs::remove_file(World::WTMP)?;
            for (command, words) in [
                ("list", "no store of sessions here"),
                ("history", "no history of logins here"),
                ("timeline", "no history of logins here"),
            ] {
                let (status, text) = ctl(world, ALICE, &[command])?;
                says(&text, &[words])?;
                if status != 3 {
                    return Err(format!("{command}: status {status}: {text}").into());
                }
            }
            Ok(())
        }),
    ]
}

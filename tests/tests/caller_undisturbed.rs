//! The program that calls does not notice: not in its children, signals, threads, memory.

use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use utempter_tests::compile::{program, source};
use utempter_tests::utmp::{DEAD_PROCESS, USER_PROCESS};
use utempter_tests::world::{ALICE, CLIENT_LIMIT};
use utempter_tests::{Case, Outcome, Side, World, bounded, place, run};

fn main() -> ExitCode {
    let case = |name: &str, what: &'static str| {
        Case::world_of(name, Side::Ours, caller, move |world| attempt(world, what))
    };
    run(vec![
        case("the SIGCHLD of another child is never lost", "others-sigchld"),
        case("no SIGCHLD tells of the helper", "no-sigchld"),
        case("no SIGCHLD is left where it is blocked", "no-pending-sigchld"),
        case("a SIGCHLD that was pending is still so", "pending-sigchld-stays"),
        case("a caller that ignores SIGCHLD is served", "ignored-sigchld"),
        case("a thread in waitpid(-1) sees no helper", "a-reaper"),
        case("a thread in waitpid(-1, __WALL) spoils nothing", "a-reaper-of-all"),
        case("no child is left", "no-child-left"),
        case("signals, descriptors, environment, limits and memory are as before", "unchanged"),
        case("a signal handler may call", "a-handler"),
        case("a signal handler on a stack of 8 KiB may call", "a-small-stack"),
        Case::world_of("eight threads call at once", Side::Ours, caller, |world| {
            attempt(world, "threads")?;
            let ended = world.utmp()?;
            let all_ended = ended.iter().all(|record| record.ut_type() == DEAD_PROCESS);
            let wtmp = world.wtmp()?;
            let begun = wtmp.iter().filter(|record| record.ut_type() == USER_PROCESS).count();
            if ended.len() != 8 || !all_ended || wtmp.len() != 160 || begun != 80 {
                return Err(format!("{ended:#?}, {begun} of {} in wtmp", wtmp.len()).into());
            }
            Ok(())
        }),
        Case::world_of("^Z at the terminal stops no call", Side::Ours, caller, |world| {
            script("slow", "sleep 1")?;
            attempt(world, "a-stop-key")
        }),
        Case::world_of("a thread that is cancelled ends its call", Side::Ours, caller, |world| {
            script("slow", "sleep 1")?;
            attempt(world, "a-cancelled-thread")
        }),
        Case::world_of(
            "the helper inherits nothing but its terminal",
            Side::Ours,
            caller,
            |world| {
                fs::write("/run/seen", "")?;
                fs::set_permissions("/run/seen", Permissions::from_mode(0o666))?;
                // By the shell's own means: around a vfork(2) it blocks all signals itself.
                script(
                    "curious",
                    "ls /proc/$$/fd > /run/seen\n\
                     while read -r name value\n\
                     do case $name in SigBlk:|SigIgn:) echo $name $value >> /run/seen;; esac\n\
                     done < /proc/$$/status",
                )?;
                attempt(world, "a-clean-helper")?;
                let seen = fs::read_to_string("/run/seen")?;
                // 10 and 11 are the shell's: its script, and its stdout put aside.
                let bare = "0\n1\n10\n11\n2\nSigBlk: 0000000000000000\nSigIgn: 0000000000000000\n";
                if seen != bare {
                    return Err(seen.into());
                }
                Ok(())
            },
        ),
    ])
}

fn caller() -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    let arguments = [
        source("caller.c").into_os_string(),
        "-pthread".into(),
        "-I".into(),
        place::repository().join("include").into(),
        place::c_library()?.into(),
    ];
    program("caller", "gcc", &arguments)
}

fn attempt(world: &World, what: &str) -> Outcome {
    let mut command = world.command(ALICE, World::CLIENT);
    command.arg(what);
    bounded::run(&mut command, CLIENT_LIMIT)?.text().map(drop)
}

fn script(name: &str, text: &str) -> Outcome {
    let path = format!("/tmp/bin/{name}");
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    Ok(fs::set_permissions(&path, Permissions::from_mode(0o755))?)
}

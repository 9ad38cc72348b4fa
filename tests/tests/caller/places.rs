//! The cases of the C program, and what they need around them.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::process::Command;

use utempter_tests::side_by_side::count;
use utempter_tests::world::{ALICE, BOB, LONG};
use utempter_tests::{Outcome, World, place};

use crate::both::{Claim, ROOT, sessions, tool, watch};
use crate::findings::Findings;

const DEATHS: &str = "deaths of other children during a call heard of";
const PENDING: &str = "SIGCHLD left pending by the helper";
const DEATHS_BEFORE: &str = "deaths of children before a call heard of";
const STOPPED: &str = "the call during which the job is stopped";
const HANDLER: &str = "the caller's SIGCHLD handler afterwards";

pub fn claims() -> Vec<Claim> {
    let many = count(50, 1000);
    let some = count(20, 200);
    vec![
        Claim::of("SIGCHLD with a handler", "sigchld_handler", many).c_fails(&[DEATHS]),
        Claim::of("SIGCHLD ignored", "sigchld_ignored", many).c_fails(&[DEATHS]),
        Claim::of("SIGCHLD blocked", "sigchld_blocked", many).c_fails(&[PENDING, DEATHS_BEFORE]),
        Claim::of("SIGCHLD with SA_NOCLDWAIT", "sigchld_nocldwait", many).c_fails(&[DEATHS]),
        Claim::of("SIGCHLD by signalfd", "sigchld_signalfd", many)
            .c_fails(&[PENDING, DEATHS_BEFORE]),
        Claim::of("a thread in waitpid(-1)", "sigchld_waitpid", many),
        Claim::of("a thread in wait()", "sigchld_wait", many),
        Claim::of("a thread in waitpid(-1, __WALL)", "sigchld_wall", many),
        Claim::of("the process's state before and after", "state", some),
        Claim::of("alarm and timers", "timers", some),
        Claim::of("a hail of signals without SA_RESTART", "signals", many),
        Claim::of("in a handler that interrupted another call", "interrupt", many),
        Claim::of("in a SIGTERM handler, as xterm", "handler_exit", some),
        Claim::of("on a signal stack of 8 KiB", "altstack", many),
        Claim::of("in a thread with the smallest stack", "small_thread", many),
        Claim::of("inside a vfork child", "vfork", many),
        Claim::new("in 16 threads at once", |world, findings| {
            let rounds = count(10, 100);
            let mut command = world.command(ALICE, World::CLIENT);
            watch(world, command.arg("threads").arg(rounds.to_string()), findings)?;
            sessions(world, findings, 16, 16 * rounds)
        }),
        Claim::of("a subreaper", "subreaper", many),
        Claim::new("process 1 of a pid namespace", move |world, findings| {
            tool("unshare", "util-linux")?;
            let mut command = Command::new("unshare");
            command
                .args(["--pid", "--fork", "--kill-child"])
                .args(["setpriv", "--reuid=7001", "--regid=7001", "--clear-groups"])
                .args([World::CLIENT, "process_1", &many.to_string()]);
            watch(world, &mut command, findings)
        })
        .c_fails(&["add and del: succeeded"]),
        Claim::of("pthread_cancel during a call", "cancel", 1)
            .c_fails(&["the call before that", HANDLER]),
        Claim::of("pthread_cancel before a call", "cancel_pending", 1)
            .c_fails(&["the call before that", HANDLER]),
        Claim::of("^Z at the terminal", "job_default", 1),
        Claim::of("^Z at the terminal, which the caller handles", "job_handled", 1)
            .c_fails(&[STOPPED]),
        Claim::of("SIGSTOP to the caller's job", "job_sigstop", 1),
        Claim::of("SIGSTOP to the caller alone", "job_one", 1),
        Claim::of("SIGSTOP and SIGCONT at any moment", "job_storm", many),
        Claim::of("helpers that do not end", "hung", 1).c_fails(&[
            "a helper that hangs, and leaves its alarm alone",
            "a helper that ignores SIGALRM",
            "a helper that blocks every signal",
            "a helper that resets its alarm",
            "a helper that is stopped",
        ]),
        Claim::of("the caller's child stopped during a call", "child_stopped", 1)
            .c_fails(&["a call whose child is stopped"]),
        Claim::of("the caller killed during a call", "killed", 1)
            .c_fails(&["the helper that it had started (deaf) 8.5 s later"]),
        Claim::of("what the helper is given", "probe", 1).c_fails(&[
            "seconds until its alarm",
            "signals blocked",
            "signals not at their default",
            "the helper's session",
            "other descriptors",
        ]),
        Claim::of("the master among the first descriptors", "low_masters", 1)
            .c_fails(&["the master is fd 0, close-on-exec"]),
        Claim::of("why a call fails", "errno", 1),
        Claim::new("RLIMIT_NPROC", |world, findings| {
            // A user of whom no other test has a process now: the limit counts them all.
            watch(world, world.command(LONG, World::CLIENT).arg("nproc"), findings)
        }),
        Claim::new("a helper that the saved gid alone may start", saved_gid),
        Claim::new("close_range refused", |world, findings| {
            filtered(world, "no_close_range", findings)
        }),
        Claim::new("clone refused but with SIGCHLD", |world, findings| {
            filtered(world, "no_exit_signal", findings)
        }),
    ]
}

/// A case that sets up a filter of system calls as root, and goes on as alice.
fn filtered(world: &World, case: &str, findings: &mut Findings) -> Outcome {
    let rounds = count(5, 100).to_string();
    let mut command = world.command(ROOT, World::CLIENT);
    watch(world, command.env("LOGNAME", ALICE.name).args([case, &rounds]), findings)
}

/// Bob's group alone may enter the helper's directory, and the caller is setgid to it.
fn saved_gid(world: &World, findings: &mut Findings) -> Outcome {
    let helper = "/tmp/locked/utempter";
    DirBuilder::new().mode(0o710).create("/tmp/locked")?;
    fs::copy(place::system_helper(), helper)?;
    let utmp = fs::metadata(place::system_helper())?;
    chown(helper, Some(0), Some(std::os::unix::fs::MetadataExt::gid(&utmp)))?;
    fs::set_permissions(helper, Permissions::from_mode(0o2711))?;
    chown("/tmp/locked", Some(0), Some(BOB.gid))?;

    let caller = "/tmp/bin/caller-setgid";
    fs::copy(World::CLIENT, caller)?;
    chown(caller, Some(0), Some(BOB.gid))?;
    fs::set_permissions(caller, Permissions::from_mode(0o2755))?;
    watch(world, world.command(ALICE, caller).arg("saved_gid"), findings)
}

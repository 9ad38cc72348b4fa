//! The caller under tools that watch it.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use utempter_tests::world::ALICE;
use utempter_tests::{World, place};

use crate::both::{Claim, ROOT, tool, watch, watch_all, watch_each};
use crate::findings::Mark;
use crate::program::Build;

pub fn claims() -> Vec<Claim> {
    let mut claims = vec![
        Claim::new("under valgrind", |world, findings| {
            tool("valgrind", "valgrind")?;
            // valgrind refuses to start what it may not read.
            set_permissions(place::system_helper(), Permissions::from_mode(0o2755))?;
            watch_each(world, &["plain", "threads", "sigchld_handler"], findings, |case| {
                let mut command = world.command(ALICE, "valgrind");
                command
                    .args(["-q", "--leak-check=full", "--error-exitcode=99"])
                    // A child of a program with threads has lost what those had.
                    .args(["--child-silent-after-fork=yes", World::CLIENT, case, "1"]);
                command
            })
        }),
        Claim::new("under strace", |world, findings| {
            tool("strace", "strace")?;
            // As root, since a setgid program is not setgid under a tracer of the user's.
            let mut command = world.command(ROOT, "strace");
            command.args(["-qq", "-f", "-u", ALICE.name, "-o", "/tmp/home/trace"]).args([
                World::CLIENT,
                "plain",
                "10",
            ]);
            watch(world, &mut command, findings)
        }),
        Claim::new("under gdb", |world, findings| {
            tool("gdb", "gdb")?;
            let mut command = world.command(ALICE, "gdb");
            command
                .args(["-q", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "run"])
                .args(["--args", World::CLIENT, "plain", "10"]);
            let (_, said) = watch_all(world, &mut command, findings)?;
            let well = said.contains("exited normally]");
            let how = if well { "exited normally" } else { said.trim_end() };
            findings.note(if well { Mark::Ok } else { Mark::Bad }, "the program", how);
            Ok(())
        }),
    ];
    claims.push(sanitized(
        "under AddressSanitizer",
        Build::Address,
        &["plain", "threads", "sigchld_handler", "interrupt", "vfork", "low_masters"],
    ));
    claims.push(sanitized(
        "under ThreadSanitizer",
        Build::Thread,
        &["plain", "sigchld_handler", "sigchld_waitpid", "threads"],
    ));
    claims
}

fn sanitized(name: &'static str, build: Build, cases: &'static [&'static str]) -> Claim {
    Claim::new(name, move |world, findings| {
        tool("setarch", "util-linux")?;
        watch_each(world, cases, findings, |case| {
            // Random addresses of today's kernels are not what these sanitizers expect.
            let mut command = world.command(ALICE, "setarch");
            command.args(["-R", World::CLIENT, case, "5"]);
            command
        })
    })
    .built(build)
}

//! The helper's command line, which KDE's kpty and foot use without the library; and other
//! helpers in its place.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use utempter_tests::twin::Scenario;
use utempter_tests::{Outcome, World, place};

fn executable(path: &str, text: &str) -> Outcome {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(0o755))?)
}

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::steps(
            "the helper by itself",
            &["open a", "run a add|host", "run a del", "run a add", "run a del"],
        ),
        Scenario::steps(
            "the helper by itself, as foot runs it",
            &["open a", "run-stdin-only a add|wayland-0", "run-stdin-only a del"],
        ),
        Scenario::steps(
            "the helper by itself, with an empty host",
            &["open a", "run a add|", "run a del"],
        ),
        Scenario::steps("the helper by itself, without a word", &["open a", "run a"]),
        Scenario::steps("the helper by itself, with an empty word", &["open a", "run a "]),
        Scenario::steps("the helper by itself, with an unknown word", &["open a", "run a login"]),
        Scenario::steps(
            "the helper by itself, asked for help",
            &["open a", "run a --help", "run a --version"],
        ),
        Scenario::steps(
            "the helper by itself, with a word too many",
            &["open a", "run a add|host|more", "run a del|host"],
        ),
        Scenario::steps(
            "the helper by itself, with a host it refuses",
            &["open a", "run a add|\thost"],
        ),
        Scenario::steps(
            "the helper by itself, on no pty",
            &["pipe a", "run-stdin-only a add|host"],
        ),
        Scenario::steps(
            "the helper by itself, on a slave",
            &["open a", "slave b a", "run b add|host"],
        ),
        Scenario::steps(
            "the helper by itself, on a read-only master",
            &["open-readonly a", "run-stdin-only a add|host"],
        ),
        Scenario::steps(
            "the helper by itself, its stdout closed",
            &["open a", "close-number 1", "run-stdin-only a add|host"],
        ),
        Scenario::steps(
            "the helper by itself, its stderr closed",
            &["open a", "close-number 2", "run a add|host"],
        ),
        Scenario::steps(
            "the helper by itself, its parent gone",
            &["open a", "run-orphan a add|host", "sleep 300"],
        ),
        Scenario::new("set_helper to a copy of the helper", |world| {
            let copy = "/tmp/bin/helper-of-another-name";
            fs::copy(place::system_helper(), copy)?;
            fs::set_permissions(copy, Permissions::from_mode(0o755))?;
            // Whom the helper was installed for, it still serves.
            let group = std::os::unix::fs::MetadataExt::gid(&fs::metadata(World::UTMP)?);
            std::os::unix::fs::chown(copy, Some(0), Some(group))?;
            fs::set_permissions(copy, Permissions::from_mode(0o2755))?;
            world
                .run(&["helper /tmp/bin/helper-of-another-name", "open a", "add a host", "del a"])
                .map(drop)
        }),
        Scenario::new("set_helper to a script, which sees how it is called", |world| {
            executable(
                "/tmp/bin/script",
                "#!/bin/sh\n\
                 exec 3>>/run/transcript\n\
                 printf 'helper: %s words:' $# >&3\n\
                 printf ' [%s]' \"$@\" >&3\n\
                 printf ' on %s and %s in %s\\n' $(readlink /proc/self/fd/0) \
                 $(readlink /proc/$$/fd/1) $PWD >&3\n\
                 printf 'environment: %s %s\\n' \"$GREETING\" \"$LOGNAME\" >&3\n",
            )?;
            let steps =
                ["helper /tmp/bin/script", "open a", "add a a host", "add a", "add a ", "del a"];
            world.finish(world.client(&steps).env("GREETING", "hello there")).map(drop)
        }),
        Scenario::new("set_helper to a script that fails", |world| {
            executable("/tmp/bin/script", "#!/bin/sh\nexit 9\n")?;
            let steps = [
                "open a",
                "add a host",
                "helper /tmp/bin/script",
                "del a",
                // Forgotten although the helper failed.
                "del-added",
            ];
            world.run(&steps).map(drop)
        }),
        Scenario::steps(
            "set_helper to a file that is missing",
            &["helper /tmp/bin/missing", "open a", "add a host", "del a"],
        ),
    ]
}

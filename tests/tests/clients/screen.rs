//! screen: the old functions, unversioned.

use std::process::{Child, Stdio};

use utempter_tests::world::ALICE;
use utempter_tests::{Outcome, World, place};

use crate::readers::{output, shows, shows_ended};

/// screen on a terminal of its own, which is pts/0; script(1) records no session.
fn on_a_terminal(world: &World, command: &str) -> std::io::Result<Child> {
    let words = ["-q", "-f", "-e", "-c", command, "/dev/null"];
    let mut script = world.command(ALICE, "script");
    script.env("SCREENDIR", "/tmp/home/screen").args(words);
    // A pipe that stays open: at its end script would end the terminal.
    script.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

pub fn attach_detach_reattach(world: &World) -> Outcome {
    place::program("screen", "screen")?;
    place::program("script", "bsdutils")?;
    output(world, "mkdir", &["-m", "700", "/tmp/home/screen"])?;
    let say = |words: &[&str]| {
        let all = [&["SCREENDIR=/tmp/home/screen", "screen", "-S", "work"], words].concat();
        output(world, "env", &all)
    };

    let mut first = on_a_terminal(world, "exec screen -S work -c /dev/null")?;
    shows(world, &[("pts/1", ":pts/0:S.0")])?;

    // A window nobody is attached to is nobody's session.
    say(&["-X", "detach"])?;
    shows_ended(world, 1)?;
    first.wait()?;

    let mut second = on_a_terminal(world, "exec screen -r work")?;
    shows(world, &[("pts/1", ":pts/0:S.0")])?;

    say(&["-X", "quit"])?;
    shows_ended(world, 2)?;
    second.wait()?;
    Ok(())
}

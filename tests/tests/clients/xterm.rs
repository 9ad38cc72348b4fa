//! xterm: add, and remove_added from its SIGTERM handler.

use std::error::Error;
use std::fs;
use std::fs::File;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use utempter_tests::world::ALICE;
use utempter_tests::{Outcome, World, bounded, place};

use crate::SOON;
use crate::readers::{shows, shows_ended};

/// An X server without a screen; the display's name.
fn display(world: &World) -> Result<String, Box<dyn Error + Send + Sync>> {
    place::program("Xvfb", "xvfb")?;
    place::program("xterm", "xterm")?;
    let number = "/run/display";
    let mut server = world.command(ALICE, "Xvfb");
    server.args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]);
    server.stdout(File::create(number)?).stderr(Stdio::null()).spawn()?;
    let read = || fs::read_to_string(number).unwrap_or_default();
    bounded::until("the X server", SOON, || Ok(read().ends_with('\n')))?;
    Ok(format!(":{}", read().trim()))
}

fn start(world: &World, words: &[&str]) -> Result<(Child, String), Box<dyn Error + Send + Sync>> {
    let display = display(world)?;
    let mut xterm = world.command(ALICE, "xterm");
    xterm.env("DISPLAY", &display).args(words);
    Ok((xterm.spawn()?, display))
}

pub fn start_and_sigterm(world: &World) -> Outcome {
    // With -e, Debian's xterm records nothing.
    let (mut xterm, display) = start(world, &[])?;
    shows(world, &[("pts/0", &display)])?;
    kill(Pid::from_raw(xterm.id().try_into()?), Signal::SIGTERM)?;
    bounded::until("xterm's end", SOON, || Ok(xterm.try_wait()?.is_some()))?;
    shows_ended(world, 1)
}

pub fn shell_ends(world: &World) -> Outcome {
    fs::write("/tmp/home/.profile", "while ! test -e /run/end; do sleep 0.1; done; exit\n")?;
    let (mut xterm, display) = start(world, &["-ls"])?;
    shows(world, &[("pts/0", &display)])?;
    fs::write("/run/end", "")?;
    bounded::until("xterm's end", SOON, || Ok(xterm.try_wait()?.is_some()))?;
    shows_ended(world, 1)
}

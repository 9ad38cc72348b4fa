//! mosh: a host with spaces and brackets, changed when a client connects.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use utempter_tests::world::ALICE;
use utempter_tests::{Outcome, World, bounded, place};

use crate::SOON;
use crate::readers::{dump, shows, shows_ended};

pub fn start_connect_end(world: &World) -> Outcome {
    place::program("mosh-server", "mosh")?;
    place::program("script", "bsdutils")?;
    let mut server = world.command(ALICE, "mosh-server");
    server.env("LC_ALL", "C.UTF-8");
    server.args(["new", "-i", "127.0.0.1", "-p", "60100:60999", "--", "/bin/sh"]);
    let said = bounded::run(&mut server, SOON)?.text()?;
    let connect = said.lines().find_map(|line| line.strip_prefix("MOSH CONNECT "));
    let (port, key) = connect.and_then(|words| words.split_once(' ')).ok_or(said.clone())?;

    bounded::until("mosh's record", SOON, || Ok(world.live()?.len() == 1))?;
    let pid = dump(world, World::UTMP)?[0].pid.clone();
    let pid = pid.trim_start_matches('0');
    shows(world, &[("pts/0", &format!("mosh [{pid}]"))])?;

    let mut client = world.command(ALICE, "script");
    client.env("LC_ALL", "C.UTF-8").env("MOSH_KEY", key);
    // On a terminal of no size the client ends at once.
    let connect = format!("stty rows 24 cols 80; exec mosh-client 127.0.0.1 {port}");
    client.args(["-q", "-e", "-c", &connect, "/dev/null"]);
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let connected = format!("127.0.0.1 via mosh [{pid}]");
    shows(world, &[("pts/0", &connected)])?;

    kill(Pid::from_raw(pid.parse()?), Signal::SIGTERM)?;
    shows_ended(world, 2)?;
    client.wait()?;
    Ok(())
}

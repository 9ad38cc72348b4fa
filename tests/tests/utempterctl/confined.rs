//! Machines where setgid does not count, or where nothing makes utmp at boot.

use std::fs;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, Skip, World};

use crate::{case, finish, says, well};

pub fn cases() -> Vec<Case> {
    vec![
        case("no_new_privs", Side::Ours, |world| {
            let mut command = world.command(ALICE, "setpriv");
            let (status, text) = finish(command.args(["--no-new-privs", World::CLIENT, "doctor"]))?;
            says(&text, &["no_new_privs is set", "EACCES"])?;
            if status != 1 { Err(text.into()) } else { Ok(()) }
        }),
        case("a user namespace without a broker", Side::Ours, |world| {
            let (status, text) = in_user_namespace(world)?;
            says(&text, &["warning  privileges   this is a user namespace", "add: /usr/lib"])?;
            if status != 1 { Err(text.into()) } else { Ok(()) }
        }),
        case("a user namespace with a broker is no illness", Side::Broker, |world| {
            let (status, text) = in_user_namespace(world)?;
            says(&text, &["was recorded by the broker in /var/run/utmp"])?;
            if status != 0 { Err(text.into()) } else { Ok(()) }
        }),
        case("a utmp that nothing makes at boot", Side::Ours, tmpfiles),
    ]
}

fn in_user_namespace(world: &World) -> crate::Result<(i32, String)> {
    let unshare = ["--user", "--map-current-user"];
    let (status, text) = finish(world.command(ALICE, "unshare").args(unshare).arg("true"))?;
    if status != 0 {
        return Err(Skip(format!("no user namespaces here: {text}")).into());
    }
    let mut command = world.command(ALICE, "unshare");
    finish(command.args(unshare).args([World::CLIENT, "doctor"]))
}

fn tmpfiles(world: &World) -> Outcome {
    // Only systemd has such files.
    well(world, ALICE, &[])?;
    fs::create_dir_all("/run/systemd/system")?;
    for directory in ["/etc/tmpfiles.d", "/usr/lib/tmpfiles.d"] {
        if !fs::exists(directory)? {
            return Err(Skip(format!("{directory} is not there to be laid over")).into());
        }
        mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    }
    let (_, text) = crate::ctl(world, ALICE, &["doctor"])?;
    well(world, ALICE, &["warning  tmpfiles     nothing makes /run/utmp at boot"])?;
    let mend = text.lines().find_map(|line| line.split_once("mend it: echo "));
    let (_, rest) = mend.ok_or_else(|| format!("no command in: {text}"))?;
    // What puts it into effect needs systemd to run.
    let (echo, _) = rest.split_once(" && ").ok_or("one command")?;
    if !Command::new("sh").arg("-c").arg(format!("echo {echo}")).status()?.success() {
        return Err("the command failed".into());
    }
    well(world, ALICE, &["ok       tmpfiles     /etc/tmpfiles.d/utmp.conf makes /run/utmp at boot"])
}

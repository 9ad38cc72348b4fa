//! Programs that call from an unusual place.

use std::process::Command;

use utempter_tests::twin::Scenario;
use utempter_tests::world::{LONG, NAMELESS};
use utempter_tests::{World, place};

const SESSION: [&str; 3] = ["open a", "add a host", "del a"];

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::steps(
            "a caller with fd 0 closed",
            &["open a", "close-number 0", "add a host", "descriptors", "del a"],
        ),
        Scenario::steps(
            "a caller with fd 1 closed",
            &["open a", "close-number 1", "add a host", "descriptors", "del a"],
        ),
        Scenario::steps(
            "a caller with fd 2 closed",
            &["open a", "close-number 2", "add a host", "descriptors", "del a"],
        ),
        Scenario::steps(
            "a caller with fds 0, 1 and 2 closed",
            &[
                "open a",
                "close-number 0",
                "close-number 1",
                "close-number 2",
                "add a host",
                "descriptors",
                "del a",
            ],
        ),
        Scenario::steps("the master is fd 0", &["open a", "move a 0", "add a host", "del a"]),
        Scenario::steps("the master is fd 1", &["open a", "move a 1", "add a host", "del a"]),
        Scenario::steps("the master is fd 2", &["open a", "move a 2", "add a host", "del a"]),
        Scenario::steps(
            "the master is fd 0, close-on-exec",
            &["open a", "move a 0", "cloexec a", "add a host", "del a"],
        ),
        Scenario::steps(
            "the master is fd 1, close-on-exec",
            &["open a", "move a 1", "cloexec a", "add a host", "del a"],
        ),
        Scenario::new("a caller that is process 1", |world| {
            let mut command = Command::new("unshare");
            command
                .args(["--pid", "--fork", "--kill-child"])
                .args(["setpriv", "--reuid=7001", "--regid=7001", "--clear-groups"])
                .args([World::CLIENT, World::TRANSCRIPT])
                .args(SESSION);
            world.finish(&mut command).map(drop)
        }),
        Scenario::new("a caller without new privileges", |world| {
            let mut command = world.command(utempter_tests::world::ALICE, "setpriv");
            command.args(["--no-new-privs", World::CLIENT, World::TRANSCRIPT]).args(SESSION);
            world.finish(&mut command).map(drop)
        }),
        Scenario::new("LOGNAME is another name of the uid", |world| {
            world.finish(world.client(&SESSION).env("LOGNAME", "alice2")).map(drop)
        }),
        Scenario::new("LOGNAME is another user", |world| {
            world.finish(world.client(&SESSION).env("LOGNAME", "bob")).map(drop)
        }),
        Scenario::new("LOGNAME is nobody", |world| {
            world.finish(world.client(&SESSION).env("LOGNAME", "no-such-user")).map(drop)
        }),
        Scenario::new("LOGNAME is empty", |world| {
            world.finish(world.client(&SESSION).env("LOGNAME", "")).map(drop)
        }),
        Scenario::new("an empty environment", |world| {
            world.finish(world.client(&SESSION).env_clear()).map(drop)
        }),
        Scenario::new("UTEMPTER_PID of another process in the environment", |world| {
            world.finish(world.client(&SESSION).env("UTEMPTER_PID", "1")).map(drop)
        }),
        Scenario::new("UTEMPTER_PID that is no number in the environment", |world| {
            world.finish(world.client(&SESSION).env("UTEMPTER_PID", "none")).map(drop)
        }),
        Scenario::new("a login name of 48 bytes", |world| {
            world.finish(&mut world.client_of(LONG, &SESSION)).map(drop)
        }),
        Scenario::new("a user without a name", |world| {
            world.finish(&mut world.client_of(NAMELESS, &SESSION)).map(drop)
        }),
        Scenario::new("root records its own terminal", |world| {
            let mut command = Command::new(World::CLIENT);
            command
                .env("CLIENT_HELPER", place::system_helper())
                .arg(World::TRANSCRIPT)
                .args(SESSION);
            world.finish(&mut command).map(drop)
        }),
    ]
}

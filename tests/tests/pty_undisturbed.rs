//! The terminal does not notice: its two ends poll and read the same before and after.

use std::process::ExitCode;

use utempter_tests::{Case, Outcome, Side, World, place, run};

fn main() -> ExitCode {
    run(vec![
        // Opening and closing the slave would leave a fresh master hung up for ever.
        same("a fresh pty, its slave never opened", &["open a"], &["a"]),
        same("a locked pty", &["open-locked a"], &["a"]),
        same("a pty with its slave open", &["open a", "slave b a"], &["a", "b"]),
        same("a pty whose slave was closed", &["open a", "slave b a", "close b"], &["a"]),
        same("a close-on-exec master", &["open-cloexec a"], &["a"]),
        same("a master in packet mode", &["open a", "packet a", "slave b a"], &["a", "b"]),
        same(
            "a pty with something typed and something printed",
            &[
                "open a",
                "slave b a",
                "write a typed\n",
                "sleep 200",
                "write b printed",
                "sleep 200",
            ],
            &["a", "b"],
        ),
        Case::world("what was typed and printed is read whole", Side::Ours, |world| {
            read_after(
                world,
                &["open a", "slave b a", "write a hi\n", "sleep 200", "write b yo"],
                &[
                    // The echo of "hi", then "yo"; and "hi".
                    "read a: 6, bytes 68 69 0d 0a 79 6f",
                    "read b: 3, bytes 68 69 0a",
                ],
            )
        }),
        Case::world("a fresh pty serves a shell afterwards", Side::Ours, |world| {
            let steps = ["open a", "add a host", "slave b a", "write b yo", "sleep 200", "read a"];
            expect(&world.run(&steps)?, &["read a: 2, bytes 79 6f"])
        }),
        Case::world("packet mode reads no word of it", Side::Ours, |world| {
            // A packet of data begins with a zero.
            read_after(
                world,
                &["open a", "packet a", "slave b a", "write b yo"],
                &["read a: 3, bytes 00 79 6f", "read b: -1, errno EAGAIN"],
            )
        }),
        quiet("nothing is typed into a shell by a refused host", "add a \thost", &[]),
        quiet("nothing is typed into a shell by a call that succeeds", "add a host", &[]),
        quiet("nothing is typed into a shell by a usage error", "run a bogus", &[]),
        quiet("nothing is typed into a shell by --help", "run a --help", &[]),
        quiet(
            "nothing is typed into a shell by a debugging helper",
            "add a \thost",
            &[("UTEMPTER_DEBUG", "1")],
        ),
        Case::world("nothing is typed where stderr is the master", Side::Ours, |world| {
            let steps =
                ["open a", "slave b a", "move a 2", "add a \thost", "run a bogus", "read b"];
            let lines = world.finish(world.client(&steps).env("UTEMPTER_DEBUG", "1"))?;
            expect(&lines, &["read b: -1, errno EAGAIN"])
        }),
    ])
}

/// The states of `ends` before, after add, and after del are one.
fn same(name: &str, before: &'static [&'static str], ends: &'static [&'static str]) -> Case {
    Case::world(name, Side::Ours, move |world| {
        let states: Vec<String> = ends.iter().map(|end| format!("state {end}")).collect();
        let states: Vec<&str> = states.iter().map(String::as_str).collect();
        let steps = [before, &states, &["add a host"], &states, &["del a"], &states].concat();
        let lines = world.run(&steps)?;
        expect(&lines, &["add a: 1, errno kept", "del a: 1, errno kept"])?;
        for end in ends {
            let of_end: Vec<&String> =
                lines.iter().filter(|line| line.starts_with(&format!("state {end}"))).collect();
            if of_end.len() != 3 || of_end.iter().any(|state| *state != of_end[0]) {
                return Err(format!("{lines:#?}").into());
            }
        }
        Ok(())
    })
}

/// What `a` and `b` then read.
fn read_after(world: &World, before: &[&str], expected: &[&str]) -> Outcome {
    let after = ["sleep 200", "add a host", "del a", "read a", "read b"];
    expect(&world.run(&[before, &after].concat())?, expected)
}

/// A step after which the slave, where a shell would be, has nothing to read.
fn quiet(
    name: &str,
    step: &'static str,
    environment: &'static [(&'static str, &'static str)],
) -> Case {
    Case::world(name, Side::Ours, move |world| {
        let steps = ["open a", "slave b a", step, "sleep 200", "read b", "read a"];
        let mut client = world.client(&steps);
        client.envs(environment.iter().copied());
        // Where a message belongs is stderr, which is not the terminal here.
        let output =
            utempter_tests::bounded::run(&mut client, utempter_tests::world::CLIENT_LIMIT)?;
        if !output.status.success() {
            return Err(format!("{output:?}").into());
        }
        let lines = std::fs::read_to_string(World::TRANSCRIPT)?;
        let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
        expect(&lines, &["read b: -1, errno EAGAIN", "read a: -1, errno EAGAIN"])?;
        if !environment.is_empty() && output.text.is_empty() {
            return Err(format!("{:?} and not a word", place::system_helper()).into());
        }
        Ok(())
    })
}

fn expect(lines: &[String], expected: &[&str]) -> Outcome {
    match expected.iter().find(|wanted| !lines.iter().any(|line| line == *wanted)) {
        Some(wanted) => Err(format!("no {wanted:?} in {lines:#?}").into()),
        None => Ok(()),
    }
}

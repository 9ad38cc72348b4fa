//! What a helper's run consists of: memory, instructions, system calls, page faults.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use utempter_tests::pty::Pty;
use utempter_tests::utmp::Record;
use utempter_tests::world::ALICE;
use utempter_tests::{Outcome, World, bounded, place};

use crate::Failure;
use crate::ground::{Ground, has, program};

const LIMIT: Duration = Duration::from_secs(60);
const OUTPUT: &str = "/tmp/home/profile";

/// Runs of which perf tells the mean.
const RUNS: &str = "200";

/// Each helper, profiled by whatever is installed.
///
/// # Errors
///
/// Where a tool that is there fails.
pub fn programs(mut ground: Ground<'_>) -> Outcome {
    let mut helpers = vec![("c", place::system_helper().display().to_string())];
    for (way, name) in [("ours", "utempter"), ("nss", "utempter-nss")] {
        if has(name) {
            helpers.push((way, program(name)));
        }
    }
    for (way, helper) in &helpers {
        let mut command = Command::new(program("peak"));
        command.args([&ALICE.uid.to_string(), helper.as_str(), "add", "host.example.org"]);
        let text = bounded::run(&mut command, LIMIT)?.text()?;
        let kib = text.strip_prefix("peak kib ").ok_or_else(|| format!("peak said {text:?}"))?;
        ground.note("programs", 0, &format!("{way} peak"), kib.trim().parse()?)?;
    }
    for (way, helper) in &helpers {
        // valgrind starts nothing that is setgid; for root a copy need not be.
        let copy = format!("/tmp/home/{way}");
        fs::copy(helper, &copy)?;
        fs::set_permissions(&copy, Permissions::from_mode(0o755))?;
        if place::program("valgrind", "valgrind").is_ok() {
            for (operation, words) in [("add", &["add", "host.example.org"][..]), ("del", &["del"])]
            {
                instructions(&mut ground, way, operation, &copy, words)?;
            }
        }
        if place::program("strace", "strace").is_ok() {
            let words = ["strace", "-qq", "-o", OUTPUT, &copy, "add", "host.example.org"];
            run(&ground, &words)?;
            let calls = fs::read_to_string(OUTPUT)?.lines().count();
            ground.note("programs", 0, &format!("{way} calls"), calls as f64)?;
        }
        if place::program("perf", "linux-perf").is_ok() {
            faults(&mut ground, way, &copy)?;
        }
    }
    Ok(())
}

/// As root, on a pty of root's. Process 1 is nobody's terminal: there is a shell between.
fn run(ground: &Ground<'_>, words: &[&str]) -> Outcome {
    // What another helper has left is another case.
    if words.contains(&"add") {
        ground.world.records_before(World::UTMP, &[] as &[Record])?;
    }
    let pty = Pty::open()?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "\"$@\" > /tmp/home/said 2>&1; exit $?", "sh"]).args(words);
    command.stdin(pty.master()?);
    bounded::run(&mut command, LIMIT)?
        .text()
        .map(drop)
        .map_err(|error| format!("{error}{}", said()).into())
}

fn said() -> String {
    fs::read_to_string("/tmp/home/said").unwrap_or_default()
}

/// In user space, by callgrind, and where: in the loader, in libraries, in the program.
fn instructions(
    ground: &mut Ground<'_>,
    way: &str,
    operation: &str,
    helper: &str,
    words: &[&str],
) -> Outcome {
    let output = format!("--callgrind-out-file={OUTPUT}");
    let mut all = vec!["valgrind", "--tool=callgrind", &output, helper];
    all.extend(words);
    run(ground, &all)?;
    let by_object = by_object(&fs::read_to_string(OUTPUT)?)?;
    let (mut loader, mut own, mut libraries) = (0, 0, 0);
    for (object, count) in by_object {
        match object.as_str() {
            object if object.contains("/ld-") => loader += count,
            object if object == helper => own += count,
            _ => libraries += count,
        }
    }
    for (what, count) in [
        ("instructions", loader + own + libraries),
        ("instructions-loader", loader),
        ("instructions-libraries", libraries),
        ("instructions-own", own),
    ] {
        ground.note("programs", 0, &format!("{way} {operation}-{what}"), count as f64)?;
    }
    Ok(())
}

/// Costs by object file, of a file of callgrind's (its manual, "Callgrind Format Specification").
fn by_object(text: &str) -> Result<HashMap<String, u64>, Failure> {
    let (mut names, mut counts) = (HashMap::new(), HashMap::new());
    let mut object = String::new();
    let mut of_call = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("ob=").or(line.strip_prefix("cob=")) {
            // (1) path the first time, (1) afterwards.
            let (number, path) = name.split_once(')').ok_or("no number")?;
            if !path.is_empty() {
                names.insert(number.to_owned(), path.trim().to_owned());
            }
            if line.starts_with("ob=") {
                object = names.get(number).ok_or("no such object")?.clone();
            }
        } else if line.starts_with("calls=") {
            of_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            // What was called is counted where it is.
            if !of_call {
                let cost = line.split(' ').nth(1).ok_or("no cost")?;
                *counts.entry(object.clone()).or_insert(0) += cost.parse::<u64>()?;
            }
            of_call = false;
        }
    }
    Ok(counts)
}

/// Page faults and the processor's time of one add, by perf stat.
fn faults(ground: &mut Ground<'_>, way: &str, helper: &str) -> Outcome {
    let events = "page-faults,task-clock";
    let words =
        ["perf", "stat", "-x,", "-o", OUTPUT, "-e", events, "-r", RUNS, helper, "add", "host"];
    run(ground, &words)?;
    for line in fs::read_to_string(OUTPUT)?.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let [value, _, event, ..] = fields.as_slice() else {
            continue;
        };
        if let Ok(value) = value.parse() {
            ground.note("programs", 0, &format!("{way} {event}"), value)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_counted_where_they_are() {
        let text = "events: Ir\nob=(1) /lib/ld-linux.so.2\nfn=(1) a\n0 5\ncob=(2) /bin/x\n\
                    calls=1 520\n0 900\n+1 2\nob=(2)\nfn=(3)\n* 900\ntotals: 907\n";
        let counts = by_object(text).unwrap();
        assert_eq!(counts["/lib/ld-linux.so.2"], 7);
        assert_eq!(counts["/bin/x"], 900);
    }
}

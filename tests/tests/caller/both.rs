//! A claim, tried with each library in a world of its own.

use std::error::Error;
use std::fs;
use std::process::Command;
use std::time::Duration;

use utempter_tests::utmp::{DEAD_PROCESS, USER_PROCESS};
use utempter_tests::world::{ALICE, Outside, User};
use utempter_tests::{Case, Outcome, Side, Skip, World, bounded};

use crate::findings::{Finding, Findings, Mark};
use crate::program::{Build, program};
use crate::table;

type Inside = Box<dyn Fn(&World, &mut Findings) -> Outcome + Send + Sync>;

/// The administrator of a world.
pub const ROOT: User = User { name: "root", uid: 0, gid: 0 };

/// Something that must be so with ours.
pub struct Claim {
    pub name: &'static str,
    build: Build,
    c_fails: &'static [&'static str],
    inside: Inside,
}

impl Claim {
    /// A claim by its own steps.
    pub fn new(
        name: &'static str,
        inside: impl Fn(&World, &mut Findings) -> Outcome + Send + Sync + 'static,
    ) -> Claim {
        Claim { name, build: Build::Plain, c_fails: &[], inside: Box::new(inside) }
    }

    /// A claim by one case of the C program, run as alice.
    pub fn of(name: &'static str, case: &'static str, rounds: usize) -> Claim {
        Claim::new(name, move |world, findings| {
            let mut command = world.command(ALICE, World::CLIENT);
            watch(world, command.arg(case).arg(rounds.to_string()), findings)
        })
    }

    /// With the C program compiled so.
    pub fn built(self, build: Build) -> Claim {
        Claim { build, ..self }
    }

    /// These findings show the C library's defect each time.
    pub fn c_fails(self, what: &'static [&'static str]) -> Claim {
        Claim { c_fails: what, ..self }
    }

    /// The case that runs in each of the worlds.
    pub fn inside(self) -> Case {
        let inside = self.inside;
        // The side is the one that the world was made for.
        Case::world(self.name, Side::Ours, move |world| {
            let mut findings = Findings::default();
            let outcome = inside(world, &mut findings);
            fs::write(World::TRANSCRIPT, findings.encode())?;
            outcome
        })
    }

    /// The test: both worlds, and what is to be said of them.
    pub fn outside(self) -> Case {
        let Claim { name, build, c_fails, .. } = self;
        Case::here(name, move || {
            let c = world(name, build, Side::C)?;
            let ours = world(name, build, Side::Ours)?;
            table::note(name, &c, &ours);
            judge(&c, &ours, c_fails)
        })
    }
}

fn world(name: &str, build: Build, side: Side) -> Result<Findings, Box<dyn Error + Send + Sync>> {
    let outside = Outside::new()?;
    outside.run(name, side, &program(build)?)?;
    let mut findings = Findings::default();
    let (_, rest) = findings.take(&fs::read_to_string(outside.path().join("run/transcript"))?);
    if !rest.is_empty() || findings.0.is_empty() {
        return Err(format!("no findings, but {rest:?}").into());
    }
    Ok(findings)
}

fn judge(c: &Findings, ours: &Findings, c_fails: &[&str]) -> Outcome {
    let mut text = String::new();
    for (side, findings) in [("the C library", c), ("ours", ours)] {
        let broken = findings.lines(Mark::Broken);
        if !broken.is_empty() {
            text += &format!("with {side} the test's own step failed:\n{broken}");
        }
    }
    let bad = ours.lines(Mark::Bad);
    if !bad.is_empty() {
        text += &format!("with ours it is not as it must be:\n{bad}");
    }
    let bad = |what| c.get(what).map(|finding| finding.mark == Mark::Bad);
    // Where the program hung or ended early, that is the failure.
    let early = bad("the program") == Some(true);
    for what in c_fails {
        if !bad(what).unwrap_or(early) {
            text += &format!("with the C library this fails each time, and did not:\n{what}\n");
        }
    }
    if text.is_empty() { Ok(()) } else { Err(text.into()) }
}

/// How long a case may take: the C library may hang.
pub fn limit(world: &World) -> Duration {
    Duration::from_secs(if world.side == Side::C { 15 } else { 70 })
}

/// Runs the C program, perhaps under a tool, and takes its findings. What else it or the
/// tool prints is a finding too, and a bad one. Gives back the other lines.
pub fn watch(world: &World, command: &mut Command, findings: &mut Findings) -> Outcome {
    let (ended, rest) = watch_all(world, command, findings)?;
    if ended && !rest.is_empty() {
        findings.note(Mark::Bad, "other output", rest.trim_end());
    }
    Ok(())
}

/// Several cases, each with its name before its findings.
pub fn watch_each(
    world: &World,
    cases: &[&str],
    findings: &mut Findings,
    command: impl Fn(&str) -> Command,
) -> Outcome {
    for case in cases {
        let mut found = Findings::default();
        watch(world, &mut command(case), &mut found)?;
        for Finding { mark, what, found } in found.0 {
            findings.note(mark, &format!("{case}: {what}"), &found);
        }
    }
    Ok(())
}

/// As [`watch`], with the other output given back.
pub fn watch_all(
    world: &World,
    command: &mut Command,
    findings: &mut Findings,
) -> Result<(bool, String), Box<dyn Error + Send + Sync>> {
    let output = match bounded::run(command, limit(world)) {
        Ok(output) => output,
        Err(error) => {
            let error = error.to_string();
            let (first, text) = error.split_once('\n').unwrap_or((&error, ""));
            let (_, rest) = findings.take(text);
            let first = first.trim_start_matches(World::CLIENT).trim();
            findings.note(Mark::Bad, "the program", &format!("{first} {}", rest.trim()));
            return Ok((false, String::new()));
        }
    };
    let (ended, rest) = findings.take(&output.text);
    if !output.status.success() || !ended {
        let how = if ended { "after its end" } else { "before its end" };
        let text = format!("{how}: {} {}", output.status, rest.trim());
        findings.note(Mark::Bad, "the program", &text);
        return Ok((false, String::new()));
    }
    Ok((true, rest))
}

/// Notes whether utmp and wtmp tell of so many sessions, all ended.
pub fn sessions(world: &World, findings: &mut Findings, lines: usize, sessions: usize) -> Outcome {
    let (utmp, wtmp) = (world.utmp()?, world.wtmp()?);
    let of = |kind| wtmp.iter().filter(|record| record.ut_type() == kind).count();
    let dead = utmp.iter().filter(|record| record.ut_type() == DEAD_PROCESS).count();
    findings.all("lines in utmp, all ended", dead, lines.max(utmp.len()));
    findings.all("sessions begun in wtmp", of(USER_PROCESS), sessions);
    findings.all("sessions ended in wtmp", of(DEAD_PROCESS), sessions);
    Ok(())
}

/// A tool that this machine may not have.
pub fn tool(name: &str, package: &str) -> Result<(), Skip> {
    utempter_tests::place::program(name, package).map(drop)
}

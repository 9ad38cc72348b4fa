//! Limits of the caller's making.

use std::path::Path;

use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use utempter_tests::{Case, Side, Skip, place};

use crate::attempt::{Attempt, Result};
use crate::scene::{Expect, Row, Scene};

use Expect::{Killed, Recorded, Refused};

fn limited(resource: Resource, limit: u64) -> Result<Attempt> {
    Ok(Attempt::new()?.step(move || Ok(setrlimit(resource, limit, limit)?)))
}

fn row(name: &'static str, ours: Expect, c: Expect, resource: Resource, limit: u64) -> Row {
    Row::new(name, ours, c, move |_| limited(resource, limit))
}

pub fn rows() -> Vec<Row> {
    use Resource::*;
    vec![
        row("RLIMIT_FSIZE 0", Refused(libc::EFBIG), Killed(libc::SIGXFSZ), RLIMIT_FSIZE, 0),
        // It would fit, and the next one not: a limit that near is there to tear a record.
        row("RLIMIT_FSIZE 3000", Refused(libc::EFBIG), Recorded, RLIMIT_FSIZE, 3000),
        row("RLIMIT_NPROC 1", Recorded, Recorded, RLIMIT_NPROC, 1),
        row("RLIMIT_MEMLOCK 0", Recorded, Recorded, RLIMIT_MEMLOCK, 0),
        row("RLIMIT_SIGPENDING 0", Recorded, Recorded, RLIMIT_SIGPENDING, 0),
        row("RLIMIT_LOCKS 0", Recorded, Recorded, RLIMIT_LOCKS, 0),
        Row::new("RLIMIT_STACK 64 KiB", Recorded, None, |_| limited(RLIMIT_STACK, 64 << 10)),
        row("RLIMIT_CORE unlimited", Recorded, Recorded, RLIMIT_CORE, libc::RLIM_INFINITY),
    ]
}

/// Whatever the helper then does, it does whole or not at all.
fn every_limit() -> Result {
    use Resource::*;
    for resource in [RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_NOFILE, RLIMIT_CPU, RLIMIT_RSS] {
        let values = match resource {
            RLIMIT_NOFILE => (0..12).collect::<Vec<u64>>(),
            RLIMIT_STACK => (0..24).map(|n| n * 16384).collect(),
            RLIMIT_CPU => vec![0, 1],
            _ => (8..28).map(|bits| 1 << bits).collect(),
        };
        for value in values {
            let mut attempt = limited(resource, value)?;
            let scene = Scene::new()?;
            let ended = attempt.run()?;
            let told = |what: &str| format!("{resource:?} {value}: {}: {what}", ended.words());
            scene.whole().map_err(|error| told(&error.to_string()))?;
            scene.nothing_else(&attempt).map_err(|error| told(&error.to_string()))?;
            if ended.is_exit(0) && scene.whole()?.is_empty() {
                return Err(told("well, and no record").into());
            }
            if !ended.output.is_empty() {
                return Err(told("something on fd 1").into());
            }
        }
    }
    Ok(())
}

/// A stack that is enough for the helper with a C library is enough for the one without. (With
/// the smallest ones this process itself does not get as far as exec.)
fn small_stacks() -> Result {
    let helper = place::system_helper();
    let Some(other) = place::other_helper(&helper) else {
        return Err(Skip("no freestanding helper is installed here".into()).into());
    };
    for size in (1..=24).map(|n| n * 8192) {
        let recorded = |helper: &Path| -> Result<bool> {
            let mut attempt = limited(Resource::RLIMIT_STACK, size)?;
            attempt.helper = helper.into();
            let scene = Scene::new()?;
            let ended = attempt.run()?;
            Ok(ended.is_exit(0) && scene.whole()?.len() == 2)
        };
        let (ours, others) = (recorded(&helper)?, recorded(&other)?);
        if !ours && (others || size == 24 * 8192) {
            return Err(format!("{size}: {ours}, and the other {others}").into());
        }
    }
    Ok(())
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::world("every small limit", Side::Ours, |_| every_limit()),
        Case::world("small stacks do for the freestanding helper", Side::Ours, |_| small_stacks()),
    ]
}

//! Many sessions; and none.

use std::fs;
use std::time::{Duration, Instant};

use utempter_tests::part::{ROOT, Running, command};
use utempter_tests::pty::Pty;
use utempter_tests::utmp::{DEAD_PROCESS, USER_PROCESS};
use utempter_tests::world::{ALICE, User};
use utempter_tests::{Case, Outcome, Side, World, broker};

use crate::none;
use crate::peer::{ADD, DEL, Failure, LONG, ask, request};

const CLIENTS: usize = 64;
/// Sessions of one client: 10,048 of all.
const SESSIONS: usize = 157;

pub fn cases() -> Vec<Case> {
    vec![
        Case::world_of("10,000 sessions of 64 clients, none lost", Side::Broker, none, |world| {
            // One before, so that what is needed once is there.
            many(world, 1, ROOT)?;
            let before = Usage::of(world)?;
            many(world, CLIENTS, ALICE)?;
            let after = Usage::of(world)?;
            if after.kib > before.kib + 4096 {
                return Err(format!("{} KiB, and then {}", before.kib, after.kib).into());
            }
            let wtmp = world.wtmp()?;
            let of = |ut_type| wtmp.iter().filter(|record| record.ut_type() == ut_type).count();
            let all = (CLIENTS + 1) * SESSIONS;
            if (of(USER_PROCESS), of(DEAD_PROCESS)) != (all, all) || !world.live()?.is_empty() {
                let found = (of(USER_PROCESS), of(DEAD_PROCESS), world.live()?.len());
                return Err(format!("{all} sessions: {found:?}").into());
            }
            // Each client has had its line for itself.
            let utmp = world.utmp()?;
            if utmp.len() > CLIENTS + 1 {
                return Err(format!("{} records", utmp.len()).into());
            }
            broker::until_kept(0, LONG)
        }),
        Case::world_of("at rest, with a session, nothing runs", Side::Broker, none, |world| {
            let _terminal = crate::ghosts::start(world, "plain")?;
            nothing_runs(world)
        }),
        Case::world_of(
            "at rest, without a session, nothing runs",
            Side::Broker,
            none,
            nothing_runs,
        ),
    ]
}

fn nothing_runs(world: &World) -> Outcome {
    std::thread::sleep(Duration::from_millis(2500));
    let before = Usage::of(world)?;
    std::thread::sleep(Duration::from_secs(3));
    let after = Usage::of(world)?;
    if before != after {
        return Err(format!("{before:?}, and then {after:?}").into());
    }
    Ok(())
}

/// What the broker has used: memory, and how often each thread has run.
#[derive(Debug, PartialEq, Eq)]
struct Usage {
    kib: u64,
    switches: u64,
    descriptors: usize,
}

impl Usage {
    fn of(world: &World) -> Result<Usage, Failure> {
        let pid = world.broker.borrow().as_ref().ok_or("no broker")?.pid();
        let number = |path: &str, name: &str| -> Result<u64, Failure> {
            let text = fs::read_to_string(path)?;
            let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no line")?;
            Ok(line.trim_end_matches("kB").trim().parse()?)
        };
        let mut switches = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let status = task?.path().join("status");
            let status = status.to_str().ok_or("a path")?;
            switches += number(status, "voluntary_ctxt_switches:")?;
        }
        Ok(Usage {
            kib: number(&format!("/proc/{pid}/status"), "RssAnon:")?,
            switches,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
        })
    }
}

fn many(world: &World, clients: usize, user: User) -> Outcome {
    let start = || Running::start(&mut command(world, user, "many", &[]));
    let running: Vec<Running> = (0..clients).map(|_| start()).collect::<Result<_, _>>()?;
    for client in running {
        client.finish()?;
    }
    Ok(())
}

/// As somebody: many sessions on one pty.
pub fn many_sessions(_: &[String]) -> Outcome {
    let pty = Pty::open()?;
    let begin = Instant::now();
    for n in 0..SESSIONS {
        for operation in [ADD, DEL] {
            let answer = ask(&request(operation, ""), &[pty.number_of_descriptor()])?;
            if answer != Some(0) {
                let since = begin.elapsed();
                return Err(format!("session {n}, after {since:?}: {answer:?}").into());
            }
        }
    }
    Ok(())
}

//! Signals at every step: the helper is alice's process, and she may send it any.

use std::env;
use std::hint::spin_loop;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use utempter_tests::{Case, Side};

use crate::attempt::{Attempt, Result};
use crate::process::caught;
use crate::scene::{Expect, Scene};
use crate::sys;

use Expect::{Killed, Recorded};

/// How long a call takes, about, and how finely it is gone through.
const CALL: Duration = Duration::from_millis(2);

fn steps() -> u32 {
    // `FULL=1`: as long as it takes.
    if env::var_os("FULL").is_some_and(|value| value == "1") { 60 } else { 12 }
}

/// Sends `signal` `after` the start; then the next call must find or make whole records.
fn at(signal: i32, after: Duration) -> Result {
    let mut attempt = Attempt::new()?;
    let scene = Scene::new()?;
    let running = attempt.start()?;
    let begin = Instant::now();
    while begin.elapsed() < after {
        spin_loop();
    }
    sys::send(running.helper, signal)?;
    if [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal) {
        std::thread::sleep(Duration::from_millis(1));
        sys::send(running.helper, libc::SIGCONT)?;
    }
    let ended = running.end()?;
    let how = || format!("signal {signal} after {after:?}: {}", ended.words());
    let by_it = ended.is_killed() && ended.status & 0x7f == signal;
    if !ended.is_exit(0) && !by_it || !ended.output.is_empty() || !ended.error.is_empty() {
        return Err(how().into());
    }
    scene.nothing_else(&attempt).map_err(|error| format!("{}: {error}", how()))?;
    let next = attempt.run()?;
    let records = scene.whole().map_err(|error| format!("{}: {error}", how()))?;
    let live = records.iter().filter(|record| record.pid() == next.terminal).count();
    match next.is_exit(0) && live == 2 {
        true => Ok(()),
        false => Err(format!("{}: the next call: {}, {records:?}", how(), next.words()).into()),
    }
}

/// Every signal, at instants spread over the call.
fn every_signal() -> Result {
    for signal in (1..=64).filter(|signal| !(32..34).contains(signal)) {
        for step in 0..steps() {
            at(signal, CALL * step / steps())?;
        }
    }
    Ok(())
}

/// Timers survive exec, and their signals come at every step.
fn timers() -> Result {
    for (which, signal) in [
        (libc::ITIMER_REAL, libc::SIGALRM),
        (libc::ITIMER_VIRTUAL, libc::SIGVTALRM),
        (libc::ITIMER_PROF, libc::SIGPROF),
    ] {
        for us in [1, 50, 200, 500, 1000, 10_000, 5_000_000] {
            let mut attempt = Attempt::new()?.step(move || sys::timer(which, us));
            let scene = Scene::new()?;
            let ended = attempt.run()?;
            scene.whole()?;
            if !ended.is_exit(0) && ended.status & 0x7f != signal {
                return Err(format!("timer {which} of {us} us: {}", ended.words()).into());
            }
        }
    }
    Ok(())
}

/// Stopped behind its claim, with the stores open: when it goes on at last, what it has
/// found may be true no longer. Its alarm has come by then, and ends it.
fn stopped() -> Result {
    let mut attempt = Attempt::new()?;
    let scene = Scene::new()?;
    let (running, lock) = caught(&mut attempt)?;
    let helper = sys::pid(running.helper);
    kill(helper, Signal::SIGSTOP)?;
    drop(lock);
    std::thread::sleep(Duration::from_millis(5300));
    kill(helper, Signal::SIGCONT)?;
    let ended = running.end()?;
    scene.judge(&attempt, &ended, &Killed(libc::SIGALRM))
}

/// kpty and foot prepare nothing, and tmux blocks all: the alarm must come nevertheless.
fn deaf_and_stopped() -> Result {
    let mut attempt = Attempt::new()?.step(|| {
        sys::deaf();
        Ok(())
    });
    let scene = Scene::new()?;
    let (running, lock) = caught(&mut attempt)?;
    kill(sys::pid(running.helper), Signal::SIGTERM)?;
    let ended = running.end()?;
    drop(lock);
    scene.judge(&attempt, &ended, &Killed(libc::SIGTERM))?;
    Scene::expect(&mut attempt, &Recorded).map(drop)
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::world("every signal at every step", Side::Ours, |_| every_signal()),
        Case::world("inherited timers", Side::Ours, |_| timers()),
        Case::world("stopped behind its claim, it writes nothing later", Side::Ours, |_| stopped()),
        Case::world("a caller's blocked and ignored signals do not last", Side::Ours, |_| {
            deaf_and_stopped()
        }),
    ]
}

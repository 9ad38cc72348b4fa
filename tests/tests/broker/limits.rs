//! What one user can do to others, which is next to nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use utempter_tests::part::{Running, command};
use utempter_tests::pty::Pty;
use utempter_tests::world::{ALICE, BOB, User};
use utempter_tests::{Case, Outcome, Side, World};

use crate::peer::{ADD, DEL, Failure, LONG, Peer, ask as ask_once, request};
use crate::{none, sys};

/// A client is never delayed longer by others, on a machine with other things to do.
const DELAY: Duration = Duration::from_millis(250);
/// In the middle they are not delayed at all.
const MIDDLE: Duration = Duration::from_millis(20);

pub fn cases() -> Vec<Case> {
    vec![
        Case::world_of("a user has 128 connections, others theirs", Side::Broker, none, |world| {
            let mut alice = holding(world, 200)?;
            let held = alice.line()?;
            if held != "greeted 128" {
                return Err(format!("of 200 connections: {held}").into());
            }
            served(world, BOB)?;
            refused(world, ALICE)
        }),
        Case::world_of(
            "silent clients are sent away after two seconds",
            Side::Broker,
            none,
            |world| {
                let mut alice = holding(world, 100)?;
                alice.line()?;
                let begin = Instant::now();
                let left = alice.line()?;
                let taken = begin.elapsed();
                if left != "left 100" || !(1..5).contains(&taken.as_secs()) {
                    return Err(format!("{left} after {taken:?}").into());
                }
                served(world, ALICE)
            },
        ),
        Case::world_of(
            "32,768 requests at once, and then eight a second",
            Side::Broker,
            none,
            |world| {
                let numbers = run(world, ALICE, "storm", &["40000"])?;
                let greeted = numbers["greeted"];
                let most = 32_768 + 9 * (numbers["seconds"] + 1);
                if !(32_768..=most).contains(&greeted) {
                    return Err(format!("{numbers:?}").into());
                }
                refused(world, ALICE)?;
                served(world, BOB)?;
                std::thread::sleep(Duration::from_millis(500));
                served(world, ALICE)
            },
        ),
        Case::world_of(
            "thousands of clients at once do not delay one",
            Side::Broker,
            none,
            |world| {
                let mut crowd = Running::start(&mut command_of_root(world, "crowd", &["3000"]))?;
                let ready = crowd.line()?;
                let mut taken = times(world)?;
                drop(crowd);
                taken.sort();
                let (middle, worst) = (taken[taken.len() / 2], taken[taken.len() - 1]);
                if middle > MIDDLE || worst > DELAY {
                    return Err(format!("beside {ready}: {middle:?}, at worst {worst:?}").into());
                }
                Ok(())
            },
        ),
        Case::world_of(
            "a user that never stops does not delay another",
            Side::Broker,
            none,
            |world| {
                let storm =
                    Running::start(&mut command(world, ALICE, "storm", &["1000000".into()]))?;
                let mut taken = times(world)?;
                drop(storm);
                taken.sort();
                let (middle, worst) = (taken[taken.len() / 2], taken[taken.len() - 1]);
                if middle > MIDDLE || worst > DELAY {
                    return Err(format!("{middle:?}, at worst {worst:?}").into());
                }
                Ok(())
            },
        ),
    ]
}

fn command_of_root(world: &World, name: &str, words: &[&str]) -> std::process::Command {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    command(world, utempter_tests::part::ROOT, name, &words)
}

fn run(
    world: &World,
    user: User,
    name: &str,
    words: &[&str],
) -> Result<BTreeMap<String, u64>, Failure> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    Running::start(&mut command(world, user, name, &words))?.finish()
}

fn served(world: &World, user: User) -> Outcome {
    run(world, user, "ask", &["0"]).map(drop)
}

fn refused(world: &World, user: User) -> Outcome {
    run(world, user, "ask", &["refused"]).map(drop)
}

/// How long bob's requests take, in microseconds, one after the other.
fn times(world: &World) -> Result<Vec<Duration>, Failure> {
    let numbers = run(world, BOB, "ask", &["times"])?;
    Ok(numbers.values().map(|time| Duration::from_micros(*time)).collect())
}

/// As somebody: asks, and is answered 0, or not greeted.
pub fn ask(words: &[String]) -> Outcome {
    let pty = Pty::open()?;
    let once = |operation| ask_once(&request(operation, ""), &[pty.number_of_descriptor()]);
    match words.first().map(String::as_str) {
        Some("refused") => match once(ADD)? {
            None => Ok(()),
            other => Err(format!("answered {other:?}").into()),
        },
        Some("times") => {
            for n in 0..100 {
                let begin = Instant::now();
                let answers = (once(ADD)?, once(DEL)?);
                if answers != (Some(0), Some(0)) {
                    return Err(format!("answered {answers:?}").into());
                }
                println!("t{n}={}", begin.elapsed().as_micros() / 2);
            }
            Ok(())
        }
        _ => match (once(ADD)?, once(DEL)?) {
            (Some(0), Some(0)) => Ok(()),
            other => Err(format!("answered {other:?}").into()),
        },
    }
}

fn holding(world: &World, count: u32) -> Result<Running, Failure> {
    Running::start(&mut command(world, ALICE, "hold", &[count.to_string()]))
}

/// As alice: connects so often, and says nothing.
pub fn hold(words: &[String]) -> Outcome {
    let count: usize = words.first().ok_or("no count")?.parse()?;
    let peers: Vec<Peer> =
        (0..count).filter_map(|_| Peer::greeted().transpose()).collect::<Result<_, _>>()?;
    println!("greeted {}", peers.len());
    let left = peers.iter().filter(|peer| matches!(peer.receive(LONG), Ok(None))).count();
    println!("left {left}");
    Ok(())
}

/// As alice: says nothing that could be understood, again and again.
pub fn storm(words: &[String]) -> Outcome {
    let count: u32 = words.first().ok_or("no count")?.parse()?;
    let begin = Instant::now();
    let mut greeted = 0;
    for _ in 0..count {
        // A full backlog is no matter here.
        if let Ok(Some(peer)) = Peer::greeted() {
            greeted += 1;
            // It may be sent away first.
            let _ = peer.send(&[1], &[]);
        }
    }
    println!("greeted={greeted} seconds={}", begin.elapsed().as_secs());
    Ok(())
}

/// As root, then as many users: connects so often, and stays.
pub fn crowd(words: &[String]) -> Outcome {
    use nix::sys::resource::{Resource, setrlimit};
    let count: u32 = words.first().ok_or("no count")?.parse()?;
    setrlimit(Resource::RLIMIT_NOFILE, 8192, 8192)?;
    let greeted: Vec<usize> = std::thread::scope(|scope| {
        let users: Vec<_> = (0..count / 100)
            .map(|n| {
                scope.spawn(move || {
                    sys::become_user(20_000 + n).map_err(|error| error.to_string())?;
                    let peers: Vec<Peer> = (0..100).filter_map(|_| Peer::connect().ok()).collect();
                    let count = peers.len();
                    // They stay until the process ends.
                    std::mem::forget(peers);
                    Ok::<usize, String>(count)
                })
            })
            .collect();
        users
            .into_iter()
            .map(|user| user.join().expect("a user's thread"))
            .collect::<Result<_, _>>()
    })?;
    println!("{} connected", greeted.iter().sum::<usize>());
    std::thread::sleep(LONG);
    Ok(())
}

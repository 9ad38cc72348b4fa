//! tmux, whose panes end at about the time at which it calls.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use utempter_tests::side_by_side::count;
use utempter_tests::world::{ALICE, CLIENT_LIMIT};
use utempter_tests::{World, bounded};

use crate::both::{Claim, tool};
use crate::findings::{Findings, Mark};

/// Microseconds from a pane's closing of its terminal to its end.
const DELAYS: [usize; 5] = [0, 200, 500, 800, 1200];

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

pub fn claims() -> Vec<Claim> {
    vec![Claim::new("tmux, panes that close their terminal and end", panes)]
}

fn panes(world: &World, findings: &mut Findings) -> Result<()> {
    tool("tmux", "tmux")?;
    findings.note(Mark::Saw, "version", tmux(world, &["-V"])?.trim());
    tmux(world, &["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sleep 1000"])?;
    tmux(world, &["set-option", "-g", "remain-on-exit", "on"])?;
    let each = count(4, 40);
    let (mut shown, mut zombies) = (0, 0);
    for delay in DELAYS {
        for _ in 0..each {
            let found = pane(world, delay)?;
            shown += usize::from(found.shown);
            zombies += usize::from(found.zombie);
        }
    }
    findings.all("exit statuses shown", shown, DELAYS.len() * each);
    findings.none("zombies", zombies);
    tmux(world, &["kill-server"]).map(drop)
}

struct Pane {
    shown: bool,
    zombie: bool,
}

/// One pane, and nothing else meanwhile: another's end would have tmux look again.
fn pane(world: &World, delay: usize) -> Result<Pane> {
    let command = format!("exec {} pane {delay}", World::CLIENT);
    let pid = tmux(
        world,
        &["new-window", "-d", "-n", "pane", "-P", "-F", "#{pane_pid}", "-t", ":9", &command],
    )?;
    let stat = format!("/proc/{}/stat", pid.trim());
    let is_zombie = || fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z "));
    // On a busy machine the pane itself may come late.
    bounded::until("the pane's process ends", CLIENT_LIMIT, || {
        Ok(is_zombie() || !Path::new(&stat).exists())
    })?;
    let mut shown = false;
    // A status that is not there by then never comes: SIGCHLD has come and gone.
    for _ in 0..10 {
        sleep(Duration::from_millis(15));
        shown = tmux(world, &["display-message", "-p", "-t", ":9", "#{pane_dead_status}"])?.trim()
            == "7";
        if shown {
            break;
        }
    }
    let zombie = is_zombie();
    tmux(world, &["kill-window", "-t", ":9"])?;
    Ok(Pane { shown, zombie })
}

fn tmux(world: &World, words: &[&str]) -> Result<String> {
    let mut command = world.command(ALICE, "tmux");
    command.args(["-S", "/tmp/home/tmux"]).args(words);
    bounded::run(&mut command, CLIENT_LIMIT)?.text()
}

//! tmux: utempter_add_record for each pane, with all signals blocked.

use utempter_tests::{Outcome, World, place};

use crate::readers::{output, shows, shows_ended};

pub fn two_panes(world: &World) -> Outcome {
    place::program("tmux", "tmux")?;
    let tmux = |words: &[&str]| {
        let all = [&["-S", "/tmp/home/tmux", "-f", "/dev/null"], words].concat();
        output(world, "tmux", &all)
    };
    tmux(&["new-session", "-d", "-x", "80", "-y", "24"])?;
    let pid = tmux(&["display-message", "-p", "#{pid}"])?;
    let host = |pane: u32| format!("tmux({}).%{pane}", pid.trim());

    shows(world, &[("pts/0", &host(0))])?;

    tmux(&["split-window"])?;
    shows(world, &[("pts/0", &host(0)), ("pts/1", &host(1))])?;

    tmux(&["kill-pane", "-t", "%1"])?;
    shows(world, &[("pts/0", &host(0))])?;

    // What is typed ends the shell, and with it the session and the server.
    tmux(&["send-keys", "-t", "%0", "exit", "Enter"])?;
    shows_ended(world, 2)
}

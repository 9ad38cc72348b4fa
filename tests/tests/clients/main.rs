//! Real terminals, Debian's own binaries, run by an ordinary user: what `who`, `last` and
//! `utmpdump` print while their sessions last, and afterwards.

mod mosh;
mod readers;
mod screen;
mod tmux;
mod xterm;

use std::process::ExitCode;
use std::time::Duration;

use utempter_tests::{Case, Side, run};

/// For a terminal to start or end a session, on a busy machine.
const SOON: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let on = |side| {
        let case = |name: &str, body| match side {
            Side::OursGnuLd => Case::world(&format!("{name}, by GNU ld"), side, body),
            // No process may gain privileges there, and no helper is setgid.
            Side::Broker => Case::world(&format!("{name}, through the broker"), side, body),
            _ => Case::world(name, side, body),
        };
        [
            case("tmux: two panes", tmux::two_panes as fn(&_) -> _),
            case("screen: attach, detach, reattach", screen::attach_detach_reattach),
            case("xterm: start, SIGTERM", xterm::start_and_sigterm),
            case("xterm: its shell ends", xterm::shell_ends),
            case("mosh: start, connect, end", mosh::start_connect_end),
        ]
    };
    run([Side::Ours, Side::OursGnuLd, Side::Broker].into_iter().flat_map(on).collect())
}

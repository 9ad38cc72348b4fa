//! `utempterd`: the broker of libutempter. See utempterd(8).
//!
//! Terminals ask it over a socket to record their sessions; the library does so by itself. It
//! does what the setgid helper does, with the same claim and the same stores, but it goes by
//! the kernel's word of who has connected, and so works where setgid does not. It also tells
//! wtmpdb, and it writes the logout of a session whose terminal has died.
#![deny(unsafe_code)]

mod client;
mod index;
mod last;
mod limits;
mod listen;
mod log;
mod names;
mod process;
mod protocol;
mod ptys;
mod received;
mod recorder;
mod server;
mod state;
mod stores;
#[allow(unsafe_code)]
mod sys;
mod wtmpdb;

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use recorder::{Load, Recorder};
use server::Server;

/// Where it listens: a constant of the build, as the library's.
const SOCKET: &str = match option_env!("UTEMPTER_SOCKET") {
    Some(path) => path,
    None => "/run/utempter/socket",
};

/// The sessions that are watched, beside the socket.
const STATE: &str = "sessions";

/// How long there has to be nothing to do before it leaves, where it was started for a client.
const IDLE: Duration = Duration::from_secs(30);

const USAGE: &str = "usage: utempterd [--idle SECONDS]";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let idle = match words.as_slice() {
        [] => Some(IDLE),
        ["--idle", seconds] => seconds.parse().ok().map(Duration::from_secs),
        ["--version"] => {
            println!("utempterd {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        ["--help"] => {
            println!("{USAGE}\nRecords terminal sessions for clients of {SOCKET}.");
            return ExitCode::SUCCESS;
        }
        _ => None,
    };
    let Some(idle) = idle.filter(|idle| *idle < Duration::from_secs(1 << 20)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match serve(Path::new(SOCKET), idle) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(socket: &Path, idle: Duration) -> io::Result<()> {
    // A session takes a descriptor, a record near the size limit would be torn.
    for resource in [Resource::RLIMIT_NOFILE, Resource::RLIMIT_FSIZE] {
        let (_, hard) = getrlimit(resource)?;
        setrlimit(resource, hard, hard)?;
    }
    // Before there are threads, which inherit that.
    server::stop_signals().thread_block()?;
    let listener = listen::listener(socket)?;
    // Before the sessions are looked through, so that none ends unseen.
    let ptys = ptys::Ptys::watch().inspect_err(|error| {
        log::error(format_args!("cannot watch /dev/pts: {error}; dead terminals stay recorded"));
    });
    let (jobs, queued) = channel();
    let load = Arc::new(Load::new(listener.is_passed)?);
    let recorder = Recorder::new(&socket.with_file_name(STATE), Arc::clone(&load), jobs.clone());
    let recorder = Arc::new(Mutex::new(recorder));
    let mut server =
        Server::new(listener, ptys.ok(), nobody(), idle, Arc::clone(&recorder), jobs, load)?;
    thread::Builder::new()
        .name("recorder".into())
        .spawn(move || Recorder::run(&recorder, &queued))?;
    server.run()
}

/// In a user namespace that does not know all uids, those that it does not know look like
/// one, and so would their ptys: that one is nobody's.
fn nobody() -> Option<u32> {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_whole = map.split_whitespace().eq(["0", "0", "4294967295"]);
    let overflow = fs::read_to_string("/proc/sys/kernel/overflowuid").unwrap_or_default();
    (!is_whole).then(|| overflow.trim().parse().unwrap_or(65534))
}

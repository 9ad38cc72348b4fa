//! A machine of a test's own.
//!
//! The test executable starts itself anew in new mount, pid and IPC namespaces (so the
//! test inside is process 1 there, and all that it started ends with it), lays its own
//! files over the machine's, and runs the one case it was started for, as root. Programs
//! under test are then started as alice.

mod layout;
mod user;

use std::cell::RefCell;
use std::env;
use std::error::Error;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_no_new_privs, set_pdeathsig};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::broker::Broker;
use crate::case::{self, Case, Outcome, Skip};
use crate::utmp::{self, Record};
use crate::{bounded, place};
pub use layout::new_devpts;
pub use user::{ALICE, BOB, LONG, NAMELESS, User};

/// Within this a world has come to its end, whatever happens.
const LIMIT: Duration = Duration::from_secs(100);

/// Within this a client has done its steps: the C library waits up to 10 s for a lock.
pub const CLIENT_LIMIT: Duration = Duration::from_secs(15);

/// Exit status of a case inside that could not run.
const SKIPPED: u8 = 77;

/// Which library, with its helper, is in the system's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Debian's C library.
    C,
    /// Ours.
    Ours,
    /// Ours, linked by GNU ld.
    OursGnuLd,
    /// Ours, with the broker, and nothing but it: no process may gain privileges, so that no
    /// setgid helper can record anything.
    Broker,
    /// Debian's C library, and beside it ours, at [`World::OURS`], with the broker.
    Both,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::C => "c",
            Side::Ours => "ours",
            Side::OursGnuLd => "ours-gnu-ld",
            Side::Broker => "broker",
            Side::Both => "both",
        }
    }

    fn stage(self) -> Option<place::Stage> {
        match self {
            Side::C | Side::Both => None,
            Side::Ours | Side::Broker => Some(place::Stage::main()),
            Side::OursGnuLd => Some(place::Stage::gnu_ld()),
        }
    }
}

/// The files of a world, seen from the machine.
pub struct Outside {
    directory: TempDir,
}

impl Outside {
    /// A new world's files: an empty utmp and wtmp, its users, nothing else.
    ///
    /// # Errors
    ///
    /// [`Skip`] where this process may not make one.
    pub fn new() -> Result<Outside, Box<dyn Error + Send + Sync>> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Skip("needs root, for namespaces and a setgid helper".into()).into());
        }
        place::c_library()?;
        let directory = TempDir::with_prefix("utempter-world-")?;
        layout::make(directory.path())?;
        Ok(Outside { directory })
    }

    /// The directory with `run`, `log` and `etc`.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs the case inside, with the library of `side` and this client.
    ///
    /// # Errors
    ///
    /// What went wrong inside.
    pub fn run(&self, case: &str, side: Side, client: &Path) -> Outcome {
        let mut command = Command::new(env::current_exe()?);
        command
            .env("UTEMPTER_WORLD", "unshare")
            .env("UTEMPTER_WORLD_CASE", case)
            .env("UTEMPTER_WORLD_SIDE", side.name())
            .env("UTEMPTER_WORLD_DIRECTORY", self.path())
            .env("UTEMPTER_WORLD_CLIENT", client);
        let output = bounded::run(&mut command, LIMIT)?;
        match output.status.code() {
            Some(0) => Ok(()),
            Some(code) if code == i32::from(SKIPPED) => {
                Err(Skip(output.text.trim_end().to_owned()).into())
            }
            _ => Err(format!("[{}] {}{}", side.name(), output.text, signal_of(&output)).into()),
        }
    }
}

fn signal_of(output: &bounded::Output) -> String {
    output.status.code().map_or_else(|| format!("({})", output.status), |_| String::new())
}

/// Where this process was started to run a case inside a world: does so.
pub fn continue_inside(cases: &[Case]) -> Option<ExitCode> {
    let stage = env::var("UTEMPTER_WORLD").ok()?;
    // What the parent waits for must not outlive it.
    set_pdeathsig(Signal::SIGKILL).expect("a signal at the parent's death");
    let outcome = match stage.as_str() {
        "unshare" => return Some(start_process_1()),
        _ => inside(cases),
    };
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            if error.is::<Skip>() { ExitCode::from(SKIPPED) } else { ExitCode::FAILURE }
        }
    })
}

/// The first child after unshare(2) is process 1 of the new pid namespace.
fn start_process_1() -> ExitCode {
    let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC;
    if let Err(error) = unshare(flags) {
        println!("new mount and pid namespaces are refused here: {error}");
        return ExitCode::from(SKIPPED);
    }
    let status = env::current_exe()
        .and_then(|exe| Command::new(exe).env("UTEMPTER_WORLD", "inside").status());
    match status.map(|status| (status.code(), status)) {
        Ok((Some(code), _)) => ExitCode::from(code as u8),
        Ok((None, status)) => {
            println!("the world ended: {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("the world did not begin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn inside(cases: &[Case]) -> Outcome {
    let side = match env::var("UTEMPTER_WORLD_SIDE")?.as_str() {
        "c" => Side::C,
        "ours" => Side::Ours,
        "broker" => Side::Broker,
        "both" => Side::Both,
        _ => Side::OursGnuLd,
    };
    let directory = PathBuf::from(env::var("UTEMPTER_WORLD_DIRECTORY")?);
    let name = env::var("UTEMPTER_WORLD_CASE")?;
    let case = case::find(cases, &name).ok_or("no case of this name")?;
    layout::enter(&directory, side)?;
    let mut broker = None;
    if side == Side::Broker {
        set_no_new_privs()?;
    }
    if side == Side::Broker || side == Side::Both {
        broker = Some(Broker::start()?);
    }
    let world = World { side, broker: RefCell::new(broker) };
    case.inside(&world)
}

/// The world, seen from inside.
pub struct World {
    /// Whose library it has.
    pub side: Side,
    /// The broker that runs in it.
    pub broker: RefCell<Option<Broker>>,
}

impl World {
    /// Who is on now.
    pub const UTMP: &'static str = "/run/utmp";
    /// Who has been.
    pub const WTMP: &'static str = "/var/log/wtmp";
    /// Our library, where it is not the system's.
    pub const OURS: &'static str = "/tmp/lib/ours.so";
    /// The compiled `c/client.c`.
    pub const CLIENT: &'static str = "/tmp/bin/client";
    /// What clients have written down.
    pub const TRANSCRIPT: &'static str = "/run/transcript";

    /// The records of utmp.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or is not whole records.
    pub fn utmp(&self) -> Result<Vec<Record>, Box<dyn Error + Send + Sync>> {
        Ok(utmp::decode(&fs::read(Self::UTMP)?)?)
    }

    /// The records of wtmp.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or is not whole records.
    pub fn wtmp(&self) -> Result<Vec<Record>, Box<dyn Error + Send + Sync>> {
        Ok(utmp::decode(&fs::read(Self::WTMP)?)?)
    }

    /// The sessions of utmp.
    ///
    /// # Errors
    ///
    /// As [`World::utmp`].
    pub fn live(&self) -> Result<Vec<Record>, Box<dyn Error + Send + Sync>> {
        Ok(self.utmp()?.into_iter().filter(Record::is_live).collect())
    }

    /// Puts records of other programs into a file.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn records_before(&self, file: &str, records: &[Record]) -> Outcome {
        Ok(fs::write(file, utmp::encode(records))?)
    }

    /// A program to be run as `user`, with a login's environment and no other.
    pub fn command(&self, user: User, program: &str) -> Command {
        let mut command = Command::new(program);
        command.uid(user.uid).gid(user.gid).current_dir("/tmp/home").env_clear().envs([
            ("HOME", "/tmp/home"),
            ("LANG", "C"),
            ("LOGNAME", user.name),
            ("PATH", "/usr/bin:/bin"),
            ("SHELL", "/bin/sh"),
            ("TERM", "xterm"),
            ("TZ", "UTC0"),
            ("USER", user.name),
        ]);
        command
    }

    /// The client as alice, with these steps before it.
    pub fn client(&self, steps: &[&str]) -> Command {
        self.client_of(ALICE, steps)
    }

    /// The client as somebody.
    pub fn client_of(&self, user: User, steps: &[&str]) -> Command {
        let mut command = self.command(user, Self::CLIENT);
        command.env("CLIENT_HELPER", place::system_helper()).arg(Self::TRANSCRIPT).args(steps);
        command
    }

    /// Runs the client as alice; the lines it wrote down.
    ///
    /// # Errors
    ///
    /// Where it does not come to its end in time.
    pub fn run(&self, steps: &[&str]) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
        self.finish(&mut self.client(steps))
    }

    /// Runs a client made by [`World::client`].
    ///
    /// # Errors
    ///
    /// Where it does not come to its end in time.
    pub fn finish(
        &self,
        command: &mut Command,
    ) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
        let ended = bounded::run(command, CLIENT_LIMIT);
        let transcript = fs::read_to_string(Self::TRANSCRIPT).unwrap_or_default();
        let text = match ended.and_then(bounded::Output::text) {
            Ok(text) => text,
            Err(error) => return Err(format!("{error}{transcript}").into()),
        };
        // Neither library has anything to say to the terminal.
        if !text.is_empty() {
            return Err(format!("the client's standard output or error: {text:?}").into());
        }
        Ok(transcript.lines().map(str::to_owned).collect())
    }
}

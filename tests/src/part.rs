//! Processes beside the test inside a world: the test executable once more, started to do
//! one thing, as alice or as whom it is for.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};

use crate::case::Outcome;
use crate::world::{User, World};

type Failure = Box<dyn Error + Send + Sync>;

/// What a part does, by name. What it prints is for whoever started it.
pub type Part = (&'static str, fn(&[String]) -> Outcome);

/// The administrator, and the daemons.
pub const ROOT: User = User { name: "root", uid: 0, gid: 0 };

/// Where this process was started as a part: does it.
pub fn continue_as(parts: &[Part]) -> Option<ExitCode> {
    let name = env::var("UTEMPTER_PART").ok()?;
    let words: Vec<String> = env::args().skip(1).collect();
    let outcome = match parts.iter().find(|(other, _)| *other == name) {
        Some((_, part)) => part(&words),
        None => Err("no part of this name".into()),
    };
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("part {name}: {error}");
            ExitCode::FAILURE
        }
    })
}

/// A part, to be started.
pub fn command(world: &World, user: User, name: &str, words: &[String]) -> Command {
    let mut command = world.command(user, "/proc/self/exe");
    command.env("UTEMPTER_PART", name).args(words);
    command
}

/// A process that runs beside the test, and is killed at the end if it still does.
pub struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a command.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn start(command: &mut Command) -> Result<Running, Failure> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        Ok(Running { child, output })
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Waits for its next line.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Err("a process beside the test ended too early".into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// Waits for its end, and takes the numbers it has printed, as `name=number`.
    ///
    /// # Errors
    ///
    /// Where it did not end well.
    pub fn finish(mut self) -> Result<BTreeMap<String, u64>, Failure> {
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("a process beside the test: {status}: {text}").into());
        }
        let pairs = text.split_whitespace().filter_map(|word| word.split_once('='));
        Ok(pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const STOP: &str = "/var/log/harness/stop";

/// Asks all parts to come to their end.
///
/// # Errors
///
/// Where the file that says so cannot be made.
pub fn stop() -> Outcome {
    Ok(fs::write(STOP, "")?)
}

/// Whether a part should come to its end.
pub fn stopped() -> bool {
    Path::new(STOP).exists()
}

/// For programs that are no parts: the file that appears when they should stop.
pub fn stop_file() -> &'static str {
    STOP
}

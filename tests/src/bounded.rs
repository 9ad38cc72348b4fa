//! Commands that end in time.

use std::error::Error;
use std::io::{Read, Seek};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output and error, in one.
    pub text: String,
}

impl Output {
    /// The text, where the command ended well.
    ///
    /// # Errors
    ///
    /// Its exit status and text, where it did not.
    pub fn text(self) -> Result<String, Box<dyn Error + Send + Sync>> {
        if self.status.success() {
            return Ok(self.text);
        }
        Err(format!("{}\n{}", self.status, self.text).into())
    }
}

/// Runs a command to its end.
///
/// # Errors
///
/// Where it cannot be started, or has not ended by `limit`; it is then killed.
pub fn run(command: &mut Command, limit: Duration) -> Result<Output, Box<dyn Error + Send + Sync>> {
    let mut text = tempfile::tempfile()?;
    let child = command
        .stdout(Stdio::from(text.try_clone()?))
        .stderr(Stdio::from(text.try_clone()?))
        .spawn()
        .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
    let ended = wait(child, limit);
    let mut bytes = Vec::new();
    text.rewind()?;
    text.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match ended? {
        Some(status) => Ok(Output { status, text }),
        None => Err(format!(
            "{} had not ended after {limit:?}\n{text}",
            command.get_program().to_string_lossy()
        )
        .into()),
    }
}

fn wait(mut child: Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        sleep(Duration::from_millis(3));
    }
}

/// Waits until `condition` holds.
///
/// # Errors
///
/// Where it does not within `limit`: `what` was waited for.
pub fn until(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<bool, Box<dyn Error + Send + Sync>>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let begin = Instant::now();
    while !condition()? {
        if begin.elapsed() > limit {
            return Err(format!("waited {limit:?} in vain: {what}").into());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

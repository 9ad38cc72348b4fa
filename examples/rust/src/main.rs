//! Runs a command on a pty and has the session recorded while it runs.
//!
//! ```text
//! cargo run -- who
//! ```

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, ExitCode};

use nix::pty::openpty;

fn main() -> io::Result<ExitCode> {
    let Some(program) = env::args_os().nth(1) else {
        eprintln!("usage: record COMMAND [ARGUMENT]...");
        return Ok(ExitCode::from(2));
    };
    let pty = openpty(None, None)?;
    if let Err(error) = utempter::add_record(pty.master.as_fd(), Some(c"example")) {
        eprintln!("record: not recorded: {error}");
    }

    let mut command = Command::new(program);
    command.args(env::args_os().skip(2));
    command.stdin(pty.slave.try_clone()?).stdout(pty.slave.try_clone()?).stderr(pty.slave);
    let mut child = command.spawn()?;
    // It keeps copies of the slave, and the loop below ends when the last is closed.
    drop(command);

    let mut master = File::from(pty.master);
    let mut bytes = [0; 4096];
    // A pty whose slave side is closed gives an error, and not an end of file.
    while let Ok(count @ 1..) = master.read(&mut bytes) {
        io::stdout().write_all(&bytes[..count])?;
    }

    utempter::remove_record(master.as_fd())?;
    Ok(child.wait()?.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(code as u8)))
}

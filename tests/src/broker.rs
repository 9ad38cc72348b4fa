//! The broker of a world.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::bounded;
use crate::case::Outcome;

type Failure = Box<dyn Error + Send + Sync>;

/// Where it listens.
pub const SOCKET: &str = "/run/utempter/socket";
/// What it keeps of the sessions it watches.
pub const STATE: &str = "/run/utempter/sessions";
/// What it says.
pub const LOG: &str = "/run/broker.log";

/// For a broker to start, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// A broker, killed at the end.
pub struct Broker(Child);

impl Broker {
    /// Starts it with a socket of its own, and waits until it listens.
    ///
    /// # Errors
    ///
    /// Where it does not.
    pub fn start() -> Result<Broker, Failure> {
        // Of an earlier one, which is no more.
        let _ = fs::remove_file(SOCKET);
        let broker = Broker(Broker::command()?.spawn()?);
        bounded::until("the broker's socket", SOON, || Ok(Path::new(SOCKET).exists()))?;
        // It listens a moment after; whoever comes earlier is refused.
        bounded::until("the broker to listen", SOON, || listens(SOCKET))?;
        Ok(broker)
    }

    /// The command that starts it.
    ///
    /// # Errors
    ///
    /// Where its log cannot be written.
    pub fn command() -> Result<Command, Failure> {
        let log = OpenOptions::new().create(true).append(true).open(LOG)?;
        let mut command = Command::new("/tmp/bin/utempterd");
        command.env_clear().current_dir("/").stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    /// Kills it, as a crash would.
    ///
    /// # Errors
    ///
    /// Where that fails.
    pub fn crash(mut self) -> Outcome {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    ///
    /// As waitpid(2).
    pub fn ended(&mut self) -> Result<Option<bool>, Failure> {
        Ok(self.0.try_wait()?.map(|status| status.success()))
    }
}

impl From<Child> for Broker {
    fn from(child: Child) -> Broker {
        Broker(child)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn listens(path: &str) -> Result<bool, Failure> {
    use nix::sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, socket,
    };
    use std::os::fd::AsRawFd;
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    let connected = connect(socket.as_raw_fd(), &UnixAddr::new(path)?).is_ok();
    // Greeted: all of its threads run.
    Ok(connected && recv(socket.as_raw_fd(), &mut [0; 4], MsgFlags::empty()) == Ok(4))
}

/// How many sessions the broker keeps.
///
/// # Errors
///
/// Where its file cannot be read.
pub fn kept() -> Result<usize, Failure> {
    let bytes = fs::read(STATE)?;
    // A slot in use begins with ut_type 7.
    Ok(bytes.chunks(512).filter(|slot| slot.starts_with(&7i16.to_ne_bytes())).count())
}

/// Waits until it keeps so many.
///
/// # Errors
///
/// Where that does not come to be.
pub fn until_kept(count: usize, limit: Duration) -> Outcome {
    bounded::until(&format!("{count} sessions kept"), limit, || Ok(kept()? == count))
}

/// What it has said.
pub fn log() -> String {
    let mut text = String::new();
    if let Ok(mut file) = File::open(LOG) {
        let _ = std::io::Read::read_to_string(&mut file, &mut text);
    }
    text
}

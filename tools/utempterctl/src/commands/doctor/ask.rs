//! Asking the broker, as the library does: utempter-protocol(7).

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, sendmsg,
    socket,
};

/// Where it listens.
pub const SOCKET: &str = "/run/utempter/socket";
/// The version that is spoken here.
const VERSION: u8 = 1;

/// How long the library waits for the greeting, and for the answer.
const GREETING: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(3);

/// Why it cannot be asked.
#[derive(Debug)]
pub enum Refusal {
    /// connect(2) gave this.
    Connect(Errno),
    /// It hung up, or something was wrong with the connection.
    Hung(Errno),
    /// It said nothing in time.
    Silent,
    /// What it said is no greeting of version 1 or later.
    Strange,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Connect(errno) | Refusal::Hung(errno) => formatter.write_str(errno.desc()),
            Refusal::Silent => formatter.write_str("no answer in time"),
            Refusal::Strange => formatter.write_str("an answer that is none"),
        }
    }
}

/// What it is asked for.
#[derive(Clone, Copy)]
pub enum Operation {
    Add = 1,
    Del = 2,
}

/// A connection on which the broker has greeted.
pub struct Greeted {
    socket: OwnedFd,
    /// The highest version that it speaks.
    pub version: u8,
}

/// Connects, and waits for the greeting.
pub fn greeted() -> Result<Greeted, Refusal> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket =
        socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).map_err(Refusal::Connect)?;
    let address = UnixAddr::new(SOCKET).map_err(Refusal::Connect)?;
    connect(socket.as_raw_fd(), &address).map_err(Refusal::Connect)?;
    match receive(&socket, GREETING)? {
        Some([b'u', b't', version, _]) if version >= VERSION => Ok(Greeted { socket, version }),
        _ => Err(Refusal::Strange),
    }
}

impl Greeted {
    /// Asks, with the master of a pty of ours; the answer is 0 or an errno value.
    pub fn ask(
        self,
        operation: Operation,
        host: &str,
        master: BorrowedFd<'_>,
    ) -> Result<i32, Refusal> {
        let name = std::env::var("LOGNAME").unwrap_or_default();
        let name = name.as_bytes().get(..usize::from(u8::MAX)).unwrap_or(name.as_bytes());
        let head = [VERSION, operation as u8, name.len() as u8];
        let message = [IoSlice::new(&head), IoSlice::new(name), IoSlice::new(host.as_bytes())];
        let descriptors = [master.as_raw_fd()];
        sendmsg::<UnixAddr>(
            self.socket.as_raw_fd(),
            &message,
            &[ControlMessage::ScmRights(&descriptors)],
            MsgFlags::MSG_NOSIGNAL,
            None,
        )
        .map_err(Refusal::Hung)?;
        match receive(&self.socket, ANSWER)? {
            Some([b'u', b't', low, high]) => Ok(u16::from_le_bytes([low, high]).into()),
            _ => Err(Refusal::Strange),
        }
    }
}

/// A message of four bytes; `None` for any other.
fn receive(socket: &OwnedFd, patience: Duration) -> Result<Option<[u8; 4]>, Refusal> {
    let end = Instant::now() + patience;
    loop {
        let mut message = [0; 5];
        match recv(socket.as_raw_fd(), &mut message, MsgFlags::empty()) {
            Ok(0) => return Err(Refusal::Hung(Errno::ECONNRESET)),
            Ok(4) => return Ok(Some([message[0], message[1], message[2], message[3]])),
            Ok(_) => return Ok(None),
            Err(Errno::EINTR) => continue,
            Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(Refusal::Hung(errno)),
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Refusal::Silent);
        }
        let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        // Whatever it gives, the next look tells.
        let _ = poll(&mut ready, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
    }
}

//! Clients that speak the protocol by themselves, well or badly. They follow
//! utempter-protocol(7) and share no line with the library or the broker.

use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, connect,
    recvmsg, sendmsg, shutdown, socket,
};
use utempter_tests::broker::SOCKET;
use utempter_tests::part::Part;

pub type Failure = Box<dyn Error + Send + Sync>;

pub const ADD: u8 = 1;
pub const DEL: u8 = 2;

/// What processes beside a test do.
pub const PARTS: &[Part] = &[
    ("send", crate::protocol::send),
    ("descriptors", crate::descriptors::send),
    ("successor", crate::descriptors::successor),
    ("strange", crate::descriptors::strange),
    ("hold", crate::limits::hold),
    ("storm", crate::limits::storm),
    ("crowd", crate::limits::crowd),
    ("ask", crate::limits::ask),
    ("session", crate::ghosts::session),
    ("answered", crate::hostile::answered),
    ("hostile", crate::hostile::part),
    ("half", crate::edges::half),
    ("large", crate::edges::memory),
    ("busy", crate::edges::busy),
    ("many", crate::load::many_sessions),
];

/// A connection.
pub struct Peer(OwnedFd);

impl Peer {
    /// Connects.
    pub fn connect() -> Result<Peer, Failure> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
        connect(socket.as_raw_fd(), &UnixAddr::new(SOCKET)?)?;
        Ok(Peer(socket))
    }

    /// The next message; `None` where the broker has hung up, or `limit` is over.
    pub fn receive(&self, limit: Duration) -> Result<Option<Vec<u8>>, Failure> {
        let mut entry = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        if poll(&mut entry, PollTimeout::try_from(limit)?)? == 0 {
            return Ok(None);
        }
        let mut room = [0; 64];
        let mut parts = [IoSliceMut::new(&mut room)];
        let reset = nix::errno::Errno::ECONNRESET;
        let mut receive = || {
            recvmsg::<()>(self.0.as_raw_fd(), &mut parts, None, MsgFlags::empty())
                .map(|got| got.bytes)
        };
        // The broker hung up on something unread: the kernel says so first, and once, though
        // there be an answer.
        let length =
            match receive().or_else(|error| if error == reset { receive() } else { Err(error) }) {
                Err(error) if error == reset => 0,
                length => length?,
            };
        Ok((length > 0).then(|| room[..length].to_vec()))
    }

    /// Connects, and is greeted; `None` where it is not.
    pub fn greeted() -> Result<Option<Peer>, Failure> {
        let peer = Peer::connect()?;
        match peer.receive(LONG)? {
            None => Ok(None),
            Some(greeting) if greeting == *b"ut\x01\x00" => Ok(Some(peer)),
            Some(other) => Err(format!("greeted with {other:?}").into()),
        }
    }

    /// Sends a message with these descriptors.
    pub fn send(&self, message: &[u8], descriptors: &[RawFd]) -> Result<(), Failure> {
        let rights = [ControlMessage::ScmRights(descriptors)];
        let control = if descriptors.is_empty() { &[][..] } else { &rights };
        let parts = [IoSlice::new(message)];
        let flags = MsgFlags::MSG_NOSIGNAL;
        sendmsg::<UnixAddr>(self.0.as_raw_fd(), &parts, control, flags, None)?;
        Ok(())
    }

    /// Says that nothing more will come.
    pub fn close_for_writing(&self) -> Result<(), Failure> {
        Ok(shutdown(self.0.as_raw_fd(), Shutdown::Write)?)
    }

    /// The answer: 0 or an errno; `None` where there is none.
    pub fn answer(&self) -> Result<Option<u16>, Failure> {
        match self.receive(LONG)?.as_deref() {
            None => Ok(None),
            Some([b'u', b't', low, high]) => Ok(Some(u16::from_le_bytes([*low, *high]))),
            Some(other) => Err(format!("answered {other:?}").into()),
        }
    }
}

/// Longer than the broker takes for anything.
pub const LONG: Duration = Duration::from_secs(10);

/// One request, as it should be.
pub fn request(operation: u8, host: &str) -> Vec<u8> {
    [&[1, operation, 0], host.as_bytes()].concat()
}

/// Asks once; the answer.
pub fn ask(message: &[u8], descriptors: &[RawFd]) -> Result<Option<u16>, Failure> {
    match Peer::greeted()? {
        None => Ok(None),
        Some(peer) => {
            peer.send(message, descriptors)?;
            peer.answer()
        }
    }
}

//! A client that has been accepted.

use std::os::fd::{AsRawFd, OwnedFd};

use login_records::Errno;
use nix::sys::socket::{MsgFlags, send};

use crate::limits::Permit;
use crate::protocol;
use crate::received::{Closing, hang_up};

/// Its connection. Dropped, it ends without an answer.
pub struct Client {
    socket: Option<OwnedFd>,
    closing: Closing,
    /// The kernel's word of who connected.
    pub pid: i32,
    pub uid: u32,
    _permit: Option<Permit>,
}

impl Client {
    pub fn new(
        socket: OwnedFd,
        (pid, uid): (i32, u32),
        closing: Closing,
        permit: Option<Permit>,
    ) -> Client {
        Client { socket: Some(socket), closing, pid, uid, _permit: permit }
    }

    pub fn socket(&self) -> Option<&OwnedFd> {
        self.socket.as_ref()
    }

    /// Answers. Whoever does not read it, or has gone, is not waited for.
    pub fn answer(self, result: Result<(), Errno>) {
        self.say(&protocol::answer(result));
    }

    /// Sends the greeting; `false` where the client is gone.
    pub fn greet(&self) -> bool {
        self.say(&protocol::GREETING)
    }

    fn say(&self, message: &[u8]) -> bool {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        self.socket.as_ref().is_some_and(|socket| send(socket.as_raw_fd(), message, flags).is_ok())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            hang_up(socket, &self.closing);
        }
    }
}

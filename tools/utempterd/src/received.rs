//! Descriptors that clients have sent.
//!
//! They may be anything. Closing a file of a user's own FUSE mount waits for that user's
//! daemon, and closing a TCP socket may linger; so whatever is no pty master is closed on a
//! thread of its own, which may wait for ever, and its sender is served no more until it has.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, Shutdown, UnixCredentials, recvmsg, shutdown,
};
use std::io::IoSliceMut;
use std::os::fd::AsRawFd;

use crate::sys;

/// What the kernel sends with one message at most (SCM_MAX_FD). Room for all of them, since
/// the kernel would close here what it finds none for.
const MOST: usize = 253;

/// The number of /dev/ptmx and of /dev/pts/ptmx (Documentation/admin-guide/devices.txt).
const PTMX: (u32, u32) = (5, 2);

/// Bytes of a closing thread's stack.
const STACK: usize = 64 * 1024;

/// A message as it came.
#[derive(Default)]
pub struct Message {
    pub length: usize,
    /// There were more bytes than room.
    pub cut: bool,
    pub descriptors: Vec<OwnedFd>,
}

/// Takes a message without waiting; `None` where there is none, or the client is gone.
///
/// The socket has SO_PASSCRED, so that every message has something with it: an empty one
/// would else look like the end, with more behind it.
pub fn receive(socket: impl AsFd, room: &mut [u8]) -> Option<Message> {
    let mut control = cmsg_space!([i32; MOST], UnixCredentials);
    let mut parts = [IoSliceMut::new(room)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let fd = socket.as_fd().as_raw_fd();
    let got = recvmsg::<()>(fd, &mut parts, Some(&mut control), flags).ok()?;
    let mut message = Message {
        length: got.bytes,
        cut: got.flags.contains(MsgFlags::MSG_TRUNC),
        descriptors: Vec::new(),
    };
    let mut is_message = false;
    for control in got.cmsgs().ok()? {
        is_message = true;
        if let ControlMessageOwned::ScmRights(received) = control {
            message.descriptors.extend(sys::take(received));
        }
    }
    is_message.then_some(message)
}

/// Whether it is a pty master; nobody is waited for to find out.
pub fn is_ptmx(fd: impl AsFd) -> bool {
    sys::character_device(fd).is_ok_and(|device| device == Some(PTMX))
}

/// The users whose descriptors are being closed.
#[derive(Clone, Default)]
pub struct Closing(Arc<Mutex<HashSet<u32>>>);

impl Closing {
    /// Whether the user is served.
    pub fn is_free(&self, uid: u32) -> bool {
        !self.table().contains(&uid)
    }

    /// Closes what a user has sent.
    pub fn close(&self, uid: u32, received: Vec<OwnedFd>) {
        let strange: Vec<OwnedFd> = received.into_iter().filter(|fd| !is_ptmx(fd)).collect();
        if strange.is_empty() {
            return;
        }
        self.table().insert(uid);
        let all = self.clone();
        let close = move || {
            drop(strange);
            all.table().remove(&uid);
        };
        if thread::Builder::new().stack_size(STACK).spawn(close).is_err() {
            // They have been closed here, for better or worse, with the closure.
            self.table().remove(&uid);
        }
    }

    fn table(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a connection. What the client has sent meanwhile is taken out first: the kernel
/// would close it here, with the socket.
pub fn hang_up(socket: OwnedFd, uid: u32, closing: &Closing) {
    let _ = shutdown(socket.as_raw_fd(), Shutdown::Both);
    let mut room = [0; 1];
    while let Some(message) = receive(&socket, &mut room) {
        closing.close(uid, message.descriptors);
    }
}

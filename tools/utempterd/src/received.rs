//! Descriptors that clients have sent.
//!
//! They may be anything. Closing a file of a user's own FUSE mount waits for that user's
//! daemon, closing a TCP socket may linger, and the last copy of a large memfd takes its time;
//! so whatever is no pty master is closed on a thread of its own, which may wait for ever, and
//! its sender is served no more until it has. What is still unread when a connection ends is
//! never taken out: there is no end of what a user can send.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

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

/// Users whose descriptors are being closed, at the most: beyond that nobody is served here.
const CLOSING: usize = 64;
/// Connections that wait to be closed with what is unread in them; each is one descriptor.
const PURGED: usize = 1024;
/// How long what is unread may linger.
const LINGERS: Duration = Duration::from_millis(1);

/// What is being closed, on other threads.
#[derive(Clone)]
pub struct Closing {
    table: Arc<Mutex<Table>>,
    purged: SyncSender<OwnedFd>,
}

#[derive(Default)]
struct Table {
    users: HashSet<u32>,
    /// What no thread has begun to close.
    left: Vec<(u32, Vec<OwnedFd>)>,
}

impl Closing {
    /// # Errors
    ///
    /// Where there are no more threads.
    pub fn new() -> io::Result<Closing> {
        sys::take_interrupts()?;
        let (purged, sockets) = sync_channel(PURGED);
        thread::Builder::new().name("purge".into()).stack_size(STACK).spawn(move || {
            while let Ok(socket) = sockets.recv() {
                purge(socket);
            }
        })?;
        Ok(Closing { table: Arc::default(), purged })
    }

    /// Whether the user is served.
    pub fn is_free(&self, uid: u32) -> bool {
        let table = self.table();
        table.users.len() < CLOSING && !table.users.contains(&uid)
    }

    /// Closes what a user has sent, who is not served meanwhile.
    pub fn close(&self, uid: u32, received: Vec<OwnedFd>) {
        let strange: Vec<OwnedFd> = received.into_iter().filter(|fd| !is_ptmx(fd)).collect();
        if strange.is_empty() {
            return;
        }
        let mut table = self.table();
        table.users.insert(uid);
        table.left.push((uid, strange));
        drop(table);
        let all = self.clone();
        let close = move || {
            while let Some((uid, strange)) = all.next() {
                drop(strange);
                all.table().users.remove(&uid);
            }
        };
        // Where no thread is to be had they stay, for the next that is: not to be closed here.
        let _ = thread::Builder::new().stack_size(STACK).spawn(close);
    }

    fn next(&self) -> Option<(u32, Vec<OwnedFd>)> {
        self.table().left.pop()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a connection.
pub fn hang_up(socket: OwnedFd, closing: &Closing) {
    let _ = shutdown(socket.as_raw_fd(), Shutdown::Both);
    if !has_message(&socket) {
        return;
    }
    match closing.purged.try_send(socket) {
        // Then whoever sends so much is waited for.
        Err(TrySendError::Full(socket) | TrySendError::Disconnected(socket)) => purge(socket),
        Ok(()) => {}
    }
}

/// Whether there is something unread. No descriptor is taken: there is room for none.
fn has_message(socket: &OwnedFd) -> bool {
    let mut control = cmsg_space!(UnixCredentials);
    let mut room = [0; 1];
    let mut parts = [IoSliceMut::new(&mut room)];
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    // SO_PASSCRED: an empty message has credentials with it, and the end has none.
    recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)
        .is_ok_and(|got| got.flags.contains(MsgFlags::MSG_CTRUNC) || has_any(&got))
}

fn has_any<S>(got: &nix::sys::socket::RecvMsg<'_, '_, S>) -> bool {
    got.cmsgs().is_ok_and(|mut all| all.next().is_some())
}

/// Closes a connection with what is unread in it. The kernel then drops the descriptors without
/// asking a FUSE daemon, and where a socket lingers a signal ends that.
fn purge(socket: OwnedFd) {
    let timer = sys::interrupt_every(LINGERS);
    drop(socket);
    drop(timer);
}

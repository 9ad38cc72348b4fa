//! The connection to the broker.

use core::ffi::{c_char, c_int, c_void};
use core::mem::{MaybeUninit, size_of};
use core::ptr::{null, null_mut};

use super::check;
use super::signals::SIGNALS;
use super::time::{give_way, monotonic_ms, monotonic_us, timespec};
use crate::errno::Errno;

/// Microseconds that a message is waited for awake.
const AWAKE: i64 = 50;

/// A connection to the broker, closed at the end. Nothing here waits longer than it is told,
/// takes a signal or is a cancellation point.
pub(crate) struct Connection(c_int);

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and is not used again.
        unsafe { libc::syscall(libc::SYS_close, self.0) };
    }
}

impl Connection {
    /// Connects without waiting; `None` where nobody listens, or too many wait already.
    pub(crate) fn open(path: &str) -> Option<Connection> {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: a new descriptor.
        let socket = check(unsafe { libc::syscall(libc::SYS_socket, libc::AF_UNIX, kind, 0) });
        let connection = Connection(socket.ok()?);
        let mut address = MaybeUninit::<libc::sockaddr_un>::zeroed();
        // SAFETY: zero is a valid address, and a NUL stays behind the path.
        let address = unsafe {
            let address = address.assume_init_mut();
            address.sun_family = libc::AF_UNIX as _;
            let room = address.sun_path.len() - 1;
            for (to, from) in address.sun_path.iter_mut().take(room).zip(path.as_bytes()) {
                *to = *from as c_char;
            }
            address
        };
        let size = size_of::<libc::sockaddr_un>();
        // SAFETY: the address is readable for its size.
        let result =
            unsafe { libc::syscall(libc::SYS_connect, connection.0, &raw const *address, size) };
        check(result).ok()?;
        Some(connection)
    }

    /// The next message, if it is this long and comes within `patience` milliseconds.
    pub(crate) fn receive<const LENGTH: usize>(&self, patience: i64) -> Option<[u8; LENGTH]> {
        let mut message = [0; LENGTH];
        let begin = monotonic_us();
        let end = begin / 1000 + patience;
        let mut ended = false;
        loop {
            // MSG_TRUNC: the length that was sent.
            let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
            // SAFETY: the message is writable for its length; no address is asked for.
            let received = check(unsafe {
                libc::syscall(
                    libc::SYS_recvfrom,
                    self.0,
                    message.as_mut_ptr(),
                    LENGTH,
                    flags,
                    null_mut::<c_void>(),
                    null_mut::<c_void>(),
                )
            });
            match received {
                // The kernel looks for a message first and for the end then, and both may come
                // in between: at the end it is asked once more.
                Ok(0) if !ended => ended = true,
                Ok(length) => return (length as usize == LENGTH).then_some(message),
                // Waking a thread that sleeps takes as long as the broker does.
                Err(Errno(libc::EAGAIN)) if monotonic_us() - begin < AWAKE => give_way(),
                Err(Errno(libc::EAGAIN)) => self.wait(end)?,
                Err(Errno(libc::EINTR)) => {}
                Err(_) => return None,
            }
        }
    }

    /// Waits until something can be read, or for the end.
    fn wait(&self, end: i64) -> Option<()> {
        let left = end - monotonic_ms();
        if left <= 0 {
            return None;
        }
        let time = timespec(left);
        let mut poll = libc::pollfd { fd: self.0, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, and `time` is a struct timespec of the kernel's; no signal set.
        let result = check(unsafe {
            libc::syscall(libc::SYS_ppoll, &mut poll, 1, &time, null::<c_void>(), SIGNALS / 8)
        });
        match result {
            Ok(_) | Err(Errno(libc::EINTR)) => Some(()),
            Err(_) => None,
        }
    }

    /// Sends one message of these parts, and the descriptor with it.
    pub(crate) fn send(&self, parts: [&[u8]; 3], descriptor: c_int) -> Option<()> {
        /// One control message, as CMSG_SPACE and CMSG_LEN would have it.
        #[repr(C)]
        struct Control {
            head: libc::cmsghdr,
            descriptor: c_int,
            padding: [u8; size_of::<usize>() - size_of::<c_int>() % size_of::<usize>()],
        }
        let mut control = MaybeUninit::<Control>::zeroed();
        let parts = parts.map(|part| libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.len(),
        });
        let mut message = MaybeUninit::<libc::msghdr>::zeroed();
        // SAFETY: zero is a valid value of both; the message names what is on this stack.
        let result = unsafe {
            let control = control.assume_init_mut();
            control.head.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<c_int>()) as _;
            control.head.cmsg_level = libc::SOL_SOCKET;
            control.head.cmsg_type = libc::SCM_RIGHTS;
            control.descriptor = descriptor;
            let message = message.assume_init_mut();
            message.msg_iov = parts.as_ptr().cast_mut();
            message.msg_iovlen = parts.len() as _;
            message.msg_control = (&raw mut *control).cast();
            message.msg_controllen = control.head.cmsg_len;
            let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
            libc::syscall(libc::SYS_sendmsg, self.0, &raw const *message, flags)
        };
        check(result).ok().map(drop)
    }
}

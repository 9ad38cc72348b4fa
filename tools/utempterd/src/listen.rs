//! The socket: the service manager's, or one of our own.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, getsockopt, listen, setsockopt,
    socket, sockopt,
};

/// Connections that may wait to be accepted. What is too many goes to the helper at once;
/// what waits is accepted or refused in a few milliseconds.
const BACKLOG: i32 = 1024;

/// A listening socket.
pub struct Listener {
    pub socket: OwnedFd,
    /// Somebody else listens while we do not run, and starts us again.
    pub is_passed: bool,
    /// Held as long as we listen: one broker at a socket.
    _lock: Option<Flock<File>>,
}

/// The socket that was passed (sd_listen_fds(3)), or a new one at the path.
///
/// # Errors
///
/// Where neither is to be had.
pub fn listener(path: &Path) -> io::Result<Listener> {
    let listener = match passed()? {
        Some(socket) => Listener { socket, is_passed: true, _lock: None },
        None => own(path)?,
    };
    // Accepted sockets inherit it: see received.rs.
    setsockopt(&listener.socket, sockopt::PassCred, &true)?;
    Ok(listener)
}

fn passed() -> io::Result<Option<OwnedFd>> {
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    let Some(count) = number("LISTEN_FDS") else {
        return Ok(None);
    };
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Ok(None);
    }
    if count != 1 {
        return Err(io::Error::other(format!("{count} sockets were passed, and not one")));
    }
    let socket = crate::sys::passed_socket();
    if getsockopt(&socket, sockopt::SockType) != Ok(SockType::SeqPacket) {
        return Err(io::Error::other("what was passed is not a SOCK_SEQPACKET socket"));
    }
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(Some(socket))
}

fn own(path: &Path) -> io::Result<Listener> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    // Nobody else's to open: whoever can read a file can lock it, and would keep us away.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let lock = options.custom_flags(libc::O_NOFOLLOW).open(directory.join("lock"))?;
    lock.set_permissions(Permissions::from_mode(0o600))?;
    let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, error)| io::Error::other(format!("another broker runs: {error}")))?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(0o666))?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(Listener { socket, is_passed: false, _lock: Some(lock) })
}

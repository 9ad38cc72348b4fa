//! Asking the broker: utempter-protocol(7).
//!
//! A process that runs already records the session in a twentieth of the time that starting
//! a helper takes, and where setgid does not count. It is asked where its socket is; whatever
//! goes wrong on the way there is for the helper.

use core::ffi::{CStr, c_int};

use crate::errno::Errno;
use crate::session::Operation;
use crate::sys::{self, Connection};

/// Where it listens.
const SOCKET: &str = match option_env!("UTEMPTER_SOCKET") {
    Some(path) => path,
    None => "/run/utempter/socket",
};

/// The version of the protocol that is spoken here.
const VERSION: u8 = 1;

/// Milliseconds until the broker has greeted: it may have to be started first.
const GREETING: i64 = 1000;
/// Milliseconds until it has answered: it waits up to two seconds for a lock.
const ANSWER: i64 = 3000;

/// Bytes of a host that are recorded.
const MOST: usize = 256;

/// What came of asking.
pub(crate) enum Asked {
    Answered(Result<(), Errno>),
    /// It is not there, or does not want to.
    Not,
    /// It was asked, and has gone: what it has recorded is not known.
    Lost,
}

/// Asks the broker to record. Its answer is final.
pub(crate) fn ask(operation: Operation, host: Option<&CStr>, master: c_int) -> Asked {
    // The broker goes by the effective ids, the helper by the real ones.
    if !sys::has_own_ids() {
        return Asked::Not;
    }
    let host = host.map_or(&[][..], CStr::to_bytes);
    let (host, rest) = host.split_at_checked(MOST).unwrap_or((host, &[]));
    if !rest.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        // As the helper would; the broker does not get to see these.
        return Asked::Answered(Err(Errno(libc::EINVAL)));
    }
    let signals = sys::block_all_signals();
    let asked = converse(operation, host, master).unwrap_or(Asked::Not);
    sys::restore_signals(signals);
    asked
}

fn converse(operation: Operation, host: &[u8], master: c_int) -> Option<Asked> {
    let broker = Connection::open(SOCKET)?;
    // A master on its way keeps a dead pty open, so it is sent only to one who listens.
    let [b'u', b't', version, _] = broker.receive(GREETING)? else {
        return None;
    };
    if version < VERSION {
        return None;
    }
    let name = sys::login_name();
    let name = name.get(..usize::from(u8::MAX)).unwrap_or(name);
    let head = [VERSION, operation as u8, name.len() as u8];
    broker.send([&head, name, host], master)?;
    Some(match broker.receive(ANSWER) {
        Some([b'u', b't', low, high]) => answer(c_int::from(u16::from_le_bytes([low, high]))),
        _ => Asked::Lost,
    })
}

fn answer(errno: c_int) -> Asked {
    match errno {
        // Not understood, or not now: nothing has been recorded.
        libc::EPROTONOSUPPORT | libc::EOPNOTSUPP | libc::EPROTO | libc::EAGAIN => Asked::Not,
        errno => Asked::Answered(Errno::from_status(errno).map_or(Ok(()), Err)),
    }
}

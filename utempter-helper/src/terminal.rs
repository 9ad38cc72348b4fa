//! The process that the record names: the terminal.
//!
//! Readers such as who(1) hide records whose process is gone, so it has to be the terminal
//! itself. Where the terminal starts the helper directly, that is the parent. The library
//! starts it from an intermediate and says who the terminal is in `UTEMPTER_PID`.

use core::ffi::{CStr, c_int};

use login_records::Errno;

use crate::refusal::Refusal;
use crate::sys;

const NAME: &[u8] = b"UTEMPTER_PID=";

/// The terminal's pid.
pub(crate) fn pid() -> Result<c_int, Refusal> {
    match parse_pid(sys::environment())? {
        Some(pid) => verified(pid),
        None => parent(),
    }
}

/// The pid that an environment names, if it has the entry.
///
/// # Errors
///
/// `EINVAL` for anything but one entry of digits that stand for 1 to 2^31 - 1.
pub fn parse_pid<'a>(
    environment: impl Iterator<Item = &'a CStr>,
) -> Result<Option<c_int>, Refusal> {
    let mut entries = environment.filter_map(|entry| entry.to_bytes().strip_prefix(NAME));
    let Some(text) = entries.next() else {
        return Ok(None);
    };
    match number(text) {
        Some(pid) if entries.next().is_none() => Ok(Some(pid)),
        _ => Err(Refusal::new(Errno::EINVAL, "UTEMPTER_PID is not one process id")),
    }
}

fn number(text: &[u8]) -> Option<c_int> {
    let mut number: c_int = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(c_int::from(byte - b'0'))?;
    }
    (number > 0).then_some(number)
}

/// A process that the caller may signal is one of its own. (A security module refuses with
/// EACCES, and only after the ordinary check has passed.)
fn verified(pid: c_int) -> Result<c_int, Refusal> {
    match sys::may_signal(pid) {
        Ok(()) | Err(Errno::EACCES) => Ok(pid),
        Err(errno) => Err(Refusal::new(errno, "UTEMPTER_PID is no process of the caller's")),
    }
}

/// The parent; init as a parent means that the terminal has gone already, and a parent
/// outside the pid namespace has no number here.
fn parent() -> Result<c_int, Refusal> {
    match sys::parent() {
        pid if pid > 1 => Ok(pid),
        _ => Err(Refusal::new(Errno::ESRCH, "the terminal is gone")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(environment: &[&'static CStr]) -> Result<Option<c_int>, Errno> {
        parse_pid(environment.iter().copied()).map_err(|refusal| refusal.errno)
    }

    #[test]
    fn one_entry_of_digits() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[c"UTEMPTER_PIDS=1", c"XUTEMPTER_PID=1", c"UTEMPTER_PID"]), Ok(None));
        assert_eq!(of(&[c"A=b", c"UTEMPTER_PID=1"]), Ok(Some(1)));
        assert_eq!(of(&[c"UTEMPTER_PID=2147483647"]), Ok(Some(c_int::MAX)));
        for bad in [
            &[c"UTEMPTER_PID="][..],
            &[c"UTEMPTER_PID=0"],
            &[c"UTEMPTER_PID=-1"],
            &[c"UTEMPTER_PID=+1"],
            &[c"UTEMPTER_PID= 1"],
            &[c"UTEMPTER_PID=1 "],
            &[c"UTEMPTER_PID=0x1"],
            &[c"UTEMPTER_PID=2147483648"],
            &[c"UTEMPTER_PID=99999999999999999999999999"],
            &[c"UTEMPTER_PID=7", c"UTEMPTER_PID=7"],
        ] {
            assert_eq!(of(bad), Err(Errno::EINVAL), "{bad:?}");
        }
    }
}

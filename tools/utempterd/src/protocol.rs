//! The messages: utempter-protocol(7).

use login_records::Errno;

/// The version that is spoken here.
const VERSION: u8 = 1;

/// What is said to every client first.
pub const GREETING: [u8; 4] = [b'u', b't', VERSION, 0];

/// The longest request that is read; none of version 1 has more than 514 bytes.
pub const LONGEST: usize = 1024;

/// The answer: 0, or an errno value.
pub fn answer(result: Result<(), Errno>) -> [u8; 4] {
    let errno = result.map_or_else(|errno| errno.0, |()| 0);
    let [low, high] = u16::try_from(errno).unwrap_or(u16::MAX).to_le_bytes();
    [b'u', b't', low, high]
}

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Record a session.
    Add,
    /// Record its end.
    Del,
}

/// A request, as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub operation: Operation,
    /// The login name the client goes by; believed only if it has the client's uid.
    pub name: &'a [u8],
    /// Not yet looked at.
    pub host: &'a [u8],
}

/// Reads a request. The version comes first: what follows is known only then.
///
/// # Errors
///
/// `EPROTONOSUPPORT` for a version that is not spoken here, `EOPNOTSUPP` for an operation that
/// is not known, `EPROTO` for what is no request.
pub fn parse(message: &[u8]) -> Result<Request<'_>, Errno> {
    let [version, rest @ ..] = message else {
        return Err(Errno::EPROTO);
    };
    if *version != VERSION {
        return Err(Errno(libc::EPROTONOSUPPORT));
    }
    let [operation, length, rest @ ..] = rest else {
        return Err(Errno::EPROTO);
    };
    let operation = match operation {
        1 => Operation::Add,
        2 => Operation::Del,
        _ => return Err(Errno(libc::EOPNOTSUPP)),
    };
    let (name, host) = rest.split_at_checked(usize::from(*length)).ok_or(Errno::EPROTO)?;
    if operation == Operation::Del && !host.is_empty() {
        return Err(Errno::EINVAL);
    }
    Ok(Request { operation, name, host })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read() {
        let add = Request { operation: Operation::Add, name: b"ab", host: b"host" };
        assert_eq!(parse(b"\x01\x01\x02abhost"), Ok(add));
        let del = Request { operation: Operation::Del, name: b"", host: b"" };
        assert_eq!(parse(b"\x01\x02\x00"), Ok(del));
    }

    #[test]
    fn everything_else_has_a_defined_answer() {
        for (message, errno) in [
            (&b""[..], libc::EPROTO),
            (b"\x01", libc::EPROTO),
            (b"\x01\x01", libc::EPROTO),
            (b"\x01\x01\x03ab", libc::EPROTO),
            (b"\x00", libc::EPROTONOSUPPORT),
            (b"\x02whatever it says", libc::EPROTONOSUPPORT),
            (b"\x01\x00\x00", libc::EOPNOTSUPP),
            (b"\x01\x03\x00", libc::EOPNOTSUPP),
            (b"\x01\x02\x00host", libc::EINVAL),
        ] {
            assert_eq!(parse(message), Err(Errno(errno)), "{message:?}");
        }
    }

    #[test]
    fn an_answer_is_an_errno() {
        assert_eq!(answer(Ok(())), *b"ut\0\0");
        assert_eq!(answer(Err(Errno(1133))), [b'u', b't', 0x6d, 0x04]);
    }
}

//! `utempter add [HOST]` and `utempter del`, nothing more.

use core::ffi::CStr;

use login_records::Errno;

use crate::host;
use crate::refusal::Refusal;

/// What the helper is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Record a session, with this host (at most 256 bytes; none is empty).
    Add(&'a [u8]),
    /// Record its end.
    Del,
}

/// Reads the arguments, the program's name first.
///
/// # Errors
///
/// `EINVAL` for any other use, and for a host that [`login_records::check_host`] refuses.
pub fn parse<'a>(mut arguments: impl Iterator<Item = &'a CStr>) -> Result<Operation<'a>, Refusal> {
    let (_, operation, host, rest) =
        (arguments.next(), arguments.next(), arguments.next(), arguments.next());
    match (operation.map(CStr::to_bytes), host, rest) {
        (Some(b"add"), None, None) => Ok(Operation::Add(&[])),
        (Some(b"add"), Some(host), None) => Ok(Operation::Add(host::check(host.to_bytes())?)),
        (Some(b"del"), None, None) => Ok(Operation::Del),
        _ => Err(Refusal::new(Errno::EINVAL, "usage: utempter add [HOST] | utempter del")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&'static CStr]) -> Option<Operation<'static>> {
        parse(arguments.iter().copied()).ok()
    }

    #[test]
    fn add_and_del_are_all() {
        assert_eq!(of(&[c"utempter", c"add"]), Some(Operation::Add(b"")));
        assert_eq!(of(&[c"utempter", c"add", c""]), Some(Operation::Add(b"")));
        assert_eq!(of(&[c"utempter", c"add", c"host"]), Some(Operation::Add(b"host")));
        assert_eq!(of(&[c"utempter", c"del"]), Some(Operation::Del));
        for other in [
            &[][..],
            &[c"utempter"],
            &[c"utempter", c""],
            &[c"utempter", c"del", c"host"],
            &[c"utempter", c"add", c"host", c"more"],
            &[c"utempter", c"ADD"],
            &[c"add", c"host"],
            &[c"utempter", c"add", c" host"],
        ] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }
}

//! What may stand in `ut_host`.

use crate::errno::Errno;

/// Bytes of `ut_host`.
const MOST: usize = 256;

/// The host as it is recorded: the first 256 bytes.
///
/// The rule is the C library's (1.2.1 and later): the first byte graphic, the rest printable,
/// in the C locale. mosh relies on the spaces; tmux on colons, parentheses and percent signs.
///
/// # Errors
///
/// `EINVAL` for any other byte, also behind the 256th.
pub fn check_host(host: &[u8]) -> Result<&[u8], Errno> {
    let graphic = host.first().is_none_or(|byte| byte.is_ascii_graphic());
    let printable = host.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if !graphic || !printable {
        return Err(Errno::EINVAL);
    }
    Ok(host.get(..MOST).unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terminals_write_is_taken() {
        for host in [
            "",
            ":0",
            ":pts/0:S.0",
            "tmux(123).%4",
            "192.0.2.1 via mosh [77]",
            "fe80::1%eth0 via mosh [1]",
        ] {
            assert_eq!(check_host(host.as_bytes()), Ok(host.as_bytes()));
        }
    }

    #[test]
    fn what_a_terminal_would_act_on_is_refused() {
        for host in [&b" a"[..], b"a\n", b"\t", b"a\x1b[2J", b"\x7f", b"caf\xc3\xa9", b"\x80"] {
            assert!(check_host(host).is_err(), "{host:?}");
        }
        let mut long = [b'x'; 300];
        assert_eq!(check_host(&long), Ok(&[b'x'; 256][..]));
        long[299] = b'\n';
        assert!(check_host(&long).is_err());
    }
}

//! The host, in the helper's arguments.

use utempter_helper::check_host;

/// Whether the C locale prints it: the first byte with ink, the others at least a space.
pub(crate) fn may_be_recorded(host: &[u8]) -> bool {
    host.iter().enumerate().all(|(at, byte)| match byte {
        0x21..=0x7e => true,
        0x20 => at > 0,
        _ => false,
    })
}

/// The input is a host.
pub fn check(input: &[u8]) {
    match check_host(input) {
        Ok(host) => {
            assert!(may_be_recorded(input));
            assert_eq!(host, &input[..input.len().min(256)]);
        }
        Err(refusal) => {
            assert!(!may_be_recorded(input));
            assert_eq!(refusal.name(), "EINVAL");
        }
    }
}

//! The helper's command line.

use utempter_helper::{Operation, parse};

use crate::host::may_be_recorded;
use crate::strings;

/// The input is the words, the program's name first, with NUL between them.
pub fn check(input: &[u8]) {
    let words = if input.is_empty() { Vec::new() } else { strings(input) };
    let parsed = parse(words.iter().map(|word| word.as_c_str()));
    let rest: Vec<&[u8]> = words.iter().skip(1).map(|word| word.to_bytes()).collect();
    match (rest.as_slice(), parsed) {
        ([b"add"], Ok(Operation::Add(host))) => assert!(host.is_empty()),
        ([b"add", host], Ok(Operation::Add(recorded))) => {
            assert!(may_be_recorded(host));
            assert_eq!(recorded, &host[..host.len().min(256)]);
        }
        ([b"add", host], Err(_)) => assert!(!may_be_recorded(host)),
        ([b"del"], Ok(Operation::Del)) => {}
        ([b"add"] | [b"del"], _) => panic!("{words:?} was refused"),
        (_, Ok(operation)) => panic!("{words:?} is taken as {operation:?}"),
        (_, Err(refusal)) => assert_eq!(refusal.errno.name(), "EINVAL"),
    }
}

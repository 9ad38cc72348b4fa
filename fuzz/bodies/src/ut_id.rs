//! `ut_id` of any line, also of one that no pty has.

use login_records::{Line, ut_id};

/// The number of a line that Linux could give a pty of its own (at most 2^20 of them), from
/// the one on where the last four bytes are digits alone.
fn high_number(name: &[u8]) -> Option<u32> {
    let digits = name.strip_prefix(b"pts/")?;
    // As std's parser has it, but for a sign.
    let text = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    text.parse().ok().filter(|number| (10_000..1 << 20).contains(number))
}

/// The input is a line of at most 32 bytes.
pub fn check(input: &[u8]) {
    let mut line = [0; 32];
    let length = input.len().min(32);
    line[..length].copy_from_slice(&input[..length]);
    let id = ut_id(&line);

    let name = line.split(|byte| *byte == 0).next().unwrap_or_default();
    match high_number(name) {
        Some(number) => {
            assert_eq!(id, Line::pts(number).id());
            // A mark that ends no name the C library forms an id of, and three characters.
            assert!(b"%+=@".contains(&id[0]), "{id:?}");
            assert!(id[1..].iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)));
        }
        None => {
            let mut expected = [0; 4];
            let tail = &name[name.len().saturating_sub(4)..];
            expected[..tail.len()].copy_from_slice(tail);
            assert_eq!(id, expected);
        }
    }
}

//! The text in a record's fields.

use std::fmt::Write;

/// The text of a field: what stands before the first NUL, or all of it (utmp(5)).
///
/// ```
/// assert_eq!(login_databases::text(b"pts/3\0\0\0"), b"pts/3");
/// assert_eq!(login_databases::text(b"full"), b"full");
/// ```
pub fn text(field: &[u8]) -> &[u8] {
    // Names are short: a search that is made for long texts takes longer to begin.
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// Whether two stores mean the same user, or the same line: a record has room for 32 bytes, and
/// cuts what is longer.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let is_cut = |cut: &[u8], whole: &[u8]| cut.len() == 32 && whole.starts_with(cut);
    one == other || is_cut(one, other) || is_cut(other, one)
}

/// The text as a terminal may be sent it.
///
/// Control characters (of eight bits too), and those that reorder or hide what stands beside
/// them, are written as escapes, and so are bytes that are no UTF-8.
///
/// ```
/// use login_databases::printable;
///
/// assert_eq!(printable("zo\u{eb}".as_bytes()), "zo\u{eb}");
/// assert_eq!(printable(b"\x1b[2J\xff"), "\\x1b[2J\\xff");
/// assert_eq!(printable("a\u{9b}\u{202e}".as_bytes()), "a\\u{9b}\\u{202e}");
/// ```
pub fn printable(bytes: &[u8]) -> String {
    if bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut shown = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\0'..='\x1f' | '\x7f' => write!(shown, "\\x{:02x}", character as u32),
                _ if is_unfit(character) => write!(shown, "\\u{{{:x}}}", character as u32),
                _ => {
                    shown.push(character);
                    Ok(())
                }
            }
            .expect("a String takes everything");
        }
        for byte in chunk.invalid() {
            write!(shown, "\\x{byte:02x}").expect("a String takes everything");
        }
    }
    shown
}

/// Whether a character does something to a terminal, or to the characters beside it.
pub fn is_unfit(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        let every: String = ('\0'..=char::MAX).collect();
        assert!(!printable(every.as_bytes()).chars().any(is_unfit));
        let every: Vec<u8> = (0..=255).collect();
        assert!(!printable(&every).chars().any(is_unfit));
    }
}

//! `ut_id`: four bytes by which glibc finds a record again.

/// The `ut_id` of a line.
///
/// The last four bytes of the line's name, as the C library and shadow write it ("ts/0",
/// "s/12", "/123", "1234"). From pts/10000 on those bytes are digits that several lines
/// share, and glibc, which looks at `ut_id` alone (login/utmp_file.c), would overwrite
/// another line's record; such a line gets an id of its own: one of four marks for the two
/// high bits of the number, then three base-64 characters for the lower eighteen. Linux
/// gives at most 2^20 ptys (drivers/tty/pty.c: NR_UNIX98_PTY_MAX), so every pty has a
/// different one, and no other program forms an id that begins with one of these marks.
pub fn ut_id(line: &[u8; 32]) -> [u8; 4] {
    match pty_number(line) {
        Some(number) if number >= 10_000 => own_id(number),
        _ => last_four(line),
    }
}

const MARKS: &[u8; 4] = b"%+=@";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn own_id(number: u32) -> [u8; 4] {
    let mark = MARKS[(number >> 18 & 3) as usize];
    let digit = |shift: u32| BASE64[(number >> shift & 63) as usize];
    [mark, digit(12), digit(6), digit(0)]
}

fn last_four(line: &[u8; 32]) -> [u8; 4] {
    let mut id = [0; 4];
    let length = line.iter().take_while(|byte| **byte != 0).count();
    for (to, from) in id.iter_mut().zip(line.iter().take(length).skip(length.saturating_sub(4))) {
        *to = *from;
    }
    id
}

/// N of "pts/N", where N is below 2^20.
pub(crate) fn pty_number(line: &[u8; 32]) -> Option<u32> {
    let [b'p', b't', b's', b'/', digits @ ..] = line else {
        return None;
    };
    let mut number = 0;
    for byte in digits.iter().take_while(|byte| **byte != 0) {
        if !byte.is_ascii_digit() || number >= 1 << 20 {
            return None;
        }
        number = number * 10 + u32::from(byte - b'0');
    }
    (number < 1 << 20).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Line;
    use std::collections::HashMap;

    fn id_of(name: &str) -> [u8; 4] {
        let mut line = [0; 32];
        line[..name.len()].copy_from_slice(name.as_bytes());
        ut_id(&line)
    }

    #[test]
    fn small_numbers_keep_the_last_four_bytes() {
        assert_eq!(&id_of("pts/0"), b"ts/0");
        assert_eq!(&id_of("pts/12"), b"s/12");
        assert_eq!(&id_of("pts/123"), b"/123");
        assert_eq!(&id_of("pts/9999"), b"9999");
        assert_eq!(&id_of("tty1"), b"tty1");
        assert_eq!(&id_of("ab"), b"ab\0\0");
        assert_eq!(&id_of(""), b"\0\0\0\0");
    }

    #[test]
    fn every_pty_has_an_id_no_other_line_has() {
        let mut seen = HashMap::new();
        for number in 0..1 << 20 {
            let id = Line::pts(number).id();
            if let Some(other) = seen.insert(id, number) {
                panic!("pts/{number} and pts/{other} share {id:?}");
            }
            // What others form out of names: a mark never begins a name's last four bytes.
            assert_eq!(number >= 10_000, MARKS.contains(&id[0]));
        }
    }

    #[test]
    fn a_name_that_is_no_pty_s_is_cut() {
        assert_eq!(&id_of("pts/1048576"), b"8576");
        assert_eq!(&id_of("pts/12345x"), b"345x");
        assert_eq!(&id_of("pts/99999999999999999999"), b"9999");
    }
}

//! The name of a terminal line.

use crate::id::{pty_number, ut_id};

/// `ut_line` of a Unix 98 pty, "pts/N", padded with NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    number: u32,
    name: [u8; 32],
}

impl Line {
    /// The line of pty number `number` (TIOCGPTN, ioctl_tty(2)).
    pub fn pts(number: u32) -> Line {
        let mut name = [0; 32];
        let mut end = 0;
        let mut digits = [0; 10];
        let text = b"pts/".iter().chain(decimal(number, &mut digits));
        for (to, from) in name.iter_mut().zip(text) {
            *to = *from;
            end += 1;
        }
        debug_assert!(end < 32);
        Line { number, name }
    }

    /// The line that `ut_line` names, if it is a pty's.
    pub fn from_name(name: &[u8; 32]) -> Option<Line> {
        pty_number(name).map(Line::pts).filter(|line| line.name == *name)
    }

    /// The pty number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The bytes of `ut_line`.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.name
    }

    /// The `ut_id` that goes with the line.
    pub fn id(&self) -> [u8; 4] {
        ut_id(&self.name)
    }

    /// The device's path below `/dev`, NUL-terminated: "/dev/pts/N".
    pub(crate) fn device(&self) -> [u8; 48] {
        let mut path = [0; 48];
        // 5 + 14 bytes at the most: a NUL is always left.
        for (to, from) in path.iter_mut().zip(b"/dev/".iter().chain(&self.name)) {
            *to = *from;
        }
        path
    }
}

/// `number` in decimal, at the end of `buffer`.
fn decimal(mut number: u32, buffer: &mut [u8; 10]) -> impl Iterator<Item = &u8> {
    let mut length = 0;
    for digit in buffer.iter_mut().rev() {
        if number == 0 && length > 0 {
            break;
        }
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        length += 1;
    }
    buffer.iter().skip(10 - length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    fn text(bytes: &[u8]) -> String {
        bytes.iter().take_while(|b| **b != 0).map(|b| *b as char).collect()
    }

    #[test]
    fn a_name_gives_its_line() {
        for n in [0, 7, 10_000, (1 << 20) - 1] {
            assert_eq!(Line::from_name(Line::pts(n).bytes()), Some(Line::pts(n)));
        }
        for name in [&b"pts/"[..], b"pts/01", b"pts/1x", b"tty1", b"", b"pts/1048576"] {
            let mut bytes = [0; 32];
            bytes[..name.len()].copy_from_slice(name);
            assert_eq!(Line::from_name(&bytes), None, "{name:?}");
        }
        let mut behind = *Line::pts(1).bytes();
        behind[31] = b'x';
        assert_eq!(Line::from_name(&behind), None);
    }

    #[test]
    fn every_number_gives_its_name() {
        for n in [0, 1, 9, 10, 99, 100, 1234, 9999, 10000, 1_048_575, u32::MAX] {
            let line = Line::pts(n);
            assert_eq!(text(line.bytes()), "pts/".to_string() + &n.to_string());
            assert_eq!(text(&line.device()), "/dev/pts/".to_string() + &n.to_string());
        }
    }
}

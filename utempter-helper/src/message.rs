//! A line of text without allocation; what does not fit is left out.

use core::ffi::c_int;

/// Text of at most 256 bytes.
pub(crate) struct Message {
    bytes: [u8; 256],
    length: usize,
}

impl Message {
    pub(crate) fn new() -> Message {
        Message { bytes: [0; 256], length: 0 }
    }

    pub(crate) fn text(mut self, text: &str) -> Message {
        for byte in text.bytes() {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
        }
        self
    }

    /// A number that is not negative.
    pub(crate) fn number(self, number: c_int) -> Message {
        let shorter = if number >= 10 { self.number(number / 10) } else { self };
        let digit = [b'0' + (number % 10).unsigned_abs() as u8];
        shorter.text(core::str::from_utf8(&digit).unwrap_or("?"))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_follow_each_other() {
        let message = Message::new().text("pid ").number(1203).text(": ").number(0);
        assert_eq!(message.bytes(), b"pid 1203: 0");
    }

    #[test]
    fn too_much_is_left_out() {
        let mut message = Message::new();
        for _ in 0..100 {
            message = message.text("12345");
        }
        assert_eq!(message.bytes().len(), 256);
    }
}

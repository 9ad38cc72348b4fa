//! A file, line by line.

use core::ffi::CStr;
use core::ops::ControlFlow;

use crate::sys::File;

/// Bytes of the longest line that is looked at.
const LONGEST: usize = 1024;

/// The file cannot be read, has a line that is too long, or ends within one.
#[derive(Debug)]
pub(crate) struct Unreadable;

/// Shows each line, without its end, until `take` breaks off; what it broke off with, or
/// `None` at the end of the file.
pub(crate) fn each_line<T>(
    path: &CStr,
    mut take: impl FnMut(&[u8]) -> ControlFlow<T>,
) -> Result<Option<T>, Unreadable> {
    let file = File::open(path).ok_or(Unreadable)?;
    let mut buffer = [0; 4096];
    let (mut line, mut length) = ([0; LONGEST], 0);
    loop {
        let read = file.read(&mut buffer).ok_or(Unreadable)?;
        if read == 0 {
            return if length == 0 { Ok(None) } else { Err(Unreadable) };
        }
        for byte in buffer.iter().take(read) {
            if *byte != b'\n' {
                *line.get_mut(length).ok_or(Unreadable)? = *byte;
                length += 1;
                continue;
            }
            if let ControlFlow::Break(found) = take(line.get(..length).ok_or(Unreadable)?) {
                return Ok(Some(found));
            }
            length = 0;
        }
    }
}

//! What the C library would have done: the start, the system calls by their C names, memory.
//! The only unsafe code of the crate.

mod call;
mod memory;
mod names;
mod start;

pub(crate) use names::{hand_over, read_whole_lines};

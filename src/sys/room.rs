//! The memory of a call.

use core::ffi::{CStr, c_char, c_void};
use core::marker::PhantomData;
use core::mem::size_of;
use core::ptr::null_mut;
use core::sync::atomic::AtomicI32;

use super::caller::environment;
use super::{check, errno};
use crate::errno::Errno;

/// Memory for a call: two stacks, two words that the processes leave for each other, and room
/// for a copy of the environment.
///
/// From below: nothing, the helper's stack, nothing, the intermediate's stack, the words, the
/// copy. The parts that are nothing may not be touched, so that a stack that overflows ends
/// its process.
///
/// All of it is shared with children, since emulators (valgrind, qemu-user) fork in place of
/// a vfork.
pub(crate) struct Room {
    base: *mut u8,
    size: usize,
    entries: usize,
}

/// A multiple of every page size Linux has on the machines that Rust knows.
const GUARD: usize = 64 * 1024;
const STACK: usize = 64 * 1024;
/// Where the words are. Both parts begin aligned.
const WORDS: usize = 2 * (GUARD + STACK);
const ENTRIES: usize = WORDS + 2 * size_of::<AtomicI32>();

impl Room {
    pub(crate) fn map() -> Result<Room, Errno> {
        // The caller's entries, our own two, and the end.
        let entries = environment().count() + 3;
        let size = ENTRIES + entries * size_of::<*const c_char>();
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: new memory, nobody else's.
        let base = unsafe {
            libc::mmap(null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        if base == libc::MAP_FAILED {
            return Err(Errno(errno()));
        }
        let room = Room { base: base.cast(), size, entries };
        for guard in [0, GUARD + STACK] {
            // SAFETY: within the memory just mapped, which nobody uses yet.
            let result =
                unsafe { libc::mprotect(room.base.add(guard).cast(), GUARD, libc::PROT_NONE) };
            check(result.into())?;
        }
        Ok(room)
    }

    /// The top of the helper's stack.
    pub(crate) fn helper(&self) -> Stack<'_> {
        self.stack(GUARD + STACK)
    }

    /// The top of the intermediate's stack.
    pub(crate) fn intermediate(&self) -> Stack<'_> {
        self.stack(2 * (GUARD + STACK))
    }

    fn stack(&self, top: usize) -> Stack<'_> {
        // SAFETY: `top` lies within the memory mapped.
        Stack { top: unsafe { self.base.add(top) }.cast(), room: PhantomData }
    }

    /// One of two words, 0 at first.
    pub(crate) fn word(&self, number: usize) -> &AtomicI32 {
        // SAFETY: both lie within the memory mapped, aligned, and are only used as this.
        unsafe { &*self.base.add(WORDS).cast::<AtomicI32>().add(number.min(1)) }
    }

    /// The caller's environment with `own` in place of any that begins with one of `names`.
    pub(crate) fn environment<'a>(
        &'a self,
        names: [&[u8]; 2],
        own: [Option<&'a Entry>; 2],
    ) -> Environment<'a> {
        // SAFETY: behind the words there is room, aligned, for `entries` pointers.
        let copy = unsafe {
            let at = self.base.add(ENTRIES).cast::<*const c_char>();
            core::slice::from_raw_parts_mut(at, self.entries)
        };
        let is_own = |entry: &CStr| names.iter().any(|name| entry.to_bytes().starts_with(name));
        let kept = environment().filter(|entry| !is_own(entry));
        let own = own.into_iter().flatten().map(|entry| entry.0.as_ptr().cast());
        let all = own.chain(kept.map(CStr::as_ptr));
        let last = copy.len().saturating_sub(1);
        // Zeroed by the kernel, so that what is not written is the end.
        for (to, from) in copy.iter_mut().take(last).zip(all) {
            *to = from;
        }
        Environment { entries: copy.as_ptr(), room: PhantomData }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`, and every borrow of it has ended.
        unsafe { libc::munmap(self.base.cast(), self.size) };
    }
}

/// A stack, by its upper end.
#[derive(Clone, Copy)]
pub(crate) struct Stack<'a> {
    top: *mut c_void,
    room: PhantomData<&'a Room>,
}

impl Stack<'_> {
    pub(super) fn top(self) -> *mut c_void {
        self.top
    }
}

/// An entry of our own: its text ends in NUL.
pub(crate) struct Entry([u8; 32]);

impl Entry {
    pub(crate) const fn constant(text: [u8; 16]) -> Entry {
        let mut bytes = [0; 32];
        let mut at = 0;
        while at < text.len() {
            bytes[at] = text[at];
            at += 1;
        }
        Entry(bytes)
    }

    /// The first 31 bytes of the text.
    pub(crate) fn new<'t>(text: impl Iterator<Item = &'t u8>) -> Entry {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().take(31).zip(text) {
            *to = *from;
        }
        Entry(bytes)
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or(&[])
    }
}

/// What the helper gets as its environment.
pub(crate) struct Environment<'a> {
    entries: *const *const c_char,
    room: PhantomData<&'a CStr>,
}

impl Environment<'_> {
    pub(super) fn entries(&self) -> *const *const c_char {
        self.entries
    }
}

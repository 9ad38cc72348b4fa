//! The functions that the compiler takes for granted. In assembly, since the compiler would
//! turn such a loop into a call of the very function.

use core::arch::asm;
use core::ffi::{c_char, c_int};

#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's contract: both hold `count` bytes and do not overlap.
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    to
}

#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: c_int, count: usize) -> *mut u8 {
    // SAFETY: the caller's contract: `to` holds `count` bytes.
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags));
    }
    to
}

#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's contract: both hold `count` bytes and do not overlap.
    unsafe {
        asm!("cbz {n}, 3f", "2: ldrb {b:w}, [{f}], #1", "strb {b:w}, [{t}], #1",
            "subs {n}, {n}, #1", "b.ne 2b", "3:",
            n = inout(reg) count => _, f = inout(reg) from => _, t = inout(reg) to => _,
            b = out(reg) _, options(nostack));
    }
    to
}

#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: c_int, count: usize) -> *mut u8 {
    // SAFETY: the caller's contract: `to` holds `count` bytes.
    unsafe {
        asm!("cbz {n}, 3f", "2: strb {b:w}, [{t}], #1", "subs {n}, {n}, #1", "b.ne 2b", "3:",
            n = inout(reg) count => _, t = inout(reg) to => _, b = in(reg) byte,
            options(nostack));
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= count {
        // SAFETY: going forward, no byte is written before it is read.
        return unsafe { memcpy(to, from, count) };
    }
    for n in (0..count).rev() {
        // SAFETY: the caller's contract. Volatile, so that it stays a loop.
        unsafe { to.add(n).write_volatile(from.add(n).read_volatile()) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, count: usize) -> c_int {
    for n in 0..count {
        // SAFETY: the caller's contract: both hold `count` bytes. Volatile, as above.
        let (a, b) = unsafe { (one.add(n).read_volatile(), other.add(n).read_volatile()) };
        if a != b {
            return c_int::from(a) - c_int::from(b);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, count: usize) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { memcmp(one, other, count) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(string: *const c_char) -> usize {
    let mut length = 0;
    // SAFETY: the caller's contract: a NUL ends the string. Volatile, as above.
    while unsafe { string.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

//! From the kernel to the helper's main.

use core::arch::global_asm;
use core::ffi::{c_char, c_int};
use core::ptr::null;

use super::names::exit;

// The stack pointer is where the kernel has put argc, argv and the environment.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    ".hidden _DYNAMIC",
    ".hidden __ehdr_start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "lea rsi, [rip + __ehdr_start]",
    "lea rdx, [rip + _DYNAMIC]",
    "and rsp, -16",
    "call {begin}",
    "hlt",
    begin = sym begin,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    ".hidden _DYNAMIC",
    ".hidden __ehdr_start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "adrp x1, __ehdr_start",
    "add x1, x1, :lo12:__ehdr_start",
    "adrp x2, _DYNAMIC",
    "add x2, x2, :lo12:_DYNAMIC",
    "and sp, x0, #-16",
    "bl {begin}",
    "brk #1",
    begin = sym begin,
);

/// The environment, by the name under which C libraries have it.
#[unsafe(no_mangle)]
static mut environ: *const *const c_char = null();
static mut ARGV: *const *const c_char = null();

/// The arguments and the environment, for another program in this one's place.
pub(super) fn arguments_and_environment() -> (*const *const c_char, *const *const c_char) {
    // SAFETY: written once, before anything else runs; there is one thread.
    unsafe { (ARGV, environ) }
}

unsafe extern "C" fn begin(stack: *const usize, base: *mut u8, dynamic: *const [usize; 2]) -> ! {
    // SAFETY: the three are what the lines above have found. Nothing before `relocate` has
    // returned uses an address that is stored anywhere.
    unsafe {
        relocate(base, dynamic);
        let argc = *stack as c_int;
        ARGV = stack.add(1).cast();
        environ = ARGV.add(*stack + 1);
        exit(utempter_helper::main(argc, ARGV, crate::passwd::account))
    }
}

const DT_RELA: usize = 7;
const DT_RELASZ: usize = 8;

/// Adds the base to every stored address (elf(5): the only relocations of such a program
/// are relative ones).
unsafe fn relocate(base: *mut u8, mut dynamic: *const [usize; 2]) {
    // SAFETY: the linker's table, which ends in a zero; each entry names a place in this
    // program's own writable memory.
    unsafe {
        let (mut entry, mut size) = (null::<[usize; 3]>(), 0);
        while (*dynamic)[0] != 0 {
            match (*dynamic)[0] {
                DT_RELA => entry = base.add((*dynamic)[1]).cast(),
                DT_RELASZ => size = (*dynamic)[1],
                _ => {}
            }
            dynamic = dynamic.add(1);
        }
        for _ in 0..size / size_of::<[usize; 3]>() {
            let [offset, _, addend] = *entry;
            *base.add(offset).cast::<usize>() = base.addr() + addend;
            entry = entry.add(1);
        }
    }
}

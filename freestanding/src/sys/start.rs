//! From the kernel to the helper's main.

use core::arch::global_asm;
use core::ffi::{c_char, c_int};
use core::ptr::null;

use libc::{Elf64_Ehdr, Elf64_Phdr};

// The stack pointer is where the kernel has put argc, argv and the environment.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    ".hidden __ehdr_start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "lea rsi, [rip + __ehdr_start]",
    "and rsp, -16",
    "call {begin}",
    "hlt",
    begin = sym begin,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    ".hidden __ehdr_start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "adrp x1, __ehdr_start",
    "add x1, x1, :lo12:__ehdr_start",
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

/// # Safety
///
/// The kernel's stack, and this program's own first byte.
unsafe extern "C" fn begin(stack: *const usize, program: *mut u8) -> ! {
    // SAFETY: the caller's contract. Nothing before `relocate` has returned uses an address
    // that is stored anywhere.
    unsafe {
        let protected = relocate(program);
        if !protected.is_some_and(protect) {
            libc::_exit(libc::ENOEXEC);
        }
        if !hold_descriptors() {
            libc::_exit(libc::EBADF);
        }
        let argc = *stack as c_int;
        ARGV = stack.add(1).cast();
        environ = ARGV.add(*stack + 1);
        libc::_exit(utempter_helper::main(argc, ARGV, crate::passwd::account))
    }
}

const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
/// Relocations of a denser kind, which are not known here.
const DT_RELR: u64 = 36;
#[cfg(target_arch = "x86_64")]
const RELATIVE: u64 = 8;
#[cfg(target_arch = "aarch64")]
const RELATIVE: u64 = 1027;

/// Adds the program's address to every stored one (elf(5)). Where the linker wants memory
/// written to no more then (PT_GNU_RELRO): from there to there.
///
/// # Safety
///
/// The program's own first byte.
#[inline(always)]
unsafe fn relocate(program: *mut u8) -> Option<(usize, usize)> {
    // SAFETY: the linker's tables, each within the program; the dynamic one ends in a zero. Each
    // entry names a place in the program's own writable memory.
    unsafe {
        let header = program.cast::<Elf64_Ehdr>();
        let segments = program.add((*header).e_phoff as usize).cast::<Elf64_Phdr>();
        let (mut dynamic, mut protected) = (null::<[u64; 2]>(), None);
        for n in 0..usize::from((*header).e_phnum) {
            let segment = segments.add(n);
            let place = program.add((*segment).p_vaddr as usize);
            match (*segment).p_type {
                libc::PT_DYNAMIC => dynamic = place.cast(),
                libc::PT_GNU_RELRO => {
                    protected = Some((place.addr(), place.addr() + (*segment).p_memsz as usize));
                }
                _ => {}
            }
        }
        let (mut entry, mut size) = (null::<[u64; 3]>(), 0);
        while !dynamic.is_null() && (*dynamic)[0] != 0 {
            match (*dynamic)[0] {
                DT_RELA => entry = program.add((*dynamic)[1] as usize).cast(),
                DT_RELASZ => size = (*dynamic)[1] as usize,
                DT_RELR => return None,
                _ => {}
            }
            dynamic = dynamic.add(1);
        }
        for _ in 0..size / size_of::<[u64; 3]>() {
            let [offset, kind, addend] = *entry;
            if kind != RELATIVE {
                return None;
            }
            let place = program.add(offset as usize).cast::<usize>();
            *place = program.addr() + addend as usize;
            entry = entry.add(1);
        }
        protected
    }
}

/// Makes whole pages read-only. The kernel refuses what is not a multiple of its page size.
fn protect((begin, end): (usize, usize)) -> bool {
    [4096, 16384, 65536].into_iter().any(|page: usize| {
        let begin = begin & !(page - 1);
        // SAFETY: nothing in there is written to any more.
        unsafe { libc::mprotect(begin as *mut _, end - begin, libc::PROT_READ) == 0 }
    })
}

/// Opens what the caller has closed of descriptors 0 to 2, if anything has been lent, as the
/// start of a C library does: no other file may get one of these numbers.
fn hold_descriptors() -> bool {
    // SAFETY: any number may be asked about.
    let is_open = |fd| unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 };
    // SAFETY: these always succeed.
    let is_lent =
        || unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() };
    (0..=2).all(|fd| {
        // Not to be read from: 0 is no terminal's then.
        let mode = if fd == 0 { libc::O_WRONLY } else { libc::O_RDWR };
        // SAFETY: the path ends in NUL.
        let open = || unsafe { libc::open64(c"/dev/null".as_ptr(), mode | libc::O_NOFOLLOW) };
        is_open(fd) || !is_lent() || open() == fd
    })
}

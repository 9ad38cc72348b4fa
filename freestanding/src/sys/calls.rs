//! The functions of the C library that are a system call and nothing else: their name, the
//! call's number, and where a refusal goes.
//!
//! In assembly, since the arguments already lie where the kernel wants them: variadic functions
//! (fcntl, ioctl) take theirs as others do on these machines.

use core::arch::global_asm;
use core::ffi::c_int;

static mut ERRNO: c_int = 0;

#[unsafe(no_mangle)]
extern "C" fn __errno_location() -> *mut c_int {
    &raw mut ERRNO
}

#[cfg(target_arch = "x86_64")]
macro_rules! by_number {
    () => {
        "mov eax, {number}\njmp .Lcall"
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! by_number {
    () => {
        "mov x8, {number}\nb .Lcall"
    };
}

macro_rules! call {
    ($name:ident, $number:ident) => {
        global_asm!(
            concat!(".globl ", stringify!($name)),
            concat!(".hidden ", stringify!($name)),
            concat!(stringify!($name), ":"),
            by_number!(),
            number = const libc::$number,
        );
    };
}

// The kernel answers with a value, or with minus an errno of up to 4095.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".Lcall:",
    "mov r10, rcx",
    "syscall",
    "cmp rax, -4095",
    "jae 2f",
    "ret",
    "2: neg eax",
    "mov dword ptr [rip + {errno}], eax",
    "mov rax, -1",
    "ret",
    errno = sym ERRNO,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".Lcall:",
    "svc 0",
    "cmn x0, #4095",
    "b.hs 2f",
    "ret",
    "2: neg w0, w0",
    "adrp x1, {errno}",
    "str w0, [x1, :lo12:{errno}]",
    "mov x0, #-1",
    "ret",
    errno = sym ERRNO,
);

macro_rules! calls {
    ($($name:ident = $number:ident,)*) => { $(call!($name, $number);)* };
}

calls! {
    clock_gettime = SYS_clock_gettime,
    close = SYS_close,
    connect = SYS_connect,
    execve = SYS_execve,
    _exit = SYS_exit_group,
    fcntl = SYS_fcntl,
    fstat64 = SYS_fstat,
    fstatat64 = SYS_newfstatat,
    ftruncate64 = SYS_ftruncate,
    getegid = SYS_getegid,
    geteuid = SYS_geteuid,
    getgid = SYS_getgid,
    getpid = SYS_getpid,
    getppid = SYS_getppid,
    getuid = SYS_getuid,
    ioctl = SYS_ioctl,
    kill = SYS_kill,
    lseek64 = SYS_lseek,
    mprotect = SYS_mprotect,
    nanosleep = SYS_nanosleep,
    openat64 = SYS_openat,
    ppoll = SYS_ppoll,
    pread64 = SYS_pread64,
    prlimit64 = SYS_prlimit64,
    pwrite64 = SYS_pwrite64,
    read = SYS_read,
    recvfrom = SYS_recvfrom,
    rt_sigaction = SYS_rt_sigaction,
    rt_sigprocmask = SYS_rt_sigprocmask,
    sendto = SYS_sendto,
    setitimer = SYS_setitimer,
    setresgid = SYS_setresgid,
    setresuid = SYS_setresuid,
    socket = SYS_socket,
    write = SYS_write,
}

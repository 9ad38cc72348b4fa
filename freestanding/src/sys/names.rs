//! The system calls under the names by which the helper and the stores call them.
//!
//! These are the functions of the C library, for the arguments that are used here; variadic
//! ones take theirs as others do on these machines.

use core::ffi::{CStr, c_int, c_uint, c_void};
use core::hint::unreachable_unchecked;

use super::call::call;
use super::start::arguments_and_environment;

static mut ERRNO: c_int = 0;

#[unsafe(no_mangle)]
extern "C" fn __errno_location() -> *mut c_int {
    &raw mut ERRNO
}

/// Makes a call, and puts its error where C programs look for it.
fn answer(number: i64, arguments: [usize; 6]) -> isize {
    // SAFETY: the arguments are those of the function below that was called.
    let answer = unsafe { call(number, arguments) };
    if !(-4095..0).contains(&answer) {
        return answer;
    }
    // SAFETY: there is one thread.
    unsafe { ERRNO = -answer as c_int };
    -1
}

macro_rules! system_calls {
    ($($name:ident($($argument:ident),*) = $number:ident $(, $fixed:expr)?;)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name($($argument: usize),*) -> isize {
                answer(libc::$number, six(&[$($fixed,)? $($argument),*]))
            }
        )*
    };
}

fn six(given: &[usize]) -> [usize; 6] {
    let mut arguments = [0; 6];
    for (to, from) in arguments.iter_mut().zip(given) {
        *to = *from;
    }
    arguments
}

const HERE: usize = libc::AT_FDCWD as usize;
/// Bytes of a signal set of the kernel's.
const SIGNALS: usize = 8;

system_calls! {
    clock_gettime(clock, time) = SYS_clock_gettime;
    close(fd) = SYS_close;
    fcntl(fd, command, argument) = SYS_fcntl;
    fstat64(fd, stat) = SYS_fstat;
    fstatat64(fd, path, stat, flags) = SYS_newfstatat;
    ftruncate64(fd, size) = SYS_ftruncate;
    getegid() = SYS_getegid;
    geteuid() = SYS_geteuid;
    getgid() = SYS_getgid;
    getpid() = SYS_getpid;
    getppid() = SYS_getppid;
    getuid() = SYS_getuid;
    ioctl(fd, request, argument) = SYS_ioctl;
    kill(pid, signal) = SYS_kill;
    lseek64(fd, offset, whence) = SYS_lseek;
    nanosleep(time, rest) = SYS_nanosleep;
    open64(path, flags, mode) = SYS_openat, HERE;
    pread64(fd, buffer, size, offset) = SYS_pread64;
    pwrite64(fd, bytes, size, offset) = SYS_pwrite64;
    sendto(fd, bytes, size, flags, address, length) = SYS_sendto;
    setresgid(real, effective, saved) = SYS_setresgid;
    setresuid(real, effective, saved) = SYS_setresuid;
    socket(family, kind, protocol) = SYS_socket;
    write(fd, bytes, size) = SYS_write;
}

#[unsafe(no_mangle)]
extern "C" fn getrlimit64(resource: usize, limit: usize) -> isize {
    answer(libc::SYS_prlimit64, six(&[0, resource, 0, limit]))
}

#[unsafe(no_mangle)]
extern "C" fn setrlimit64(resource: usize, limit: usize) -> isize {
    answer(libc::SYS_prlimit64, six(&[0, resource, limit, 0]))
}

#[unsafe(no_mangle)]
extern "C" fn alarm(seconds: c_uint) -> c_uint {
    // struct itimerval: the interval and the time left, each in seconds and microseconds.
    let time = [0, 0, seconds as usize, 0];
    answer(libc::SYS_setitimer, six(&[libc::ITIMER_REAL as usize, (&raw const time).addr(), 0]));
    0
}

/// The helper sets no handler of its own, so that the handler's word is all that counts.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigaction(signal: c_int, action: *const usize, _: *mut c_void) -> c_int {
    // SAFETY: on these machines the handler is the first word of the C library's structure.
    let action = unsafe { [*action, 0, 0, 0] };
    let arguments = [signal as usize, (&raw const action).addr(), 0, SIGNALS];
    answer(libc::SYS_rt_sigaction, six(&arguments)) as c_int
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigemptyset(set: *mut usize) -> c_int {
    // SAFETY: the caller's contract; the kernel's set is the first word of it.
    unsafe { *set = 0 };
    0
}

#[unsafe(no_mangle)]
extern "C" fn sigprocmask(how: c_int, set: usize, _: usize) -> c_int {
    answer(libc::SYS_rt_sigprocmask, six(&[how as usize, set, 0, SIGNALS])) as c_int
}

#[unsafe(no_mangle)]
extern "C" fn __libc_current_sigrtmax() -> c_int {
    64
}

#[unsafe(no_mangle)]
extern "C" fn _exit(status: c_int) -> ! {
    exit(status)
}

pub(super) fn exit(status: c_int) -> ! {
    answer(libc::SYS_exit_group, six(&[status as usize]));
    // SAFETY: the call does not come back.
    unsafe { unreachable_unchecked() }
}

/// Starts another program in this one's place, with the same arguments and environment.
/// Comes back only with an errno.
pub(crate) fn hand_over(path: &CStr) -> c_int {
    let (argv, envp) = arguments_and_environment();
    answer(libc::SYS_execve, six(&[path.as_ptr().addr(), argv.addr(), envp.addr()]));
    // SAFETY: there is one thread.
    unsafe { ERRNO }
}

/// Shows each line of a file, without its end, until `take` has what it wants. A line that is
/// longer than 1 KiB is passed over. `None` where the file cannot be read to its end.
pub(crate) fn read_whole_lines<T>(
    path: &CStr,
    mut take: impl FnMut(&[u8]) -> Option<T>,
) -> Option<Option<T>> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
    let fd = open64(path.as_ptr().addr(), flags as usize, 0);
    let fd = usize::try_from(fd).ok()?;
    let result = lines_of(fd, &mut take);
    close(fd);
    result
}

fn lines_of<T>(fd: usize, take: &mut impl FnMut(&[u8]) -> Option<T>) -> Option<Option<T>> {
    let mut buffer = [0u8; 4096];
    let mut line = [0u8; 1024];
    let mut length = 0;
    loop {
        let arguments = [fd, buffer.as_mut_ptr().addr(), buffer.len()];
        let count = usize::try_from(answer(libc::SYS_read, six(&arguments))).ok()?;
        if count == 0 {
            // A last line without an end counts too.
            return Some(line.get(..length).filter(|line| !line.is_empty()).and_then(take));
        }
        for byte in buffer.iter().take(count) {
            if *byte != b'\n' {
                if let Some(place) = line.get_mut(length) {
                    *place = *byte;
                }
                length += 1;
                continue;
            }
            if let Some(found) = line.get(..length).and_then(&mut *take) {
                return Some(Some(found));
            }
            length = 0;
        }
    }
}

//! What the C library would have done: the start, its functions, memory. The only unsafe code
//! of the crate.

mod calls;
mod functions;
mod memory;
mod start;

use core::ffi::{CStr, c_int};

/// A file that is read from its beginning.
pub(crate) struct File(c_int);

impl File {
    /// An existing one; never waits, never takes a terminal.
    pub(crate) fn open(path: &CStr) -> Option<File> {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
        // SAFETY: the path ends in NUL.
        let fd = unsafe { libc::open64(path.as_ptr(), flags) };
        (fd >= 0).then_some(File(fd))
    }

    /// The next bytes; how many.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        // SAFETY: the buffer is writable for its length.
        let read = unsafe { libc::read(self.0, buffer.as_mut_ptr().cast(), buffer.len()) };
        usize::try_from(read).ok()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and is not used again.
        unsafe { libc::close(self.0) };
    }
}

/// Starts another program in this one's place, with the same arguments and environment; comes
/// back only with an errno. No descriptor of ours is open then, or would be kept.
pub(crate) fn start_instead(path: &CStr) -> c_int {
    let (argv, envp) = start::arguments_and_environment();
    // SAFETY: both are arrays that end in NULL, of strings that end in NUL: the kernel's own.
    unsafe {
        libc::execve(path.as_ptr(), argv, envp);
        *libc::__errno_location()
    }
}

// What is named here for the linker is nobody else's.
core::arch::global_asm!(
    ".hidden environ, __errno_location, __libc_current_sigrtmax, alarm, bcmp, getrlimit64",
    ".hidden memcmp, memcpy, memmove, memset, open64, poll, recv, send, setrlimit64",
    ".hidden sigaction, sigemptyset, sigprocmask, strlen",
);

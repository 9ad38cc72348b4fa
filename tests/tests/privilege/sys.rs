//! The system calls that neither std nor nix has in the form needed here, one safe function
//! each. The only unsafe code of these tests.

use std::ffi::CString;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};

use nix::libc;
use nix::unistd::{ForkResult, Pid};

fn check(result: libc::c_long) -> Result<libc::c_long> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

/// fork(2). These tests have one thread inside a world.
pub fn fork() -> Result<ForkResult> {
    // SAFETY: no other thread holds a lock of the C library's that the child would need.
    Ok(unsafe { nix::unistd::fork() }?)
}

/// Ends this process and nothing else of it.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: ends this process.
    unsafe { libc::_exit(status) }
}

/// execve(2); comes back only with the reason why not.
pub fn execve(path: &CString, argv: &[CString], envp: &[CString]) -> Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([null()]).collect()
    };
    let (argv, envp) = (pointers(argv), pointers(envp));
    // SAFETY: both arrays end in NULL, and all strings in NUL.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    Error::last_os_error()
}

/// Real and effective ids at once, the saved as the effective; no other groups.
pub fn become_(real: (u32, u32), effective: (u32, u32)) -> Result<()> {
    // SAFETY: changes this process's ids.
    unsafe {
        check(libc::syscall(libc::SYS_setgroups, 0, null::<libc::gid_t>()))?;
        check(libc::syscall(libc::SYS_setresgid, real.1, effective.1, effective.1))?;
        check(libc::syscall(libc::SYS_setresuid, real.0, effective.0, effective.0))?;
    }
    Ok(())
}

/// dup2(2) to one of the numbers of standard input, output and error.
pub fn dup2(fd: RawFd, to: RawFd) -> Result<()> {
    // SAFETY: nothing of Rust's owns the numbers 0, 1 and 2.
    check(unsafe { libc::dup2(fd, to) }.into()).map(drop)
}

/// Closes a number that nothing of Rust's owns.
pub fn close(fd: RawFd) {
    // SAFETY: as the caller says.
    unsafe { libc::close(fd) };
}

/// Marks all from `first` on close-on-exec, or closes them.
pub fn close_from(first: u32, now: bool) -> Result<()> {
    let flags = if now { 0 } else { libc::CLOSE_RANGE_CLOEXEC };
    // SAFETY: in a process that is about to call exec or _exit.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) }).map(drop)
}

/// Duplicates a descriptor to one that exec keeps.
pub fn keep(fd: RawFd) -> Result<RawFd> {
    // SAFETY: any number may be asked about; the new one is left open on purpose.
    check(unsafe { libc::fcntl(fd, libc::F_DUPFD, 3) }.into()).map(|fd| fd as RawFd)
}

/// Kinds of lock that fcntl(2) knows.
#[derive(Clone, Copy, Debug)]
pub enum Owner {
    /// Of the process: kept by exec.
    Posix,
    /// Of the open file description.
    Ofd,
}

/// Locks a whole file, `l_type` F_RDLCK or F_WRLCK.
pub fn lock(fd: RawFd, owner: Owner, l_type: i32) -> Result<()> {
    let lock = libc::flock { l_type: l_type as _, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    let command = match owner {
        Owner::Posix => libc::F_SETLK,
        Owner::Ofd => libc::F_OFD_SETLK,
    };
    // SAFETY: `lock` is a valid struct flock.
    check(unsafe { libc::fcntl(fd, command, &lock) }.into()).map(drop)
}

/// PTRACE_TRACEME.
pub fn trace_me() -> Result<()> {
    // SAFETY: the request takes nothing.
    check(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<u8>(), null_mut::<u8>()) })
        .map(drop)
}

/// PTRACE_ATTACH, and PTRACE_SEIZE.
pub fn attach(pid: i32, seize: bool) -> Result<()> {
    let request = if seize { libc::PTRACE_SEIZE } else { libc::PTRACE_ATTACH };
    // SAFETY: neither reads nor writes this process's memory.
    check(unsafe { libc::ptrace(request, pid, null_mut::<u8>(), null_mut::<u8>()) }).map(drop)
}

/// Lets a process that we trace go on, with a signal or none.
pub fn trace_on(pid: i32, signal: i32) {
    // SAFETY: neither reads nor writes this process's memory.
    unsafe { libc::ptrace(libc::PTRACE_CONT, pid, null_mut::<u8>(), signal as usize) };
}

/// prlimit(2) of another process: its number of descriptors to `limit`.
pub fn limit_of_other(pid: i32, limit: u64) -> Result<()> {
    let limit = libc::rlimit64 { rlim_cur: limit, rlim_max: limit };
    // SAFETY: `limit` is readable, and the old one is not asked for.
    check(unsafe { libc::prlimit64(pid, libc::RLIMIT_NOFILE, &limit, null_mut()) }.into()).map(drop)
}

/// Copies a descriptor out of another process (pidfd_getfd(2)).
pub fn take_descriptor(pid: i32, fd: RawFd) -> Result<OwnedFd> {
    // SAFETY: neither call reads nor writes memory; both give a new descriptor.
    unsafe {
        let process = check(libc::syscall(libc::SYS_pidfd_open, pid, 0))?;
        let process = OwnedFd::from_raw_fd(process as RawFd);
        let taken = check(libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0))?;
        Ok(OwnedFd::from_raw_fd(taken as RawFd))
    }
}

/// Reads or writes another process's memory (process_vm_readv(2)) at `address`.
pub fn other_memory(pid: i32, address: usize, write: bool) -> Result<()> {
    let mut byte = 0u8;
    let local = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: 1 };
    // SAFETY: one byte of this process is given, and it is writable.
    let result = unsafe {
        match write {
            true => libc::process_vm_writev(pid, &local, 1, &remote, 1, 0),
            false => libc::process_vm_readv(pid, &local, 1, &remote, 1, 0),
        }
    };
    check(result as _).map(drop)
}

/// A process that shares root and working directory with this one (CLONE_FS): 0 in it.
pub fn fork_sharing_fs() -> Result<i32> {
    let flags = libc::CLONE_FS | libc::SIGCHLD;
    // SAFETY: without a stack of its own and without CLONE_VM it is fork(2) in all else.
    check(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) }).map(|pid| pid as i32)
}

/// The raw wait status of a child; also when it stops under ptrace.
pub fn wait(pid: i32) -> Result<i32> {
    let mut status = 0;
    // SAFETY: `status` is writable.
    check(unsafe { libc::waitpid(pid, &mut status, libc::__WALL) }.into()).map(|_| status)
}

/// setitimer(2): a signal after `us` microseconds, and again and again.
pub fn timer(which: i32, us: i64) -> Result<()> {
    let time = libc::timeval { tv_sec: us / 1_000_000, tv_usec: us % 1_000_000 };
    let timer = libc::itimerval { it_interval: time, it_value: time };
    // SAFETY: `timer` is readable, and the old one is not asked for.
    check(unsafe { libc::setitimer(which as _, &timer, null_mut()) }.into()).map(drop)
}

/// Every signal ignored, and blocked.
pub fn deaf() {
    // SAFETY: zero is a valid sigaction but for the handler, which is set; signals that
    // cannot be changed are refused.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_IGN;
        for signal in 1..=64 {
            libc::sigaction(signal, &action, null_mut());
        }
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &all, null_mut());
    }
}

/// Takes the effective user for the file system alone, to open a pty as somebody.
pub fn as_user<T>(uid: u32, action: impl FnOnce() -> T) -> T {
    // SAFETY: changes this process's id for files, and back.
    unsafe { libc::setfsuid(uid) };
    let result = action();
    // SAFETY: as above.
    unsafe { libc::setfsuid(0) };
    result
}

/// Bytes that wait on the reading side of a terminal, not taken: FIONREAD.
pub fn waiting(fd: BorrowedFd<'_>) -> Result<i32> {
    let mut count: libc::c_int = 0;
    // SAFETY: the request writes one int.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD as _, &mut count) }.into())?;
    Ok(count)
}

/// The slave of a master, by TIOCGPTPEER, for reading and writing.
pub fn slave(master: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: the request takes its flags by value and gives a new descriptor.
    unsafe {
        let fd = check(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER as _, flags).into())?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// A process by its number.
pub fn pid(number: i32) -> Pid {
    Pid::from_raw(number)
}

/// kill(2) of any signal, real-time ones too; a process that has just ended is no error.
pub fn send(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: sends a signal.
    match check(unsafe { libc::kill(pid, signal) }.into()) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        result => result.map(drop),
    }
}

//! fork(2), and what goes with it. The only unsafe code of these tests.

use std::io::{Error, Result};
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::null;

use nix::libc;
use nix::unistd::ForkResult;

/// fork(2). The callers have one thread.
pub fn fork() -> Result<ForkResult> {
    // SAFETY: no other thread holds a lock of the C library's that the child would need.
    Ok(unsafe { nix::unistd::fork() }?)
}

/// Ends this process and nothing else of it.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: ends this process.
    unsafe { libc::_exit(status) }
}

/// Becomes this user for good, in this thread alone.
pub fn become_user(uid: u32) -> Result<()> {
    // SAFETY: changes this thread's ids.
    unsafe {
        if libc::syscall(libc::SYS_setgroups, 0, null::<libc::gid_t>()) < 0
            || libc::syscall(libc::SYS_setresgid, uid, uid, uid) < 0
            || libc::syscall(libc::SYS_setresuid, uid, uid, uid) < 0
        {
            return Err(Error::last_os_error());
        }
    }
    Ok(())
}

/// A number that a system call has just given.
pub fn owned(fd: i32) -> OwnedFd {
    // SAFETY: nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The most memory that a process may map, or no limit.
pub fn limit_memory(pid: i32, bytes: Option<u64>) -> Result<()> {
    limit(pid, libc::RLIMIT_AS, bytes.unwrap_or(libc::RLIM_INFINITY))
}

/// The number of its descriptors.
pub fn limit_files(pid: i32, most: u64) -> Result<()> {
    limit(pid, libc::RLIMIT_NOFILE, most)
}

fn limit(pid: i32, resource: libc::__rlimit_resource_t, most: u64) -> Result<()> {
    let hard = if resource == libc::RLIMIT_NOFILE { 4096 } else { libc::RLIM_INFINITY };
    let limit = libc::rlimit { rlim_cur: most, rlim_max: hard };
    // SAFETY: the limit is readable; the old one is not asked for.
    match unsafe { libc::prlimit(pid, resource, &limit, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

//! Starting the helper without touching the caller.
//!
//! The C library sets SIGCHLD to its default, forks and waits. Other children's SIGCHLD is
//! lost, a thread in waitpid(-1) takes the helper's status, and the whole of a large process
//! is copied. Here there are two steps:
//!
//! * An intermediate that shares the caller's memory while the caller waits
//!   (`CLONE_VM | CLONE_VFORK`), with no exit signal: no wait of the caller's sees it and no
//!   SIGCHLD tells of it. It must not exec, since exec gives a process its exit signal back.
//! * The helper is the intermediate's child, and is waited for with a deadline.
//!
//! The caller itself does nothing but block its signals, map some memory and collect the
//! intermediate by its pid. No function here allocates, locks, or is a cancellation point.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicI32, Ordering::Relaxed};

use crate::errno::Errno;
use crate::session::Operation;
use crate::sys::{self, Arguments, Entry, Environment, Process, Room, Waited};

/// Seconds after which the helper is ended by its own alarm.
const ALARM: u32 = 5;
/// Milliseconds after which it is killed, should the alarm not have done it.
const DEADLINE: i64 = 6000;
/// Milliseconds that a killed helper is waited for (it may be stuck in the kernel).
const GRACE: i64 = 500;
/// Milliseconds after which the intermediate goes on, should it have been stopped.
const STOPPED: i64 = 100;

/// What the processes share.
struct Job<'a> {
    path: &'a CStr,
    arguments: Arguments<'a>,
    environment: Environment<'a>,
    master: c_int,
    room: &'a Room,
    /// errno of a failed exec.
    exec_error: &'a AtomicI32,
    /// How it ended: 0, an errno, or nothing yet.
    outcome: &'a AtomicI32,
}

const NOTHING_YET: c_int = -1;

/// Runs `path operation [host]` with `master` as its descriptors 0 and 1. `again`: somebody
/// may have recorded the same already.
pub(crate) fn run(
    path: &CStr,
    operation: Operation,
    host: Option<&CStr>,
    master: c_int,
    again: bool,
) -> Result<(), Errno> {
    sys::descriptor_flags(master)?;
    let room = Room::map()?;
    let pid = pid_entry(sys::getpid());
    let job = Job {
        path,
        arguments: Arguments::new(path, operation.word(), host),
        environment: room.environment(OWN_NAMES, [Some(&pid), again.then_some(AGAIN)]),
        master,
        room: &room,
        exec_error: room.word(0),
        outcome: room.word(1),
    };
    job.outcome.store(NOTHING_YET, Relaxed);
    let signals = sys::block_all_signals();
    let status = supervise(&job);
    sys::restore_signals(signals);
    match Errno::from_status(status) {
        None => Ok(()),
        Some(errno) => Err(errno),
    }
}

/// Starts the intermediate and collects it.
fn supervise(job: &Job<'_>) -> c_int {
    let start = |exit_signal| {
        sys::clone_vfork::<Intermediate, _>(job.room.intermediate(), exit_signal, job)
    };
    let pid = match start(0) {
        // qemu-user emulates no other exit signal.
        Err(Errno(libc::EINVAL)) => start(libc::SIGCHLD),
        pid => pid,
    };
    match pid {
        // Its exit status tells nothing: valgrind puts its own in the place, and a wait with
        // __WALL in another thread may take it.
        Ok(pid) => sys::collect(pid),
        Err(Errno(errno)) => return errno,
    }
    match job.outcome.load(Relaxed) {
        // It was killed.
        NOTHING_YET => libc::EIO,
        outcome => outcome,
    }
}

/// The intermediate: starts the helper, sees it end, leaves word.
struct Intermediate;

impl Process<Job<'_>> for Intermediate {
    fn run(job: &Job<'_>) -> c_int {
        // SIGSTOP cannot be blocked, and one to the caller's job may be on its way here while
        // this process leaves it, with the job's SIGCONT never to arrive.
        sys::continue_every(STOPPED);
        // Out of the caller's job: a ^Z at the terminal would stop the helper, or this process,
        // with the caller blocked behind it.
        sys::setsid();
        // Its own copy of the signal table; where SIGCHLD is ignored there is nothing to wait for.
        sys::default_child_signal();
        let outcome = match sys::clone_vfork::<Helper, _>(job.room.helper(), libc::SIGCHLD, job) {
            Ok(pid) => finish(job, pid),
            Err(Errno(errno)) => errno,
        };
        job.outcome.store(outcome, Relaxed);
        0
    }
}

/// Waits for the helper, and kills it when its time is over.
fn finish(job: &Job<'_>, pid: c_int) -> c_int {
    let in_time = sys::wait_until(pid, sys::monotonic_ms() + DEADLINE);
    if in_time == Waited::Running {
        sys::kill(pid);
        sys::wait_until(pid, sys::monotonic_ms() + GRACE);
    }
    match (job.exec_error.load(Relaxed), in_time) {
        (0, Waited::Exited(status)) => status,
        (0, Waited::Killed(libc::SIGALRM)) | (0, Waited::Running) => libc::ETIMEDOUT,
        (0, Waited::Killed(_)) => libc::EIO,
        (errno, _) => errno,
    }
}

/// The helper's process, up to exec.
struct Helper;

impl Process<Job<'_>> for Helper {
    fn run(job: &Job<'_>) -> c_int {
        let error = match sys::connect_to(job.master) {
            Ok(()) => {
                sys::close_others_on_exec();
                sys::default_signals();
                sys::alarm(ALARM);
                // Not before everything else is as the helper needs it.
                sys::unblock_all_signals();
                exec(job)
            }
            Err(error) => error,
        };
        job.exec_error.store(error.0, Relaxed);
        error.0
    }
}

/// Comes back only with an error.
fn exec(job: &Job<'_>) -> Errno {
    let error = sys::exec(job.path, &job.arguments, &job.environment);
    // A directory open to the helper's group alone: a setgid caller that has lowered its
    // effective gid may still enter with the saved one.
    if error == Errno(libc::EACCES) && sys::take_saved_gid() {
        return sys::exec(job.path, &job.arguments, &job.environment);
    }
    error
}

const PID_NAME: &[u8] = b"UTEMPTER_PID=";
const AGAIN: &Entry = &Entry::constant(*b"UTEMPTER_AGAIN=1");
/// The entries that say something to the helper; the caller's own do not reach it.
const OWN_NAMES: [&[u8]; 2] = [PID_NAME, b"UTEMPTER_AGAIN="];

/// `UTEMPTER_PID=<pid>`: the helper's parent is the intermediate, but the record is to name
/// the terminal.
fn pid_entry(pid: c_int) -> Entry {
    let mut digits = [0; 10];
    let mut length = 0;
    let mut rest = pid.unsigned_abs();
    for digit in digits.iter_mut().rev() {
        if rest == 0 && length > 0 {
            break;
        }
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        length += 1;
    }
    Entry::new(PID_NAME.iter().chain(digits.iter().skip(10 - length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_is_written_out() {
        for (pid, text) in
            [(1, "UTEMPTER_PID=1"), (10, "UTEMPTER_PID=10"), (i32::MAX, "UTEMPTER_PID=2147483647")]
        {
            assert_eq!(pid_entry(pid).text(), text.as_bytes());
        }
    }
}

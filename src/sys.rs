//! The system calls. The only unsafe code of the crate, but for the C functions' pointers.
//!
//! Much of this runs in a process that shares the caller's memory, thread-local storage
//! included: calls are made raw where the C library's function would be a cancellation point
//! or would talk to the caller's other threads (waitpid, sigtimedwait, setgid), or where
//! another library's function may be in its place that keeps a record of its own in memory
//! (sigaction: ThreadSanitizer, Java's libjsig).

use core::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicI32, AtomicPtr, Ordering::Relaxed};

use crate::errno::Errno;

// The libc crate, without std, does not name the library it declares.
#[link(name = "c")]
unsafe extern "C" {
    static environ: *const *const c_char;

    // ThreadSanitizer puts its own function in the place of the usual name, and then takes
    // the new process for a fork of the whole program.
    #[cfg_attr(target_env = "gnu", link_name = "__clone")]
    fn clone(
        enter: extern "C" fn(*mut c_void) -> c_int,
        stack: *mut c_void,
        flags: c_int,
        argument: *mut c_void,
        ...
    ) -> c_int;
}

/// The calling thread's errno.
pub(crate) fn errno() -> c_int {
    // SAFETY: the location is the calling thread's own.
    unsafe { *libc::__errno_location() }
}

/// Sets the calling thread's errno.
#[cfg_attr(not(feature = "capi"), allow(dead_code))]
pub(crate) fn set_errno(errno: c_int) {
    // SAFETY: the location is the calling thread's own.
    unsafe { *libc::__errno_location() = errno }
}

fn check(result: c_long) -> Result<c_int, Errno> {
    if result < 0 { Err(Errno(errno())) } else { Ok(result as c_int) }
}

/// A C caller's string; `None` for NULL.
///
/// # Safety
///
/// NULL, or a string that ends in NUL and lives as long as its user needs it.
#[cfg(feature = "capi")]
pub(crate) unsafe fn c_str<'a>(string: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller's contract.
    if string.is_null() { None } else { Some(unsafe { CStr::from_ptr(string) }) }
}

/// A path that may be set at any time from any thread.
pub(crate) struct PathCell(AtomicPtr<c_char>);

impl PathCell {
    pub(crate) const fn new() -> PathCell {
        PathCell(AtomicPtr::new(null_mut()))
    }

    pub(crate) fn set(&self, path: Option<&'static CStr>) {
        let pointer = path.map_or(null(), CStr::as_ptr);
        self.0.store(pointer.cast_mut(), Relaxed);
    }

    pub(crate) fn get(&self) -> Option<&'static CStr> {
        let path = self.0.load(Relaxed);
        // SAFETY: only `set` stores here, and it takes what lives for ever.
        if path.is_null() { None } else { Some(unsafe { CStr::from_ptr(path) }) }
    }
}

pub(crate) fn getpid() -> c_int {
    // SAFETY: always succeeds.
    unsafe { libc::getpid() }
}

/// fcntl(2) F_GETFD: whether the descriptor is open.
pub(crate) fn descriptor_flags(fd: c_int) -> Result<c_int, Errno> {
    // SAFETY: any number may be asked about.
    check(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFD) })
}

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

/// The entries of the caller's environment.
fn environment() -> impl Iterator<Item = &'static CStr> {
    // SAFETY: `environ` is NULL or an array that ends in NULL, of strings that end in NUL;
    // a thread that changes it meanwhile breaks the rule of setenv(3), as for execv(3).
    let mut next = unsafe { environ };
    core::iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: as above; the end is not passed, since NULL ends the iteration.
        unsafe {
            let entry = *next;
            if entry.is_null() {
                return None;
            }
            next = next.add(1);
            Some(CStr::from_ptr(entry))
        }
    })
}

/// The login name that the environment gives, or nothing.
pub(crate) fn login_name() -> &'static [u8] {
    let mut names = environment().filter_map(|entry| entry.to_bytes().strip_prefix(b"LOGNAME="));
    names.next().unwrap_or(&[])
}

/// Whether real and effective ids are equal.
pub(crate) fn has_own_ids() -> bool {
    // SAFETY: these always succeed.
    unsafe { libc::getuid() == libc::geteuid() && libc::getgid() == libc::getegid() }
}

/// Microseconds that a message is waited for awake.
const AWAKE: i64 = 50;

/// A connection to the broker, closed at the end. Nothing here waits longer than it is told,
/// takes a signal or is a cancellation point.
pub(crate) struct Connection(c_int);

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and is not used again.
        unsafe { libc::syscall(libc::SYS_close, self.0) };
    }
}

impl Connection {
    /// Connects without waiting; `None` where nobody listens, or too many wait already.
    pub(crate) fn open(path: &str) -> Option<Connection> {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: a new descriptor.
        let socket = check(unsafe { libc::syscall(libc::SYS_socket, libc::AF_UNIX, kind, 0) });
        let connection = Connection(socket.ok()?);
        let mut address = MaybeUninit::<libc::sockaddr_un>::zeroed();
        // SAFETY: zero is a valid address, and a NUL stays behind the path.
        let address = unsafe {
            let address = address.assume_init_mut();
            address.sun_family = libc::AF_UNIX as _;
            let room = address.sun_path.len() - 1;
            for (to, from) in address.sun_path.iter_mut().take(room).zip(path.as_bytes()) {
                *to = *from as c_char;
            }
            address
        };
        let size = size_of::<libc::sockaddr_un>();
        // SAFETY: the address is readable for its size.
        let result =
            unsafe { libc::syscall(libc::SYS_connect, connection.0, &raw const *address, size) };
        check(result).ok()?;
        Some(connection)
    }

    /// The next message, if it is this long and comes within `patience` milliseconds.
    pub(crate) fn receive<const LENGTH: usize>(&self, patience: i64) -> Option<[u8; LENGTH]> {
        let mut message = [0; LENGTH];
        let begin = monotonic_us();
        let end = begin / 1000 + patience;
        let mut ended = false;
        loop {
            // MSG_TRUNC: the length that was sent.
            let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
            // SAFETY: the message is writable for its length; no address is asked for.
            let received = check(unsafe {
                libc::syscall(
                    libc::SYS_recvfrom,
                    self.0,
                    message.as_mut_ptr(),
                    LENGTH,
                    flags,
                    null_mut::<c_void>(),
                    null_mut::<c_void>(),
                )
            });
            match received {
                // The kernel looks for a message first and for the end then, and both may come
                // in between: at the end it is asked once more.
                Ok(0) if !ended => ended = true,
                Ok(length) => return (length as usize == LENGTH).then_some(message),
                // Waking a thread that sleeps takes as long as the broker does.
                Err(Errno(libc::EAGAIN)) if monotonic_us() - begin < AWAKE => give_way(),
                Err(Errno(libc::EAGAIN)) => self.wait(end)?,
                Err(Errno(libc::EINTR)) => {}
                Err(_) => return None,
            }
        }
    }

    /// Waits until something can be read, or for the end.
    fn wait(&self, end: i64) -> Option<()> {
        let left = end - monotonic_ms();
        if left <= 0 {
            return None;
        }
        let time = [(left / 1000) as c_long, (left % 1000 * 1_000_000) as c_long];
        let mut poll = libc::pollfd { fd: self.0, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, and `time` is a struct timespec of the kernel's; no signal set.
        let result = check(unsafe {
            libc::syscall(libc::SYS_ppoll, &mut poll, 1, &time, null::<c_void>(), SIGNALS / 8)
        });
        match result {
            Ok(_) | Err(Errno(libc::EINTR)) => Some(()),
            Err(_) => None,
        }
    }

    /// Sends one message of these parts, and the descriptor with it.
    pub(crate) fn send(&self, parts: [&[u8]; 3], descriptor: c_int) -> Option<()> {
        /// One control message, as CMSG_SPACE and CMSG_LEN would have it.
        #[repr(C)]
        struct Control {
            head: libc::cmsghdr,
            descriptor: c_int,
            padding: [u8; size_of::<usize>() - size_of::<c_int>() % size_of::<usize>()],
        }
        let mut control = MaybeUninit::<Control>::zeroed();
        let parts = parts.map(|part| libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.len(),
        });
        let mut message = MaybeUninit::<libc::msghdr>::zeroed();
        // SAFETY: zero is a valid value of both; the message names what is on this stack.
        let result = unsafe {
            let control = control.assume_init_mut();
            control.head.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<c_int>()) as _;
            control.head.cmsg_level = libc::SOL_SOCKET;
            control.head.cmsg_type = libc::SCM_RIGHTS;
            control.descriptor = descriptor;
            let message = message.assume_init_mut();
            message.msg_iov = parts.as_ptr().cast_mut();
            message.msg_iovlen = parts.len() as _;
            message.msg_control = (&raw mut *control).cast();
            message.msg_controllen = control.head.cmsg_len;
            let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
            libc::syscall(libc::SYS_sendmsg, self.0, &raw const *message, flags)
        };
        check(result).ok().map(drop)
    }
}

/// A stack, by its upper end.
#[derive(Clone, Copy)]
pub(crate) struct Stack<'a> {
    top: *mut c_void,
    room: PhantomData<&'a Room>,
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

/// What the helper gets as its arguments: its path, the operation, the host if there is one.
pub(crate) struct Arguments<'a> {
    entries: [*const c_char; 4],
    strings: PhantomData<&'a CStr>,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(path: &'a CStr, operation: &'a CStr, host: Option<&'a CStr>) -> Self {
        let host = host.map_or(null(), CStr::as_ptr);
        Arguments {
            entries: [path.as_ptr(), operation.as_ptr(), host, null()],
            strings: PhantomData,
        }
    }
}

/// What a process of its own does with a job.
pub(crate) trait Process<J> {
    /// Does it; what comes back is the exit status.
    fn run(job: &J) -> c_int;
}

/// Runs `P` in a process of its own that shares this one's memory, and comes back with its
/// pid once it has ended or called exec.
///
/// The job is all that the process reads of what this one has: emulators that fork in place
/// of a vfork let both go on, and this one's stack may be shared with the other (see `Room`).
pub(crate) fn clone_vfork<P: Process<J>, J>(
    stack: Stack<'_>,
    exit_signal: c_int,
    job: &J,
) -> Result<c_int, Errno> {
    extern "C" fn enter<P: Process<J>, J>(job: *mut c_void) -> c_int {
        // SAFETY: the `job` below, whose owner waits, or of which this process has a copy.
        P::run(unsafe { &*job.cast::<J>() })
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | exit_signal;
    // SAFETY: the stack is free, since its last user has ended or called exec before its
    // maker went on; `job` outlives the child's use of it for the same reason.
    let pid =
        unsafe { clone(enter::<P, J>, stack.top, flags, (&raw const *job).cast_mut().cast()) };
    check(pid.into())
}

/// A signal set as the kernel has it.
pub(crate) struct Signals([c_ulong; SIGNAL_WORDS]);

#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
const SIGNALS: usize = 128;
#[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
const SIGNALS: usize = 64;
const SIGNAL_WORDS: usize = SIGNALS / c_ulong::BITS as usize;

/// Blocks every signal, those that the C library keeps for itself (cancellation, setuid in
/// all threads) included, and says which were blocked.
pub(crate) fn block_all_signals() -> Signals {
    let mut before = Signals([0; SIGNAL_WORDS]);
    set_signals(&Signals([c_ulong::MAX; SIGNAL_WORDS]), &mut before.0);
    before
}

pub(crate) fn restore_signals(signals: Signals) {
    set_signals(&signals, null_mut());
}

pub(crate) fn unblock_all_signals() {
    set_signals(&Signals([0; SIGNAL_WORDS]), null_mut());
}

fn set_signals(signals: &Signals, before: *mut [c_ulong; SIGNAL_WORDS]) {
    // SAFETY: both sets have the size given; it fails only for a size that is not so.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &signals.0, before, SIGNALS / 8)
    };
}

/// SIGCHLD to its default in this process.
pub(crate) fn default_child_signal() {
    set_default(libc::SIGCHLD);
}

/// Every signal to its default in this process.
pub(crate) fn default_signals() {
    for signal in 1..=SIGNALS as c_int {
        set_default(signal);
    }
}

fn set_default(signal: c_int) {
    // The kernel's struct sigaction is smaller on every machine, and zero in it is the default.
    let action = [0 as c_ulong; 8];
    let none = null_mut::<c_void>();
    let size = SIGNALS / 8;
    // SAFETY: this process's signal table is its own. Signals that cannot be set are refused.
    unsafe {
        #[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
        libc::syscall(libc::SYS_rt_sigaction, signal, &action, none, size);
        // With a return address before the size.
        #[cfg(any(target_arch = "sparc", target_arch = "sparc64"))]
        libc::syscall(libc::SYS_rt_sigaction, signal, &action, none, none, size);
    }
}

/// Collects the intermediate, unless another thread already has.
pub(crate) fn collect(pid: c_int) {
    while wait(pid, libc::__WALL) == Err(Errno(libc::EINTR)) {}
}

/// How a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Running,
    Exited(c_int),
    Killed(c_int),
}

fn wait(pid: c_int, options: c_int) -> Result<Waited, Errno> {
    let mut status: c_int = 0;
    // SAFETY: `status` is writable; no resource usage is asked for.
    let result =
        unsafe { libc::syscall(libc::SYS_wait4, pid, &mut status, options, null_mut::<c_void>()) };
    Ok(match check(result)? {
        0 => Waited::Running,
        _ if libc::WIFEXITED(status) => Waited::Exited(libc::WEXITSTATUS(status)),
        _ => Waited::Killed(libc::WTERMSIG(status)),
    })
}

/// Waits for a child until the monotonic clock shows `end`, in milliseconds. SIGCHLD, which
/// wakes it, must be blocked and not ignored.
pub(crate) fn wait_until(pid: c_int, end: i64) -> Waited {
    // SIGCONT too, since the timer of `continue_every` runs on only once it is taken. Both
    // are in the first word on every machine.
    let mut signals = [0; SIGNAL_WORDS];
    signals[0] = 1 << (libc::SIGCHLD - 1) | 1 << (libc::SIGCONT - 1);
    loop {
        match wait(pid, libc::WNOHANG) {
            Ok(Waited::Running) | Err(Errno(libc::EINTR)) => {}
            Ok(ended) => return ended,
            // Not to be had: nothing is known of how it ended.
            Err(_) => return Waited::Killed(0),
        }
        let left = end - monotonic_ms();
        if left <= 0 {
            return Waited::Running;
        }
        let time = timespec(left);
        // SAFETY: the set has the size given and `time` is a struct timespec of the kernel's.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &signals,
                null_mut::<c_void>(),
                &time,
                SIGNALS / 8,
            )
        };
    }
}

/// Has the kernel send this process SIGCONT at intervals, whoever stops it: that counts even
/// while the signal is blocked. Where timers are refused it goes without.
pub(crate) fn continue_every(milliseconds: i64) {
    let mut event = MaybeUninit::<libc::sigevent>::zeroed();
    let mut timer: c_int = 0;
    let times = [timespec(milliseconds), timespec(milliseconds)];
    // SAFETY: zero is a valid sigevent; `timer` is writable, and `times` is a struct
    // itimerspec of the kernel's. The raw calls, since the C library may allocate for its own.
    unsafe {
        (*event.as_mut_ptr()).sigev_notify = libc::SIGEV_SIGNAL;
        (*event.as_mut_ptr()).sigev_signo = libc::SIGCONT;
        let clock = libc::CLOCK_MONOTONIC;
        if libc::syscall(libc::SYS_timer_create, clock, event.as_ptr(), &mut timer) == 0 {
            libc::syscall(libc::SYS_timer_settime, timer, 0, &times, null_mut::<c_void>());
        }
    }
}

/// A struct timespec of the kernel's.
fn timespec(milliseconds: i64) -> [c_long; 2] {
    [(milliseconds / 1000) as c_long, (milliseconds % 1000 * 1_000_000) as c_long]
}

/// Lets others run.
fn give_way() {
    // SAFETY: changes nothing of this process.
    unsafe { libc::syscall(libc::SYS_sched_yield) };
}

/// Milliseconds of a clock that is never set back.
pub(crate) fn monotonic_ms() -> i64 {
    monotonic_us() / 1000
}

fn monotonic_us() -> i64 {
    let mut now = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `now` is writable, and zero is a valid timespec.
    let now = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, now.as_mut_ptr());
        now.assume_init()
    };
    #[allow(clippy::useless_conversion)] // Narrower on 32-bit machines.
    let (sec, nsec) = (i64::from(now.tv_sec), i64::from(now.tv_nsec));
    sec * 1_000_000 + nsec / 1000
}

pub(crate) fn kill(pid: c_int) {
    // SAFETY: a child of ours that has not been collected.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

pub(crate) fn setsid() {
    // SAFETY: changes this process alone, which is nobody's group leader.
    unsafe { libc::setsid() };
}

pub(crate) fn alarm(seconds: u32) {
    // SAFETY: this process's own timer.
    unsafe { libc::alarm(seconds) };
}

/// Makes `fd` the descriptors 0 and 1, left open by exec.
pub(crate) fn connect_to(fd: c_int) -> Result<(), Errno> {
    for target in [0, 1] {
        // dup3 refuses equal ones.
        // SAFETY: this process has its own table of descriptors.
        check(unsafe {
            match fd == target {
                true => libc::syscall(libc::SYS_fcntl, fd, libc::F_SETFD, 0),
                false => libc::syscall(libc::SYS_dup3, fd, target, 0),
            }
        })?;
    }
    Ok(())
}

/// Has exec close every descriptor from 3 on. Where the kernel is too old for it (before
/// 5.11) or a filter forbids it, the helper inherits them as it does from the C library.
pub(crate) fn close_others_on_exec() {
    const CLOSE_RANGE_CLOEXEC: c_int = 4;
    // SAFETY: this process has its own table of descriptors.
    unsafe { libc::syscall(libc::SYS_close_range, 3, c_int::MAX, CLOSE_RANGE_CLOEXEC) };
}

/// execve(2). Comes back only with an error.
pub(crate) fn exec(path: &CStr, arguments: &Arguments<'_>, environment: &Environment<'_>) -> Errno {
    // SAFETY: both arrays end in NULL and their strings in NUL.
    unsafe { libc::execve(path.as_ptr(), arguments.entries.as_ptr(), environment.entries) };
    Errno(errno())
}

/// Takes the saved gid as the effective one, if it is another.
pub(crate) fn take_saved_gid() -> bool {
    let (mut real, mut effective, mut saved) = (0, 0, 0);
    // SAFETY: the three are writable. The raw setgid changes this process alone; the C
    // library's would change all threads of the caller.
    unsafe {
        libc::getresgid(&mut real, &mut effective, &mut saved) == 0
            && saved != effective
            && libc::syscall(SYS_SETGID, saved) == 0
    }
}

// Where gids were once 16 bits wide, the call has another name.
#[cfg(any(target_arch = "x86", target_arch = "arm", target_arch = "m68k", target_arch = "sparc"))]
const SYS_SETGID: c_long = libc::SYS_setgid32;
#[cfg(not(any(
    target_arch = "x86",
    target_arch = "arm",
    target_arch = "m68k",
    target_arch = "sparc"
)))]
const SYS_SETGID: c_long = libc::SYS_setgid;

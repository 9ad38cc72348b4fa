//! The system calls, one safe function each. The only unsafe code of the crate.

use core::ffi::{CStr, c_char, c_int};
use core::mem::{MaybeUninit, size_of};
use core::ops::RangeInclusive;
use core::ptr::null_mut;

use login_records::Errno;

use crate::account::Account;
use crate::privilege::Ids;

unsafe extern "C" {
    static environ: *const *const c_char;
}

fn last() -> Errno {
    // SAFETY: the location is the calling thread's own.
    Errno(unsafe { *libc::__errno_location() })
}

fn check(result: c_int) -> Result<(), Errno> {
    if result < 0 { Err(last()) } else { Ok(()) }
}

/// The arguments as main gets them.
pub(crate) struct Arguments {
    argc: c_int,
    argv: *const *const c_char,
}

impl Arguments {
    /// # Safety
    ///
    /// `argv` is an array of `argc` strings that end in NUL and stay.
    pub(crate) unsafe fn new(argc: c_int, argv: *const *const c_char) -> Arguments {
        Arguments { argc, argv }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static CStr> {
        // SAFETY: the maker's contract.
        (0..self.argc).map(|n| unsafe { CStr::from_ptr(*self.argv.offset(n as isize)) })
    }
}

/// The entries of the environment.
pub(crate) fn environment() -> impl Iterator<Item = &'static CStr> {
    // SAFETY: an array that ends in NULL, of strings that end in NUL; nobody changes it here.
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

/// Every signal to its default.
pub(crate) fn default_signals() {
    set_handler(1..=libc::SIGRTMAX(), libc::SIG_DFL);
}

pub(crate) fn ignore_file_size_signal() {
    set_handler(libc::SIGXFSZ..=libc::SIGXFSZ, libc::SIG_IGN);
}

fn set_handler(signals: RangeInclusive<c_int>, handler: libc::sighandler_t) {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zero is a valid sigaction; signals that cannot be set are refused.
    unsafe {
        (*action.as_mut_ptr()).sa_sigaction = handler;
        for signal in signals {
            libc::sigaction(signal, action.as_ptr(), null_mut());
        }
    }
}

pub(crate) fn unblock_signals() {
    let mut none = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `none` is writable.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), null_mut());
    }
}

pub(crate) fn alarm(seconds: u32) {
    // SAFETY: this process's own timer.
    unsafe { libc::alarm(seconds) };
}

/// RLIMIT_FSIZE to its hard limit.
pub(crate) fn raise_file_size_limit() {
    let mut limit = MaybeUninit::<libc::rlimit64>::zeroed();
    // SAFETY: `limit` is writable, and zero is a valid rlimit64.
    unsafe {
        if libc::getrlimit64(libc::RLIMIT_FSIZE, limit.as_mut_ptr()) == 0 {
            let limit = limit.assume_init_mut();
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit64(libc::RLIMIT_FSIZE, limit);
        }
    }
}

pub(crate) fn is_open(fd: c_int) -> bool {
    // SAFETY: any number may be asked about.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

pub(crate) fn real_uid() -> u32 {
    // SAFETY: always succeeds.
    unsafe { libc::getuid() }
}

pub(crate) fn uids() -> Ids {
    // SAFETY: always succeed.
    unsafe { Ids { real: libc::getuid(), lent: libc::geteuid() } }
}

pub(crate) fn gids() -> Ids {
    // SAFETY: always succeed.
    unsafe { Ids { real: libc::getgid(), lent: libc::getegid() } }
}

/// Changes the effective uid alone; the saved one stays.
pub(crate) fn set_effective_uid(uid: u32) -> Result<(), Errno> {
    // SAFETY: changes this process's ids.
    check(unsafe { libc::setresuid(u32::MAX, uid, u32::MAX) })
}

/// Changes the effective gid alone; the saved one stays.
pub(crate) fn set_effective_gid(gid: u32) -> Result<(), Errno> {
    // SAFETY: changes this process's ids.
    check(unsafe { libc::setresgid(u32::MAX, gid, u32::MAX) })
}

pub(crate) fn pid() -> c_int {
    // SAFETY: always succeeds.
    unsafe { libc::getpid() }
}

pub(crate) fn parent() -> c_int {
    // SAFETY: always succeeds.
    unsafe { libc::getppid() }
}

/// Whether the caller might send the process a signal.
pub(crate) fn may_signal(pid: c_int) -> Result<(), Errno> {
    // SAFETY: signal 0 is not sent.
    check(unsafe { libc::kill(pid, 0) })
}

/// Room for an entry of the user database. glibc asks for 1 KiB to begin with; LDAP and its
/// like may give more.
const ENTRY: usize = 16 * 1024;

/// The account of this uid.
pub(crate) fn account_of(uid: u32) -> Result<Account, Errno> {
    // SAFETY: all pointers are good for the call.
    account(|entry, room, size, found| unsafe { libc::getpwuid_r(uid, entry, room, size, found) })
        .map(|(account, _)| account)
}

/// The account of this name, if it has this uid.
pub(crate) fn account_named(name: &CStr, uid: u32) -> Option<Account> {
    // SAFETY: all pointers are good for the call, and the name ends in NUL.
    account(|entry, room, size, found| unsafe {
        libc::getpwnam_r(name.as_ptr(), entry, room, size, found)
    })
    .ok()
    .filter(|(_, found)| *found == uid)
    .map(|(account, _)| account)
}

fn account(
    look_up: impl FnOnce(*mut libc::passwd, *mut c_char, usize, *mut *mut libc::passwd) -> c_int,
) -> Result<(Account, u32), Errno> {
    let mut entry = MaybeUninit::<libc::passwd>::zeroed();
    let mut room = [MaybeUninit::<c_char>::uninit(); ENTRY];
    let mut found = null_mut();
    match look_up(entry.as_mut_ptr(), room.as_mut_ptr().cast(), ENTRY, &mut found) {
        0 if found.is_null() => Err(Errno::ESRCH),
        // SAFETY: the entry has been filled in, and its name ends in NUL within `room`.
        0 => unsafe {
            Ok((Account::named(CStr::from_ptr((*found).pw_name).to_bytes()), (*found).pw_uid))
        },
        errno => Err(Errno(errno)),
    }
}

/// Writes to stderr, unless that is a pty master: text there becomes the user's keystrokes.
pub(crate) fn tell_stderr(text: &[u8]) {
    let mut number: libc::c_uint = 0;
    // SAFETY: the request writes one unsigned int; the text is readable for its length.
    unsafe {
        if libc::ioctl(2, libc::TIOCGPTN as _, &mut number) < 0 {
            libc::write(2, text.as_ptr().cast(), text.len());
        }
    }
}

/// Sends a line to syslog without ever waiting. (syslog(3) waits while the daemon's queue is
/// full, and reads the time zone that the environment names.)
pub(crate) fn tell_syslog(text: &[u8]) {
    const PATH: &[u8] = b"/dev/log";
    let mut address = MaybeUninit::<libc::sockaddr_un>::zeroed();
    // SAFETY: the address is valid, zero behind the path; the text is readable for its length.
    unsafe {
        (*address.as_mut_ptr()).sun_family = libc::AF_UNIX as _;
        let path = (&raw mut (*address.as_mut_ptr()).sun_path).cast::<u8>();
        path.copy_from_nonoverlapping(PATH.as_ptr(), PATH.len());
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let socket = libc::socket(libc::AF_UNIX, kind, 0);
        if socket < 0 {
            return;
        }
        let size = size_of::<libc::sockaddr_un>() as libc::socklen_t;
        libc::sendto(
            socket,
            text.as_ptr().cast(),
            text.len(),
            libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
            address.as_ptr().cast(),
            size,
        );
        libc::close(socket);
    }
}

/// Without std, a panic has nowhere to go. None is left in the program: a test looks for the
/// text below in what is built.
#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    tell_stderr(b"utempter: panic\n");
    // SAFETY: ends this process.
    unsafe { libc::_exit(libc::EIO) }
}

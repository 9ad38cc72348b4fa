//! The system calls, one safe function each. The only unsafe code of the crate.

use core::ffi::{CStr, c_int};
use core::mem::MaybeUninit;

use crate::errno::Errno;

/// A point in time: seconds since 1970 and microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds.
    pub sec: i64,
    /// Microseconds, 0 to 999,999.
    pub usec: i32,
}

impl Time {
    /// The time of day.
    pub fn now() -> Time {
        let (sec, nsec) = clock(libc::CLOCK_REALTIME);
        Time { sec, usec: (nsec / 1000) as i32 }
    }
}

/// Microseconds of a clock that is never set back.
pub(crate) fn monotonic_us() -> i64 {
    let (sec, nsec) = clock(libc::CLOCK_MONOTONIC);
    sec * 1_000_000 + nsec / 1000
}

#[cfg(target_pointer_width = "64")]
fn clock(id: libc::clockid_t) -> (i64, i64) {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is writable; both clocks exist on every Linux.
    unsafe { libc::clock_gettime(id, &mut now) };
    (now.tv_sec, now.tv_nsec)
}

// The C library's time_t may be 32 bits wide here and end in 2038; the kernel's call is not.
#[cfg(target_pointer_width = "32")]
fn clock(id: libc::clockid_t) -> (i64, i64) {
    const CLOCK_GETTIME64: core::ffi::c_long = 403;
    let mut now = [0i64; 2];
    // SAFETY: `now` has the size of struct __kernel_timespec.
    if unsafe { libc::syscall(CLOCK_GETTIME64, id, now.as_mut_ptr()) } == 0 {
        return (now[0], now[1] & 0xffff_ffff);
    }
    // Before Linux 5.1.
    let mut now = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `now` is writable, and zero is a valid timespec.
    let now = unsafe {
        libc::clock_gettime(id, now.as_mut_ptr());
        now.assume_init()
    };
    (i64::from(now.tv_sec as u32), i64::from(now.tv_nsec))
}

/// Waits for `us` microseconds, less than a second, or until a signal.
pub(crate) fn sleep_us(us: i64) {
    let mut pause = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: zero is a valid timespec, and both pointers are good for the call.
    unsafe {
        (*pause.as_mut_ptr()).tv_nsec = (us * 1000) as _;
        libc::nanosleep(pause.as_ptr(), core::ptr::null_mut());
    }
}

fn last() -> Errno {
    // SAFETY: the location is the calling thread's own.
    Errno(unsafe { *errno_location() })
}

#[cfg(target_os = "android")]
use libc::__errno as errno_location;
#[cfg(not(target_os = "android"))]
use libc::__errno_location as errno_location;

fn check(result: c_int) -> Result<c_int, Errno> {
    if result < 0 { Err(last()) } else { Ok(result) }
}

fn check_size(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| last())
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) uid: u32,
    pub(crate) rdev: u64,
    pub(crate) size: u64,
    pub(crate) mode: u32,
    pub(crate) blocks: u64,
    pub(crate) links: u64,
    pub(crate) changed: Time,
    pub(crate) written: Time,
}

impl Stat {
    pub(crate) fn is_regular(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }

    /// Whether it is the device `/dev/ptmx` or `/dev/pts/ptmx`: 5:2, Linux's
    /// Documentation/admin-guide/devices.txt.
    #[allow(clippy::unnecessary_cast)] // makedev's width differs by architecture.
    pub(crate) fn is_ptmx(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFCHR && self.rdev == libc::makedev(5, 2) as u64
    }

    /// Whether the file has holes.
    pub(crate) fn is_sparse(&self) -> bool {
        self.blocks.saturating_mul(512) < self.size
    }
}

fn time(sec: i64, nsec: i64) -> Time {
    Time { sec, usec: (nsec / 1000) as i32 }
}

#[allow(clippy::unnecessary_cast)] // The fields' widths differ by architecture.
fn plain(stat: &libc::stat64) -> Stat {
    Stat {
        dev: stat.st_dev as u64,
        ino: stat.st_ino as u64,
        uid: stat.st_uid,
        rdev: stat.st_rdev as u64,
        size: stat.st_size as u64,
        mode: stat.st_mode as u32,
        blocks: stat.st_blocks as u64,
        links: stat.st_nlink as u64,
        changed: time(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        written: time(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
    }
}

/// stat(2) of a path; a symbolic link at its end is not followed.
pub(crate) fn stat_path(path: &CStr) -> Result<Stat, Errno> {
    let mut stat = MaybeUninit::zeroed();
    // SAFETY: the path ends in NUL, `stat` is writable, and zero is a valid stat64.
    unsafe {
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        check(libc::fstatat64(libc::AT_FDCWD, path.as_ptr(), stat.as_mut_ptr(), flags))?;
        Ok(plain(&stat.assume_init()))
    }
}

/// stat(2) of what a descriptor has open.
pub(crate) fn stat_fd(fd: c_int) -> Result<Stat, Errno> {
    let mut stat = MaybeUninit::zeroed();
    // SAFETY: `stat` is writable, and zero is a valid stat64.
    unsafe {
        check(libc::fstat64(fd, stat.as_mut_ptr()))?;
        Ok(plain(&stat.assume_init()))
    }
}

/// fcntl(2) F_GETFL.
pub(crate) fn status_flags(fd: c_int) -> Result<c_int, Errno> {
    // SAFETY: any number may be asked about.
    check(unsafe { libc::fcntl(fd, libc::F_GETFL) })
}

/// TIOCGPTN: the number of the pty whose master `fd` is.
pub(crate) fn pty_number(fd: c_int) -> Result<u32, Errno> {
    let mut number: libc::c_uint = 0;
    // SAFETY: the request writes one unsigned int.
    check(unsafe { libc::ioctl(fd, libc::TIOCGPTN as _, &mut number) })?;
    Ok(number)
}

/// A descriptor of our own, closed at the end.
#[derive(Debug)]
pub(crate) struct Fd(c_int);

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and is not used again.
        unsafe { libc::close(self.0) };
    }
}

impl Fd {
    /// TIOCGPTPEER with O_PATH: the slave of the pty whose master `fd` is, never opened.
    pub(crate) fn pty_peer(fd: c_int) -> Result<Fd, Errno> {
        let flags = libc::O_PATH | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: the request takes its flags by value.
        check(unsafe { libc::ioctl(fd, libc::TIOCGPTPEER as _, flags) }).map(Fd)
    }

    /// open(2) for reading and writing an existing file; never waits, never takes a terminal.
    pub(crate) fn open(path: &CStr) -> Result<Fd, Errno> {
        let flags = libc::O_RDWR | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
        // SAFETY: the path ends in NUL.
        check(unsafe { libc::open64(path.as_ptr(), flags) }).map(Fd)
    }

    /// Connects to a Unix stream socket, without waiting. The path has at most 107 bytes.
    pub(crate) fn connect(path: &str) -> Result<Fd, Errno> {
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: a new descriptor.
        let socket = Fd(check(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?);
        let mut address = MaybeUninit::<libc::sockaddr_un>::zeroed();
        // SAFETY: zero is a valid address, and a NUL stays behind the path.
        unsafe {
            let address = address.assume_init_mut();
            address.sun_family = libc::AF_UNIX as _;
            let room = address.sun_path.len() - 1;
            for (to, from) in address.sun_path.iter_mut().take(room).zip(path.as_bytes()) {
                *to = *from as _;
            }
            let size = size_of::<libc::sockaddr_un>() as libc::socklen_t;
            check(libc::connect(socket.0, (&raw const *address).cast(), size))?;
        }
        Ok(socket)
    }

    /// Sends without waiting; how many bytes went.
    pub(crate) fn send(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // SAFETY: the bytes are readable for their length.
        check_size(unsafe { libc::send(self.0, bytes.as_ptr().cast(), bytes.len(), flags) })
    }

    /// Takes one byte without waiting; `None` at the end.
    pub(crate) fn receive_byte(&self) -> Result<Option<u8>, Errno> {
        let mut byte = 0u8;
        let place = (&raw mut byte).cast();
        // SAFETY: the byte is writable.
        let read = check_size(unsafe { libc::recv(self.0, place, 1, libc::MSG_DONTWAIT) })?;
        Ok((read > 0).then_some(byte))
    }

    /// Waits until the descriptor is ready, so many milliseconds, or for a signal.
    pub(crate) fn wait(&self, until: Ready, ms: i64) {
        let events = match until {
            Ready::ToRead => libc::POLLIN,
            Ready::ToWrite => libc::POLLOUT,
        };
        let mut entry = libc::pollfd { fd: self.0, events, revents: 0 };
        // SAFETY: one entry.
        unsafe { libc::poll(&mut entry, 1, ms as c_int) };
    }

    /// open(2) with O_PATH: the node itself, not what it stands for.
    pub(crate) fn open_path(path: &CStr) -> Result<Fd, Errno> {
        let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: the path ends in NUL.
        check(unsafe { libc::open64(path.as_ptr(), flags) }).map(Fd)
    }

    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        stat_fd(self.0)
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        // SAFETY: bytes that are initialised may also be taken for such as need not be, and
        // nothing else is written there.
        let buffer = unsafe { &mut *(&raw mut *buffer as *mut [MaybeUninit<u8>]) };
        self.read_into(buffer, offset).map(<[u8]>::len)
    }

    /// Reads into memory that need not hold anything yet, and shows what has been read.
    pub(crate) fn read_into<'a>(
        &self,
        buffer: &'a mut [MaybeUninit<u8>],
        offset: u64,
    ) -> Result<&'a [u8], Errno> {
        loop {
            // SAFETY: the buffer is writable for its length.
            let read = check_size(unsafe {
                libc::pread64(self.0, buffer.as_mut_ptr().cast(), buffer.len(), offset as _)
            });
            if read != Err(Errno::EINTR) {
                let read = buffer.get(..read?).unwrap_or_default();
                // SAFETY: the kernel has written these.
                return Ok(unsafe { &*(&raw const *read as *const [u8]) });
            }
        }
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        loop {
            // SAFETY: the bytes are readable for their length.
            let written = check_size(unsafe {
                libc::pwrite64(self.0, bytes.as_ptr().cast(), bytes.len(), offset as _)
            });
            if written != Err(Errno::EINTR) {
                return written;
            }
        }
    }

    /// Writes at the end, whatever others append, and says how far the file then reached.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<(usize, u64), Errno> {
        let flags = status_flags(self.0)?;
        self.set_flags(flags | libc::O_APPEND)?;
        let written = loop {
            // SAFETY: the bytes are readable for their length.
            let written =
                check_size(unsafe { libc::write(self.0, bytes.as_ptr().cast(), bytes.len()) });
            if written != Err(Errno::EINTR) {
                break written;
            }
        };
        // SAFETY: asking for the offset changes nothing.
        let end = unsafe { libc::lseek64(self.0, 0, libc::SEEK_CUR) };
        // A positional write on an appending descriptor would append (pwrite(2), BUGS).
        self.set_flags(flags)?;
        Ok((written?, u64::try_from(end).map_err(|_| Errno::EIO)?))
    }

    fn set_flags(&self, flags: c_int) -> Result<(), Errno> {
        // SAFETY: the descriptor is ours.
        check(unsafe { libc::fcntl(self.0, libc::F_SETFL, flags) }).map(drop)
    }

    pub(crate) fn truncate(&self, size: u64) -> Result<(), Errno> {
        // SAFETY: the descriptor is ours.
        check(unsafe { libc::ftruncate64(self.0, size as _) }).map(drop)
    }

    /// The first offset at or behind `offset` that is not in a hole; `None` at the end.
    pub(crate) fn next_data(&self, offset: u64) -> Option<u64> {
        // SAFETY: moving the offset of a descriptor of ours harms nobody.
        let data = unsafe { libc::lseek64(self.0, offset as _, libc::SEEK_DATA) };
        match u64::try_from(data) {
            Ok(data) => Some(data),
            Err(_) if last() == Errno::ENXIO => None,
            // A filesystem that cannot tell has no holes.
            Err(_) => Some(offset),
        }
    }

    /// Tries for the whole file's write lock (F_OFD_SETLK) without waiting.
    pub(crate) fn try_lock(&self) -> Result<(), Errno> {
        let mut lock = write_lock();
        // SAFETY: `lock` is a valid struct flock.
        check(unsafe { libc::fcntl(self.0, libc::F_OFD_SETLK, &mut lock) }).map(drop)
    }

    /// Gives the lock back.
    pub(crate) fn unlock(&self) {
        let mut lock = write_lock();
        lock.l_type = libc::F_UNLCK as _;
        // SAFETY: `lock` is a valid struct flock.
        unsafe { libc::fcntl(self.0, libc::F_OFD_SETLK, &mut lock) };
    }

    /// What stands in the way of a write lock (F_OFD_GETLK).
    pub(crate) fn blocker(&self) -> Blocker {
        let mut lock = write_lock();
        // SAFETY: `lock` is a valid struct flock.
        let result = unsafe { libc::fcntl(self.0, libc::F_OFD_GETLK, &mut lock) };
        match c_int::from(lock.l_type) {
            _ if result < 0 => Blocker::Nothing,
            libc::F_RDLCK => Blocker::Reader,
            libc::F_WRLCK => Blocker::Writer,
            _ => Blocker::Nothing,
        }
    }
}

/// What a descriptor is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ready {
    ToRead,
    ToWrite,
}

/// Who holds a lock that conflicts with ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocker {
    Nothing,
    Reader,
    Writer,
}

fn write_lock() -> libc::flock {
    // SAFETY: zero is a valid struct flock: the whole file, and no pid as OFD locks want it.
    let mut lock: libc::flock = unsafe { MaybeUninit::zeroed().assume_init() };
    lock.l_type = libc::F_WRLCK as _;
    lock.l_whence = libc::SEEK_SET as _;
    lock
}

/// The largest size to which this process may write a file (RLIMIT_FSIZE), in bytes.
pub(crate) fn file_size_limit() -> u64 {
    let mut limit = MaybeUninit::<libc::rlimit64>::zeroed();
    // SAFETY: `limit` is writable, and zero is a valid rlimit64.
    unsafe {
        libc::getrlimit64(libc::RLIMIT_FSIZE, limit.as_mut_ptr());
        limit.assume_init().rlim_cur
    }
}

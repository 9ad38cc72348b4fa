//! utmps: where musl is the C library, two daemons keep the records (skarnet.org/software/utmps).
//!
//! Each has a Unix socket, and knows by the kernel's word who asks: utmpd takes records of root
//! and of its own group, wtmpd of root and of the user that the record names. A record goes as
//! the bytes of utmps' own `struct utmpx`. Both daemons lock their files without a bound,
//! and anybody may read those; so there is a deadline here.

use core::ffi::CStr;

use crate::errno::Errno;
use crate::layout::Layout;
use crate::record::Record;
use crate::sys::{Fd, Ready, monotonic_us, sleep_us, stat_path};

/// Where utmpd listens (utmps' and Alpine's default).
pub const UTMPD_PATH: &str = "/run/utmps/.utmpd-socket";
/// Where wtmpd listens.
pub const WTMPD_PATH: &str = "/run/utmps/.wtmpd-socket";

/// utmpd's word for a record to be written over its line's, or appended.
const PUT: u8 = b'E';
/// wtmpd's word for a record to be appended.
const APPEND: u8 = b'+';

/// The layout of utmps' records: those of its own `struct utmpx` (utmps/utmpx.h), whatever the
/// C library's is. It depends on the machine by `struct timeval` alone, and has none of the
/// padding that musl's own structure has (396 bytes on 32-bit x86, where utmps' has 392).
pub const UTMPS_LAYOUT: Layout = if cfg!(target_pointer_width = "64") {
    Layout::TIME64
} else if cfg!(not(target_env = "musl")) {
    // Seconds and microseconds of 32 bits.
    Layout::TIME32
} else if cfg!(target_arch = "x86") {
    // Numbers of 64 bits are aligned to four bytes there.
    Layout::TIME64_PACKED
} else {
    Layout::TIME64
};
const SIZE: usize = UTMPS_LAYOUT.size();

/// How long both daemons are waited for, all in all.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(i64);

impl Default for Deadline {
    /// Two seconds from now.
    fn default() -> Deadline {
        Deadline(monotonic_us() + 2_000_000)
    }
}

/// A connection to one of the daemons. It is made with the effective ids of the moment, and
/// those count.
#[derive(Debug)]
pub struct Utmps(Fd);

impl Utmps {
    /// Connects; `None` where the daemon does not run.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, where too many wait; others as connect(2) gives them.
    pub fn connect(path: &str, deadline: Deadline) -> Result<Option<Utmps>, Errno> {
        if !is_there(path) {
            return Ok(None);
        }
        loop {
            match Fd::connect(path) {
                Ok(socket) => return Ok(Some(Utmps(socket))),
                // Left of a daemon that is no more.
                Err(Errno::ENOENT | Errno::ECONNREFUSED) => return Ok(None),
                Err(Errno::EAGAIN) if monotonic_us() < deadline.0 => sleep_us(2000),
                Err(Errno::EAGAIN) => return Err(Errno::ETIMEDOUT),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Has utmpd write the record over its line's, or append it.
    ///
    /// # Errors
    ///
    /// What the daemon answers: `EPERM` for whoever may not; `ETIMEDOUT` where it does not
    /// answer, `EPIPE` where it hangs up.
    pub fn put(&self, record: &Record, deadline: Deadline) -> Result<(), Errno> {
        self.ask(PUT, record, deadline)
    }

    /// Has wtmpd append the record.
    ///
    /// # Errors
    ///
    /// As [`Utmps::put`].
    pub fn append(&self, record: &Record, deadline: Deadline) -> Result<(), Errno> {
        self.ask(APPEND, record, deadline)
    }

    fn ask(&self, word: u8, record: &Record, deadline: Deadline) -> Result<(), Errno> {
        let mut request = [0; SIZE + 1];
        let encoded = UTMPS_LAYOUT.encode(record);
        let bytes = core::iter::once(&word).chain(&encoded);
        for (to, from) in request.iter_mut().zip(bytes) {
            *to = *from;
        }
        let mut rest = &request[..];
        while !rest.is_empty() {
            let sent = self.retry(Ready::ToWrite, deadline, || self.0.send(rest))?;
            rest = rest.get(sent..).unwrap_or(&[]);
        }
        match self.retry(Ready::ToRead, deadline, || self.0.receive_byte())? {
            Some(0) => Ok(()),
            Some(errno) => Err(Errno(errno.into())),
            None => Err(Errno::EPIPE),
        }
    }

    fn retry<T>(
        &self,
        until: Ready,
        deadline: Deadline,
        act: impl Fn() -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        loop {
            match act() {
                Err(Errno::EAGAIN) => {}
                Err(Errno::EINTR) => continue,
                done => return done,
            }
            let left = deadline.0 - monotonic_us();
            if left <= 0 {
                return Err(Errno::ETIMEDOUT);
            }
            self.0.wait(until, left / 1000 + 1);
        }
    }
}

/// Looked for first: where utmps is unknown, the policy of a confined helper may allow no
/// socket, and that is no error then.
fn is_there(path: &str) -> bool {
    let mut name = [0; 108];
    for (to, from) in name.iter_mut().zip(path.as_bytes()) {
        *to = *from;
    }
    CStr::from_bytes_until_nul(&name).is_ok_and(|name| stat_path(name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{login, logout};
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::string::{String, ToString};
    use std::thread;
    use std::vec::Vec;

    /// A daemon that shows one request to `serve`.
    fn daemon(
        name: &str,
        serve: impl FnOnce(UnixStream) + Send + 'static,
    ) -> (String, thread::JoinHandle<()>) {
        let name = std::format!("utmps-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name).to_str().unwrap().to_string();
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let thread = thread::spawn(move || serve(listener.accept().unwrap().0));
        (path, thread)
    }

    fn soon() -> Deadline {
        Deadline(monotonic_us() + 300_000)
    }

    #[test]
    fn a_request_is_a_word_and_the_record_s_bytes() {
        for (word, name) in [(b'E', "put"), (b'+', "append")] {
            let record = login(3, 7);
            let (path, thread) = daemon(name, move |mut stream| {
                let mut request = Vec::from([0; SIZE + 1]);
                stream.read_exact(&mut request).unwrap();
                assert_eq!(request[0], word);
                assert_eq!(request[1..], UTMPS_LAYOUT.encode(&record)[..SIZE]);
                stream.write_all(&[0]).unwrap();
                assert_eq!(stream.read(&mut request).unwrap(), 0, "and nothing more");
            });
            let utmps = Utmps::connect(&path, soon()).unwrap().unwrap();
            match word {
                b'E' => utmps.put(&record, Deadline::default()).unwrap(),
                _ => utmps.append(&record, Deadline::default()).unwrap(),
            }
            drop(utmps);
            thread.join().unwrap();
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn an_answer_is_an_errno() {
        let (path, thread) = daemon("errno", |mut stream| {
            stream.read_exact(&mut [0; SIZE + 1]).unwrap();
            stream.write_all(&[libc::EPERM as u8]).unwrap();
        });
        let utmps = Utmps::connect(&path, soon()).unwrap().unwrap();
        assert_eq!(utmps.put(&logout(1, 1), Deadline::default()), Err(Errno::EPERM));
        thread.join().unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_daemon_that_says_nothing_is_not_waited_for_for_ever() {
        let (path, thread) = daemon("silent", |mut stream| {
            // Until the client has gone.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let start = monotonic_us();
        let utmps = Utmps::connect(&path, soon()).unwrap().unwrap();
        assert_eq!(utmps.put(&logout(1, 1), soon()), Err(Errno::ETIMEDOUT));
        assert!((250_000..2_000_000).contains(&(monotonic_us() - start)));
        drop(utmps);
        thread.join().unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_daemon_that_hangs_up_is_an_error() {
        let (path, thread) = daemon("gone", drop);
        let utmps = Utmps::connect(&path, soon()).unwrap().unwrap();
        thread.join().unwrap();
        let error = utmps.put(&logout(1, 1), soon()).unwrap_err();
        assert!([Errno::EPIPE, Errno::ECONNRESET].contains(&error), "{error:?}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_daemon_that_does_not_run_is_none() {
        assert!(Utmps::connect("/nonexistent/socket", soon()).unwrap().is_none());
        let (path, thread) = daemon("left", drop);
        drop(UnixStream::connect(&path).unwrap());
        thread.join().unwrap();
        assert!(Utmps::connect(&path, soon()).unwrap().is_none());
        std::fs::remove_file(path).unwrap();
    }
}

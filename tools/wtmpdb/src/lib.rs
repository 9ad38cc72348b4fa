//! wtmpdb: where it is, and its daemon's varlink interface `org.openSUSE.wtmpdb`.
//!
//! A call is a JSON object and a NUL, an answer is another. Reading is for everybody; entries
//! are taken from root alone (wtmpdb src/wtmpdbd.c).
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Where the daemon listens.
pub const SOCKET: &str = "/run/wtmpdb/socket";
/// Where the file may be: upstream's place, and Debian's.
pub const PATHS: [&str; 2] = ["/var/lib/wtmpdb/wtmp.db", "/var/log/wtmp.db"];

/// `Type` of a boot. These numbers are not utmp's.
pub const BOOT_TIME: i64 = 1;
/// `Type` of a change of run level.
pub const RUNLEVEL: i64 = 2;
/// `Type` of a session.
pub const USER_PROCESS: i64 = 3;

/// For one call. The daemon itself waits five seconds for its database.
const PATIENCE: Duration = Duration::from_secs(8);
/// Bytes of an answer at the most: all of its entries, some hundred thousand.
const LONGEST: usize = 64 << 20;

/// Why a call came to nothing.
#[derive(Debug)]
pub enum Failure {
    /// The daemon did not answer as it should.
    Io(io::Error),
    /// Its answer is an error: the name, and what it says besides.
    Refused(String, String),
}

impl Failure {
    /// Whether it may be tried again: its database may be locked, and it says no more than that.
    pub fn may_pass(&self) -> bool {
        match self {
            Failure::Io(_) => true,
            Failure::Refused(name, _) => name.ends_with(".InternalError"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io(error) => error.fmt(formatter),
            Failure::Refused(name, words) => write!(formatter, "{name}: {words}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Daemon {
    stream: UnixStream,
    patience: Duration,
}

impl Daemon {
    /// Connects; `None` where nobody listens.
    ///
    /// # Errors
    ///
    /// As connect(2).
    pub fn connect(path: impl AsRef<Path>) -> io::Result<Option<Daemon>> {
        let stream = match UnixStream::connect(path) {
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
            {
                return Ok(None);
            }
            stream => stream?,
        };
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Some(Daemon { stream, patience: PATIENCE }))
    }

    /// Waits so long for each answer, and no longer.
    pub fn patient(mut self, patience: Duration) -> Daemon {
        self.patience = patience;
        self
    }

    /// Calls a method, and gives the parameters of its answer.
    ///
    /// # Errors
    ///
    /// [`Failure::Refused`] for an error of the interface; [`Failure::Io`] for what is no
    /// answer, and where there is none within eight seconds, or what it is told to wait.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Result<Value, Failure> {
        let call = json!({
            "method": format!("org.openSUSE.wtmpdb.{method}"),
            "parameters": parameters,
        });
        let mut answer: Value = self.exchange(&call)?;
        let Some(error) = answer.get("error").and_then(Value::as_str) else {
            return Ok(answer["parameters"].take());
        };
        let words = answer["parameters"]["ErrorMsg"].as_str().unwrap_or_default();
        Err(Failure::Refused(error.to_owned(), words.to_owned()))
    }

    /// All of its entries, by ReadAll, in any order.
    ///
    /// # Errors
    ///
    /// As [`Daemon::call`].
    pub fn entries(&mut self) -> Result<Vec<Value>, Failure> {
        let mut all = self.call("ReadAll", &json!({}))?;
        match all["Data"].take() {
            Value::Array(rows) => Ok(rows),
            _ => Ok(Vec::new()),
        }
    }

    fn exchange(&mut self, call: &Value) -> io::Result<Value> {
        let mut message = serde_json::to_vec(call)?;
        message.push(0);
        self.stream.write_all(&message)?;
        let end = Instant::now() + self.patience;
        let mut answer = Vec::new();
        let mut part = vec![0; 1 << 16];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            if answer.len() > LONGEST {
                return Err(io::Error::new(ErrorKind::InvalidData, "an answer of over 64 MiB"));
            }
            self.stream.set_read_timeout(Some(left))?;
            let read = match self.stream.read(&mut part) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                // That is what a socket's time limit gives.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(ErrorKind::TimedOut.into());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read?,
            };
            answer.extend_from_slice(&part[..read]);
            if answer.last() == Some(&0) {
                answer.pop();
                return Ok(serde_json::from_slice(&answer)?);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// What a call gives that is answered so; and the call.
    fn answered(name: &str, answer: &'static [u8]) -> (Result<Value, Failure>, Vec<u8>) {
        let path = std::env::temp_dir().join(format!("wtmpdb-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let peer = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut call = Vec::new();
            let mut byte = [1];
            while byte[0] != 0 {
                stream.read_exact(&mut byte).unwrap();
                call.extend_from_slice(&byte);
            }
            // In two pieces.
            let (first, second) = answer.split_at(answer.len() / 2);
            stream.write_all(first).unwrap();
            thread::sleep(Duration::from_millis(20));
            stream.write_all(second).unwrap();
            call
        });
        let mut daemon = Daemon::connect(&path).unwrap().unwrap();
        let answer = daemon.call("GetID", &json!({ "TTY": "pts/1" }));
        std::fs::remove_file(&path).unwrap();
        (answer, peer.join().unwrap())
    }

    #[test]
    fn a_call_and_its_answer() {
        let (answer, call) = answered("answer", b"{\"parameters\":{\"ID\":7}}\0");
        assert_eq!(answer.unwrap(), json!({ "ID": 7 }));
        let expected =
            b"{\"method\":\"org.openSUSE.wtmpdb.GetID\",\"parameters\":{\"TTY\":\"pts/1\"}}\0";
        assert_eq!(call, expected);
    }

    #[test]
    fn errors_of_the_interface_and_of_the_wire() {
        let (answer, _) = answered(
            "error",
            b"{\"error\":\"org.openSUSE.wtmpdb.InternalError\",\"parameters\":{\"ErrorMsg\":\"x\"}}\0",
        );
        let error = answer.unwrap_err();
        assert!(error.may_pass());
        assert_eq!(error.to_string(), "org.openSUSE.wtmpdb.InternalError: x");
        let (answer, _) =
            answered("denied", b"{\"error\":\"org.varlink.service.PermissionDenied\"}\0");
        assert!(!answer.unwrap_err().may_pass());
        for (name, bytes) in [("cut", &b"{\"parameters\""[..]), ("words", b"no JSON\0")] {
            assert!(matches!(answered(name, bytes).0, Err(Failure::Io(_))), "{name}");
        }
    }

    #[test]
    fn a_daemon_that_hangs() {
        let path = std::env::temp_dir().join(format!("wtmpdb-hangs-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let _listener = UnixListener::bind(&path).unwrap();
        let mut daemon =
            Daemon::connect(&path).unwrap().unwrap().patient(Duration::from_millis(100));
        let error = daemon.entries().unwrap_err();
        assert!(matches!(error, Failure::Io(error) if error.kind() == ErrorKind::TimedOut));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn where_nobody_listens() {
        assert!(Daemon::connect("/nonexistent/socket").unwrap().is_none());
    }
}

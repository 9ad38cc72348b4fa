//! The records of utmps, asked of its daemon: the store of musl's systems.
//!
//! `e` asks for the next record; the answer is a zero byte and the record, or an error
//! number, ESRCH behind the last (skarnet's utmps, src/utmps/utmps-utmpd.c).

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use login_records::store::UTMPS_LAYOUT;

use crate::entry::{Entry, Raw};
use crate::error::Error;

/// For all of the records. The daemon locks its file without a bound, and anybody may hold it.
const PATIENCE: Duration = Duration::from_secs(3);
/// More are no machine's terminals.
const MOST: usize = 1 << 20;

/// All the records.
pub(crate) fn records(socket: &Path) -> Result<Vec<Entry>, Error> {
    read(socket, PATIENCE).map_err(Error::io(socket))
}

fn read(socket: &Path, patience: Duration) -> io::Result<Vec<Entry>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_write_timeout(Some(patience))?;
    let end = Instant::now() + patience;
    let mut records = Vec::new();
    let mut bytes = vec![0; UTMPS_LAYOUT.size()];
    // A connection begins at the first record.
    while records.len() < MOST {
        stream.write_all(b"e")?;
        let mut answer = [0];
        fill(&mut stream, &mut answer, end)?;
        match i32::from(answer[0]) {
            0 => fill(&mut stream, &mut bytes, end)?,
            nix::libc::ESRCH => break,
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
        records.push(Raw::new(&UTMPS_LAYOUT, &bytes).entry());
    }
    Ok(records)
}

/// As `read_exact`, with a deadline for the whole: a byte now and then is no answer.
fn fill(stream: &mut UnixStream, mut to: &mut [u8], end: Instant) -> io::Result<()> {
    while !to.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(to) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => to = &mut to[read..],
            // That is what a socket's time limit gives.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(ErrorKind::TimedOut.into());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use std::os::unix::net::UnixListener;
    use std::thread;

    #[test]
    fn records_until_esrch() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let daemon = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            for line in ["pts/0", "pts/1"] {
                let mut request = [0];
                client.read_exact(&mut request).unwrap();
                assert_eq!(&request, b"e");
                let entry = Entry::new(Kind::User).with_line(line);
                client.write_all(&[0]).unwrap();
                let bytes = UTMPS_LAYOUT.encode(entry.record());
                client.write_all(&bytes[..UTMPS_LAYOUT.size()]).unwrap();
            }
            client.read_exact(&mut [0]).unwrap();
            client.write_all(&[nix::libc::ESRCH as u8]).unwrap();
        });
        let lines: Vec<Vec<u8>> =
            records(&path).unwrap().iter().map(|entry| entry.line().to_vec()).collect();
        assert_eq!(lines, [b"pts/0", b"pts/1"]);
        daemon.join().unwrap();
    }

    #[test]
    fn a_daemon_that_hangs_or_dawdles_is_not_waited_for_for_ever() {
        let short = Duration::from_millis(200);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(read(&path, short).unwrap_err().kind(), ErrorKind::TimedOut);
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                // Each byte comes in time.
                while client.write_all(&[0]).is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
            }
        });
        let begin = Instant::now();
        assert_eq!(read(&path, short).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
}

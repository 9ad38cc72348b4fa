//! The records of utmps, asked of its daemon: the store of musl's systems.
//!
//! `e` asks for the next record; the answer is a zero byte and the record, or an error
//! number, ESRCH behind the last (skarnet's utmps, src/utmps/utmps-utmpd.c).

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use login_records::Layout;

use crate::entry::{Entry, Raw};
use crate::error::Error;

/// Where the daemon listens.
pub(crate) const SOCKET: &str = "/run/utmps/.utmpd-socket";

/// More are no machine's terminals.
const MOST: usize = 1 << 20;

/// All the records.
pub(crate) fn records(socket: &Path) -> Result<Vec<Entry>, Error> {
    read(socket).map_err(Error::io(socket))
}

fn read(socket: &Path) -> io::Result<Vec<Entry>> {
    let layout = Layout::TIME64;
    let mut stream = UnixStream::connect(socket)?;
    let patience = Some(Duration::from_secs(2));
    stream.set_read_timeout(patience)?;
    stream.set_write_timeout(patience)?;
    let mut records = Vec::new();
    let mut bytes = vec![0; layout.size()];
    while records.len() < MOST {
        stream.write_all(b"e")?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        match i32::from(answer[0]) {
            0 => stream.read_exact(&mut bytes)?,
            nix::libc::ESRCH => break,
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
        records.push(Raw::new(&layout, &bytes).entry());
    }
    Ok(records)
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
                client.write_all(&Layout::TIME64.encode(entry.record())).unwrap();
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
    fn a_daemon_that_says_nothing_is_not_waited_for_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        assert!(records(&path).is_err());
    }
}

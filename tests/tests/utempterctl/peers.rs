//! What the program meets: a terminal that is recorded by the broker, wtmpdb's daemon, and
//! those of utmps, imitated after what they document of themselves.

use std::fs::{self, Permissions};
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, sendmsg,
    socket,
};
use utempter_tests::part::{Part, Running, command};
use utempter_tests::pty::Pty;
use utempter_tests::world::ALICE;
use utempter_tests::{Outcome, World, broker};

use crate::Result;

pub const PARTS: &[Part] = &[("session", session)];

/// As alice: a terminal that the broker records, until it is killed.
fn session(_: &[String]) -> Outcome {
    let pty = Pty::open()?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let broker: OwnedFd = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    connect(broker.as_raw_fd(), &UnixAddr::new(broker::SOCKET)?)?;
    let mut message = [0; 4];
    recv(broker.as_raw_fd(), &mut message, MsgFlags::empty())?;
    let request = b"\x01\x01\x00from-here";
    let master = [pty.number_of_descriptor()];
    sendmsg::<UnixAddr>(
        broker.as_raw_fd(),
        &[IoSlice::new(request)],
        &[ControlMessage::ScmRights(&master)],
        MsgFlags::empty(),
        None,
    )?;
    recv(broker.as_raw_fd(), &mut message, MsgFlags::empty())?;
    println!("{message:?}");
    thread::sleep(Duration::from_secs(60));
    Ok(())
}

/// Starts such a terminal.
pub fn terminal(world: &World) -> Result<Running> {
    let mut terminal = Running::start(&mut command(world, ALICE, "session", &[]))?;
    match terminal.line()?.as_str() {
        "[117, 116, 0, 0]" => Ok(terminal),
        other => Err(format!("answered {other}").into()),
    }
}

/// Bytes of utmps' record on 64-bit machines.
pub const UTMPS_RECORD: usize = 400;
pub const UTMPD: &str = "/run/utmps/.utmpd-socket";
pub const WTMPD: &str = "/run/utmps/.wtmpd-socket";

/// A socket of utmps, for everybody.
pub fn listen(path: &str) -> Result<UnixListener> {
    fs::create_dir_all("/run/utmps")?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// utmps' daemon of who is on. A connection has a place in the records of its own, and as many
/// requests as it likes.
#[derive(Clone, Default)]
pub struct Utmpd(Arc<Mutex<Vec<Vec<u8>>>>);

impl Utmpd {
    pub fn start(records: Vec<Vec<u8>>) -> Result<Utmpd> {
        let listener = listen(UTMPD)?;
        let daemon = Utmpd(Arc::new(Mutex::new(records)));
        let server = daemon.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                // It ends with its client.
                thread::spawn(move || server.serve(stream));
            }
        });
        Ok(daemon)
    }

    fn serve(&self, mut stream: UnixStream) -> std::io::Result<()> {
        let mut next = 0;
        loop {
            let mut word = [0];
            stream.read_exact(&mut word)?;
            match word[0] {
                b'e' => {
                    let record = self.0.lock().expect("the records").get(next).cloned();
                    next += 1;
                    match record {
                        Some(record) => stream.write_all(&[&[0], &record[..]].concat())?,
                        None => stream.write_all(&[nix::libc::ESRCH as u8])?,
                    }
                }
                b'r' => {
                    next = 0;
                    stream.write_all(&[0])?;
                }
                b'E' => {
                    let mut record = vec![0; UTMPS_RECORD];
                    stream.read_exact(&mut record)?;
                    let mut records = self.0.lock().expect("the records");
                    // ut_line and ut_id: 8 to 44.
                    match records.iter_mut().find(|other| other[8..44] == record[8..44]) {
                        Some(place) => *place = record,
                        None => records.push(record),
                    }
                    drop(records);
                    stream.write_all(&[0])?;
                }
                _ => return Ok(()),
            }
        }
    }
}

/// utmps' daemon of who has been: a record, a byte, and no more.
pub fn wtmpd() -> Outcome {
    let listener = listen(WTMPD)?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = vec![0; 1 + UTMPS_RECORD];
            // Who only looks whether it is there asks nothing.
            if stream.read_exact(&mut request).is_ok() && request[0] == b'+' {
                let _ = stream.write_all(&[0]);
            }
        }
    });
    Ok(())
}

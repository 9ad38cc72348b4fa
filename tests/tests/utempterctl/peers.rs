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
use serde_json::{Value, json};
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

/// wtmpdb's daemon, by the published interface.
#[derive(Clone, Default)]
pub struct Wtmpdbd(Arc<Mutex<Vec<Value>>>);

impl Wtmpdbd {
    pub const SOCKET: &str = "/run/wtmpdb/socket";

    /// Starts it with these rows.
    pub fn start(rows: Vec<Value>) -> Result<Wtmpdbd> {
        fs::create_dir_all("/run/wtmpdb")?;
        let listener = UnixListener::bind(Self::SOCKET)?;
        fs::set_permissions(Self::SOCKET, Permissions::from_mode(0o666))?;
        let daemon = Wtmpdbd(Arc::new(Mutex::new(rows)));
        let server = daemon.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        Ok(daemon)
    }

    fn serve(&self, mut stream: UnixStream) {
        let mut message = Vec::new();
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() {
            if byte[0] != 0 {
                message.push(byte[0]);
                continue;
            }
            let call: Value = serde_json::from_slice(&message).expect("JSON before the NUL");
            message.clear();
            let mut answer = serde_json::to_vec(&self.answer(&call)).expect("JSON");
            answer.push(0);
            if stream.write_all(&answer).is_err() {
                return;
            }
        }
    }

    fn answer(&self, call: &Value) -> Value {
        let mut rows = self.0.lock().expect("the rows");
        let given = &call["parameters"];
        let good = |parameters: Value| json!({ "parameters": parameters });
        match call["method"].as_str().and_then(|name| name.strip_prefix("org.openSUSE.wtmpdb.")) {
            // As wtmpdb 0.75 with libsystemd 257.
            Some("Ping") => json!({ "error": "io.systemd.System", "parameters": { "errno": 22 } }),
            Some("GetBootTime") => match rows.iter().rev().find(|row| row["Type"] == 1) {
                Some(row) => good(json!({ "Success": true, "BootTime": row["Login"] })),
                None => json!({ "error": "org.openSUSE.wtmpdb.NoEntryFound", "parameters": {} }),
            },
            Some("ReadAll") => good(json!({ "Success": true, "Data": *rows })),
            Some("Login") => {
                let id = rows.len() as i64 + 1;
                rows.push(json!({
                    "ID": id, "Type": given["Type"], "User": given["User"],
                    "Login": given["LoginTime"], "TTY": given["TTY"],
                    "RemoteHost": given["RemoteHost"], "Service": given["Service"],
                }));
                good(json!({ "ID": id }))
            }
            Some("Logout") => match rows.iter_mut().find(|row| row["ID"] == given["ID"]) {
                Some(row) => {
                    row["Logout"] = given["LogoutTime"].clone();
                    good(json!({ "Success": true }))
                }
                None => json!({ "error": "org.openSUSE.wtmpdb.NoEntryFound", "parameters": {} }),
            },
            _ => json!({ "error": "org.varlink.service.MethodNotFound", "parameters": {} }),
        }
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

//! wtmpdb's daemon, imitated after its published interface, and after what it was seen to
//! answer (wtmpdb 0.75 with libsystemd 257).

use std::error::Error;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt};
use serde_json::{Value, json};

/// A daemon that answers until the test ends. It takes entries from root, and knows an entry
/// by its ID.
#[derive(Clone, Default)]
pub struct Wtmpdbd(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    rows: Vec<Value>,
    calls: Vec<Value>,
}

impl Wtmpdbd {
    /// Where it listens.
    pub const SOCKET: &str = "/run/wtmpdb/socket";

    /// Starts it with these rows; each answer takes so long.
    ///
    /// # Errors
    ///
    /// Where something is in the socket's place.
    pub fn start(
        rows: Vec<Value>,
        delay: Duration,
    ) -> Result<Wtmpdbd, Box<dyn Error + Send + Sync>> {
        fs::create_dir_all("/run/wtmpdb")?;
        let listener = UnixListener::bind(Self::SOCKET)?;
        fs::set_permissions(Self::SOCKET, Permissions::from_mode(0o666))?;
        let daemon = Wtmpdbd(Arc::new(Mutex::new(Kept { rows, calls: Vec::new() })));
        let server = daemon.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || server.serve(stream, delay));
            }
        });
        Ok(daemon)
    }

    /// Its rows.
    pub fn rows(&self) -> Vec<Value> {
        self.kept().rows.clone()
    }

    /// What it has been asked.
    pub fn calls(&self) -> Vec<Value> {
        self.kept().calls.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no panic while it is held")
    }

    fn serve(&self, mut stream: UnixStream, delay: Duration) {
        let peer = getsockopt(&stream, sockopt::PeerCredentials).expect("whose connection");
        let mut message = Vec::new();
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() {
            if byte[0] != 0 {
                message.push(byte[0]);
                continue;
            }
            thread::sleep(delay);
            let call: Value = serde_json::from_slice(&message).expect("JSON before the NUL");
            message.clear();
            let mut answer = serde_json::to_vec(&self.answer(&call, peer.uid())).expect("JSON");
            answer.push(0);
            if stream.write_all(&answer).is_err() {
                return;
            }
        }
    }

    fn answer(&self, call: &Value, uid: u32) -> Value {
        let mut kept = self.kept();
        kept.calls.push(call.clone());
        let rows = &mut kept.rows;
        let given = &call["parameters"];
        let good = |parameters: Value| json!({ "parameters": parameters });
        let bad = |error: &str| json!({ "error": error, "parameters": {} });
        let none = || bad("org.openSUSE.wtmpdb.NoEntryFound");
        match call["method"].as_str().and_then(|name| name.strip_prefix("org.openSUSE.wtmpdb.")) {
            Some("Ping") => json!({ "error": "io.systemd.System", "parameters": { "errno": 22 } }),
            Some("GetBootTime") => match rows.iter().rev().find(|row| row["Type"] == 1) {
                Some(row) => good(json!({ "Success": true, "BootTime": row["Login"] })),
                None => none(),
            },
            Some("ReadAll") => good(json!({ "Success": true, "Data": *rows })),
            Some("Login" | "Logout") if uid != 0 => bad("org.varlink.service.PermissionDenied"),
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
                None => none(),
            },
            _ => bad("org.varlink.service.MethodNotFound"),
        }
    }
}

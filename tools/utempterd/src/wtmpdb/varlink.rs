//! wtmpdb's daemon: the varlink interface org.openSUSE.wtmpdb. A call is a JSON object and a
//! NUL, an answer is another.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::entry::{Entry, SERVICE, USER_PROCESS};
use super::queue::{Store, Trouble};

/// For one call. The daemon itself waits five seconds for its database.
const PATIENCE: Duration = Duration::from_secs(8);
/// Bytes of an answer at the most: all of its entries, some hundred thousand.
const LONGEST: usize = 64 << 20;

/// A connection to the daemon.
pub struct Daemon(UnixStream);

impl Daemon {
    /// Connects; `None` where nobody listens.
    pub fn connect(path: &str) -> io::Result<Option<Daemon>> {
        let stream = match UnixStream::connect(path) {
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
            {
                return Ok(None);
            }
            stream => stream?,
        };
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Some(Daemon(stream)))
    }

    fn call(&mut self, method: &str, parameters: Value) -> Result<Value, Trouble> {
        let call = json!({
            "method": format!("org.openSUSE.wtmpdb.{method}"),
            "parameters": parameters,
        });
        let mut answer: Value = self.exchange(&call).map_err(|error| busy(method, error))?;
        match answer.get("error").and_then(Value::as_str) {
            None => Ok(answer["parameters"].take()),
            Some(error) => {
                let why = &answer["parameters"]["ErrorMsg"];
                let text = format!("{method}: {error}: {}", why.as_str().unwrap_or_default());
                // Its database may be locked: it says no more than this.
                Err(match error.ends_with(".InternalError") {
                    true => Trouble::Busy(text),
                    false => Trouble::Refused(text),
                })
            }
        }
    }

    fn exchange(&mut self, call: &Value) -> io::Result<Value> {
        let mut message = serde_json::to_vec(call)?;
        message.push(0);
        self.0.write_all(&message)?;
        let end = Instant::now() + PATIENCE;
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || answer.len() > LONGEST {
                return Err(ErrorKind::TimedOut.into());
            }
            self.0.set_read_timeout(Some(left))?;
            let read = self.0.read(&mut part)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&part[..read]);
            if answer.last() == Some(&0) {
                answer.pop();
                return Ok(serde_json::from_slice(&answer)?);
            }
        }
    }
}

fn busy(method: &str, error: io::Error) -> Trouble {
    Trouble::Busy(format!("{method}: {error}"))
}

impl Store for Daemon {
    fn find(&mut self, entry: &Entry) -> Result<Option<i64>, Trouble> {
        // GetID knows a tty's last entry, whoever made it; this has to be our own.
        let all = self.call("ReadAll", json!({}))?;
        let is_it = |row: &&Value| {
            row["TTY"] == entry.tty && row["Login"] == entry.login && row["Service"] == SERVICE
        };
        let found = all["Data"].as_array().and_then(|rows| rows.iter().find(is_it));
        Ok(found.and_then(|row| row["ID"].as_i64()))
    }

    fn login(&mut self, entry: &Entry) -> Result<i64, Trouble> {
        let Entry { user, login, tty, host, .. } = entry;
        let mut parameters = json!({
            "Type": USER_PROCESS,
            "User": user,
            "LoginTime": login,
            "TTY": tty,
            "Service": SERVICE,
        });
        if let Some(host) = host {
            parameters["RemoteHost"] = json!(host);
        }
        let answer = self.call("Login", parameters)?;
        answer["ID"].as_i64().ok_or_else(|| Trouble::Refused(format!("Login: {answer}")))
    }

    fn logout(&mut self, id: i64, time: i64) -> Result<(), Trouble> {
        let answer = self.call("Logout", json!({ "ID": id, "LogoutTime": time }))?;
        match answer["Success"].as_bool() {
            Some(true) => Ok(()),
            _ => Err(Trouble::Refused(format!("Logout: {answer}"))),
        }
    }
}

//! wtmpdb's daemon, as a store of entries.

use serde_json::{Value, json};
use utempter_wtmpdb::{Daemon, Failure, USER_PROCESS};

use super::entry::{Entry, SERVICE};
use super::queue::{Store, Trouble};

fn call(daemon: &mut Daemon, method: &str, parameters: Value) -> Result<Value, Trouble> {
    daemon.call(method, &parameters).map_err(|failure| trouble(method, &failure))
}

fn trouble(method: &str, failure: &Failure) -> Trouble {
    let words = format!("{method}: {failure}");
    match failure.may_pass() {
        true => Trouble::Busy(words),
        false => Trouble::Refused(words),
    }
}

impl Store for Daemon {
    fn find(&mut self, entry: &Entry) -> Result<Option<i64>, Trouble> {
        // GetID knows a tty's last entry, whoever made it; this has to be our own.
        let all = self.entries().map_err(|failure| trouble("ReadAll", &failure))?;
        let is_it = |row: &&Value| {
            row["TTY"] == entry.tty && row["Login"] == entry.login && row["Service"] == SERVICE
        };
        Ok(all.iter().find(is_it).and_then(|row| row["ID"].as_i64()))
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
        let answer = call(self, "Login", parameters)?;
        answer["ID"].as_i64().ok_or_else(|| Trouble::Refused(format!("Login: {answer}")))
    }

    fn logout(&mut self, id: i64, time: i64) -> Result<(), Trouble> {
        let answer = call(self, "Logout", json!({ "ID": id, "LogoutTime": time }))?;
        match answer["Success"].as_bool() {
            Some(true) => Ok(()),
            _ => Err(Trouble::Refused(format!("Logout: {answer}"))),
        }
    }
}

//! The broker: the library asks it first, and starts the helper where it is not there.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use login_databases::Source;
use nix::errno::Errno;

use super::ask::{Refusal, SOCKET, greeted};
use super::finding::{Finding, Level};
use super::helper::owner;
use super::services::Utmps;

const CHECK: &str = "broker";
const RESTART: &str = "systemctl restart utempterd.socket";

/// Adds what it finds, and says whether the library would ask it.
pub fn check(utmps: &Utmps, findings: &mut Vec<Finding>) -> bool {
    let path = Path::new(SOCKET);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = format!("{SOCKET} is not there: the helper does the work");
            findings.push(Finding::new(CHECK, Level::Note, text));
            return false;
        }
        Err(error) => {
            findings.push(
                Finding::new(CHECK, Level::Warning, format!("{SOCKET}: {error}"))
                    .cause("whoever cannot reach it falls back to the helper")
                    .remedy("chmod 0755 /run/utempter"),
            );
            return false;
        }
    };
    if !metadata.file_type().is_socket() {
        findings.push(
            Finding::new(CHECK, Level::Warning, format!("{SOCKET} is no socket"))
                .cause("the library falls back to the helper")
                .remedy(format!("rm -r {SOCKET} && {RESTART}")),
        );
        return false;
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let own = format!("{SOCKET}, {mode:04o} {}", owner(&metadata));
    if metadata.uid() != 0 {
        findings.push(
            Finding::new(CHECK, Level::Warning, format!("{own}: not root's"))
                .cause("whoever has made it is handed the pty of every terminal")
                .remedy(format!("rm {SOCKET} && {RESTART}")),
        );
    }
    if mode & 0o222 != 0o222 {
        findings.push(
            Finding::new(CHECK, Level::Warning, format!("{own}: it is not for everybody"))
                .cause("whoever may not write to it falls back to the helper")
                .remedy(format!("chmod 0666 {SOCKET}")),
        );
    }
    match greeted() {
        Ok(greeted) => {
            let stores = stores(utmps);
            let text = format!(
                "{own}: utempterd answers (version {}), and records to {stores}",
                greeted.version
            );
            findings.push(Finding::new(CHECK, Level::Ok, text));
            true
        }
        Err(refusal) => {
            findings.push(refused(&refusal));
            false
        }
    }
}

/// What it writes to: what is there.
fn stores(utmps: &Utmps) -> String {
    let mut all: Vec<String> = Vec::new();
    match utmps {
        Utmps::Keeps => all.push("utmps".into()),
        _ => {
            let files = [Source::Utmp, Source::Wtmp].into_iter().flat_map(Source::paths);
            all.extend(files.map(|path| path.display().to_string()));
        }
    }
    let [file, daemon] = [Source::Wtmpdb, Source::WtmpdbDaemon].map(Source::paths);
    match (daemon.is_empty(), file.first()) {
        (false, _) => all.push("wtmpdb's daemon".into()),
        (true, Some(file)) => all.push(file.display().to_string()),
        (true, None) => {}
    }
    if all.is_empty() { "nothing, since no store is there".into() } else { all.join(", ") }
}

fn refused(refusal: &Refusal) -> Finding {
    let finding = |what: String| {
        Finding::new(CHECK, Level::Warning, what).cause("the library falls back to the helper")
    };
    match refusal {
        // Its mode has been spoken of.
        Refusal::Connect(Errno::EACCES | Errno::EPERM) => {
            finding(format!("{SOCKET} may not be connected to by this user"))
                .remedy(format!("chmod 0666 {SOCKET}"))
        }
        Refusal::Connect(Errno::ECONNREFUSED) => {
            finding(format!("nobody listens at {SOCKET}")).remedy(RESTART)
        }
        Refusal::Connect(Errno::EPROTOTYPE) => {
            finding(format!("{SOCKET} is not utempterd's")).remedy(RESTART)
        }
        Refusal::Connect(Errno::EAGAIN) => finding(format!("too many wait at {SOCKET}"))
            .remedy("systemctl restart utempterd.service; journalctl -u utempterd"),
        Refusal::Connect(errno) => finding(format!("{SOCKET}: {}", errno.desc())).remedy(RESTART),
        Refusal::Silent => finding("utempterd does not greet within a second".into())
            .cause("each terminal waits that second, and falls back to the helper")
            .remedy("systemctl restart utempterd.service; journalctl -u utempterd"),
        Refusal::Hung(_) => finding("utempterd hangs up without a greeting".into())
            .cause(
                "it does that to a user of too many requests; the library falls back to the helper",
            )
            .remedy("wait ten seconds; journalctl -u utempterd"),
        Refusal::Strange => finding(format!("what listens at {SOCKET} is no utempterd"))
            .remedy(format!("rm {SOCKET} && {RESTART}")),
    }
}

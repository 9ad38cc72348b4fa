//! What else keeps sessions here: utmps and wtmpdb.

use std::os::unix::net::UnixStream;
use std::path::Path;

use login_databases::now::{self, Stores};
use login_databases::{Source, is_socket};
use login_records::store::{UTMPD_PATH, WTMPD_PATH};

use super::finding::{Finding, Level};
#[cfg(feature = "wtmpdb")]
use super::finding::{quoted, shown};

/// What there is of utmps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Utmps {
    /// No daemon runs.
    Absent,
    /// Its daemon answers: it keeps the records, and the files are nobody's affair here.
    Keeps,
    /// Its daemon does not answer.
    Hangs,
}

/// Adds what it finds of utmps.
pub fn utmps(findings: &mut Vec<Finding>) -> Utmps {
    const CHECK: &str = "utmps";
    if !is_socket(Path::new(UTMPD_PATH)) {
        return Utmps::Absent;
    }
    let stores = Stores { utmps: Some(UTMPD_PATH.into()), ..Stores::default() };
    let now = now::sessions(&stores);
    match now.failed.first() {
        None => {
            let count = now.sessions.len();
            let text = format!("{UTMPD_PATH}: utmpd answers, sessions: {count}");
            findings.push(Finding::new(CHECK, Level::Ok, text));
        }
        Some(error) if error.is_refused() => {
            findings.push(
                Finding::new(CHECK, Level::Warning, format!("nobody listens at {UTMPD_PATH}"))
                    .cause("it was left by a daemon that is no more: the files are written instead")
                    .remedy("rc-service utmpd restart"),
            );
            return Utmps::Absent;
        }
        Some(error) => {
            findings.push(
                Finding::new(CHECK, Level::Error, format!("utmpd does not answer: {error}"))
                    .cause(
                        "each terminal waits two seconds for it, and is not recorded; somebody \
                         may hold a lock on its file",
                    )
                    .remedy("rc-service utmpd restart"),
            );
            return Utmps::Hangs;
        }
    }
    if UnixStream::connect(WTMPD_PATH).is_err() {
        findings.push(
            Finding::new(CHECK, Level::Warning, format!("nobody listens at {WTMPD_PATH}"))
                .cause("who is on is recorded, and who has been is not")
                .remedy("rc-service wtmpd restart"),
        );
    }
    Utmps::Keeps
}

/// Adds what it finds of wtmpdb. Terminals come into it by the broker alone.
pub fn wtmpdb(broker: bool, findings: &mut Vec<Finding>) {
    const CHECK: &str = "wtmpdb";
    let files = Source::Wtmpdb.paths();
    let daemons = Source::WtmpdbDaemon.paths();
    let mut well = Vec::new();
    for path in files.iter().chain(&daemons) {
        match unwell(path, !daemons.is_empty()) {
            Some((level, text, cause, remedy)) => {
                let mut finding = Finding::new(CHECK, level, text).cause(cause);
                finding.remedy = remedy;
                findings.push(finding);
            }
            None => well.push(path.display().to_string()),
        }
    }
    if well.is_empty() {
        return;
    }
    let text = well.join(", ");
    findings.push(match broker {
        true => Finding::new(CHECK, Level::Ok, format!("{text}: the broker records to it")),
        false => Finding::new(CHECK, Level::Note, text)
            .cause("root alone may write it: terminals come into it by the broker only")
            .remedy("systemctl enable --now utempterd.socket"),
    });
}

type Unwell = (Level, String, &'static str, Option<String>);

#[cfg(feature = "wtmpdb")]
fn unwell(path: &Path, has_daemon: bool) -> Option<Unwell> {
    use std::io::ErrorKind;
    use std::os::unix::fs::MetadataExt;
    let error = login_databases::wtmpdb::answers(path).err()?;
    if is_socket(path) {
        let cause = "until it answers, the broker keeps its entries, or writes the file where \
                     nobody listens";
        let remedy = "systemctl restart wtmpdbd.socket wtmpdbd.service".to_owned();
        return Some((Level::Warning, format!("wtmpdb's daemon: {error}"), cause, Some(remedy)));
    }
    let is_refused =
        std::fs::File::open(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    if is_refused && has_daemon {
        let text = format!("{} cannot be read by this user", shown(path));
        return Some((Level::Note, text, "its daemon is asked instead", None));
    }
    if is_refused {
        let text = format!("{} cannot be read by this user", shown(path));
        let cause = "that keeps the broker from nothing; list and history lack its sessions";
        return Some((Level::Warning, text, cause, Some(format!("chmod 0644 {}", quoted(path)))));
    }
    let own = quoted(path);
    let empty = std::fs::metadata(path).is_ok_and(|metadata| metadata.size() == 0);
    let cause = match empty {
        true => "it is empty: wtmpdb has not made its table yet",
        false => "it is no database of wtmpdb, or a damaged one: nothing can be recorded in it",
    };
    let remedy = format!("mv {own} {own}.away && wtmpdb boot");
    Some((Level::Warning, error.to_string(), cause, Some(remedy)))
}

#[cfg(not(feature = "wtmpdb"))]
fn unwell(_: &Path, _: bool) -> Option<Unwell> {
    None
}

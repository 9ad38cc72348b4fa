//! What else records sessions here: the broker, utmps, wtmpdb.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use super::finding::{Finding, Level, quoted, shown};

/// Where the broker listens.
const BROKER: &str = "/run/utempter/socket";
/// Where utmps' daemon listens.
pub const UTMPS: &str = "/run/utmps/.utmpd-socket";
/// Where wtmpdb's daemon listens.
const WTMPDBD: &str = "/run/wtmpdb/socket";

pub fn check(findings: &mut Vec<Finding>) {
    broker(findings);
    if is_socket(UTMPS) {
        findings.push(Finding::new("utmps", Level::Ok, format!("{UTMPS} is there")));
    }
    wtmpdb(findings);
}

fn is_socket(path: &str) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

fn broker(findings: &mut Vec<Finding>) {
    let path = Path::new(BROKER);
    match fs::metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => findings.push(
            Finding::new("broker", Level::Warning, format!("{BROKER} is no socket"))
                .remedy(format!("rm {} && systemctl restart utempterd.socket", quoted(path))),
        ),
        Ok(metadata) if metadata.permissions().mode() & 0o222 != 0o222 => findings.push(
            Finding::new("broker", Level::Warning, format!("{BROKER} is not for everybody"))
                .cause("whoever may not write to it falls back to the helper")
                .remedy(format!("chmod 0666 {}", quoted(path))),
        ),
        Ok(_) => findings.push(Finding::new("broker", Level::Ok, format!("{BROKER} is there"))),
        Err(_) => findings.push(Finding::new(
            "broker",
            Level::Note,
            format!("{BROKER} is not there: the helper does the work"),
        )),
    }
}

#[cfg(feature = "wtmpdb")]
const DATABASES: &[&str] = &login_databases::wtmpdb::PATHS;
#[cfg(not(feature = "wtmpdb"))]
const DATABASES: &[&str] = &[];

fn wtmpdb(findings: &mut Vec<Finding>) {
    let found = DATABASES.iter().map(Path::new).find(|path| path.exists());
    let daemon = if is_socket(WTMPDBD) { ", with its daemon" } else { "" };
    if let Some(path) = found {
        let text = format!("{}{daemon}", shown(path));
        findings.push(
            Finding::new("wtmpdb", Level::Note, text)
                .cause("root alone may write it: terminals come into it by the broker only"),
        );
    }
}

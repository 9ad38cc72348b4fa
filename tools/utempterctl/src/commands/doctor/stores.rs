//! utmp and wtmp: there, writable for the helper, and whole?

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use login_databases::{Error, Input, Layout, detect};
use login_records::store::{UTMP_PATH, WTMP_PATH};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::Group;

use super::finding::{Excuse, Finding, Level, quoted, shown};
use super::helper::owner;
use super::services::Utmps;

pub fn check(utmps: Utmps, findings: &mut Vec<Finding>) {
    if utmps != Utmps::Absent {
        // It takes the files' place, for the helper and for the broker.
        findings.push(Finding::new("utmp", Level::Ok, "utmps has the place of the files"));
        return;
    }
    let group = Group::from_name("utmp").ok().flatten();
    if group.is_none() {
        findings.push(
            Finding::new("group", Level::Error, "there is no group utmp")
                .cause("the stores and the helper are to belong to it")
                .remedy("groupadd --system utmp")
                .unless(Excuse::Broker),
        );
    }
    let gid = group.map(|group| group.gid.as_raw());
    utmp(gid, findings);
    wtmp(gid, findings);
}

fn utmp(gid: Option<u32>, findings: &mut Vec<Finding>) {
    let path = real(UTMP_PATH);
    if exists("utmp", &path, Level::Error, findings) {
        file("utmp", &path, gid, findings);
        tmpfiles(&path, findings);
    }
}

fn wtmp(gid: Option<u32>, findings: &mut Vec<Finding>) {
    let path = real(WTMP_PATH);
    if exists("wtmp", &path, Level::Note, findings) {
        file("wtmp", &path, gid, findings);
    }
}

/// The path without the symbolic links in it, of a file that need not exist.
fn real(path: &str) -> PathBuf {
    let path = PathBuf::from(path);
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    match (parent, path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path,
    }
}

fn make(path: &Path) -> String {
    format!("install -o root -g utmp -m 0664 /dev/null {}", quoted(path))
}

fn exists(check: &'static str, path: &Path, level: Level, findings: &mut Vec<Finding>) -> bool {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => true,
        Ok(_) => {
            findings.push(
                Finding::new(check, Level::Error, format!("{} is no file", shown(path)))
                    .cause("the helper writes into nothing else")
                    .remedy(format!("mv {0} {0}.away && {1}", quoted(path), make(path))),
            );
            false
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = format!("{} does not exist", shown(path));
            findings.push(
                Finding::new(check, level, text)
                    .cause("a store that does not exist is switched off; nobody makes it anew")
                    .remedy(make(path))
                    .unless(Excuse::Kept),
            );
            false
        }
        Err(error) => {
            findings.push(Finding::new(check, Level::Error, format!("{}: {error}", shown(path))));
            false
        }
    }
}

fn file(check: &'static str, path: &Path, gid: Option<u32>, findings: &mut Vec<Finding>) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let before = findings.len();
    let mode = metadata.permissions().mode() & 0o7777;
    let own = quoted(path);
    if gid.is_some_and(|gid| gid != metadata.gid()) || mode & 0o020 == 0 {
        let text = format!("{} is {mode:04o} {}", shown(path), owner(&metadata));
        findings.push(
            Finding::new(check, Level::Error, text)
                .cause("the helper writes it as group utmp")
                .remedy(format!("chgrp utmp {own} && chmod 0664 {own}"))
                .unless(Excuse::Broker),
        );
    }
    if mode & 0o002 != 0 {
        let text = format!("{} is {mode:04o}: everybody may write it", shown(path));
        findings.push(
            Finding::new(check, Level::Warning, text)
                .cause("everybody may forge or erase logins")
                .remedy(format!("chmod 0664 {own}")),
        );
    }
    if statvfs(path).is_ok_and(|mount| mount.flags().contains(FsFlags::ST_RDONLY)) {
        let text = format!("{} is on a read-only file system", shown(path));
        findings.push(
            Finding::new(check, Level::Error, text)
                .remedy(format!("mount -o remount,rw \"$(findmnt -no TARGET -T {own})\"")),
        );
    }
    contents(check, path, findings);
    if findings.len() == before {
        let size = Layout::NATIVE.size();
        let text = format!(
            "{}, {mode:04o} {}, {} records of {size} bytes",
            shown(path),
            owner(&metadata),
            metadata.len() / size as u64
        );
        findings.push(Finding::new(check, Level::Ok, text));
    }
}

fn contents(check: &'static str, path: &Path, findings: &mut Vec<Finding>) {
    let found = Input::open(path).and_then(|input| Ok((detect(&input)?, input.size())));
    let away = format!("mv {0} {0}.away && {1}", quoted(path), make(path));
    match found {
        Ok((found, _)) if found.sure && found.layout != Layout::NATIVE => {
            let text = format!(
                "{} has records of {} bytes; this machine's have {}",
                shown(path),
                found.layout.size(),
                Layout::NATIVE.size()
            );
            findings.push(
                Finding::new(check, Level::Error, text)
                    .cause("it comes from another kind of machine; its programs read nonsense")
                    .remedy(away),
            );
        }
        Ok((_, size)) if size % Layout::NATIVE.size() as u64 != 0 => {
            let torn = size % Layout::NATIVE.size() as u64;
            let text = format!("{}: the last {torn} bytes are no whole record", shown(path));
            findings.push(
                Finding::new(check, Level::Warning, text)
                    .cause("a write was cut short: a full disk, a limit, a kill")
                    .remedy("none is needed: the next record goes over them"),
            );
        }
        Ok(_) => {}
        Err(Error::Unknown(_)) => {
            findings.push(
                Finding::new(check, Level::Error, format!("{} holds no records", shown(path)))
                    .cause("something else has been written into it")
                    .remedy(away),
            );
        }
        Err(error) => {
            // That nobody but its group may read it keeps nobody from writing it.
            findings.push(Finding::new(check, Level::Warning, error.to_string()));
        }
    }
}

const TMPFILES: [&str; 4] =
    ["/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d"];

/// /run is empty after each boot: something has to make the file again.
fn tmpfiles(path: &Path, findings: &mut Vec<Finding>) {
    if !path.starts_with("/run") || !Path::new("/run/systemd/system").exists() {
        return;
    }
    let entry = TMPFILES.iter().find_map(|directory| entry_in(Path::new(directory), path));
    findings.push(match entry {
        Some(file) => {
            let text = format!("{} makes {} at boot", shown(&file), shown(path));
            Finding::new("tmpfiles", Level::Ok, text)
        }
        None => Finding::new(
            "tmpfiles",
            Level::Warning,
            format!("nothing makes {} at boot", shown(path)),
        )
        .cause("systemd since 256 is often built without it, and no tmpfiles.d has a line for it")
        .remedy(format!(
            "echo 'f {} 0664 root utmp -' > /etc/tmpfiles.d/utmp.conf && systemd-tmpfiles --create",
            shown(path)
        )),
    });
}

fn entry_in(directory: &Path, path: &Path) -> Option<PathBuf> {
    let path = path.to_str()?;
    let under_var = format!("/var{path}");
    for entry in fs::read_dir(directory).ok()?.flatten() {
        let file = entry.path();
        if file.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap_or_default();
        let names = |line: &str| {
            let mut words = line.split_whitespace();
            let kind = words.next().unwrap_or_default();
            // Lines that make a file; others only set its mode.
            kind.starts_with(['f', 'F'])
                && words.next().is_some_and(|word| word == path || word == under_var)
        };
        if text.lines().any(names) {
            return Some(file);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_tmpfiles_is_found_by_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let write = |text: &str| fs::write(directory.path().join("a.conf"), text).unwrap();
        let found = || entry_in(directory.path(), Path::new("/run/utmp")).is_some();
        for (text, is_one) in [
            ("# f /run/utmp\nd /run/x\n", false),
            ("z /run/utmp 0664 root utmp\n", false),
            ("f /run/utmp 0664 root utmp -\n", true),
            ("F! /var/run/utmp 0664 root utmp -\n", true),
            ("f /run/utmpx\n", false),
        ] {
            write(text);
            assert_eq!(found(), is_one, "{text}");
        }
    }
}

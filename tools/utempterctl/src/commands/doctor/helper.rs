//! The setgid helper: is it there, and may it do its work?

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{Gid, Group};

use super::finding::{Excuse, Finding, Level, quoted, shown};

const CHECK: &str = "helper";

/// Directories of libraries; `*` is Debian's triplet.
const LIBRARIES: [&str; 6] =
    ["/usr/lib/*", "/usr/lib64", "/usr/lib", "/usr/local/lib", "/lib/*", "/lib64"];
const HELPERS: [&str; 6] = [
    "/usr/lib/*/utempter/utempter",
    "/usr/libexec/utempter/utempter",
    "/usr/lib/utempter/utempter",
    "/usr/lib64/utempter/utempter",
    "/usr/local/lib/utempter/utempter",
    "/run/wrappers/bin/utempter",
];

/// Adds what it finds, and gives the helper's path if it can be tried.
pub fn check(named: Option<&Path>, findings: &mut Vec<Finding>) -> Option<PathBuf> {
    let before = findings.len();
    let helper = look(named, findings);
    findings[before..].iter_mut().for_each(|finding| finding.excuse = Excuse::Broker);
    helper
}

fn look(named: Option<&Path>, findings: &mut Vec<Finding>) -> Option<PathBuf> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => of_library(findings)?,
    };
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) => {
            findings.push(
                Finding::new(CHECK, Level::Error, format!("{}: {error}", shown(&path)))
                    .cause("the library starts this program to record a session")
                    .remedy("install the package of libutempter anew, or `make install`"),
            );
            return None;
        }
    };
    let before = findings.len();
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        findings.push(
            Finding::new(CHECK, Level::Error, format!("{} is no program", shown(&path)))
                .remedy(format!("chmod 2711 {}", quoted(&path))),
        );
        return None;
    }
    privilege(&path, &metadata, findings);
    mount(&path, findings);
    if findings.len() == before {
        let mode = metadata.permissions().mode() & 0o7777;
        let text = format!("{}, {mode:04o} {}", shown(&path), owner(&metadata));
        findings.push(Finding::new(CHECK, Level::Ok, text));
    }
    Some(path)
}

/// Owner and group by name.
pub fn owner(metadata: &fs::Metadata) -> String {
    let user = nix::unistd::User::from_uid(metadata.uid().into()).ok().flatten();
    let user = user.map_or_else(|| metadata.uid().to_string(), |user| user.name);
    format!("{user}:{}", group(metadata.gid()))
}

fn group(gid: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    group.map_or_else(|| gid.to_string(), |group| group.name)
}

fn privilege(path: &Path, metadata: &fs::Metadata, findings: &mut Vec<Finding>) {
    let mode = metadata.permissions().mode();
    let own = quoted(path);
    if mode & 0o4000 != 0 && metadata.uid() == 0 {
        // As utmps and other systems may want it: it may do more than it needs.
        findings.push(
            Finding::new(CHECK, Level::Warning, format!("{} is setuid root", shown(path)))
                .cause("group utmp is all that it needs")
                .remedy(format!("chgrp utmp {own} && chmod 2711 {own}")),
        );
    } else if mode & 0o2010 != 0o2010 {
        findings.push(
            Finding::new(CHECK, Level::Error, format!("{} is not setgid", shown(path)))
                .cause("without its group it may not write the stores; copying loses the bit")
                .remedy(format!("chgrp utmp {own} && chmod 2711 {own}")),
        );
    } else if let Ok(Some(utmp)) = Group::from_name("utmp") {
        if utmp.gid.as_raw() != metadata.gid() {
            let text = format!("{} is setgid {}, not utmp", shown(path), group(metadata.gid()));
            findings.push(
                Finding::new(CHECK, Level::Warning, text)
                    .cause("the stores belong to group utmp on most systems")
                    .remedy(format!("chgrp utmp {own} && chmod 2711 {own}")),
            );
        }
    }
}

fn mount(path: &Path, findings: &mut Vec<Finding>) {
    let Ok(mount) = statvfs(path) else { return };
    if mount.flags().contains(FsFlags::ST_NOSUID) {
        findings.push(
            Finding::new(CHECK, Level::Error, format!("{} is mounted nosuid", shown(path)))
                .cause("setgid counts for nothing on such a file system")
                .remedy(format!(
                    "mount -o remount,suid \"$(findmnt -no TARGET -T {})\"",
                    quoted(path)
                )),
        );
    }
}

/// The helper that the installed library starts: its path is in the library.
fn of_library(findings: &mut Vec<Finding>) -> Option<PathBuf> {
    for library in expand(&LIBRARIES).map(|directory| directory.join("libutempter.so.0")) {
        let Ok(bytes) = fs::read(&library) else { continue };
        if let Some(helper) = embedded(&bytes) {
            let text = format!("{} starts {}", shown(&library), shown(&helper));
            findings.push(Finding::new("library", Level::Ok, text));
            return Some(helper);
        }
    }
    findings.push(
        Finding::new("library", Level::Note, "libutempter.so.0 is in none of the usual places")
            .cause("programs that have it linked in, or that start the helper, need none"),
    );
    let found = expand(&HELPERS).find(|path| path.exists());
    if found.is_none() {
        findings.push(
            Finding::new(CHECK, Level::Error, "there is no helper in any of the usual places")
                .cause("libutempter is not installed, or --helper is needed")
                .remedy("install the package of libutempter, or `make install`"),
        );
    }
    found
}

/// The path that ends in `/utempter` and stands in a library between two NULs.
fn embedded(bytes: &[u8]) -> Option<PathBuf> {
    let end = b"/utempter/utempter";
    let at = bytes.windows(end.len()).position(|window| window == end)?;
    // In Rust texts stand side by side: the beginning is the last byte that no path has.
    let start = bytes[..at].iter().rposition(|byte| !is_of_path(*byte)).map_or(0, |at| at + 1);
    let text = std::str::from_utf8(&bytes[start..at + end.len()]).ok()?;
    let root = text.find("/usr").or_else(|| text.find("/opt")).or_else(|| text.find('/'))?;
    Some(text[root..].into())
}

fn is_of_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte)
}

/// Paths in which a `*` stands for every name.
fn expand(patterns: &[&'static str]) -> impl Iterator<Item = PathBuf> {
    patterns
        .iter()
        .flat_map(|pattern| match pattern.split_once('*') {
            None => vec![PathBuf::from(pattern)],
            Some((directory, rest)) => {
                let mut found: Vec<PathBuf> = fs::read_dir(directory)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .filter(|entry| entry.file_name().to_string_lossy().contains("-linux-"))
                    .map(|entry| PathBuf::from(format!("{}{rest}", entry.path().to_string_lossy())))
                    .collect();
                found.sort();
                found
            }
        })
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_s_path_is_found_among_other_texts() {
        let of = |bytes: &[u8]| embedded(bytes);
        let path = "/usr/lib/x86_64-linux-gnu/utempter/utempter";
        assert_eq!(of(format!("abc\0{path}\0del\0").as_bytes()), Some(path.into()));
        assert_eq!(of(format!("delUTEMPTER_PID{path}add").as_bytes()), Some(path.into()));
        assert_eq!(of(b"nothing"), None);
    }
}

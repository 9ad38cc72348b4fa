//! The older parts of a history that logrotate(8) or wtmpdb rotate(8) has set aside.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The rotated files of `path`, from the newest to the oldest, itself not among them.
///
/// Found are `wtmp.1`, `wtmp-20260101`, `wtmp.2.gz` and the like, and `wtmp_20260101.db` of
/// `wtmp.db`.
///
/// # Errors
///
/// Where the directory cannot be read.
///
/// ```
/// let directory = tempfile::tempdir()?;
/// for name in ["wtmp", "wtmp.1", "wtmp.2.gz", "wtmp.old", "wtmpx"] {
///     std::fs::write(directory.path().join(name), "")?;
/// }
/// let mut found = login_databases::rotated(&directory.path().join("wtmp"))?;
/// found.sort();
/// assert_eq!(found, ["wtmp.1", "wtmp.2.gz"].map(|name| directory.path().join(name)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn rotated(path: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(name) = path.file_name() else {
        return Ok(Vec::new());
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut found: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Some(number) = rotation(name, &entry.file_name()) {
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                let age = if number < 1000 { u64::MAX - number } else { number };
                found.push((metadata.modified()?, age, path.with_file_name(entry.file_name())));
            }
        }
    }
    // By the time of the last record; by name where a copy has lost that.
    found.sort_by_key(|(time, age, _)| std::cmp::Reverse((*time, *age)));
    Ok(found.into_iter().map(|(_, _, path)| path).collect())
}

/// The number, or date, that a rotated file's name has.
fn rotation(of: &OsStr, name: &OsStr) -> Option<u64> {
    let (of, mut name) = (of.as_bytes(), name.as_bytes());
    let mut stem = of;
    if let Some(database) = of.strip_suffix(b".db") {
        name = name.strip_suffix(b".db")?;
        stem = database;
    }
    for packed in [&b".gz"[..], b".xz", b".zst"] {
        name = name.strip_suffix(packed).unwrap_or(name);
    }
    let rest = name.strip_prefix(stem)?;
    let [b'.' | b'-' | b'_', digits @ ..] = rest else {
        return None;
    };
    let digits: Vec<u8> = digits.iter().copied().filter(|byte| *byte != b'-').collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files() {
        let number = |of: &str, name: &str| rotation(of.as_ref(), name.as_ref());
        assert_eq!(number("wtmp", "wtmp.1"), Some(1));
        assert_eq!(number("wtmp", "wtmp.12.gz"), Some(12));
        assert_eq!(number("wtmp", "wtmp-20260131.xz"), Some(20_260_131));
        assert_eq!(number("wtmp", "wtmp-2026-01-31.zst"), Some(20_260_131));
        assert_eq!(number("wtmp.db", "wtmp_20260131.db"), Some(20_260_131));
        for name in ["wtmp", "wtmpx", "wtmp.gz", "wtmp.old", "btmp.1", "wtmp-"] {
            assert_eq!(number("wtmp", name), None, "{name}");
        }
    }
}

//! One call of the helper, and what was in the files before and after.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use utempter_tests::pty::{Pty, ending};
use utempter_tests::utmp::Record;
use utempter_tests::world::{ALICE, CLIENT_LIMIT};
use utempter_tests::{Outcome, World, bounded, part};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How the helper ended, and after how many milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// As [`ending`] has it, or `hung`.
    pub ending: String,
    pub milliseconds: u128,
}

/// Has alice call `utempter add host` on pts/0, by way of another program where one is given.
pub fn call(world: &World, wrapper: &[&str]) -> Result<Called, Failure> {
    let words: Vec<String> = wrapper.iter().copied().map(str::to_owned).collect();
    let begin = Instant::now();
    let ended = bounded::run(&mut part::command(world, ALICE, "caller", &words), CLIENT_LIMIT);
    let milliseconds = begin.elapsed().as_millis();
    if begin.elapsed() >= CLIENT_LIMIT {
        return Ok(Called { ending: "hung".into(), milliseconds });
    }
    Ok(Called { ending: ended?.text()?.trim_end().to_owned(), milliseconds })
}

/// The part that does so.
pub fn caller(words: &[String]) -> Outcome {
    let pty = Pty::open()?;
    let wrapper: Vec<&str> = words.iter().map(String::as_str).collect();
    let status = pty.wrapped(&wrapper, &["add", "host"])?.stderr(Stdio::null()).status()?;
    println!("{}", ending(status));
    Ok(())
}

/// Whether a file has alice's session on pts/0, as far as records can be read from it.
pub fn has_session(file: &str) -> bool {
    let Ok(bytes) = fs::read(file) else { return false };
    let mut records = bytes.chunks_exact(utempter_tests::utmp::SIZE);
    records.any(|bytes| {
        let record = Record(bytes.try_into().expect("a chunk"));
        record.is_live() && record.line() == "pts/0" && record.user() == "alice"
    })
}

/// Puts a file in place anew, with an owner and mode as the system has it.
pub fn fresh(file: &str, bytes: &[u8]) -> Outcome {
    let group = fs::metadata("/tmp/lib/group")?.gid();
    remove(file)?;
    fs::write(file, bytes)?;
    chown(file, Some(0), Some(group))?;
    Ok(fs::set_permissions(file, Permissions::from_mode(0o664))?)
}

/// Keeps the group of utmp in mind, before anything is done to it.
pub fn prepare() -> Outcome {
    fs::write("/tmp/lib/group", "")?;
    Ok(chown("/tmp/lib/group", None, Some(fs::metadata(World::UTMP)?.gid()))?)
}

/// Removes whatever has this name.
pub fn remove(file: &str) -> Outcome {
    match fs::symlink_metadata(file) {
        Err(_) => Ok(()),
        Ok(found) if found.is_dir() => Ok(fs::remove_dir_all(file)?),
        Ok(_) => Ok(fs::remove_file(file)?),
    }
}

/// What lies in the directories of both files: what it is, whose, and its first bytes.
pub fn snapshot() -> Result<BTreeMap<String, String>, Failure> {
    let mut seen = BTreeMap::new();
    for directory in ["/run", "/var/log"] {
        look(Path::new(directory), &mut seen)?;
    }
    Ok(seen)
}

fn look(directory: &Path, seen: &mut BTreeMap<String, String>) -> Outcome {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let found = fs::symlink_metadata(&path)?;
        let mut what = format!(
            "{:o} {}:{} {} bytes",
            found.mode(),
            found.uid(),
            found.gid(),
            if found.is_dir() { 0 } else { found.len() }
        );
        if found.is_file() {
            let mut bytes = Vec::new();
            File::open(&path)?.take(1 << 20).read_to_end(&mut bytes)?;
            what += &format!(" {bytes:?}");
        } else if found.file_type().is_char_device() {
            what += &format!(" device {:x}", found.rdev());
        }
        seen.insert(path.display().to_string(), what);
        if found.is_dir() && !path.ends_with("harness") {
            look(&path, seen)?;
        }
    }
    Ok(())
}

/// The names of what differs.
pub fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

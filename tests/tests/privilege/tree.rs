//! All files of a world, to see that nothing but utmp and wtmp has changed.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use utempter_tests::{Outcome, World};

/// What a world has of its own.
const ROOTS: [&str; 7] =
    ["/run", "/var/log", "/tmp", "/dev/pts", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf"];

/// The files at one moment: path, and all that may be said of each in one line.
#[derive(Default)]
pub struct Tree(BTreeMap<PathBuf, String>);

impl Tree {
    /// As they are now. Utmp and wtmp are there with all but size, time and contents.
    pub fn now() -> Result<Tree, Box<dyn Error + Send + Sync>> {
        let mut tree = Tree::default();
        for root in ROOTS {
            tree.add(Path::new(root))?;
        }
        Ok(tree)
    }

    fn add(&mut self, path: &Path) -> Outcome {
        let metadata = fs::symlink_metadata(path)?;
        let kind = metadata.file_type();
        let (mode, uid, gid) = (metadata.mode(), metadata.uid(), metadata.gid());
        let mut text = format!("mode {mode:o} of {uid}:{gid}, {} links", metadata.nlink());
        let is_store = [World::UTMP, World::WTMP].iter().any(|store| path == Path::new(store));
        if !is_store && !kind.is_char_device() && path != Path::new("/dev/pts") {
            text += &format!(", {} bytes, time {}", metadata.size(), metadata.mtime_nsec());
            text += &format!(", changed {}", metadata.ctime_nsec());
        }
        if !is_store && kind.is_file() {
            let mut hasher = DefaultHasher::new();
            fs::read(path)?.hash(&mut hasher);
            text += &format!(", contents {:x}", hasher.finish());
        }
        self.0.insert(path.into(), text);
        if kind.is_dir() {
            for entry in fs::read_dir(path)? {
                self.add(&entry?.path())?;
            }
        }
        Ok(())
    }

    /// That they are as `before`.
    pub fn same_as(&self, before: &Tree) -> Outcome {
        let mut paths: Vec<&PathBuf> = before.0.keys().chain(self.0.keys()).collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let (was, is) = (before.0.get(path), self.0.get(path));
            if was != is {
                return Err(format!("{} was {was:?} and is {is:?}", path.display()).into());
            }
        }
        Ok(())
    }
}

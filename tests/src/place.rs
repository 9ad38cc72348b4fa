//! Where things are: the staged product, and what Debian has installed.

use std::env;
use std::path::{Path, PathBuf};

use crate::case::Skip;

/// Debian's name for the machine, part of its library paths.
pub fn triplet() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "x86_64-linux-gnu",
        "x86" => "i386-linux-gnu",
        "aarch64" => "aarch64-linux-gnu",
        "riscv64" => "riscv64-linux-gnu",
        other => panic!("no Debian triplet is known for {other}"),
    }
}

/// The source tree.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").into()
}

/// An install tree of the product, as `make stage` leaves it.
#[derive(Clone, Debug)]
pub struct Stage {
    root: PathBuf,
}

impl Stage {
    /// The tree linked by lld where there is one.
    pub fn main() -> Stage {
        Stage::named("UTEMPTER_STAGE", "target/stage")
    }

    /// The tree linked by GNU ld.
    pub fn gnu_ld() -> Stage {
        Stage::named("UTEMPTER_STAGE_GNU_LD", "target/stage-gnu-ld")
    }

    fn named(variable: &str, default: &str) -> Stage {
        let root = env::var_os(variable).map_or_else(|| repository().join(default), PathBuf::from);
        Stage { root }
    }

    /// The tree's root, which stands for `/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of libraries.
    pub fn libdir(&self) -> PathBuf {
        self.root.join("usr/lib").join(triplet())
    }

    /// The directory of headers.
    pub fn includedir(&self) -> PathBuf {
        self.root.join("usr/include")
    }

    /// The shared library's file.
    pub fn library(&self) -> PathBuf {
        self.libdir().join("libutempter.so.0")
    }

    /// The static archive.
    pub fn archive(&self) -> PathBuf {
        self.libdir().join("libutempter.a")
    }

    /// The broker.
    pub fn broker(&self) -> PathBuf {
        self.root.join("usr/sbin/utempterd")
    }

    /// The helper, not setgid here.
    pub fn helper(&self) -> PathBuf {
        self.libdir().join("utempter/utempter")
    }

    /// The helper that has a C library: the one beside a helper that has none, or the only one.
    pub fn dynamic_helper(&self) -> PathBuf {
        other_helper(&self.helper()).unwrap_or_else(|| self.helper())
    }

    /// The helper that has no C library under it, where there is one.
    pub fn freestanding_helper(&self) -> Option<PathBuf> {
        other_helper(&self.helper()).map(|_| self.helper())
    }
}

/// The name every program links against, in Debian's place.
pub fn system_library() -> PathBuf {
    Path::new("/usr/lib").join(triplet()).join("libutempter.so.0")
}

/// The helper that Debian's library and programs start.
pub fn system_helper() -> PathBuf {
    Path::new("/usr/lib").join(triplet()).join("utempter/utempter")
}

/// The helper that has a C library, if it is another than this one.
pub fn other_helper(helper: &Path) -> Option<PathBuf> {
    Some(helper.with_file_name("utempter-nss")).filter(|file| file.exists())
}

/// The file of Debian's own C library.
///
/// # Errors
///
/// Where it is not installed, or something else is in its place.
pub fn c_library() -> Result<PathBuf, Skip> {
    let file = system_library()
        .canonicalize()
        .map_err(|_| Skip("Debian's package libutempter0 is not installed".into()))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !name.starts_with("libutempter.so.1.") {
        return Err(Skip(format!("{} is not Debian's C library", file.display())));
    }
    Ok(file)
}

/// Whether nothing may be skipped: a missing need is then a failure.
pub fn no_skip() -> bool {
    env::var_os("UTEMPTER_NO_SKIP").is_some_and(|value| value != "0" && !value.is_empty())
}

/// The path of a program, if it is installed.
///
/// # Errors
///
/// Where it is not, with Debian's package that has it.
pub fn program(name: &str, package: &str) -> Result<PathBuf, Skip> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| Skip(format!("{name} is missing (Debian's package {package})")))
}

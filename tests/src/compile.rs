//! C programs, compiled when a test needs them.

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::{bounded, place};

const LIMIT: Duration = Duration::from_secs(60);

/// A C file of the tests.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(name)
}

/// Runs a compiler; what it says is the answer.
///
/// # Errors
///
/// Where there is no compiler, or it refuses.
pub fn compile<S: AsRef<OsStr>>(
    compiler: &str,
    arguments: &[S],
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let package = if compiler == "g++" { "g++" } else { "gcc" };
    let compiler = place::program(compiler, package)?;
    // What it says is read.
    bounded::run(Command::new(compiler).env("LC_ALL", "C").args(arguments), LIMIT)?.text()
}

/// Compiles into a file of this name, beside the test executable.
///
/// # Errors
///
/// As [`compile`].
pub fn program<S: AsRef<OsStr>>(
    name: &str,
    compiler: &str,
    arguments: &[S],
) -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let file = env::current_exe()?.with_extension(name);
    // Several tests may make the same program at once.
    let new = file.with_extension(format!("{name}.{}", NUMBER.fetch_add(1, Relaxed)));
    let mut all: Vec<&OsStr> = vec!["-Wall".as_ref(), "-Wextra".as_ref(), "-Werror".as_ref()];
    all.extend(arguments.iter().map(AsRef::as_ref));
    all.extend(["-o".as_ref(), new.as_os_str()]);
    compile(compiler, &all)?;
    fs::rename(new, &file)?;
    Ok(file)
}

/// The program `c/client.c`, linked by name with the library that Debian installs, so that
/// the same bytes run with the C library and with ours.
///
/// # Errors
///
/// Where it cannot be compiled.
pub fn client() -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    static CLIENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    place::program("gcc", "gcc")?;
    let arguments = [
        source("client.c").into_os_string(),
        "-Wno-deprecated-declarations".into(),
        "-I".into(),
        place::repository().join("include").into(),
        place::c_library()?.into(),
    ];
    let client = || program("client", "gcc", &arguments).map_err(|error| error.to_string());
    Ok(CLIENT.get_or_init(client).clone()?)
}

//! C programs, compiled when a test needs them.

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
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
    bounded::run(Command::new(compiler).args(arguments), LIMIT)?.text()
}

/// Where `client` was compiled to, for the worlds.
pub const CLIENT_VARIABLE: &str = "UTEMPTER_WORLD_CLIENT";

/// The program `c/client.c`, linked by name with the library that Debian installs, so that
/// the same bytes run with the C library and with ours.
///
/// # Errors
///
/// Where it cannot be compiled.
pub fn client() -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    static CLIENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    place::program("gcc", "gcc")?;
    let library = place::c_library()?;
    CLIENT
        .get_or_init(|| build_client(&library).map_err(|e| e.to_string()))
        .clone()
        .map_err(|error| format!("c/client.c: {error}").into())
}

fn build_client(library: &Path) -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    // Beside the test executable: a place of cargo's, one for each.
    let client = env::current_exe()?.with_extension("client");
    let include = place::repository().join("include");
    let c_file = source("client.c");
    let arguments = [
        "-Wall".as_ref(),
        "-Wextra".as_ref(),
        "-Werror".as_ref(),
        "-Wno-deprecated-declarations".as_ref(),
        "-I".as_ref(),
        include.as_os_str(),
        "-o".as_ref(),
        client.as_os_str(),
        c_file.as_os_str(),
        library.as_os_str(),
    ];
    compile("gcc", &arguments)?;
    Ok(client)
}

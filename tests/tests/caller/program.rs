//! The C program `c/caller/`, as it is and watched by a sanitizer.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use utempter_tests::{compile, place};

/// How it is compiled.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// As any program.
    Plain,
    /// With AddressSanitizer.
    Address,
    /// With ThreadSanitizer.
    Thread,
}

/// Compiles it, once.
pub fn program(build: Build) -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    static PROGRAMS: [OnceLock<Result<PathBuf, String>>; 3] = [const { OnceLock::new() }; 3];
    place::program("gcc", "gcc")?;
    // Linked by name with Debian's library, so that the same bytes run with either.
    place::c_library()?;
    let made = || compile(build).map_err(|error| error.to_string());
    Ok(PROGRAMS[build as usize].get_or_init(made).clone()?)
}

fn compile(build: Build) -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    let (name, sanitizer) = match build {
        Build::Plain => ("caller", None),
        Build::Address => ("caller-address", Some("-fsanitize=address")),
        Build::Thread => ("caller-thread", Some("-fsanitize=thread")),
    };
    let mut arguments: Vec<OsString> = vec!["-O1".into(), "-g".into(), "-pthread".into()];
    arguments.extend(sanitizer.map(OsString::from));
    for file in fs::read_dir(compile::source("caller"))? {
        let file = file?.path();
        if file.extension().is_some_and(|extension| extension == "c") {
            arguments.push(file.into());
        }
    }
    arguments.extend(["-I".into(), place::repository().join("include").into()]);
    arguments.push(format!("-DREAL_HELPER=\"{}\"", place::system_helper().display()).into());
    arguments.push(place::c_library()?.into());
    compile::program(name, "gcc", &arguments)
}

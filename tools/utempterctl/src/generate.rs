//! Completions and man pages, for packages.

use std::fs;
use std::io;
use std::path::Path;

use clap::{CommandFactory, ValueEnum};
use clap_complete::{Shell, generate_to};

use crate::cli::Cli;
use crate::failure::{Done, Failure, Status};

/// Writes `completions/` and `man1/` into the directory.
pub fn run(directory: &Path) -> Done {
    write(directory).map_err(|error| {
        let shown = login_databases::printable(directory.as_os_str().as_encoded_bytes());
        Failure::Nothing(format!("{shown}: {error}"))
    })?;
    Ok(Status::Well)
}

fn write(directory: &Path) -> io::Result<()> {
    let completions = directory.join("completions");
    let pages = directory.join("man1");
    fs::create_dir_all(&completions)?;
    fs::create_dir_all(&pages)?;
    // What is hidden from people is of no use in a package's pages either.
    let command = || Cli::command().mut_subcommand("generate", |hidden| hidden.hide(true));
    for shell in Shell::value_variants() {
        generate_to(*shell, &mut command(), "utempterctl", &completions)?;
    }
    clap_mangen::generate_to(command(), &pages)
}

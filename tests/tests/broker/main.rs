//! The broker, and the library as its client.

mod descriptors;
mod edges;
mod fuse;
mod ghosts;
mod hostile;
mod kept;
mod library;
mod limits;
mod load;
mod peer;
mod protocol;
mod restart;
mod shortage;
mod stores;
mod sys;
mod trouble;
mod unit;
mod utmps;
mod wtmpdb;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use utempter_tests::{Case, document, part, run};

fn main() -> ExitCode {
    if let Some(code) = part::continue_as(peer::PARTS) {
        return code;
    }
    let groups = [
        protocol::cases(),
        descriptors::cases(),
        limits::cases(),
        hostile::cases(),
        load::cases(),
        ghosts::cases(),
        restart::cases(),
        kept::cases(),
        shortage::cases(),
        trouble::cases(),
        edges::cases(),
        stores::cases(),
        wtmpdb::cases(),
        library::cases(),
        unit::cases(),
        utmps::cases(),
    ];
    let document = Case::here("SECURITY.md names tests that exist", || {
        document::names_tests("The broker", None)
    });
    run([document].into_iter().chain(groups.into_iter().flatten()).collect())
}

/// For cases that need no compiled client.
fn none() -> Result<PathBuf, Box<dyn std::error::Error + Send + Sync>> {
    Ok(env::current_exe()?)
}

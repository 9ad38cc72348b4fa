//! Twin runs: the same steps with Debian's C library and with ours, as an ordinary user with
//! the setgid helper. Records must be equal in every byte but the time; what differs on
//! purpose is in `differences.toml`, with its reason.

mod callers;
mod files;
mod helper;
mod hosts;
mod ptys;

use std::process::ExitCode;

use utempter_tests::twin::table;
use utempter_tests::{Case, run};

fn main() -> ExitCode {
    let scenarios = [
        ptys::scenarios(),
        hosts::scenarios(),
        callers::scenarios(),
        helper::scenarios(),
        files::scenarios(),
    ];
    let scenarios: Vec<_> = scenarios.into_iter().flatten().collect();
    let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name).collect();
    let mut cases =
        vec![Case::here("the table of differences names scenarios that exist", move || {
            let table = table()?;
            let mut named = table.iter().flat_map(|entry| entry.seen.keys());
            match named.find(|scenario| !names.contains(&scenario.as_str())) {
                Some(scenario) => Err(format!("there is no scenario {scenario:?}").into()),
                None => Ok(()),
            }
        })];
    cases.extend(scenarios.into_iter().map(Case::twin));
    run(cases)
}

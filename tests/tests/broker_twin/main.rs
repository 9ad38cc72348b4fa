//! The scenarios of the twin runs, with the broker in the place of the setgid helper: it
//! gives the same records. (Those of the helper's own command line have no broker in them.)

#[path = "../twin/callers.rs"]
mod callers;
#[path = "../twin/files.rs"]
mod files;
#[path = "../twin/hosts.rs"]
mod hosts;
#[path = "../twin/ptys.rs"]
mod ptys;

use std::process::ExitCode;

use utempter_tests::twin::broker_table;
use utempter_tests::{Case, run};

fn main() -> ExitCode {
    let scenarios =
        [ptys::scenarios(), hosts::scenarios(), callers::scenarios(), files::scenarios()];
    let scenarios: Vec<_> = scenarios.into_iter().flatten().collect();
    let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name).collect();
    let table = Case::here("the broker's table names scenarios that exist", move || {
        let table = broker_table()?;
        let mut named = table.iter().flat_map(|entry| entry.seen.keys());
        match named.find(|scenario| !names.contains(&scenario.as_str())) {
            Some(scenario) => Err(format!("there is no scenario {scenario:?}").into()),
            None => Ok(()),
        }
    });
    let twins = scenarios.into_iter().map(Case::twin_through_broker);
    run([table].into_iter().chain(twins).collect())
}

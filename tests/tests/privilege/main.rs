//! What the setgid helper can be made to do: every way in that a caller has, tried by alice
//! in a world of the test's own. Each attempt is refused or harmless: never a record of a
//! line or a user that is not hers, nothing changed elsewhere in the world's files, nothing
//! on descriptor 1. Where it is telling, the same is tried on the C library, and what that
//! does is a test too.

mod accounts;
mod arguments;
mod attempt;
mod callers;
mod calls;
mod descriptors;
mod environment;
mod fuse;
mod limits;
mod locks;
mod namespaces;
mod process;
mod ptys;
mod scene;
mod signals;
mod sys;
mod syslog;
mod tree;

use std::process::ExitCode;

use scene::Row;
use utempter_tests::{Case, Side, document, place, run};

fn main() -> ExitCode {
    let rows: Vec<Row> = [
        environment::rows(),
        arguments::rows(),
        descriptors::rows(),
        ptys::rows(),
        locks::rows(),
        limits::rows(),
        process::rows(),
        namespaces::rows(),
        callers::rows(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let table = table(&rows);
    let mut cases = vec![
        Case::here("the table", move || {
            println!("{table}");
            Ok(())
        }),
        Case::here("SECURITY.md names tests that exist", || {
            // Where there is one helper, nothing is handed over.
            let is_one = place::Stage::main().freestanding_helper().is_none();
            let besides = is_one.then_some(" (handed over)");
            document::names_tests("How, and how each point is tested", besides)
        }),
    ];
    cases.extend(rows.into_iter().flat_map(Row::cases));
    cases.extend(environment::cases());
    cases.extend(arguments::cases());
    cases.extend(descriptors::cases());
    cases.extend(ptys::cases());
    cases.extend(locks::cases());
    cases.extend(limits::cases());
    cases.extend(process::cases());
    cases.extend(signals::cases());
    cases.extend(namespaces::cases());
    cases.extend(calls::cases());
    cases.extend(syslog::cases());
    cases.extend(accounts::cases());
    run(cases)
}

/// What the rows below this one have found to be so, side by side.
fn table(rows: &[Row]) -> String {
    let mut text = format!("{:62} {:24} the C library\n", "tried", "ours");
    for row in rows {
        let c = row.c.as_ref().map_or_else(String::new, |c| c.words(Side::C));
        text += &format!("{:62} {:24} {c}\n", row.name, row.ours.words(Side::Ours));
    }
    text
}

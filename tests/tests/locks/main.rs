//! Locks that others hold, and writers that others are. Each case runs once with Debian's C
//! library and once with ours; the table at the end has both.

mod adder;
mod beside;
mod late;
mod mechanisms;
mod readers;
mod restless;
mod stopped;

use std::process::ExitCode;

use utempter_tests::{part, side_by_side};

fn main() -> ExitCode {
    let parts = [
        ("adder", adder::part as fn(&[String]) -> utempter_tests::Outcome),
        ("holder", readers::holder),
        ("restless", restless::reader),
        ("tearer", restless::tearer),
        ("stopper", stopped::stopper),
        ("caller", mechanisms::caller),
        ("other", late::other),
    ];
    if let Some(code) = part::continue_as(&parts) {
        return code;
    }
    let comparisons = [
        readers::comparisons(),
        beside::comparisons(),
        stopped::comparisons(),
        restless::comparisons(),
        mechanisms::comparisons(),
    ];
    let others = mechanisms::cases().into_iter().chain(late::cases());
    side_by_side::run(comparisons.into_iter().flatten().collect(), others.collect())
}

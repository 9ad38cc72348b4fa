//! Kills, limits, full disks and files that are no files. Each case runs once with Debian's
//! C library and once with ours; the table at the end has both.

mod call;
mod crowd;
mod each_step;
mod filesystems;
mod high;
mod killed;
mod limits;
mod shapes;

use std::process::ExitCode;

use utempter_tests::{Outcome, part, side_by_side};

fn main() -> ExitCode {
    let parts = [
        ("caller", call::caller as fn(&[String]) -> Outcome),
        ("killer", killed::killer),
        ("reader", filesystems::reader),
    ];
    if let Some(code) = part::continue_as(&parts) {
        return code;
    }
    let comparisons = [
        killed::comparisons(),
        each_step::comparisons(),
        limits::comparisons(),
        filesystems::comparisons(),
        shapes::comparisons(),
        crowd::comparisons(),
        high::comparisons(),
    ];
    side_by_side::run(comparisons.into_iter().flatten().collect(), vec![])
}

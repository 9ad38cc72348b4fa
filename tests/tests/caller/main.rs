//! Nothing disturbs the program that calls: its children, signals, threads, timers and its
//! own terminal, in every place a call may come from. Each case runs once with Debian's C
//! library and once with ours, and what was found is printed side by side.
//!
//! Ours has to be as the case wants it. Of the C library is demanded only the defect that
//! it shows each time; the rest is told.
//!
//! With `UTEMPTER_FULL=1` the counts are large.

mod both;
mod findings;
mod places;
mod program;
mod table;
mod tmux;
mod tools;

use std::env;
use std::process::ExitCode;

use both::Claim;
use utempter_tests::run;

fn main() -> ExitCode {
    let claims = [places::claims(), tools::claims(), tmux::claims()];
    let claims: Vec<Claim> = claims.into_iter().flatten().collect();
    if env::var_os("UTEMPTER_WORLD").is_some() {
        return run(claims.into_iter().map(Claim::inside).collect());
    }
    let names: Vec<&str> = claims.iter().map(|claim| claim.name).collect();
    let code = run(claims.into_iter().map(Claim::outside).collect());
    table::print(&names);
    code
}

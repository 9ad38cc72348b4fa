//! add through the broker beside Debian's libutempter0, in one process, in turn.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use utempter_tests::utmp::{Record, USER_PROCESS};
use utempter_tests::world::{self, ALICE, Outside};
use utempter_tests::{Case, Outcome, Side, World, bounded, compile};

type Failure = Box<dyn Error + Send + Sync>;

/// What add may take of the C library's time.
const MOST: f64 = 0.06;

const LIMIT: Duration = Duration::from_secs(90);
const RESULT: &str = "/run/result";

/// Name, rounds, MiB of the caller's, records in utmp before.
const ROWS: [(&str, u32, u32, i32); 5] = [
    ("a small caller", 2000, 0, 0),
    ("a caller with 256 MiB", 300, 256, 0),
    ("a caller with 1 GiB", 200, 1024, 0),
    ("10,000 sessions in utmp", 500, 0, 10_000),
    ("100,000 sessions in utmp", 100, 0, 100_000),
];

fn main() -> ExitCode {
    let cases: Vec<Case> = ROWS
        .iter()
        .map(|&(name, rounds, size, records)| {
            Case::world_of(name, Side::Both, pair, move |world| {
                measure(world, rounds, size, records)
            })
        })
        .collect();
    if let Some(code) = world::continue_inside(&cases) {
        return code;
    }
    println!("{:<28}{:>14}{:>14}{:>9}", "add, median", "C library", "broker", "ratio");
    let mut code = ExitCode::SUCCESS;
    for (name, ..) in ROWS {
        match row(name) {
            Ok((theirs, ours)) => {
                let ratio = ours / theirs;
                println!("{name:<28}{theirs:>11.1} us{ours:>11.1} us{ratio:>9.3}");
                if ratio > MOST {
                    code = ExitCode::FAILURE;
                }
            }
            Err(error) => {
                println!("{name}: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    println!("A ratio of {MOST} at the most is what is promised.");
    code
}

fn pair() -> Result<PathBuf, Failure> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c/pair.c").into_os_string();
    compile::program("pair", "gcc", &[source, "-O2".into(), "-ldl".into()])
}

fn row(name: &str) -> Result<(f64, f64), Failure> {
    let outside = Outside::new()?;
    outside.run(name, Side::Both, &pair()?)?;
    let text = fs::read_to_string(outside.path().join("run/result"))?;
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(theirs), Some(ours)) => Ok((theirs?, ours?)),
        _ => Err(text.into()),
    }
}

fn measure(world: &World, rounds: u32, size: u32, records: i32) -> Outcome {
    let many: Vec<Record> = (100..100 + records)
        .map(|n| Record::new(USER_PROCESS, n, &format!("pts/{n}"), &id(n), "bob", "elsewhere"))
        .collect();
    world.records_before(World::UTMP, &many)?;
    let mut command = world.command(ALICE, World::CLIENT);
    command.args(["libutempter.so.0", World::OURS]).args([rounds, size].map(|n| n.to_string()));
    let text = bounded::run(&mut command, LIMIT)?.text()?;
    Ok(fs::write(RESULT, text)?)
}

/// Ids that no search by id takes for pts/0's.
fn id(number: i32) -> String {
    format!("{number:06}").split_off(2)
}

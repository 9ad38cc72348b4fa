//! `make bench`: libutempter beside the C library, in paired runs. See docs/performance.md.
//!
//! Ends well where everything ran that could, whatever the figures are: a busy machine is no
//! failure. What is not reached stands at the end.

mod ground;
mod growth;
mod history;
mod inside;
mod machine;
mod parts;
mod plot;
mod profile;
mod report;
mod rows;
mod samples;
mod text;

use std::env;
use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use utempter_tests::case::Skip;
use utempter_tests::{place, world};

use rows::{Measured, NOT_ASKED_FOR, Reasons, Row};
use samples::Samples;
use text::{grouped, promises};

type Failure = Box<dyn Error + Send + Sync>;

/// What can be measured by itself, with BENCH_ONLY; each but the first is a world's case.
const MEASUREMENTS: [&str; 8] =
    ["history", "small", "one-cpu", "memory", "records", "lock", "crowd", "programs"];
/// What Linux allows unless told otherwise (drivers/tty/pty.c: NR_UNIX98_PTY_DEFAULT).
const PTYS_DEFAULT: u64 = 4096;

fn main() -> ExitCode {
    if let Some(code) = world::continue_inside(&inside::cases()) {
        return code;
    }
    match bench() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<ExitCode, Failure> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty() && value != "0");
    let only = set("BENCH_ONLY");
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only.split(',').any(|o| o == name));
    if let Some(unknown) =
        only.iter().flat_map(|only| only.split(',')).find(|name| !MEASUREMENTS.contains(name))
    {
        return Err(format!("{unknown:?} is none of {}", MEASUREMENTS.join(", ")).into());
    }
    let (mut samples, mut reasons, mut failed) = (Samples::default(), Reasons::new(), false);
    for name in MEASUREMENTS {
        if !wanted(name) {
            reasons.push((name, NOT_ASKED_FOR.into()));
            continue;
        }
        let begin = Instant::now();
        let result = match name {
            "history" => history::measure(&mut samples),
            _ => ground::Programs::make()
                .and_then(|programs| programs.run(name))
                .and_then(|text| samples.read(&text)),
        };
        eprintln!("{name}: {:.0} s", begin.elapsed().as_secs_f64());
        if let Err(error) = result {
            // What is missing is no failure; what went wrong is.
            failed |= !error.is::<Skip>();
            let reason = error.to_string();
            eprintln!("{name}: {reason}");
            reasons.push((name, reason.lines().next().unwrap_or_default().to_owned()));
        }
    }
    notice_missing(&mut reasons);
    let places = places(&samples, &reasons)?;
    for (name, title) in [
        ("machine", "Where"),
        ("helper", "The helper"),
        ("broker", "The broker"),
        ("history", "Reading"),
        ("start", "What an add is made of"),
        ("costs", "As differences"),
        ("profile", "What a helper's run consists of"),
        ("records", "Growth with utmp"),
        ("memory", "Growth with the caller's memory, MiB"),
        ("million", "A session on every pty: on paper"),
    ] {
        println!("\n{title}\n\n{}", places[name]);
    }
    println!("\n{}", places["unmet"]);
    if set("BENCH_WRITE").is_some() {
        if only.is_some() || failed {
            return Err("docs/performance.md is written by a whole run only".into());
        }
        write(&samples, &places)?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a measurement did without, since it was not there.
fn notice_missing(reasons: &mut Reasons) {
    for (program, package, what) in [
        ("valgrind", "valgrind", "instructions are not counted"),
        ("strace", "strace", "system calls are not counted"),
        ("perf", "linux-perf", "page faults are not counted"),
    ] {
        if let Err(missing) = place::program(program, package) {
            eprintln!("{missing}: {what}");
            reasons.push(("programs", format!("{missing}")));
        }
    }
    if !ground::has_broker() {
        let reason = "no broker is staged: it needs SQLite's headers (libsqlite3-dev)";
        eprintln!("{reason}");
        reasons.extend(
            ["small", "one-cpu", "memory", "records", "crowd"].map(|name| (name, reason.into())),
        );
    }
}

fn places(samples: &Samples, reasons: &Reasons) -> Result<report::Places, Failure> {
    let measured = Measured { samples, reasons };
    let tables = [
        ("helper", "C library", measured.helper()),
        ("broker", "C library", measured.broker()),
        ("history", "last", measured.history()),
    ]
    .map(|(name, theirs, rows)| {
        let shown: Vec<Row> = rows.into_iter().filter(|row| row.is_shown).collect();
        (name, theirs, shown)
    });
    let mut unmet = String::new();
    let (mut met, mut all) = (0, 0);
    for (_, _, rows) in &tables {
        for row in rows {
            all += usize::from(row.met.is_some());
            met += usize::from(row.met == Some(true));
            if row.met == Some(false) {
                unmet +=
                    &format!("- {}: {}, {} (reach {})\n", row.what, row.ours, row.ratio, row.reach);
            }
        }
    }
    let unmet = match unmet.trim_end() {
        "" => format!("Of {all} reaches, {met} are met."),
        unmet => format!("Of {all} reaches, {met} are met. Not met:\n\n{unmet}"),
    };
    let mut places = report::Places::from([
        ("unmet", unmet),
        ("machine", machine::described()),
        ("history-records", grouped(history::RECORDS as u64)),
        ("start", parts::start(samples)),
        ("costs", parts::costs(samples)),
        ("profile", parts::profile(samples)),
        ("records", growth::figures(samples, "records", "record")),
        ("memory", growth::figures(samples, "memory", "MiB")),
        ("million", growth::million(samples)?),
        ("ptys", grouped(growth::PTYS)),
        ("ptys-default", grouped(PTYS_DEFAULT)),
        ("record-size", login_databases::Layout::NATIVE.size().to_string()),
    ]);
    places.extend(tables.map(|(name, theirs, rows)| (name, promises(theirs, &rows))));
    Ok(places)
}

fn write(samples: &Samples, places: &report::Places) -> Result<(), Failure> {
    let docs = place::repository().join("docs");
    let mut files = vec![("performance.md", report::fill(report::TEXT, places)?)];
    for (measurement, file, title, unit) in [
        ("records", "performance-records.svg", "Time of one add, by records in utmp", "records"),
        ("memory", "performance-memory.svg", "Time of one add, by the caller's memory", "MiB"),
    ] {
        let picture = plot::svg(samples, measurement, title, unit);
        files.push((file, picture.ok_or_else(|| format!("{measurement} was not measured"))?));
    }
    for (name, text) in files {
        fs::write(docs.join(name), text)?;
        eprintln!("{}", docs.join(name).display());
    }
    Ok(())
}

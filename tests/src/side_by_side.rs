//! The same happening in two worlds, one with Debian's C library and one with ours, and
//! what was seen in each in one table.
//!
//! Where a twin run asks whether the records are equal, a comparison here measures: how long
//! a call took, how many records were lost. Ours is held to what it promises; of the C
//! library is asserted what it does every time, and the rest is told.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::thread;

use crate::case::{self, Case, Outcome};
use crate::compile;
use crate::table::Table;
use crate::world::{Outside, Side, World};

type Failure = Box<dyn Error + Send + Sync>;
type Body = Box<dyn Fn(&World, &mut Report) -> Outcome + Send + Sync>;

/// Whether the long counts are asked for (`UTEMPTER_FULL=1`).
pub fn full() -> bool {
    env::var_os("UTEMPTER_FULL").is_some_and(|value| value != "0" && !value.is_empty())
}

/// The short count, or in a full run the long one.
pub fn count(short: usize, long: usize) -> usize {
    if full() { long } else { short }
}

/// Something that happens in both worlds.
pub struct Comparison {
    name: String,
    worlds: usize,
    body: Body,
}

impl Comparison {
    /// A comparison of one world on each side.
    pub fn new(
        name: impl Into<String>,
        body: impl Fn(&World, &mut Report) -> Outcome + Send + Sync + 'static,
    ) -> Comparison {
        Comparison { name: name.into(), worlds: 1, body: Box::new(body) }
    }

    /// Shared out among so many worlds on each side: a world has its bound in time.
    pub fn in_worlds(self, worlds: usize) -> Comparison {
        Comparison { worlds, ..self }
    }

    fn inside(self) -> Case {
        let body = self.body;
        // The side is the one that the world was made for.
        Case::world(&self.name, Side::Ours, move |world| {
            let mut report = Report::default();
            fs::copy(Path::new(HERE).join("writer"), WRITER)?;
            fs::set_permissions(WRITER, Permissions::from_mode(0o755))?;
            let outcome = body(world, &mut report);
            fs::write(Path::new(HERE).join("report"), report.encode())?;
            outcome
        })
    }

    fn outside(self) -> Case {
        let Comparison { name, worlds, .. } = self;
        Case::here(&name.clone(), move || {
            let (c, ours) = thread::scope(|scope| {
                let c = scope.spawn(|| in_worlds(&name, worlds, Side::C));
                let ours = in_worlds(&name, worlds, Side::Ours);
                (c.join().expect("the other side's thread"), ours)
            });
            note(&name, &c.0, &ours.0);
            c.1.and(ours.1)
        })
    }
}

/// The world's own place for what is no part of the test.
const HERE: &str = "/var/log/harness";

/// `c/writer.c`, inside.
pub const WRITER: &str = "/tmp/bin/writer";

fn in_worlds(name: &str, worlds: usize, side: Side) -> (Report, Outcome) {
    let mut all = Report::default();
    for _ in 0..worlds {
        let outcome = in_world(name, side, &mut all);
        if outcome.is_err() {
            return (all, outcome);
        }
    }
    (all, Ok(()))
}

fn in_world(name: &str, side: Side, all: &mut Report) -> Outcome {
    let outside = Outside::new()?;
    let harness = outside.path().join("log/harness");
    fs::create_dir(&harness)?;
    fs::copy(writer()?, harness.join("writer"))?;
    let outcome = outside.run(name, side, &compile::client()?);
    all.add(&fs::read_to_string(harness.join("report")).unwrap_or_default());
    outcome
}

fn writer() -> Result<PathBuf, Failure> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || compile::program("writer", "gcc", &[compile::source("writer.c")]);
    Ok(PROGRAM.get_or_init(|| build().map_err(|error| error.to_string())).clone()?)
}

/// What was seen in the worlds of one side.
#[derive(Debug, Default)]
pub struct Report(Vec<(String, Seen)>);

#[derive(Debug, PartialEq)]
enum Seen {
    /// Added up over all worlds.
    Count(u64),
    Text(String),
}

impl Report {
    /// Notes a number, to be added up.
    pub fn count(&mut self, what: &str, number: impl TryInto<u64>) {
        let number = number.try_into().unwrap_or(u64::MAX);
        self.put(what, Seen::Count(number));
    }

    /// Notes anything else.
    pub fn say(&mut self, what: &str, text: impl Into<String>) {
        self.put(what, Seen::Text(text.into()));
    }

    fn put(&mut self, what: &str, seen: Seen) {
        match (self.0.iter_mut().find(|(other, _)| other == what), seen) {
            (Some((_, Seen::Count(sum))), Seen::Count(number)) => *sum += number,
            (Some((_, Seen::Text(text))), Seen::Text(more)) if *text != more => {
                *text += "; ";
                *text += &more;
            }
            (Some(_), _) => {}
            (None, seen) => self.0.push((what.to_owned(), seen)),
        }
    }

    fn get(&self, what: &str) -> String {
        match self.0.iter().find(|(other, _)| other == what) {
            Some((_, Seen::Count(number))) => number.to_string(),
            Some((_, Seen::Text(text))) => text.clone(),
            None => "-".into(),
        }
    }

    fn encode(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (what, seen)| {
            let _ = match seen {
                Seen::Count(number) => writeln!(text, "{what}\tcount\t{number}"),
                Seen::Text(said) => writeln!(text, "{what}\ttext\t{}", said.replace('\n', " ")),
            };
            text
        })
    }

    fn add(&mut self, encoded: &str) {
        for line in encoded.lines() {
            let mut parts = line.splitn(3, '\t');
            if let (Some(what), Some(kind), Some(value)) =
                (parts.next(), parts.next(), parts.next())
            {
                match (kind, value.parse()) {
                    ("count", Ok(number)) => self.put(what, Seen::Count(number)),
                    _ => self.put(what, Seen::Text(value.to_owned())),
                }
            }
        }
    }
}

static TABLE: Table = Table::new(44, 38, 60);

fn note(name: &str, c: &Report, ours: &Report) {
    let only_c = c.0.iter().filter(|(what, _)| ours.get(what) == "-");
    let rows = ours.0.iter().chain(only_c).map(|(what, _)| what.clone());
    TABLE.put(
        name,
        rows.map(|what| {
            let (c, ours) = (c.get(&what), ours.get(&what));
            (what, c, ours)
        }),
    );
}

/// The main of a test executable of comparisons and other cases, which ends with the table.
pub fn run(comparisons: Vec<Comparison>, others: Vec<Case>) -> ExitCode {
    let inside = env::var_os("UTEMPTER_WORLD").is_some();
    let make = if inside { Comparison::inside } else { Comparison::outside };
    let names: Vec<String> = comparisons.iter().map(|comparison| comparison.name.clone()).collect();
    let code = case::run(comparisons.into_iter().map(make).chain(others).collect());
    TABLE.print("", names.iter().map(String::as_str));
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_texts_stay() {
        let mut one = Report::default();
        one.count("lost", 2);
        one.say("add", "1 after 0.2 s");
        let mut all = Report::default();
        all.add(&one.encode());
        all.add(&one.encode());
        assert_eq!(all.get("lost"), "4");
        assert_eq!(all.get("add"), "1 after 0.2 s");
        assert_eq!(all.get("nothing"), "-");
    }
}

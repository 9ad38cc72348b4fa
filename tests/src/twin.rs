//! The same steps with Debian's C library and with ours, and what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use crate::case::Outcome;
use crate::compile;
use crate::utmp::{self, Record};
use crate::world::{Outside, Side, World};

/// A scenario: what happens in each of the two worlds.
pub struct Scenario {
    /// Its name, as `differences.toml` knows it.
    pub name: &'static str,
    /// What is done inside.
    pub body: Box<dyn Fn(&World) -> Outcome + Send + Sync>,
}

impl Scenario {
    /// A scenario by its own code.
    pub fn new(
        name: &'static str,
        body: impl Fn(&World) -> Outcome + Send + Sync + 'static,
    ) -> Scenario {
        Scenario { name, body: Box::new(body) }
    }

    /// A client's steps, and nothing else.
    pub fn steps(name: &'static str, steps: &'static [&'static str]) -> Scenario {
        Scenario::new(name, move |world| world.run(steps).map(drop))
    }

    /// Runs it twice; only what the table says may differ, and all of that must.
    ///
    /// # Errors
    ///
    /// Everything that is otherwise.
    pub(crate) fn run(&self) -> Outcome {
        judge(&self.differences(Side::Ours)?, &described(&table()?, self.name))
    }

    /// Runs it twice, once through the broker. What its own table says of a scenario stands
    /// in place of what the other says.
    ///
    /// # Errors
    ///
    /// Everything that is otherwise.
    pub(crate) fn run_through_broker(&self) -> Outcome {
        let own = described(&broker_table()?, self.name);
        let described = if own.is_empty() { described(&table()?, self.name) } else { own };
        judge(&self.differences(Side::Broker)?, &described)
    }

    fn differences(&self, side: Side) -> Result<Vec<Difference>, Box<dyn Error + Send + Sync>> {
        Ok(compare(&self.world(Side::C)?, &self.world(side)?))
    }

    fn world(&self, side: Side) -> Result<Trace, Box<dyn Error + Send + Sync>> {
        let begin = now();
        let outside = Outside::new()?;
        outside.run(self.name, side, &compile::client()?)?;
        // The clock that files and records are stamped with may lag by a tick.
        Trace::read(outside.path(), begin - Duration::from_secs(1), now() + Duration::from_secs(1))
    }
}

/// One entry of `differences.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What differs, in a sentence.
    pub title: String,
    /// Why.
    pub reason: String,
    /// Where exactly, by scenario.
    pub seen: BTreeMap<String, Vec<Difference>>,
}

/// One place where the two runs differ.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// A transcript's line, or a file's record and field.
    pub at: String,
    /// What the C library did.
    pub c: String,
    /// What ours did.
    pub ours: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    difference: Vec<Entry>,
}

/// The table of deliberate differences.
///
/// # Errors
///
/// Where the file is not what it should be.
pub fn table() -> Result<Vec<Entry>, Box<dyn Error + Send + Sync>> {
    read_table("differences.toml")
}

/// The table of what is different once more where the broker records.
///
/// # Errors
///
/// Where the file is not what it should be.
pub fn broker_table() -> Result<Vec<Entry>, Box<dyn Error + Send + Sync>> {
    read_table("differences-broker.toml")
}

fn described(table: &[Entry], scenario: &str) -> Vec<Difference> {
    table.iter().filter_map(|entry| entry.seen.get(scenario)).flatten().cloned().collect()
}

fn read_table(name: &str) -> Result<Vec<Entry>, Box<dyn Error + Send + Sync>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let table: Table = toml::from_str(&fs::read_to_string(file)?)?;
    Ok(table.difference)
}

/// What a run left: each place with what is there, by field where it is a record.
#[derive(Default)]
struct Trace(BTreeMap<String, Vec<(&'static str, String)>>);

impl Trace {
    fn read(
        directory: &Path,
        begin: Duration,
        end: Duration,
    ) -> Result<Trace, Box<dyn Error + Send + Sync>> {
        let mut trace = Trace::default();
        let mut clients = Vec::new();
        let transcript = fs::read(directory.join("run/transcript"))?;
        for (number, line) in String::from_utf8_lossy(&transcript).lines().enumerate() {
            let line = match line.strip_prefix("pid ") {
                Some(pid) => {
                    let (own, outside) = pid.split_once(' ').ok_or("a pid without another")?;
                    clients.push((own.parse()?, outside.parse()?));
                    "pid of a client"
                }
                None => line,
            };
            trace.note(format!("transcript {}", number + 1), line.to_owned());
        }
        for (name, file) in [("utmp", "run/utmp"), ("wtmp", "log/wtmp")] {
            let bytes = match fs::read(directory.join(file)) {
                Ok(bytes) => bytes,
                Err(error) => {
                    trace.note(name.into(), error.kind().to_string());
                    continue;
                }
            };
            let (whole, torn) = bytes.split_at(bytes.len() / utmp::SIZE * utmp::SIZE);
            if !torn.is_empty() {
                trace.note(format!("{name} torn"), format!("{torn:?}"));
            }
            for (number, record) in utmp::decode(whole)?.iter().enumerate() {
                let place = format!("{name} record {}", number + 1);
                trace.0.insert(place, fields(record, &clients, begin, end));
            }
        }
        Ok(trace)
    }

    fn note(&mut self, place: String, value: String) {
        self.0.insert(place, vec![("", value)]);
    }
}

/// The fields of a record, with what differs from run to run put in words.
fn fields(
    record: &Record,
    clients: &[(i32, i32)],
    begin: Duration,
    end: Duration,
) -> Vec<(&'static str, String)> {
    let mut fields = record.fields();
    for (field, value) in &mut fields {
        // The pid is the client's own in both, or it is not equal.
        if *field == "ut_pid" {
            let pid = record.pid();
            if let Some(client) = clients.iter().position(|(own, _)| *own == pid) {
                *value = format!("of client {}", client + 1);
            } else if let Some(client) = clients.iter().position(|(_, outside)| *outside == pid) {
                *value = format!("of client {} outside its namespace", client + 1);
            }
        }
        if *field == "ut_tv" && (0..1_000_000).contains(&record.microseconds()) {
            let fraction = record.microseconds().unsigned_abs() * 1000;
            let time = Duration::new(u64::from(record.seconds()), fraction);
            if (begin..=end).contains(&time) {
                *value = "during the run".into();
            }
        }
    }
    fields
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970")
}

fn compare(c: &Trace, ours: &Trace) -> Vec<Difference> {
    let mut differences = Vec::new();
    let places: BTreeSet<&String> = c.0.keys().chain(ours.0.keys()).collect();
    for place in places {
        match (c.0.get(place), ours.0.get(place)) {
            (Some(c), Some(ours)) if c.len() == ours.len() => {
                let pairs = c.iter().zip(ours).filter(|(c, ours)| c != ours);
                differences.extend(pairs.map(|((field, c), (_, ours))| Difference {
                    at: format!("{place} {field}").trim_end().to_owned(),
                    c: c.clone(),
                    ours: ours.clone(),
                }));
            }
            (c, ours) => {
                differences.push(Difference { at: place.clone(), c: whole(c), ours: whole(ours) })
            }
        }
    }
    differences
}

/// A place that the other run does not have, in one line: what is zero is left out.
fn whole(place: Option<&Vec<(&'static str, String)>>) -> String {
    let Some(fields) = place else {
        return "nothing".into();
    };
    let is_zero = |value: &str| value.bytes().all(|byte| b"0[], ".contains(&byte));
    let parts: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !is_zero(value))
        .map(|(field, value)| format!("{field} {value}").trim_start().to_owned())
        .collect();
    parts.join(", ")
}

fn judge(seen: &[Difference], described: &[Difference]) -> Outcome {
    let mut text = String::new();
    for (title, these, those) in [
        ("differs, and the table does not say so:", seen, described),
        ("should differ by the table, and does not:", described, seen),
    ] {
        let alone: Vec<String> =
            these.iter().filter(|one| !those.contains(one)).map(line).collect();
        if !alone.is_empty() {
            text += &format!("{title}\n{}", alone.concat());
        }
    }
    if text.is_empty() { Ok(()) } else { Err(text.into()) }
}

/// As the table would have it.
fn line(difference: &Difference) -> String {
    let Difference { at, c, ours } = difference;
    format!("  {{ at = {at:?}, c = {c:?}, ours = {ours:?} }},\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(at: &str, c: &str, ours: &str) -> Difference {
        Difference { at: at.into(), c: c.into(), ours: ours.into() }
    }

    #[test]
    fn every_byte_of_a_record_but_pid_and_time_counts() {
        let trace = |record: &Record| {
            let fields = fields(record, &[(7, 7)], Duration::ZERO, Duration::ZERO);
            Trace([("utmp record 1".into(), fields)].into())
        };
        let record = Record::new(7, 7, "pts/0", "ts/0", "alice", "host");
        for at in 0..utmp::SIZE {
            let mut other = record;
            other.0[at] ^= 1;
            let differences = compare(&trace(&record), &trace(&other));
            assert_eq!(differences.len(), 1, "byte {at}: {differences:?}");
        }
    }

    #[test]
    fn a_record_too_many_is_a_difference() {
        let fields = fields(
            &Record::new(8, 7, "pts/0", "", "", ""),
            &[(7, 7)],
            Duration::ZERO,
            Duration::ZERO,
        );
        let one = Trace([("wtmp record 1".into(), fields)].into());
        let text = "ut_type 8, ut_pid of client 1, ut_line pts/0, ut_tv 1000000000.000000";
        let expected = [difference("wtmp record 1", "nothing", text)];
        assert_eq!(compare(&Trace::default(), &one), expected);
    }

    #[test]
    fn what_the_table_says_must_be_so_and_no_more() {
        let one = difference("transcript 2", "0", "1");
        let two = difference("utmp bytes", "0", "384");
        let (none, first, both) = ([], [one.clone()], [one, two]);
        assert!(judge(&none, &none).is_ok());
        assert!(judge(&first, &first).is_ok());
        assert!(judge(&both, &first).is_err());
        assert!(judge(&first, &both).is_err());
    }

    #[test]
    fn every_difference_has_a_reason() {
        let tables = [table(), broker_table()];
        for entry in tables.into_iter().flat_map(|table| table.expect("a table as it should be")) {
            assert!(!entry.title.trim().is_empty() && !entry.reason.trim().is_empty());
            assert!(!entry.seen.is_empty(), "{}", entry.title);
            for (scenario, differences) in entry.seen {
                assert!(!differences.is_empty(), "{}: {scenario}", entry.title);
            }
        }
    }
}

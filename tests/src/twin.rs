//! The same steps with Debian's C library and with ours, and what differs.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use crate::case::Outcome;
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
        let c = self.world(Side::C)?;
        let ours = self.world(Side::Ours)?;
        let seen = compare(&c, &ours);
        let described =
            table()?.into_iter().find(|entry| entry.name == self.name).map(|entry| entry.differs);
        judge(&seen, &described.unwrap_or_default())
    }

    fn world(&self, side: Side) -> Result<Trace, Box<dyn Error + Send + Sync>> {
        let begin = now();
        let outside = Outside::new()?;
        outside.run(self.name, side)?;
        // The clock that files and records are stamped with may lag by a tick.
        Trace::read(outside.path(), begin - Duration::from_secs(1), now() + Duration::from_secs(1))
    }
}

/// One entry of `differences.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The scenario's name.
    pub name: String,
    /// Why ours differs.
    pub reason: String,
    /// In what, exactly.
    pub differs: Vec<Difference>,
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
    scenario: Vec<Entry>,
}

/// The table of deliberate differences.
///
/// # Errors
///
/// Where the file is not what it should be.
pub fn table() -> Result<Vec<Entry>, Box<dyn Error + Send + Sync>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("differences.toml");
    let table: Table = toml::from_str(&fs::read_to_string(file)?)?;
    Ok(table.scenario)
}

/// What a run left: each place with what is there.
struct Trace(HashMap<String, String>);

impl Trace {
    fn read(
        directory: &Path,
        begin: Duration,
        end: Duration,
    ) -> Result<Trace, Box<dyn Error + Send + Sync>> {
        let mut places = HashMap::new();
        let transcript = fs::read_to_string(directory.join("run/transcript"))?;
        let mut clients = Vec::new();
        for (number, line) in transcript.lines().enumerate() {
            let mut line = line.to_owned();
            if let Some(pid) = line.strip_prefix("pid ") {
                clients.push(pid.parse()?);
                line = "pid of a client".into();
            }
            places.insert(format!("transcript {}", number + 1), line);
        }
        for (name, file) in [("utmp", "run/utmp"), ("wtmp", "log/wtmp")] {
            let bytes = match fs::read(directory.join(file)) {
                Ok(bytes) => bytes,
                Err(error) => {
                    places.insert(name.into(), error.kind().to_string());
                    continue;
                }
            };
            places.insert(format!("{name} bytes"), bytes.len().to_string());
            let whole = bytes.len() / utmp::SIZE * utmp::SIZE;
            for (number, record) in utmp::decode(&bytes[..whole])?.iter().enumerate() {
                let place = format!("{name} record {}", number + 1);
                note(&mut places, &place, record, &clients, begin, end);
            }
        }
        Ok(Trace(places))
    }
}

fn note(
    places: &mut HashMap<String, String>,
    place: &str,
    record: &Record,
    clients: &[i32],
    begin: Duration,
    end: Duration,
) {
    for (field, mut value) in record.fields() {
        // The pid differs from run to run, but is the client's own in both.
        if field == "ut_pid" {
            if let Some(client) = clients.iter().position(|pid| *pid == record.pid()) {
                value = format!("of client {}", client + 1);
            }
        }
        if field == "ut_tv" && record.microseconds() < 1_000_000 {
            let time = Duration::new(
                u64::from(record.seconds()),
                record.microseconds().unsigned_abs() * 1000,
            );
            if (begin..=end).contains(&time) {
                value = "during the run".into();
            }
        }
        places.insert(format!("{place} {field}"), value);
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970")
}

fn compare(c: &Trace, ours: &Trace) -> Vec<Difference> {
    let mut places: Vec<&String> = c.0.keys().chain(ours.0.keys()).collect();
    places.sort();
    places.dedup();
    let value = |trace: &Trace, place: &String| {
        trace.0.get(place).cloned().unwrap_or_else(|| "nothing".into())
    };
    places
        .into_iter()
        .map(|place| Difference { at: place.clone(), c: value(c, place), ours: value(ours, place) })
        .filter(|difference| difference.c != difference.ours)
        .collect()
}

fn judge(seen: &[Difference], described: &[Difference]) -> Outcome {
    let mut text = String::new();
    for difference in seen.iter().filter(|difference| !described.contains(difference)) {
        text += &format!("differs, and the table does not say so:\n{}", line(difference));
    }
    for difference in described.iter().filter(|difference| !seen.contains(difference)) {
        text += &format!("should differ by the table, and does not:\n{}", line(difference));
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
            let mut places = HashMap::new();
            note(&mut places, "utmp record 1", record, &[7], Duration::ZERO, Duration::ZERO);
            Trace(places)
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
        for entry in table().expect("differences.toml is as it should be") {
            assert!(!entry.reason.trim().is_empty(), "{}", entry.name);
            assert!(!entry.differs.is_empty(), "{}", entry.name);
        }
    }
}

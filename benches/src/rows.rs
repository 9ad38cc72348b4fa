//! What is promised, what was measured, and whether the one keeps the other.

use utempter_tests::place::{self, Stage};

use crate::Failure;
use crate::history;
use crate::inside::CROWD;
use crate::samples::{Samples, Spread, paired};
use crate::text::{grouped, time};

/// A line of a table.
pub struct Row {
    pub what: String,
    pub theirs: String,
    pub ours: String,
    pub ratio: String,
    pub reach: String,
    /// Whether anybody wants to know.
    pub is_shown: bool,
    /// Whether what was to be reached was; nothing where nothing was to be.
    pub met: Option<bool>,
}

/// The reason of those that were left out on purpose, whose rows are not shown.
pub const NOT_ASKED_FOR: &str = "not asked for";

/// Why a measurement is not there, by its name.
pub type Reasons = Vec<(&'static str, String)>;

/// What the rows are made of.
pub struct Measured<'a> {
    pub samples: &'a Samples,
    pub reasons: &'a Reasons,
}

/// Grown caller or file beside the empty one.
const FLAT: f64 = 1.3;
/// With each kind of helper: one with a C library under it, one without.
const DYNAMIC: f64 = 0.78;
const FREESTANDING: f64 = 0.35;
const LARGE_CALLER: f64 = 0.05;
const RECORDS: [(u64, f64); 3] = [(1000, 0.6), (10_000, 0.25), (100_000, 0.12)];
/// Microseconds.
const HELD_LOCK: f64 = 500_000.0;
/// Bytes that GNU ld may take more than the C library has.
const GNU_LD: u64 = 2048;
const BROKER: f64 = 0.06;
/// Microseconds, and the part of `last`'s time.
const FIRST_LINES: f64 = 50_000.0;
const WHOLE_HISTORY: f64 = 0.2;

impl Measured<'_> {
    /// The helper: by the library, and as a file and a process.
    pub fn helper(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (way, name, most) in helpers() {
            for operation in ["add", "del"] {
                rows.push(self.pair(
                    "small",
                    0,
                    ("c", operation),
                    (way, operation),
                    &format!("{operation}, small caller{name}"),
                    most,
                ));
            }
            for mebibytes in [1024, 4096] {
                let what = format!("add, caller with {} GiB{name}", mebibytes / 1024);
                rows.push(self.pair(
                    "memory",
                    mebibytes,
                    ("c", "add"),
                    (way, "add"),
                    &what,
                    LARGE_CALLER,
                ));
            }
            rows.push(self.flat("memory", 4096, way, &format!("4 GiB beside none{name}")));
            for (count, most) in RECORDS {
                let what = format!("add, {} records in utmp{name}", grouped(count));
                rows.push(self.pair("records", count, ("c", "add"), (way, "add"), &what, most));
            }
            rows.extend(self.lock(way, name));
        }
        rows.extend(self.sizes());
        for (way, name, _) in helpers() {
            let mut counted = |what: &str, operation: &str, unit: &str| {
                let what = format!("{what}{name}");
                rows.push(self.count("programs", way, operation, &what, unit));
            };
            counted("peak memory of the helper", "peak", " KiB");
            counted("instructions of add, user space", "add-instructions", "");
            counted("instructions of del, user space", "del-instructions", "");
        }
        rows
    }

    /// The broker.
    pub fn broker(&self) -> Vec<Row> {
        let pair = |measurement, size, what: &str| {
            self.pair(measurement, size, ("c", "add"), ("broker", "add"), what, BROKER)
        };
        let mut rows = vec![
            pair("small", 0, "add, small caller"),
            pair("one-cpu", 0, "the same, all on one processor"),
            pair("memory", 256, "add, caller with 256 MiB"),
            pair("memory", 1024, "add, caller with 1 GiB"),
            pair("memory", 4096, "add, caller with 4 GiB"),
            self.flat("memory", 4096, "broker", "4 GiB beside none"),
            pair("records", 10_000, "add, 10,000 sessions in utmp"),
            pair("records", 100_000, "add, 100,000 sessions in utmp"),
            self.flat("records", 100_000, "broker", "100,000 sessions beside none"),
        ];
        rows.push(self.crowd());
        let mut floor = self.pair(
            "small",
            0,
            ("socket", "ask"),
            ("broker", "add"),
            "add beside a bare socket asked",
            0.0,
        );
        // Said, not promised.
        if floor.met.is_some() {
            floor.reach = "-".into();
            floor.met = None;
        }
        rows.push(floor);
        rows
    }

    /// utempterctl.
    pub fn history(&self) -> Vec<Row> {
        let get = |operation| self.samples.spread("history", 0, "ours", operation);
        let missing = |what: &str| self.missing("history", what);
        let mut rows = Vec::new();
        rows.push(get("first").map_or_else(
            || missing("history --limit 20"),
            |first| Row {
                what: "history --limit 20".into(),
                theirs: "-".into(),
                ours: time(first.median),
                ratio: "-".into(),
                reach: time(FIRST_LINES),
                is_shown: true,
                met: Some(first.median < FIRST_LINES),
            },
        ));
        let what = "whole history, beside last -f";
        let ours = ("ours", "whole");
        rows.push(match self.samples.spread("history", 0, "last", "whole") {
            Some(_) => self.pair("history", 0, ("last", "whole"), ours, what, WHOLE_HISTORY),
            None if get("whole").is_some() => Row::missing(what, "last is not util-linux's here"),
            None => missing(what),
        });
        let memory = |size: usize| {
            self.samples.spread("history", size as u64, "ours", "memory").map(|kib| kib.median)
        };
        let sizes = [history::RECORDS / 100, history::RECORDS];
        let what = "its memory, beside a hundredth of the file";
        rows.push(match sizes.map(memory) {
            [Some(small), Some(large)] => {
                let ratio = large / small;
                Row {
                    what: what.into(),
                    theirs: kib(small),
                    ours: kib(large),
                    ratio: format!("{ratio:.2}"),
                    reach: format!("{FLAT}"),
                    is_shown: true,
                    met: Some(ratio <= FLAT),
                }
            }
            _ => missing(what),
        });
        rows
    }

    fn pair(
        &self,
        measurement: &'static str,
        size: u64,
        theirs: (&str, &str),
        ours: (&str, &str),
        what: &str,
        most: f64,
    ) -> Row {
        let get =
            |(way, operation): (&str, &str)| self.samples.values(measurement, size, way, operation);
        let (Some(left), Some(right)) = (get(theirs), get(ours)) else {
            return self.missing(measurement, what);
        };
        let ratio = paired(left, right);
        let middle = |values| time(crate::samples::spread(values).median);
        Row {
            what: what.into(),
            theirs: middle(left),
            ours: middle(right),
            ratio: of_spread(ratio),
            reach: format!("{most}"),
            is_shown: true,
            met: Some(ratio.median <= most),
        }
    }

    /// The same way, with much and with nothing: two runs, each by the floor in it.
    fn flat(&self, measurement: &'static str, size: u64, way: &str, what: &str) -> Row {
        let get = |size| self.samples.spread(measurement, size, way, "add");
        let (Some(none), Some(much)) = (get(0), get(size)) else {
            return self.missing(measurement, what);
        };
        let floor = |size| self.samples.spread(measurement, size, "bare", "run");
        let (Some(before), Some(after)) = (floor(0), floor(size)) else {
            return self.missing(measurement, what);
        };
        let ratio = (much.median / after.median) / (none.median / before.median);
        Row {
            what: format!("{what}: ours alone"),
            theirs: format!("{} (none)", time(none.median)),
            ours: time(much.median),
            ratio: format!("{ratio:.2}"),
            reach: format!("{FLAT}"),
            is_shown: true,
            met: Some(ratio <= FLAT),
        }
    }

    fn lock(&self, way: &str, name: &str) -> [Row; 2] {
        let get = |way: &str, what: &str| self.samples.values("lock", 0, way, what);
        let what = [format!("add, utmp read-locked{name}"), format!("the record then{name}")];
        let found = (get("c", "once"), get(way, "once"), get("c", "kept"), get(way, "kept"));
        let (Some(theirs), Some(ours), Some(left), Some(right)) = found else {
            return what.map(|what| self.missing("lock", &what));
        };
        // Time and result of each.
        let times = |values: &[f64]| -> Vec<f64> { values.iter().step_by(2).copied().collect() };
        let (theirs, ours) = (times(theirs), times(ours));
        let worst = ours.iter().copied().fold(0.0, f64::max);
        let kept = |values: &[f64]| {
            let kept = values.iter().filter(|value| **value > 0.0).count();
            (format!("kept {kept} of {}", values.len()), kept == values.len())
        };
        let ((left, _), (right, all)) = (kept(left), kept(right));
        let [first, second] = what;
        [
            Row {
                what: first,
                theirs: time(crate::samples::spread(&theirs).median),
                ours: time(worst),
                ratio: of_spread(paired(&theirs, &ours)),
                reach: time(HELD_LOCK),
                is_shown: true,
                met: Some(worst <= HELD_LOCK),
            },
            Row {
                what: second,
                theirs: left,
                ours: right,
                ratio: "-".into(),
                reach: "kept".into(),
                is_shown: true,
                met: Some(all),
            },
        ]
    }

    fn sizes(&self) -> Vec<Row> {
        let length = |path: &std::path::Path| Ok::<u64, Failure>(path.metadata()?.len());
        let mut rows = Vec::new();
        for (stage, linker, more) in
            [(Stage::main(), "lld", 0), (Stage::gnu_ld(), "GNU ld", GNU_LD)]
        {
            let mut files = vec![("library", place::c_library().ok(), stage.library())];
            for name in ["utempter", "utempter-nss"] {
                let file = stage.helper().with_file_name(name);
                if name == "utempter" || file.exists() {
                    files.push((name, Some(place::system_helper()), file));
                }
            }
            for (name, theirs, ours) in files {
                let what = format!("{name} on disk, by {linker}");
                let Some(Ok(theirs)) = theirs.map(|file| length(&file)) else {
                    rows.push(Row::missing(&what, "libutempter0 is not installed"));
                    continue;
                };
                let Ok(ours) = length(&ours) else {
                    rows.push(Row::missing(&what, &format!("{} is not staged", ours.display())));
                    continue;
                };
                rows.push(Row {
                    what,
                    theirs: format!("{} B", grouped(theirs)),
                    ours: format!("{} B", grouped(ours)),
                    ratio: format!("{:.2}", ours as f64 / theirs as f64),
                    reach: format!("{} B", grouped(theirs + more)),
                    is_shown: true,
                    met: Some(ours <= theirs + more),
                });
            }
        }
        rows
    }

    fn count(
        &self,
        measurement: &'static str,
        way: &str,
        operation: &str,
        what: &str,
        unit: &str,
    ) -> Row {
        let get = |way| self.samples.spread(measurement, 0, way, operation);
        let (Some(theirs), Some(ours)) = (get("c"), get(way)) else {
            return self.missing(measurement, what);
        };
        let ratio = ours.median / theirs.median;
        let said = |count: f64| format!("{}{unit}", grouped(count as u64));
        Row {
            what: what.into(),
            theirs: said(theirs.median),
            ours: said(ours.median),
            ratio: format!("{ratio:.2}"),
            reach: "1".into(),
            is_shown: true,
            met: Some(ratio <= 1.0),
        }
    }

    fn crowd(&self) -> Row {
        let (clients, sessions) = CROWD;
        let all = u64::from(clients * sessions);
        let what = format!("{} sessions of {clients} clients at once", grouped(all));
        let get = |name| self.samples.spread("crowd", 0, "crowd", name).map(|found| found.median);
        let found = (get("logins"), get("logouts"), get("left"));
        let (Some(logins), Some(logouts), Some(left)) = found else {
            return self.missing("crowd", &what);
        };
        // Microseconds of all, and how many calls have failed.
        let done = self.samples.values("crowd", 0, "crowd", "all").unwrap_or_default();
        let [micros, failed] = done else {
            return self.missing("crowd", &what);
        };
        let lost = 2.0 * all as f64 - logins - logouts;
        Row {
            what,
            theirs: "-".into(),
            ours: format!(
                "{} in all, {} each; {lost} lost, {failed} failed, {left} left",
                time(*micros),
                time(micros / (2 * all) as f64)
            ),
            ratio: "-".into(),
            reach: "none lost".into(),
            is_shown: true,
            met: Some(lost == 0.0 && *failed == 0.0 && left == 0.0),
        }
    }

    /// With the reason, if the measurement did not run.
    fn missing(&self, measurement: &str, what: &str) -> Row {
        let reason = self.reasons.iter().find(|(name, _)| *name == measurement);
        let reason = reason.map_or("what it needs is not there", |(_, reason)| reason.as_str());
        Row::missing(what, reason)
    }
}

impl Row {
    fn missing(what: &str, reason: &str) -> Row {
        let none = || "-".to_owned();
        Row {
            what: what.into(),
            theirs: none(),
            ours: format!("did not run: {reason}"),
            ratio: none(),
            reach: none(),
            is_shown: reason != NOT_ASKED_FOR,
            met: None,
        }
    }
}

/// The helpers that are staged: way, name, and what is to be reached with a small caller.
fn helpers() -> Vec<(&'static str, &'static str, f64)> {
    match has_two_helpers() {
        // With a second one for what it does not do itself, the first has no C library under it.
        true => vec![("ours", "", FREESTANDING), ("nss", " (utempter-nss)", DYNAMIC)],
        false => vec![("ours", "", DYNAMIC)],
    }
}

/// Whether there is another for what needs a C library.
pub fn has_two_helpers() -> bool {
    Stage::main().helper().with_file_name("utempter-nss").exists()
}

fn kib(value: f64) -> String {
    format!("{} KiB", grouped(value as u64))
}

fn of_spread(Spread { low, median, high }: Spread) -> String {
    format!("{median:.3} ({low:.3} to {high:.3})")
}

//! How time grows with records and with the caller's memory, and what a line through it says of
//! a machine with as many ptys as Linux can give.

use std::collections::HashMap;

use login_databases::Layout;
use utempter_tests::place;

use crate::Failure;
use crate::samples::Samples;
use crate::text::{grouped, table, time};

/// Linux gives no more (drivers/tty/pty.c: NR_UNIX98_PTY_MAX).
pub const PTYS: u64 = 1 << 20;
/// Bytes that the broker keeps of a session in its file.
const STATE: u64 = 512;

/// The ways that are drawn: as samples call them, and as people do.
pub const WAYS: [(&str, &str); 4] =
    [("c", "C library"), ("ours", "helper"), ("nss", "helper utempter-nss"), ("broker", "broker")];

/// A straight line: microseconds of none, and of each more.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub none: f64,
    pub each: f64,
}

/// The medians of a way, by size.
pub fn points(samples: &Samples, measurement: &str, way: &str) -> Vec<(f64, f64)> {
    let median = |size| samples.spread(measurement, size, way, "add").map(|found| found.median);
    let sizes = samples.sizes(measurement);
    sizes.iter().filter_map(|size| Some((*size as f64, median(*size)?))).collect()
}

/// The line from which all are least away, as parts of each: a small time counts as a large one.
pub fn fitted(points: &[(f64, f64)]) -> Option<Line> {
    let (mut w, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, y) in points {
        let weight = 1.0 / (y * y);
        w += weight;
        wx += weight * x;
        wy += weight * y;
        wxx += weight * x * x;
        wxy += weight * x * y;
    }
    let divisor = w * wxx - wx * wx;
    if points.len() < 3 || divisor == 0.0 {
        return None;
    }
    let each = (w * wxy - wx * wy) / divisor;
    Some(Line { none: (wy - each * wx) / w, each })
}

impl Line {
    /// What it says of a size.
    pub fn at(self, size: f64) -> f64 {
        self.none + self.each * size
    }

    /// How far the farthest point is away, as a part of it.
    fn away(self, points: &[(f64, f64)]) -> f64 {
        points.iter().map(|(x, y)| (self.at(*x) / y - 1.0).abs()).fold(0.0, f64::max)
    }
}

/// The ways that were measured.
fn measured(samples: &Samples, measurement: &str) -> Vec<(&'static str, &'static str)> {
    WAYS.into_iter().filter(|(way, _)| !points(samples, measurement, way).is_empty()).collect()
}

/// Every median, and the line through each way's.
pub fn figures(samples: &Samples, measurement: &str, unit: &str) -> String {
    let ways = measured(samples, measurement);
    let mut rows = Vec::new();
    for (way, name) in ways {
        let points = points(samples, measurement, way);
        let all: Vec<String> =
            points.iter().map(|(x, y)| format!("{}: {}", grouped(*x as u64), time(*y))).collect();
        let line = fitted(&points).map_or("too few points".into(), |line| {
            format!(
                "{} + {} a {unit}; off by {:.0}% at most",
                time(line.none),
                time(line.each),
                line.away(&points) * 100.0
            )
        });
        rows.push([name.to_owned(), all.join(", "), line]);
    }
    table(["add by", "medians", "line"], rows)
}

/// A session on each pty that Linux can give.
///
/// # Errors
///
/// Where the broker's unit cannot be read.
pub fn million(samples: &Samples) -> Result<String, Failure> {
    let count = PTYS as f64;
    let size = Layout::NATIVE.size() as u64;
    let mut rows = Vec::new();
    let mut row = |what: &str, theirs: String, helper: String, broker: String| {
        rows.push([what.to_owned(), theirs, helper, broker]);
    };
    let add = |way| fitted(&points(samples, "records", way)).map_or(0.0, |line| line.at(count));
    let said = |micros: f64| if micros > 0.0 { time(micros) } else { "not measured".into() };
    let adds = ["c", "ours", "broker"].map(add);
    let [theirs, helper, broker] = adds.map(said);
    row("one add, by the line above", theirs, helper, broker);
    // Each finds as many as were added before it: the mean is half of the last.
    let sum = |way: &str| {
        fitted(&points(samples, "records", way)).map_or("not measured".into(), |line| {
            let seconds = (line.none + line.each * count / 2.0) * count / 1e6;
            match seconds < 1000.0 {
                true => time(seconds * 1e6),
                false => format!("{:.1} h", seconds / 3600.0),
            }
        })
    };
    row("all of them added, one by one", sum("c"), sum("ours"), sum("broker"));
    let file = mebibytes(size * PTYS);
    row("utmp, in memory where /run is", file.clone(), file.clone(), file);
    let memory = broker_memory(samples).map_or("not measured".into(), |line| {
        format!(
            "{} ({:.0} B a session)",
            mebibytes(line.at(count) as u64 * 1024),
            line.each * 1024.0
        )
    });
    row("its own memory between calls", "none".into(), "none".into(), memory);
    row("its own file in /run", "none".into(), "none".into(), mebibytes(STATE * PTYS));
    row(
        "descriptors",
        "none".into(),
        "none".into(),
        format!("{}; its unit allows {}", grouped(PTYS), limit()?),
    );
    let (theirs, ours) = (sharing(last_four), sharing(|line| own_id(&line)));
    let shared = |lines: u64| format!("{} lines", grouped(lines));
    row("lines that share their ut_id", shared(theirs), shared(ours), shared(ours));
    Ok(table(["", "C library", "helper", "broker"], rows))
}

/// KiB by sessions in its index.
fn broker_memory(samples: &Samples) -> Option<Line> {
    let kib = |size| samples.spread("records", size, "broker", "memory").map(|kib| kib.median);
    let sizes = samples.sizes("records");
    let points: Vec<_> =
        sizes.iter().filter_map(|size| Some((*size as f64, kib(*size)?))).collect();
    fitted(&points)
}

/// What its unit allows.
fn limit() -> Result<String, Failure> {
    let unit = place::repository().join("dist/systemd/utempterd.service");
    let text = std::fs::read_to_string(&unit)?;
    let limit = text.lines().find_map(|line| line.strip_prefix("LimitNOFILE="));
    Ok(grouped(limit.ok_or("the unit has no LimitNOFILE")?.parse()?))
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MB", grouped(bytes / 1_000_000))
}

/// How many ptys share their id with another.
fn sharing(id: impl Fn(String) -> [u8; 4]) -> u64 {
    let mut ids: HashMap<[u8; 4], u64> = HashMap::new();
    for number in 0..PTYS {
        *ids.entry(id(format!("pts/{number}"))).or_default() += 1;
    }
    ids.values().filter(|count| **count > 1).sum()
}

/// As the C library forms it (utempter.c).
fn last_four(line: String) -> [u8; 4] {
    *line.as_bytes().last_chunk().unwrap_or(&[0; 4])
}

fn own_id(line: &str) -> [u8; 4] {
    let number = line.strip_prefix("pts/").and_then(|number| number.parse().ok());
    number.map_or([0; 4], |number| login_records::Line::pts(number).id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_again() {
        let points: Vec<_> = [0.0, 10.0, 1e6].map(|x| (x, 5.0 + 0.25 * x)).into();
        let line = fitted(&points).unwrap();
        assert!((line.none - 5.0).abs() < 1e-6 && (line.each - 0.25).abs() < 1e-9, "{line:?}");
        assert!(line.away(&points) < 1e-9);
        assert!(fitted(&points[..2]).is_none());
    }

    #[test]
    fn ids_are_shared_where_they_are_digits_alone() {
        // Below pts/1000 there is a letter or a slash among the four.
        assert_eq!(sharing(last_four), PTYS - 1000);
        assert_eq!(sharing(|line| own_id(&line)), 0);
    }
}

//! Which logout belongs to which login.
//!
//! wtmp is read from its end, as `last` does, so that a logout is known before its login is
//! met. The rules are those of util-linux's last, whose every session and duration this
//! gives for the same file, but where it errs:
//!
//! * Records that a torn write has shifted are found; last reads them as nonsense.
//! * A boot that the next boot ends has crashed then; last shows it up until the next
//!   shutdown.
//! * Changes of the clock are taken out of a duration.

use std::collections::HashMap;

use login_records::Time;

use crate::entry::Raw;
use crate::kind::Kind;
use crate::session::{End, What, micros};

/// What a record begins, and how that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What began.
    pub what: What,
    /// When it ended; `None` if not yet, as far as the records say.
    pub logout: Option<Time>,
    /// How.
    pub end: End,
    /// Microseconds by which the clock was set forward in between.
    pub clock_change: i64,
}

/// An end, and the clock's changes that came after it.
#[derive(Clone, Copy)]
struct Ended {
    time: Time,
    changes: i64,
}

/// A line's name, in words that are quickly hashed and compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Line(u64, u64, u64, u64);

impl Line {
    /// Of at most 32 bytes, without a NUL.
    fn of(name: &[u8]) -> Line {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(name.chunks(8)) {
            for (n, byte) in bytes.iter().enumerate() {
                *word |= u64::from(*byte) << (8 * n);
            }
        }
        Line(words[0], words[1], words[2], words[3])
    }
}

/// Pairs records that come from the newest to the oldest.
///
/// Its memory grows with the lines in use between two boots, not with the records.
///
/// ```
/// use login_databases::{End, Entry, Kind, Layout, Pairing, Raw, Time};
///
/// let at = |kind, sec| Entry::new(kind).with_line("pts/3").with_time(Time { sec, usec: 0 });
/// let login = Layout::NATIVE.encode(at(Kind::User, 100).with_user("alice").record());
/// let logout = Layout::NATIVE.encode(at(Kind::Dead, 160).record());
/// let mut pairing = Pairing::default();
/// assert_eq!(pairing.feed(Raw::new(&Layout::NATIVE, &logout)), None);
/// let session = pairing.feed(Raw::new(&Layout::NATIVE, &login)).unwrap();
/// assert_eq!((session.end, session.logout.unwrap().sec), (End::Recorded, 160));
/// ```
#[derive(Default)]
pub struct Pairing {
    /// The next record of each line.
    lines: HashMap<Line, Ended, foldhash::fast::RandomState>,
    /// The next boot or shutdown, and which.
    stop: Option<(Ended, End)>,
    /// The shutdown that belongs to the next older boot.
    down: Option<Ended>,
    boot: Option<Ended>,
    level: Option<Ended>,
    /// Changes of the clock in all the records so far, in microseconds.
    changes: i64,
    new_time: Option<Time>,
}

impl Pairing {
    /// What the record begins, if anything.
    pub fn feed(&mut self, raw: Raw<'_>) -> Option<Step> {
        let time = raw.time();
        let ended = Ended { time, changes: self.changes };
        let line = raw.line();
        match meaning(raw, line) {
            Meaning::Nothing => None,
            Meaning::Logout => {
                self.line_ends(line, ended);
                None
            }
            Meaning::Login => {
                let step = match self.line_ends(line, ended) {
                    Some(end) => self.step(What::Login, Some(end), End::Recorded),
                    None => match self.stop {
                        Some((end, how)) => self.step(What::Login, Some(end), how),
                        None => self.step(What::Login, None, End::Open),
                    },
                };
                Some(step)
            }
            Meaning::Boot => {
                let (end, how) = match (self.down.take(), self.boot) {
                    (Some(down), _) => (Some(down), End::Down),
                    (None, Some(boot)) => (Some(boot), End::Crash),
                    (None, None) => (None, End::Open),
                };
                let step = self.step(What::Boot, end, how);
                self.boot = Some(ended);
                self.stopped(ended, End::Crash);
                Some(step)
            }
            Meaning::Shutdown => {
                let end = self.boot;
                let step = self.step(What::Shutdown, end, End::Recorded);
                self.goes_down(ended);
                Some(Step { end: if end.is_some() { End::Recorded } else { End::Open }, ..step })
            }
            Meaning::RunLevel(level) => {
                let end = self.level;
                let step = self.step(What::RunLevel(level), end, End::Recorded);
                if matches!(level, b'0' | b'6') {
                    self.goes_down(ended);
                }
                self.level = Some(ended);
                Some(Step { end: if end.is_some() { End::Recorded } else { End::Open }, ..step })
            }
            Meaning::NewTime => {
                self.new_time = Some(time);
                Some(self.step(What::NewTime, None, End::Moment))
            }
            Meaning::OldTime => {
                if let Some(new) = self.new_time.take() {
                    let change = i64::try_from(micros(new) - micros(time)).unwrap_or(0);
                    self.changes = self.changes.saturating_add(change);
                }
                Some(self.step(What::OldTime, None, End::Moment))
            }
        }
    }

    fn step(&self, what: What, end: Option<Ended>, how: End) -> Step {
        let later = end.map_or(0, |end| end.changes);
        Step {
            what,
            logout: end.map(|end| end.time),
            end: how,
            clock_change: self.changes.saturating_sub(later),
        }
    }

    /// The record that comes next on the line, in whose place this one steps.
    fn line_ends(&mut self, line: &[u8], ended: Ended) -> Option<Ended> {
        if line.is_empty() {
            return None;
        }
        self.lines.insert(Line::of(line), ended)
    }

    fn goes_down(&mut self, ended: Ended) {
        self.down = Some(ended);
        self.level = Some(ended);
        self.stopped(ended, End::Down);
    }

    /// Whatever was on before has ended with it.
    fn stopped(&mut self, ended: Ended, how: End) {
        self.stop = Some((ended, how));
        self.lines.clear();
    }
}

enum Meaning {
    Nothing,
    Login,
    Logout,
    Boot,
    Shutdown,
    RunLevel(u8),
    OldTime,
    NewTime,
}

/// What a record means, in spite of programs that fill in `ut_type` carelessly: the line `~`
/// and the user say more (util-linux login-utils/last.c does so too).
fn meaning(raw: Raw<'_>, line: &[u8]) -> Meaning {
    let (user, kind) = (raw.user(), raw.kind());
    if line.first() == Some(&b'~') {
        if user.starts_with(b"shutdown") {
            return Meaning::Shutdown;
        }
        if user.starts_with(b"reboot") {
            return Meaning::Boot;
        }
        if user.starts_with(b"runlevel") {
            return Meaning::RunLevel(raw.pid() as u8);
        }
    } else {
        match line.first() {
            Some(b'|') if user.starts_with(b"date") => return Meaning::OldTime,
            Some(b'{') if user.starts_with(b"date") => return Meaning::NewTime,
            _ => {}
        }
        if user.is_empty() {
            return match kind {
                // A change of the clock need not name anybody.
                Kind::OldTime => Meaning::OldTime,
                Kind::NewTime => Meaning::NewTime,
                Kind::Boot => Meaning::Boot,
                _ => Meaning::Logout,
            };
        }
        if kind != Kind::Dead && !line.is_empty() && !user.starts_with(b"LOGIN") {
            return Meaning::Login;
        }
    }
    match kind {
        Kind::User => Meaning::Login,
        Kind::Dead => Meaning::Logout,
        Kind::Boot => Meaning::Boot,
        Kind::RunLevel => Meaning::RunLevel(raw.pid() as u8),
        Kind::OldTime => Meaning::OldTime,
        Kind::NewTime => Meaning::NewTime,
        _ => Meaning::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entry;
    use login_records::Layout;

    /// Steps of records given in the file's order, the newest step first.
    fn steps(records: &[Entry]) -> Vec<(What, Option<i64>, End, i64)> {
        let mut pairing = Pairing::default();
        let feed = |entry: &Entry| {
            let bytes = Layout::NATIVE.encode(entry.record());
            pairing.feed(Raw::new(&Layout::NATIVE, &bytes))
        };
        let steps = records.iter().rev().filter_map(feed);
        steps
            .map(|step| {
                (
                    step.what,
                    step.logout.map(|time| time.sec),
                    step.end,
                    step.clock_change / 1_000_000,
                )
            })
            .collect()
    }

    fn entry(kind: Kind, line: &str, user: &str, sec: i64) -> Entry {
        Entry::new(kind).with_line(line).with_user(user).with_time(Time { sec, usec: 0 })
    }

    fn on(line: &str, sec: i64) -> Entry {
        entry(Kind::User, line, "alice", sec)
    }

    fn boot(sec: i64) -> Entry {
        entry(Kind::Boot, "~", "reboot", sec)
    }

    fn shutdown(sec: i64) -> Entry {
        entry(Kind::RunLevel, "~", "shutdown", sec)
    }

    use End::{Crash, Down, Moment, Open, Recorded};
    use What::{Boot, Login, NewTime, OldTime, Shutdown};

    #[test]
    fn logouts_with_and_without_a_user() {
        for user in ["", "alice"] {
            let records = [on("pts/1", 1), on("pts/2", 2), entry(Kind::Dead, "pts/1", user, 9)];
            assert_eq!(steps(&records), [(Login, None, Open, 0), (Login, Some(9), Recorded, 0)]);
        }
    }

    #[test]
    fn the_next_login_on_a_line_ends_a_session() {
        let records = [on("pts/1", 1), on("pts/1", 5), entry(Kind::Dead, "pts/1", "", 9)];
        let expected = [(Login, Some(9), Recorded, 0), (Login, Some(5), Recorded, 0)];
        assert_eq!(steps(&records), expected);
    }

    #[test]
    fn shutdowns_and_crashes() {
        let records = [boot(1), on("tty1", 2), shutdown(7), boot(10), on("tty1", 11), boot(20)];
        let expected = [
            (Boot, None, Open, 0),
            (Login, Some(20), Crash, 0),
            (Boot, Some(20), Crash, 0),
            (Shutdown, Some(10), Recorded, 0),
            (Login, Some(7), Down, 0),
            (Boot, Some(7), Down, 0),
        ];
        assert_eq!(steps(&records), expected);
    }

    #[test]
    fn a_clock_set_forward_and_back_is_taken_out() {
        let change = |old, new| {
            [entry(Kind::OldTime, "|", "date", old), entry(Kind::NewTime, "{", "date", new)]
        };
        for (old, new) in [(50, 3650), (50, 20)] {
            let [before, after] = change(old, new);
            let records = [on("pts/1", 10), before, after, entry(Kind::Dead, "pts/1", "", new + 5)];
            let expected = [
                (NewTime, None, Moment, 0),
                (OldTime, None, Moment, new - old),
                (Login, Some(new + 5), Recorded, new - old),
            ];
            assert_eq!(steps(&records)[0], expected[0]);
            assert_eq!(steps(&records)[2], expected[2]);
        }
    }
}

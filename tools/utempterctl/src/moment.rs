//! Times, as people write and read them.

use std::fmt::Write;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use login_databases::Time;

/// The local time zone, quick at the times of a history, which lie close together.
pub struct Clock {
    zone: TimeZone,
    /// Between these the zone's offset is `offset`.
    from: i64,
    until: i64,
    offset: i64,
    /// Days last written, in days since 1970, and their texts: a login's and a logout's.
    days: [(i64, String); 2],
}

const DAY: i64 = 86_400;

impl Clock {
    /// Of the time zone `TZ` names, or this machine's.
    pub fn local() -> Clock {
        Clock::of(TimeZone::system())
    }

    fn of(zone: TimeZone) -> Clock {
        Clock {
            zone,
            from: 0,
            until: 0,
            offset: 0,
            days: [(); 2].map(|()| (i64::MIN, String::new())),
        }
    }

    /// Seconds east of Greenwich; `None` for a time outside of the calendar (the year 9999).
    pub fn offset(&mut self, sec: i64) -> Option<i64> {
        if !(self.from..self.until).contains(&sec) {
            let time = Timestamp::from_second(sec).ok()?;
            self.offset = self.zone.to_offset(time).seconds().into();
            let before = self.zone.preceding(time).next();
            let after = self.zone.following(time).next();
            // At a transition itself, what precedes it is not where its offset began.
            self.from =
                before.map_or(i64::MIN, |at| at.timestamp().as_second()).max(sec - 90 * DAY);
            self.until =
                after.map_or(i64::MAX, |at| at.timestamp().as_second()).min(sec + 90 * DAY);
            if self.zone.to_offset(Timestamp::from_second(self.from).ok()?).seconds()
                != self.zone.to_offset(time).seconds()
            {
                self.from = sec;
            }
        }
        Some(self.offset)
    }

    /// `2026-11-22 14:30`, or `@` and the seconds where there is no such day.
    pub fn minute(&mut self, sec: i64, to: &mut String) {
        let Some(offset) = self.offset(sec) else {
            // A String takes everything.
            let _ = write!(to, "@{sec}");
            return;
        };
        let local = sec + offset;
        to.push_str(self.day(local.div_euclid(DAY)));
        let minute = local.rem_euclid(DAY) / 60;
        to.push(' ');
        two(minute / 60, to);
        to.push(':');
        two(minute % 60, to);
    }

    /// `2026-11-22T14:30:05.000123+01:00`; `None` where there is no such day.
    pub fn rfc3339(&mut self, time: Time) -> Option<String> {
        let offset = self.offset(time.sec)?;
        let local = time.sec + offset;
        let second = local.rem_euclid(DAY);
        let mut text = format!(
            "{}T{:02}:{:02}:{:02}",
            self.day(local.div_euclid(DAY)),
            second / 3600,
            second / 60 % 60,
            second % 60
        );
        if (1..1_000_000).contains(&time.usec) {
            let _ = write!(text, ".{:06}", time.usec);
        }
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.abs() / 60;
        let _ = write!(text, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        Some(text)
    }

    /// `2026-11-22`
    fn day(&mut self, day: i64) -> &str {
        if self.days[0].0 != day {
            self.days.swap(0, 1);
        }
        let (known, text) = &mut self.days[0];
        if *known != day {
            *known = day;
            let (year, month, of_month) = civil(day);
            text.clear();
            // A String takes everything.
            let _ = write!(text, "{year:04}-{month:02}-{of_month:02}");
        }
        text
    }

    /// The time that somebody has typed, in seconds since 1970.
    pub fn parse(&self, text: &str) -> Result<i64, String> {
        let now = Zoned::now().with_time_zone(self.zone.clone());
        parse(text.trim(), &now).map(|time| time.as_second()).ok_or_else(|| {
            format!(
                "{:?} is no time; these are: \"2026-11-22\", \"2026-11-22 14:30\", \"14:30\", \
                 \"yesterday\", \"3 days ago\", \"@1763769600\"",
                login_databases::printable(text.as_bytes())
            )
        })
    }
}

fn parse(text: &str, now: &Zoned) -> Option<Timestamp> {
    let zone = || now.time_zone().clone();
    let midnight = |zoned: Zoned| Some(zoned.start_of_day().ok()?.timestamp());
    match text {
        "now" => return Some(now.timestamp()),
        "today" => return midnight(now.clone()),
        "yesterday" => return midnight(now.yesterday().ok()?),
        "tomorrow" => return midnight(now.tomorrow().ok()?),
        _ => {}
    }
    if let Some(seconds) = text.strip_prefix('@') {
        return Timestamp::from_second(seconds.parse().ok()?).ok();
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return Some(time.to_zoned(zone()).ok()?.timestamp());
    }
    // Behind the other, since it takes the time of day out of a whole date.
    if let Ok(time) = text.parse::<jiff::civil::Time>() {
        return Some(now.date().to_datetime(time).to_zoned(zone()).ok()?.timestamp());
    }
    // "3 days ago", "-2h", "1w 2d ago"
    let span: Span = text.parse().ok()?;
    let span = if span.is_positive() { span.negate() } else { span };
    Some(now.checked_add(span).ok()?.timestamp())
}

fn two(number: i64, to: &mut String) {
    to.push(char::from(b'0' + (number / 10) as u8));
    to.push(char::from(b'0' + (number % 10) as u8));
}

/// Year, month and day of a day since 1970, in the Gregorian calendar: eras of 400 years
/// that begin in March, so that the leap day comes last.
pub fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, of_year - (153 * march + 2) / 5 + 1)
}

/// `35s`, `02:03`, `4d 02:03`: seconds, or hours and minutes.
pub fn duration(seconds: i64, to: &mut String) {
    if seconds < 0 {
        to.push('-');
    }
    let seconds = seconds.unsigned_abs();
    if seconds < 60 {
        let _ = write!(to, "{seconds}s");
        return;
    }
    if seconds >= DAY as u64 {
        let _ = write!(to, "{}d ", seconds / DAY as u64);
    }
    let minutes = (seconds % DAY as u64 / 60) as i64;
    two(minutes / 60, to);
    to.push(':');
    two(minutes % 60, to);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for day in (-800_000..2_900_000).step_by(37) {
            let Ok(time) = Timestamp::from_second(day * DAY) else { continue };
            let date = time.to_zoned(TimeZone::UTC).date();
            let expected = (date.year().into(), date.month().into(), date.day().into());
            assert_eq!(civil(day), expected);
        }
    }

    #[test]
    fn each_time_has_its_own_offset() {
        let zone = TimeZone::get("Europe/Berlin").expect("the time zone database");
        let mut clock = Clock::of(zone.clone());
        // Over both changes of a year, forwards and backwards.
        let times: Vec<i64> = (0..9000).map(|n| 1_767_225_600 + n * 3600).collect();
        for sec in times.iter().chain(times.iter().rev()) {
            let time = Timestamp::from_second(*sec).unwrap();
            assert_eq!(clock.offset(*sec), Some(zone.to_offset(time).seconds().into()), "{sec}");
        }
        let summer = Time { sec: 1_782_864_000, usec: 123 };
        assert_eq!(clock.rfc3339(summer).unwrap(), "2026-07-01T02:00:00.000123+02:00");
        let mut text = String::new();
        clock.minute(1_782_864_000, &mut text);
        assert_eq!(text, "2026-07-01 02:00");
    }

    #[test]
    fn impossible_times() {
        let mut clock = Clock::of(TimeZone::UTC);
        for sec in [i64::MAX, i64::MIN, 1 << 60] {
            assert_eq!(clock.rfc3339(Time { sec, usec: -5 }), None);
            let mut text = String::new();
            clock.minute(sec, &mut text);
            assert_eq!(text, format!("@{sec}"));
        }
    }

    #[test]
    fn times_as_they_are_typed() {
        let now: Zoned = "2026-11-22T14:30:00[UTC]".parse().unwrap();
        let seconds = |text: &str| parse(text, &now).map(|time| time.to_string());
        for (text, time) in [
            ("now", "2026-11-22T14:30:00Z"),
            ("yesterday", "2026-11-21T00:00:00Z"),
            ("2026-01-02", "2026-01-02T00:00:00Z"),
            ("2026-01-02 03:04", "2026-01-02T03:04:00Z"),
            ("2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05Z"),
            ("08:15", "2026-11-22T08:15:00Z"),
            ("3 days ago", "2026-11-19T14:30:00Z"),
            ("2h", "2026-11-22T12:30:00Z"),
            ("@60", "1970-01-01T00:01:00Z"),
        ] {
            assert_eq!(seconds(text).as_deref(), Some(time), "{text}");
        }
        for text in ["", "soon", "2026-13-01", "@x"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn durations() {
        let text = |seconds| {
            let mut text = String::new();
            duration(seconds, &mut text);
            text
        };
        for (seconds, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "00:01"),
            (7380, "02:03"),
            (90_000, "1d 01:00"),
            (-90, "-00:01"),
        ] {
            assert_eq!(text(seconds), expected);
        }
    }
}

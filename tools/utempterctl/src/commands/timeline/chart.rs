//! What is drawn: for each user the times in which at least one session was on.

use std::collections::HashMap;

/// A user's row.
pub struct User {
    /// Login name.
    pub name: Vec<u8>,
    /// Times on, in seconds since 1970, that neither touch nor overlap; the oldest first.
    pub spans: Vec<(i64, i64)>,
}

impl User {
    /// How long in all.
    pub fn seconds(&self) -> i64 {
        self.spans.iter().map(|(login, logout)| logout - login).sum()
    }

    /// How much of a stretch of time the user was on: 0 to 1, and more than 0 for a moment.
    pub fn share(&self, from: f64, until: f64) -> f64 {
        let first = self.spans.partition_point(|(_, logout)| (*logout as f64) < from);
        let mut seconds = 0.0;
        let mut touched = false;
        for (login, logout) in &self.spans[first..] {
            if *login as f64 >= until {
                break;
            }
            touched = true;
            seconds += (*logout as f64).min(until) - (*login as f64).max(from);
        }
        match touched {
            true => (seconds / (until - from)).clamp(0.01, 1.0),
            false => 0.0,
        }
    }
}

/// All rows, over one stretch of time.
pub struct Chart {
    /// Its beginning, in seconds since 1970.
    pub since: i64,
    /// Its end.
    pub until: i64,
    /// Those who were on the longest first.
    pub users: Vec<User>,
}

impl Chart {
    /// `None` if nobody was on.
    pub fn new(
        spans: HashMap<Vec<u8>, Vec<(i64, i64)>>,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Option<Chart> {
        let mut users: Vec<User> =
            spans.into_iter().map(|(name, spans)| User { name, spans: merged(spans) }).collect();
        users.sort_by(|one, other| {
            other.seconds().cmp(&one.seconds()).then_with(|| one.name.cmp(&other.name))
        });
        let all = || users.iter().flat_map(|user| &user.spans);
        let first = all().map(|(login, _)| *login).min()?;
        let last = all().map(|(_, logout)| *logout).max()?;
        let since = since.unwrap_or(first);
        Some(Chart { since, until: until.unwrap_or(last).max(since.saturating_add(60)), users })
    }

    /// Seconds it spans, at least one.
    pub fn length(&self) -> f64 {
        (self.until as f64 - self.since as f64).max(1.0)
    }
}

fn merged(mut spans: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    spans.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (login, logout) in spans {
        match merged.last_mut() {
            Some((_, end)) if login <= *end => *end = logout.max(*end),
            _ => merged.push((login, logout)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_side_by_side_are_one_span() {
        let spans = vec![(50, 60), (0, 10), (5, 20), (20, 30)];
        let chart = Chart::new(HashMap::from([(b"a".to_vec(), spans)]), None, None).unwrap();
        assert_eq!(chart.users[0].spans, [(0, 30), (50, 60)]);
        assert_eq!((chart.since, chart.until), (0, 60));
        let user = &chart.users[0];
        assert_eq!(user.share(0.0, 30.0), 1.0);
        assert_eq!(user.share(30.5, 40.0), 0.0);
        assert_eq!(user.share(40.0, 60.0), 0.5);
        assert!(Chart::new(HashMap::new(), None, None).is_none());
    }
}

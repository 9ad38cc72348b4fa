//! What one user may ask for, so that nobody is starved and no disk is filled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Connections of all users at once.
const CONNECTIONS: u32 = 4096;
/// Connections of one user at once.
const PER_USER: u32 = 128;
/// Requests a user may make at once: every pty there can be, on and off again, some times.
const BURST: f64 = 32_768.0;
/// Requests a user may make in a second for ever. Eight records fill a disk with 265 MB a day.
const RATE: f64 = 8.0;
/// Users that are remembered beyond their last connection.
const REMEMBERED: usize = 1024;

struct User {
    connections: u32,
    requests: f64,
    counted: Instant,
}

#[derive(Default)]
struct Table {
    users: HashMap<u32, User>,
    connections: u32,
}

/// The count of each user.
#[derive(Clone, Default)]
pub struct Limits(Arc<Mutex<Table>>);

/// One connection, counted until it is dropped.
pub struct Permit {
    uid: u32,
    limits: Limits,
}

impl Limits {
    /// Counts a connection; `None` where it is one too many.
    pub fn admit(&self, uid: u32, now: Instant) -> Option<Permit> {
        let mut table = self.table();
        if table.connections >= CONNECTIONS {
            return None;
        }
        if table.users.len() > REMEMBERED {
            table.users.retain(|_, user| user.connections > 0 || user.allowed(now) < BURST);
        }
        let user = table.users.entry(uid).or_insert(User {
            connections: 0,
            requests: BURST,
            counted: now,
        });
        let allowed = user.allowed(now);
        if user.connections >= PER_USER || allowed < 1.0 {
            return None;
        }
        user.connections += 1;
        (user.requests, user.counted) = (allowed - 1.0, now);
        table.connections += 1;
        drop(table);
        Some(Permit { uid, limits: self.clone() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl User {
    fn allowed(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.counted);
        (self.requests + since.as_secs_f64() * RATE).min(BURST)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut table = self.limits.table();
        table.connections -= 1;
        if let Some(user) = table.users.get_mut(&self.uid) {
            user.connections -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_user_has_so_many_connections_and_others_theirs() {
        let (limits, now) = (Limits::default(), Instant::now());
        let mut held: Vec<Permit> = (0..PER_USER).map(|_| limits.admit(1, now).unwrap()).collect();
        assert!(limits.admit(1, now).is_none());
        assert!(limits.admit(2, now).is_some());
        held.pop();
        assert!(limits.admit(1, now).is_some());
    }

    #[test]
    fn all_have_so_many_connections() {
        let (limits, now) = (Limits::default(), Instant::now());
        let held: Vec<Permit> = (0..CONNECTIONS).map(|n| limits.admit(n, now).unwrap()).collect();
        assert!(limits.admit(99_999, now).is_none());
        drop(held);
        assert!(limits.admit(99_999, now).is_some());
    }

    #[test]
    fn a_user_who_never_stops_is_slowed_down() {
        let (limits, start) = (Limits::default(), Instant::now());
        let burst = (0..100_000).take_while(|_| limits.admit(1, start).is_some()).count();
        assert_eq!(burst, BURST as usize);
        let later = start + Duration::from_secs(10);
        let more = (0..100_000).take_while(|_| limits.admit(1, later).is_some()).count();
        assert_eq!(more, 80);
        assert!(limits.admit(2, later).is_some());
    }

    #[test]
    fn users_who_have_left_are_forgotten() {
        let (limits, start) = (Limits::default(), Instant::now());
        for uid in 0..10_000 {
            let _ = limits.admit(uid, start + Duration::from_secs(uid.into()));
        }
        assert!(limits.table().users.len() < 2 * REMEMBERED);
    }
}

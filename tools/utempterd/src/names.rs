//! Login names. Looking one up may ask a slow directory, so it is done on a thread of its own
//! for each user, and what it gave is remembered for a while.

use std::collections::HashMap;
use std::ffi::CStr;
use std::thread;
use std::time::{Duration, Instant};

use login_records::Errno;
use nix::unistd::{Uid, User};

/// How long a name is good for.
const GOOD: Duration = Duration::from_secs(30);
/// How long it is good that the database could not say.
const TROUBLE: Duration = Duration::from_secs(1);
/// Users whose names are remembered.
const REMEMBERED: usize = 1024;
/// Hints of one user that are remembered: accounts that share a uid are few.
const HINTS: usize = 8;
/// Look-ups at once.
const AT_ONCE: usize = 32;
/// Bytes of a look-up's stack. NSS modules are other people's code.
const STACK: usize = 512 * 1024;

/// Whose name, and the name he goes by: several accounts may share a uid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Whose {
    pub uid: u32,
    pub hint: Vec<u8>,
}

/// What a look-up has found.
pub struct Found {
    whose: Whose,
    name: Result<Vec<u8>, Errno>,
}

/// What a hint has led to, and until when that is good.
type Known = HashMap<Vec<u8>, (Result<Vec<u8>, Errno>, Instant)>;

/// The names of users, and the requests `T` that wait for one.
pub struct Names<T> {
    known: HashMap<u32, Known>,
    waiting: HashMap<u32, Vec<(Whose, T)>>,
}

/// What can be said at once.
pub enum Looked<T> {
    Known(Result<Vec<u8>, Errno>, T),
    /// It is being looked up; `Some`: by whom the caller has to start.
    Waits(Option<Whose>),
}

impl<T> Names<T> {
    pub fn new() -> Names<T> {
        Names { known: HashMap::new(), waiting: HashMap::new() }
    }

    /// The name, or a place in the queue for it: one look-up at a time for each user.
    pub fn look(&mut self, whose: Whose, request: T, now: Instant) -> Looked<T> {
        match self.known.get(&whose.uid).and_then(|known| known.get(&whose.hint)) {
            Some((name, until)) if *until > now => return Looked::Known(name.clone(), request),
            _ => {}
        }
        if !self.waiting.contains_key(&whose.uid) && self.waiting.len() >= AT_ONCE {
            return Looked::Known(Err(Errno::EAGAIN), request);
        }
        let queue = self.waiting.entry(whose.uid).or_default();
        queue.push((whose.clone(), request));
        Looked::Waits((queue.len() == 1).then_some(whose))
    }

    /// Takes what was found; the requests that waited for it are to be asked again.
    pub fn found(&mut self, found: Found, now: Instant) -> Vec<(Whose, T)> {
        self.make_room(found.whose.uid, now);
        let waited = self.waiting.remove(&found.whose.uid).unwrap_or_default();
        let good = if is_settled(&found.name) { GOOD } else { TROUBLE };
        let known = self.known.entry(found.whose.uid).or_default();
        known.insert(found.whose.hint, (found.name, now + good));
        waited
    }

    /// A user who makes up hints has others' names forgotten as little as one who has many
    /// uids without an account.
    fn make_room(&mut self, uid: u32, now: Instant) {
        let own = self.known.entry(uid).or_default();
        if own.len() >= HINTS {
            own.clear();
        }
        if self.known.len() > REMEMBERED {
            self.known.retain(|_, known| {
                known.retain(|_, (name, until)| name.is_ok() && *until > now);
                !known.is_empty()
            });
        }
        if self.known.len() > REMEMBERED {
            self.known.clear();
        }
    }

    /// Takes the requests of a user whose name cannot be looked up now.
    pub fn give_up(&mut self, uid: u32) -> Vec<(Whose, T)> {
        self.waiting.remove(&uid).unwrap_or_default()
    }

    /// Whether anybody waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Whether the database has said something: a name, or that there is none.
fn is_settled(name: &Result<Vec<u8>, Errno>) -> bool {
    matches!(name, Ok(_) | Err(Errno::ESRCH))
}

/// Looks a name up, and tells `done`; `false` where no thread is to be had for it.
pub fn look_up(whose: Whose, done: impl FnOnce(Found) + Send + 'static) -> bool {
    let look = move || {
        let name = name_of(&whose);
        done(Found { whose, name });
    };
    thread::Builder::new().stack_size(STACK).spawn(look).is_ok()
}

/// The account that has this name and this uid, by the name the database gives it; else the
/// account of the uid. As the helper does it.
fn name_of(whose: &Whose) -> Result<Vec<u8>, Errno> {
    let hint = CStr::from_bytes_until_nul(&[&whose.hint[..], b"\0"].concat()).map(CStr::to_owned);
    let hinted = hint.ok().and_then(|name| name.into_string().ok()).filter(|name| !name.is_empty());
    let hinted = hinted.and_then(|name| User::from_name(&name).ok().flatten());
    if let Some(user) = hinted.filter(|user| user.uid.as_raw() == whose.uid) {
        return Ok(user.name.into_bytes());
    }
    match User::from_uid(Uid::from_raw(whose.uid)) {
        Ok(Some(user)) => Ok(user.name.into_bytes()),
        Ok(None) => Err(Errno::ESRCH),
        Err(error) => Err(Errno(error as i32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(uid: u32, hint: &str) -> Whose {
        Whose { uid, hint: hint.into() }
    }

    #[test]
    fn a_hint_counts_only_with_its_own_uid() {
        assert_eq!(name_of(&whose(0, "")), Ok(b"root".to_vec()));
        assert_eq!(name_of(&whose(0, "daemon")), Ok(b"root".to_vec()));
        assert_eq!(name_of(&whose(0, "no such user")), Ok(b"root".to_vec()));
        assert_eq!(name_of(&whose(1, "daemon")), Ok(b"daemon".to_vec()));
        assert_eq!(name_of(&whose(4_000_000_000, "root")), Err(Errno::ESRCH));
    }

    #[test]
    fn each_user_has_one_look_up_and_nobody_waits_for_another_s() {
        let (mut names, now) = (Names::new(), Instant::now());
        assert!(matches!(names.look(whose(1, "a"), 'a', now), Looked::Waits(Some(_))));
        assert!(matches!(names.look(whose(1, "b"), 'b', now), Looked::Waits(None)));
        assert!(matches!(names.look(whose(2, ""), 'c', now), Looked::Waits(Some(_))));
        let found = Found { whose: whose(1, "a"), name: Ok(b"one".to_vec()) };
        let again = names.found(found, now);
        assert_eq!(again, [(whose(1, "a"), 'a'), (whose(1, "b"), 'b')]);
        match names.look(whose(1, "a"), 'a', now) {
            Looked::Known(name, 'a') => assert_eq!(name, Ok(b"one".to_vec())),
            _ => panic!("it is known"),
        }
        assert!(matches!(names.look(whose(1, "a"), 'a', now + GOOD), Looked::Waits(Some(_))));
    }

    #[test]
    fn a_database_that_could_not_say_is_soon_asked_again() {
        let (mut names, now) = (Names::new(), Instant::now());
        for (name, is_known) in
            [(Ok(b"one".to_vec()), true), (Err(Errno::ESRCH), true), (Err(Errno::EIO), false)]
        {
            assert!(matches!(names.look(whose(1, "a"), (), now), Looked::Waits(Some(_))));
            assert_eq!(names.found(Found { whose: whose(1, "a"), name }, now).len(), 1);
            assert!(matches!(names.look(whose(1, "a"), (), now), Looked::Known(..)));
            let later = names.look(whose(1, "a"), (), now + Duration::from_secs(2));
            assert_eq!(matches!(later, Looked::Known(..)), is_known);
            names = Names::new();
        }
    }

    #[test]
    fn made_up_hints_and_uids_do_not_flush_the_names_of_others() {
        let (mut names, now) = (Names::new(), Instant::now());
        let mut learn = |uid, hint: &str, name| {
            let whose = whose(uid, hint);
            assert!(matches!(names.look(whose.clone(), (), now), Looked::Waits(Some(_))));
            names.found(Found { whose, name }, now);
            assert!(matches!(names.look(self::whose(uid, hint), (), now), Looked::Known(..)));
            matches!(names.look(self::whose(1, "alice"), (), now), Looked::Known(Ok(_), ()))
        };
        assert!(learn(1, "alice", Ok(b"alice".to_vec())));
        for n in 0..5000 {
            assert!(learn(2, &n.to_string(), Ok(b"bob".to_vec())), "hint {n}");
            assert!(learn(10_000 + n, "", Err(Errno::ESRCH)), "uid {n}");
        }
        assert!(names.known.values().map(HashMap::len).sum::<usize>() < 2 * REMEMBERED);
    }

    #[test]
    fn who_waited_in_vain_is_asked_for_again() {
        let (mut names, now) = (Names::new(), Instant::now());
        assert!(matches!(names.look(whose(1, "a"), 'a', now), Looked::Waits(Some(_))));
        assert_eq!(names.give_up(1), [(whose(1, "a"), 'a')]);
        assert!(matches!(names.look(whose(1, "a"), 'b', now), Looked::Waits(Some(_))));
    }

    #[test]
    fn slow_look_ups_are_so_many_at_the_most() {
        let (mut names, now) = (Names::new(), Instant::now());
        for uid in 0..AT_ONCE as u32 {
            assert!(matches!(names.look(whose(uid, ""), (), now), Looked::Waits(_)));
        }
        let one_more = names.look(whose(99, ""), (), now);
        assert!(matches!(one_more, Looked::Known(Err(Errno::EAGAIN), ())));
    }
}

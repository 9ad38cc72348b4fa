//! The line's slot in utmp, whatever the file holds.

use login_records::store::{Patience, Utmp};
use login_records::{DEAD_PROCESS, INIT_PROCESS, LOGIN_PROCESS, Record, USER_PROCESS};

use crate::file::{NOW, SIZE, Scene, decode, encode};

/// Whether the record stands for the line's session, ended or not.
fn is_slot(record: &Record, line: &[u8; 32]) -> bool {
    record.line == *line && (INIT_PROCESS..=DEAD_PROCESS).contains(&record.ut_type)
}

fn is_live(record: &Record) -> bool {
    [USER_PROCESS, LOGIN_PROCESS].contains(&record.ut_type)
}

/// The input is a file, and a session that begins and ends.
pub fn check(input: &[u8]) {
    let scene = Scene::new(input);
    let session = scene.session();
    let mut before = scene.before.clone();
    for record in [session.login(NOW), session.logout(NOW)] {
        // Twice. A session that lives has its slot then, and nothing is left to change; of
        // several that have ended any may be taken.
        for round in 0..2 {
            Utmp(&scene.open()).put(&record, &mut Patience::default()).expect("a file in memory");
            let after = scene.bytes();
            judge(&before, &after, &record);
            let settled = round == 0 || !is_live(&record) || before == after;
            assert!(settled, "the same session once more changes the file");
            before = after;
        }
    }
}

fn judge(before: &[u8], after: &[u8], put: &Record) {
    assert_eq!(after.len() % SIZE, 0, "the file is torn");
    let (whole, grown) = (before.len() / SIZE, after.len() / SIZE);
    let (were, are) = (decode(before), decode(after));
    let had_slot = were.iter().any(|old| is_slot(old, &put.line));
    // A torn tail is gone over by a new record, or else becomes an empty one.
    let emptied = had_slot && before.len() % SIZE != 0;
    let more = usize::from(!had_slot || emptied);
    assert_eq!(grown, whole + more, "{whole} records became {grown}");

    let ours = encode(put);
    let mut found = 0;
    for (at, (new, record)) in after.chunks_exact(SIZE).zip(&are).enumerate() {
        let was = were.get(at);
        if new == ours {
            found += 1;
            // In its line's place, or behind all others.
            assert!(was.is_none_or(|was| is_slot(was, &put.line)), "record {at} is lost");
            continue;
        }
        if emptied && was.is_none() {
            assert_eq!(*new, [0; SIZE], "the torn tail is no empty record");
            continue;
        }
        let was = was.expect("what is new is ours");
        if is_slot(record, &put.line) {
            assert!(!is_live(record), "record {at} of the line is live beside ours");
            if is_live(was) {
                let ended = Record { ut_type: DEAD_PROCESS, time: put.time, ..*was };
                assert_eq!(*record, ended, "record {at} has more changed than its end");
                continue;
            }
        }
        assert_eq!(new, &before[at * SIZE..(at + 1) * SIZE], "record {at} has changed");
    }
    // A dead record like ours may have been there before.
    assert!(if is_live(put) { found == 1 } else { found >= 1 }, "ours is there {found} times");
}

//! A record appended to wtmp, whatever the file holds.

use login_records::store::{Patience, Wtmp};

use crate::file::{NOW, SIZE, Scene, encode};

/// The input is a file, and a session that begins and ends.
pub fn check(input: &[u8]) {
    let scene = Scene::new(input);
    let session = scene.session();
    let mut expected = scene.before.clone();
    for record in [session.login(NOW), session.logout(NOW)] {
        Wtmp(&scene.open()).append(&record, &mut Patience::default()).expect("a file in memory");
        // What was torn is no record; all others are as they were, and ours is the last.
        expected.truncate(expected.len() / SIZE * SIZE);
        expected.extend(encode(&record));
        assert!(scene.bytes() == expected, "the file is not as it was with one record more");
    }
}

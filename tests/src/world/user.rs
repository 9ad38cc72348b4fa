//! The users of a world.

/// A user: name and numbers.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// Login name.
    pub name: &'static str,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Whose terminals are recorded.
pub const ALICE: User = User { name: "alice", uid: 7001, gid: 7001 };
/// Somebody else.
pub const BOB: User = User { name: "bob", uid: 7002, gid: 7002 };
/// A name that does not fit into a record.
pub const LONG: User =
    User { name: "alice-of-a-very-long-name-indeed-of-48-bytes-xyz", uid: 7003, gid: 7003 };
/// A uid that has no name.
pub const NAMELESS: User = User { name: "nobody-knows", uid: 7004, gid: 7004 };
/// A second name of alice's uid, after hers in the list.
const ALICE2: User = User { name: "alice2", uid: 7001, gid: 7001 };

/// passwd(5) of a world.
pub(super) fn passwd() -> String {
    let mut text = String::from("root:x:0:0:root:/root:/bin/sh\n");
    for User { name, uid, gid } in [ALICE, BOB, LONG, ALICE2] {
        text += &format!("{name}:x:{uid}:{gid}:{name}:/tmp/home:/bin/sh\n");
    }
    text
}

/// group(5) of a world, in which the machine's utmp group keeps its number.
pub(super) fn group(utmp: u32) -> String {
    let mut text = format!("root:x:0:\ntty:x:{TTY}:\nutmp:x:{utmp}:\n");
    for User { name, gid, .. } in [ALICE, BOB] {
        text += &format!("{name}:x:{gid}:\n");
    }
    text
}

/// The group of terminals, on Debian and elsewhere.
pub(super) const TTY: u32 = 5;

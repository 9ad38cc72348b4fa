//! Calls in their order, on one pty and several.

use utempter_tests::World;
use utempter_tests::twin::Scenario;
use utempter_tests::utmp::{DEAD_PROCESS, LOGIN_PROCESS, Record, USER_PROCESS};

/// What other programs may have left in utmp.
fn others() -> [Record; 3] {
    [
        Record::new(2, 0, "~", "~~", "reboot", "6.1.0"),
        Record::new(LOGIN_PROCESS, 400, "tty1", "tty1", "LOGIN", ""),
        Record::new(USER_PROCESS, 1, "pts/7", "ts/7", "bob", "elsewhere"),
    ]
}

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::steps("add and del with a host", &["open a", "add a example.org", "del a"]),
        Scenario::steps("add and del without a host", &["open a", "add a", "del a"]),
        Scenario::steps("add and no del", &["open a", "add a example.org"]),
        Scenario::steps("del without add", &["open a", "del a"]),
        Scenario::steps("add twice", &["open a", "add a one", "add a two", "del a"]),
        Scenario::steps("del twice", &["open a", "add a host", "del a", "del a"]),
        Scenario::steps(
            "two ptys, the first ended first",
            &["open a", "open b", "add a one", "add b two", "del a", "del b"],
        ),
        Scenario::steps(
            "two ptys, the second ended first",
            &["open a", "open b", "add a one", "add b two", "del b", "del a"],
        ),
        Scenario::steps(
            "a line used again",
            &["open a", "add a one", "del a", "close a", "open b", "add b two", "del b"],
        ),
        Scenario::steps("remove_added without add", &["open a", "del-added"]),
        Scenario::steps("remove_added after add", &["open a", "add a host", "del-added"]),
        Scenario::steps(
            "remove_added takes the last added",
            &["open a", "open b", "add a one", "add b two", "del-added", "del-added"],
        ),
        Scenario::steps(
            "remove_added after del has nothing to do",
            &["open a", "add a host", "del a", "del-added"],
        ),
        Scenario::steps(
            "remove_added after del of another pty",
            &["open a", "open b", "add a one", "del b", "del-added"],
        ),
        Scenario::steps("a pty still locked", &["open-locked a", "add a host", "del a"]),
        Scenario::steps("a close-on-exec master", &["open-cloexec a", "add a host", "del a"]),
        Scenario::steps(
            "the slave open, with data on both sides",
            &[
                "open a",
                "slave b a",
                "write a typed\n",
                // The echo is the work of a kernel thread.
                "sleep 200",
                "write b printed",
                "sleep 200",
                "add a host",
                "read a",
                "read b",
                "del a",
                "read a",
            ],
        ),
        Scenario::steps(
            "the slave closed, the terminal hung up",
            &["open a", "slave b a", "add a host", "close b", "del a"],
        ),
        Scenario::steps(
            "the legacy functions",
            &["open a", "old-add a host", "old-remove", "old-add a", "old-remove-line a"],
        ),
        Scenario::steps(
            "old and new functions mixed",
            &["open a", "old-add a host", "del-added", "add a host", "old-remove", "old-remove"],
        ),
        Scenario::new("records of others before", |world| {
            world.records_before(World::UTMP, &others())?;
            world.records_before(World::WTMP, &others())?;
            world.run(&["open a", "add a host", "del a"]).map(drop)
        }),
        Scenario::new("another user's session is recorded on the line", |world| {
            let bob = Record::new(USER_PROCESS, 1, "pts/0", "ts/0", "bob", "bob's host");
            world.records_before(World::UTMP, &[&others()[..], &[bob]].concat())?;
            world.run(&["open a", "add a host", "del a"]).map(drop)
        }),
        Scenario::new("another user's ended session is recorded on the line", |world| {
            let bob = Record::new(DEAD_PROCESS, 1, "pts/0", "ts/0", "bob", "bob's host");
            world.records_before(World::UTMP, &[&[bob], &others()[..]].concat())?;
            world.run(&["open a", "add a host", "del a"]).map(drop)
        }),
        Scenario::new("the line is recorded with leftovers in every field", |world| {
            let mut odd = Record::new(LOGIN_PROCESS, 9, "pts/0", "ts/0", "LOGIN", "left over");
            odd.0[332..384].fill(0xa5);
            world.records_before(World::UTMP, &[odd])?;
            world.run(&["open a", "add a", "del a"]).map(drop)
        }),
        Scenario::new("100 records before", |world| {
            let many: Vec<Record> = (100..200)
                .map(|n| {
                    let (line, id) = (format!("pts/{n}"), format!("/{n}"));
                    Record::new(USER_PROCESS, n, &line, &id, "bob", "elsewhere")
                })
                .collect();
            world.records_before(World::UTMP, &many)?;
            world.records_before(World::WTMP, &many)?;
            world.run(&["open a", "open b", "add a one", "add b two", "del a", "del b"]).map(drop)
        }),
        Scenario::new("an empty slot before", |world| {
            let empty = Record::new(0, 0, "", "", "", "");
            world.records_before(World::UTMP, &[empty, others()[2]])?;
            world.run(&["open a", "add a host", "del a"]).map(drop)
        }),
        Scenario::new("a live record of the line with another id", |world| {
            let bob = Record::new(USER_PROCESS, 1, "pts/0", "p0", "bob", "");
            world.records_before(World::UTMP, &[bob])?;
            world.run(&["open a", "add a host"]).map(drop)
        }),
        Scenario::new("another line's record with the same id", |world| {
            let bob = Record::new(USER_PROCESS, 1, "tty/ts/0", "ts/0", "bob", "");
            world.records_before(World::UTMP, &[bob])?;
            world.run(&["open a", "add a host"]).map(drop)
        }),
        Scenario::new("a terminal above pts/9999", |world| {
            let _many = high::ManyPtys::allow()?;
            world.run(&["open-many 10000", "open a", "add a host", "del a"]).map(drop)
        }),
        Scenario::new("a terminal of each length of number", |world| {
            world
                .run(&[
                    "open a",
                    "open-many 9",
                    "open b",
                    "open-many 89",
                    "open c",
                    "open-many 899",
                    "open d",
                    "add a one",
                    "add b two",
                    "add c three",
                    "add d four",
                    "del d",
                    "del c",
                    "del b",
                    "del a",
                ])
                .map(drop)
        }),
    ]
}

/// What more than ten thousand ptys need of the machine.
mod high {
    use std::error::Error;
    use std::fs;

    use nix::sys::resource::{Resource, setrlimit};
    use utempter_tests::{Skip, place};

    const NEEDED: u32 = 12_000;
    const LIMIT: &str = "/proc/sys/kernel/pty/max";

    /// As long as it lives there may be as many ptys as needed.
    pub struct ManyPtys {
        limit_before: Option<String>,
    }

    impl ManyPtys {
        /// Raises the machine's limit only where nothing may be skipped.
        pub fn allow() -> Result<ManyPtys, Box<dyn Error + Send + Sync>> {
            setrlimit(Resource::RLIMIT_NOFILE, NEEDED.into(), NEEDED.into())?;
            let limit = fs::read_to_string(LIMIT)?;
            if limit.trim().parse::<u32>()? >= NEEDED {
                return Ok(ManyPtys { limit_before: None });
            }
            if !place::no_skip() {
                let need = format!("needs sysctl kernel.pty.max={NEEDED}, not {}", limit.trim());
                return Err(Skip(need).into());
            }
            fs::write(LIMIT, NEEDED.to_string())?;
            Ok(ManyPtys { limit_before: Some(limit) })
        }
    }

    impl Drop for ManyPtys {
        fn drop(&mut self) {
            if let Some(limit) = &self.limit_before {
                fs::write(LIMIT, limit).expect("the limit of ptys as it was");
            }
        }
    }
}

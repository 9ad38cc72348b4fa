//! A world with the records of others in it, and the judge of what an attempt has done there.

use std::fs;
use std::os::fd::AsFd;

use nix::errno::Errno;
use utempter_tests::utmp::{self, DEAD_PROCESS, LOGIN_PROCESS, Record, SIZE, USER_PROCESS};
use utempter_tests::{Case, Side, World, place};

use crate::accounts;
use crate::attempt::{Attempt, Ended, Result};
use crate::sys;
use crate::tree::Tree;

/// What an attempt must come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// One record of alice's on her own line, in utmp and in wtmp, and exit status 0.
    Recorded,
    /// The same, with something else than the usual in the record.
    As(Entry),
    /// Nothing at all but this exit status.
    Refused(i32),
    /// Nothing at all but the end by this signal.
    Killed(i32),
}

impl Expect {
    /// For a column of the table.
    pub fn words(&self, side: Side) -> String {
        match self {
            Expect::Recorded => "recorded".into(),
            Expect::As(entry) => {
                let usual = Entry::default();
                let mut text = String::from("recorded");
                for (name, is, was) in [
                    ("line", &entry.line, &usual.line),
                    ("user", &entry.user, &usual.user),
                    ("host", &entry.host, &usual.host),
                ] {
                    match is.len() {
                        _ if is == was => {}
                        100.. => text += &format!(", {name} of {} bytes", is.len()),
                        _ => text += &format!(", {name} {is:?}"),
                    }
                }
                text
            }
            // The C library's exit status says no more.
            Expect::Refused(1) if side == Side::C => "refused".into(),
            Expect::Refused(status) => format!("refused: {:?}", Errno::from_raw(*status)),
            Expect::Killed(signal) => format!("ended by signal {signal}"),
        }
    }
}

/// The parts of a record that an attempt may have a say in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub ut_type: i16,
    /// `None`: the terminal's.
    pub pid: Option<i32>,
    pub line: String,
    pub user: String,
    pub host: String,
}

impl Default for Entry {
    fn default() -> Entry {
        Entry {
            ut_type: USER_PROCESS,
            pid: None,
            line: "pts/0".into(),
            user: "alice".into(),
            host: "host".into(),
        }
    }
}

/// Records of others, none of which may change.
fn others() -> Vec<Record> {
    vec![
        Record::new(2, 0, "~", "~~", "reboot", "6.1.0"),
        Record::new(LOGIN_PROCESS, 400, "tty1", "tty1", "LOGIN", ""),
        Record::new(USER_PROCESS, 1, "pts/7", "ts/7", "bob", "elsewhere"),
        Record::new(USER_PROCESS, 1, "pts/700", "/700", "alice", "another of hers"),
        Record::new(DEAD_PROCESS, 1, "pts/8", "ts/8", "", ""),
    ]
}

/// A world as it is before an attempt.
pub struct Scene {
    tree: Tree,
}

impl Scene {
    /// Puts the records of others in their place, and looks.
    pub fn new() -> Result<Scene> {
        for store in [World::UTMP, World::WTMP] {
            fs::write(store, utmp::encode(&others()))?;
        }
        Ok(Scene { tree: Tree::now()? })
    }

    /// Makes the attempt and judges it.
    pub fn expect(attempt: &mut Attempt, expect: &Expect) -> Result<Ended> {
        let scene = Scene::new()?;
        let ended = attempt.run()?;
        scene.judge(attempt, &ended, expect)?;
        if !ended.error.is_empty() {
            return Err(format!("on fd 2: {}", ended.error.escape_ascii()).into());
        }
        Ok(ended)
    }

    /// That the attempt has done what it should, and nothing else in the whole world.
    pub fn judge(&self, attempt: &Attempt, ended: &Ended, expect: &Expect) -> Result {
        let entry = match expect {
            Expect::Recorded => Some(Entry::default()),
            Expect::As(entry) => Some(entry.clone()),
            Expect::Refused(_) | Expect::Killed(_) => None,
        };
        let as_it_should = match expect {
            Expect::Refused(status) => ended.is_exit(*status),
            Expect::Killed(signal) => ended.is_killed() && ended.status & 0x7f == *signal,
            _ => ended.is_exit(0),
        };
        if !as_it_should {
            let error = ended.error.escape_ascii();
            return Err(format!("expected {expect:?}, and it was {} {error}", ended.words()).into());
        }
        let entry = entry.map(|entry| Entry { pid: entry.pid.or(Some(ended.terminal)), ..entry });
        for store in [World::UTMP, World::WTMP] {
            check_store(store, entry.as_ref())?;
        }
        if !ended.output.is_empty() {
            return Err(format!("on fd 1: {}", ended.output.escape_ascii()).into());
        }
        self.nothing_else(attempt)
    }

    /// That nothing has changed but for utmp and wtmp, and nobody has typed at the terminal.
    pub fn nothing_else(&self, attempt: &Attempt) -> Result {
        Tree::now()?.same_as(&self.tree)?;
        // What is written to the master is read at the slave.
        let Ok(slave) = sys::slave(attempt.master.as_fd()) else {
            return Ok(()); // No master of a pty that is still there.
        };
        match sys::waiting(slave.as_fd())? + sys::waiting(attempt.master.as_fd())? {
            0 => Ok(()),
            count => Err(format!("{count} bytes wait at the terminal").into()),
        }
    }

    /// That the stores hold whole records: those of others as they were, and of alice's own
    /// line `pts/0` at most records of hers.
    pub fn whole(&self) -> Result<Vec<Record>> {
        let mut own = Vec::new();
        for store in [World::UTMP, World::WTMP] {
            let records = utmp::decode(&fs::read(store)?)?;
            let (before, after) = records.split_at_checked(others().len()).ok_or("cut")?;
            if before != others() {
                return Err(format!("{store}: a record of others has changed").into());
            }
            for record in after {
                if record.line() != "pts/0" || record.user() != "alice" {
                    return Err(format!("{store}: {record:?}").into());
                }
            }
            own.extend_from_slice(after);
        }
        Ok(own)
    }
}

fn check_store(store: &str, expected: Option<&Entry>) -> Result {
    let bytes = fs::read(store)?;
    let before = utmp::encode(&others());
    let Some(own) = bytes.strip_prefix(&before[..]) else {
        return Err(format!("{store}: the records of others have changed").into());
    };
    let found: Vec<Entry> = utmp::decode(own)?.iter().map(entry_of).collect();
    let expected: Vec<Entry> = expected.into_iter().cloned().collect();
    if found != expected {
        return Err(format!("{store}: expected {expected:?}, found {found:?}").into());
    }
    let mut records = own.chunks_exact(SIZE);
    match records.find(|record| record[332..340].iter().chain(&record[348..]).any(|b| *b != 0)) {
        Some(record) => Err(format!("{store}: leftovers in {record:?}").into()),
        None => Ok(()),
    }
}

fn entry_of(record: &Record) -> Entry {
    Entry {
        ut_type: record.ut_type(),
        pid: Some(record.pid()),
        line: record.line(),
        user: record.user(),
        host: record.host(),
    }
}

type Make = Box<dyn Fn(&World) -> Result<Attempt> + Send + Sync>;

/// One row of the table: what is tried, and what must come of it with ours, and with the C
/// library where that is worth telling.
pub struct Row {
    pub name: &'static str,
    pub make: Make,
    pub ours: Expect,
    pub c: Option<Expect>,
}

impl Row {
    pub fn new(
        name: &'static str,
        ours: Expect,
        c: impl Into<Option<Expect>>,
        make: impl Fn(&World) -> Result<Attempt> + Send + Sync + 'static,
    ) -> Row {
        Row { name, make: Box::new(make), ours, c: c.into() }
    }

    /// As a test for each library, and for each of our helpers.
    pub fn cases(self) -> Vec<Case> {
        let Row { name, make, ours, c } = self;
        let make = std::sync::Arc::new(make);
        let case = |name: &str, side, expect: Expect| {
            let make = std::sync::Arc::clone(&make);
            Case::world(name, side, move |world| {
                Scene::expect(&mut make(world)?, &expect).map(drop)
            })
        };
        let mut cases = vec![case(name, Side::Ours, ours.clone())];
        if place::Stage::main().freestanding_helper().is_some() {
            let make = std::sync::Arc::clone(&make);
            let name = format!("{name} (handed over)");
            cases.push(Case::world(&name, Side::Ours, move |world| {
                accounts::hand_over()?;
                Scene::expect(&mut make(world)?, &ours).map(drop)
            }));
        }
        cases.extend(c.map(|c| case(&format!("{name} (the C library)"), Side::C, c)));
        cases
    }
}

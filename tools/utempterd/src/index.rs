//! Where each line's record is in utmp, so that no search is needed among many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use login_records::store::{Index, Place, Stamp, Utmp};
use login_records::{Errno, Line, Record};

/// The place of each pty's record, as long as nobody else has written.
#[derive(Default)]
pub struct Lines {
    /// By pty number; `None` where a line has several records.
    places: HashMap<u32, Option<u64>>,
    /// The file as it was left.
    stamp: Option<Stamp>,
}

impl Lines {
    fn read(&mut self, utmp: &Utmp<'_>) -> Result<(), Errno> {
        self.places.clear();
        utmp.each_process(|offset, line| {
            if let Some(line) = Line::from_name(line) {
                match self.places.entry(line.number()) {
                    Entry::Vacant(place) => drop(place.insert(Some(offset))),
                    Entry::Occupied(mut place) => *place.get_mut() = None,
                }
            }
        })
    }
}

impl Index for Lines {
    fn find(&mut self, utmp: &Utmp<'_>, record: &Record) -> Result<Place, Errno> {
        let stamp = Some(utmp.0.stamp()?);
        if self.stamp != stamp {
            self.stamp = None;
            self.read(utmp)?;
            // From before the reading: what was written meanwhile is read another time.
            self.stamp = stamp;
        }
        let line = Line::from_name(&record.line);
        Ok(match line.and_then(|line| self.places.get(&line.number())) {
            None => Place::Nowhere,
            Some(Some(offset)) => Place::Slot(*offset),
            Some(None) => Place::Unknown,
        })
    }

    fn wrote(&mut self, utmp: &Utmp<'_>, record: &Record, offset: u64, alone: bool) {
        self.stamp = utmp.0.stamp().ok().filter(|_| alone);
        if let Some(line) = Line::from_name(&record.line) {
            self.places.entry(line.number()).or_insert(Some(offset));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use login_records::store::{Patience, RecordFile};
    use login_records::{Session, Time};
    use std::ffi::CString;
    use std::fs;
    use std::path::PathBuf;

    struct Test(PathBuf, RecordFile);

    impl Drop for Test {
        fn drop(&mut self) {
            fs::remove_file(&self.0).unwrap();
        }
    }

    fn empty(name: &str) -> Test {
        let path = std::env::temp_dir().join(format!("utempterd-{}-{name}", std::process::id()));
        fs::write(&path, "").unwrap();
        let file = RecordFile::open(&CString::new(path.to_str().unwrap()).unwrap());
        Test(path, file.unwrap().unwrap())
    }

    fn login(number: u32, pid: i32) -> Record {
        let session = Session { line: Line::pts(number), pid, user: b"alice", host: b"" };
        session.login(Time { sec: 1, usec: 0 })
    }

    fn put(test: &Test, lines: &mut Lines, record: &Record) {
        Utmp(&test.1).put_by(lines, record, &mut Patience::default()).unwrap();
    }

    fn records(test: &Test) -> Vec<Record> {
        let layout = login_records::Layout::NATIVE;
        fs::read(&test.0)
            .unwrap()
            .chunks(layout.size())
            .map(|b| layout.decode(b).unwrap())
            .collect()
    }

    #[test]
    fn a_line_keeps_its_record() {
        let (test, mut lines) = (empty("keeps"), Lines::default());
        for record in [login(1, 1), login(2, 1), login(1, 2), login(3, 1), login(2, 2)] {
            put(&test, &mut lines, &record);
        }
        assert_eq!(records(&test), [login(1, 2), login(2, 2), login(3, 1)]);
    }

    #[test]
    fn what_others_write_is_seen() {
        let (test, mut lines) = (empty("others"), Lines::default());
        put(&test, &mut lines, &login(1, 1));
        Utmp(&test.1).put(&login(2, 1), &mut Patience::default()).unwrap();
        put(&test, &mut lines, &login(2, 2));
        assert_eq!(records(&test), [login(1, 1), login(2, 2)]);
        fs::write(&test.0, "").unwrap();
        put(&test, &mut lines, &login(2, 3));
        assert_eq!(records(&test), [login(2, 3)]);
    }

    #[test]
    fn of_several_records_of_a_line_the_search_chooses() {
        let (test, mut lines) = (empty("several"), Lines::default());
        let layout = login_records::Layout::NATIVE;
        let foreign = Record { id: *b"zzzz", ..login(1, 9) };
        let bytes = [foreign, login(1, 1)].map(|r| layout.encode(&r)[..layout.size()].to_vec());
        fs::write(&test.0, bytes.concat()).unwrap();
        put(&test, &mut lines, &login(1, 2));
        let found = records(&test);
        assert_eq!(found[1], login(1, 2));
        assert_eq!(found[0].ut_type, login_records::DEAD_PROCESS);
    }
}

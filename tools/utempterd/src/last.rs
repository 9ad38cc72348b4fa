//! The last record of each line in wtmp, beyond the few hundred that the store looks through.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use login_records::{Layout, Line, Record};

/// Bytes from the end that are looked through: some 40,000 records. What is there is read
/// once, however many sessions end.
const REACH: u64 = 16 << 20;
/// Records read at once.
const BATCH: usize = 170;

/// What has been read so far of the file that is there.
#[derive(Default)]
pub struct Last {
    file: Option<(u64, u64)>,
    end: u64,
    /// By pty number.
    records: HashMap<u32, Record>,
}

impl Last {
    /// The line's last record.
    ///
    /// # Errors
    ///
    /// As open(2) and read(2); a file that is not there has no records.
    pub fn of_line(&mut self, path: &str, line: Line) -> io::Result<Option<Record>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let layout = Layout::NATIVE;
        let (found, size) = (file.metadata()?, layout.size() as u64);
        let (identity, whole) = ((found.dev(), found.ino()), found.len() / size * size);
        // Rotated, or emptied.
        if self.file != Some(identity) || whole < self.end {
            *self = Last { file: Some(identity), ..Last::default() };
        }
        self.end = self.end.max(whole.saturating_sub(REACH / size * size));
        let mut batch = vec![0; BATCH * layout.size()];
        while self.end < whole {
            let length = (whole - self.end).min(batch.len() as u64) as usize;
            file.read_exact_at(&mut batch[..length], self.end)?;
            for bytes in batch[..length].chunks_exact(layout.size()) {
                if let Some(line) = layout.line_of(bytes).first_chunk().and_then(Line::from_name) {
                    if let Some(record) = layout.decode(bytes) {
                        self.records.insert(line.number(), record);
                    }
                }
            }
            self.end += length as u64;
        }
        Ok(self.records.get(&line.number()).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use login_records::{Session, Time};
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    fn login(number: u32, pid: i32) -> Record {
        let session = Session { line: Line::pts(number), pid, user: b"alice", host: b"" };
        session.login(Time { sec: 1, usec: 0 })
    }

    fn bytes(records: &[Record]) -> Vec<u8> {
        let layout = Layout::NATIVE;
        records.iter().flat_map(|r| layout.encode(r)[..layout.size()].to_vec()).collect()
    }

    #[test]
    fn it_reads_on_from_where_it_was_and_follows_rotation() {
        let path = std::env::temp_dir().join(format!("utempterd-last-{}", std::process::id()));
        let name = path.to_str().unwrap();
        let mut last = Last::default();
        assert_eq!(last.of_line(name, Line::pts(1)).unwrap(), None);
        let many: Vec<Record> = (1..1000).map(|n| login(n, 1)).collect();
        fs::write(&path, bytes(&many)).unwrap();
        assert_eq!(last.of_line(name, Line::pts(1)).unwrap(), Some(login(1, 1)));
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&bytes(&[login(1, 2)])).unwrap();
        // Half a record is none yet.
        file.write_all(&bytes(&[login(1, 3)])[..100]).unwrap();
        assert_eq!(last.of_line(name, Line::pts(1)).unwrap(), Some(login(1, 2)));
        assert_eq!(last.of_line(name, Line::pts(999)).unwrap(), Some(login(999, 1)));
        fs::write(&path, bytes(&[login(2, 5)])).unwrap();
        assert_eq!(last.of_line(name, Line::pts(1)).unwrap(), None);
        assert_eq!(last.of_line(name, Line::pts(2)).unwrap(), Some(login(2, 5)));
        fs::remove_file(&path).unwrap();
    }
}

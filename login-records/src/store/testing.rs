//! Files for the tests of the stores.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::vec::Vec;

use super::frame::{LAYOUT, SIZE};
use super::{RecordFile, UTMP_PATH};
use crate::{Line, Record, Session, Time};

/// A file of records of a test's own, removed at the end.
pub(super) struct TestFile {
    pub(super) path: PathBuf,
    pub(super) file: RecordFile,
}

impl TestFile {
    pub(super) fn with(contents: &[u8]) -> TestFile {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = std::format!("login-records-{}-{n}", std::process::id());
        let path = std::env::temp_dir().join(name);
        assert_ne!(path, PathBuf::from(UTMP_PATH));
        fs::write(&path, contents).unwrap();
        let c_path = CString::new(path.as_os_str().as_bytes()).unwrap();
        let file = RecordFile::open(&c_path).unwrap().unwrap();
        TestFile { path, file }
    }

    pub(super) fn of(records: &[Record]) -> TestFile {
        let bytes: Vec<u8> = records.iter().flat_map(bytes_of).collect();
        TestFile::with(&bytes)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    /// The records; the file must be whole.
    pub(super) fn records(&self) -> Vec<Record> {
        let bytes = self.bytes();
        assert_eq!(bytes.len() % SIZE, 0, "a torn file");
        bytes.chunks(SIZE).map(|chunk| LAYOUT.decode(chunk).unwrap()).collect()
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

pub(super) fn bytes_of(record: &Record) -> Vec<u8> {
    LAYOUT.encode(record)[..SIZE].to_vec()
}

pub(super) fn login(number: u32, pid: i32) -> Record {
    let session = Session { line: Line::pts(number), pid, user: b"alice", host: b"here" };
    session.login(Time { sec: 1_700_000_000, usec: pid })
}

pub(super) fn logout(number: u32, pid: i32) -> Record {
    let session = Session { line: Line::pts(number), pid, user: b"alice", host: b"" };
    session.logout(Time { sec: 1_700_000_100, usec: pid })
}

//! Files of records for the tests, and the program that is run on them.
//!
//! The records are laid out here once more, apart from the product.

#![allow(dead_code)] // Each test takes what it needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub const EMPTY: i16 = 0;
pub const RUN_LVL: i16 = 1;
pub const BOOT: i16 = 2;
pub const NEW_TIME: i16 = 3;
pub const OLD_TIME: i16 = 4;
pub const INIT: i16 = 5;
pub const PROMPT: i16 = 6;
pub const USER: i16 = 7;
pub const DEAD: i16 = 8;

/// A record of 384 bytes.
#[derive(Clone)]
pub struct Record {
    pub kind: i16,
    pub pid: i32,
    pub line: Vec<u8>,
    pub user: Vec<u8>,
    pub host: Vec<u8>,
    pub sec: u32,
    pub usec: i32,
}

pub fn record(kind: i16, line: &str, user: &str, sec: u32) -> Record {
    let bytes = |text: &str| text.as_bytes().to_vec();
    Record { kind, pid: 1, line: bytes(line), user: bytes(user), host: Vec::new(), sec, usec: 0 }
}

impl Record {
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 384];
        bytes[0..2].copy_from_slice(&self.kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.pid.to_le_bytes());
        bytes[8..8 + self.line.len()].copy_from_slice(&self.line);
        let id = &self.line[self.line.len().saturating_sub(4)..];
        bytes[40..40 + id.len()].copy_from_slice(id);
        bytes[44..44 + self.user.len()].copy_from_slice(&self.user);
        bytes[76..76 + self.host.len()].copy_from_slice(&self.host);
        bytes[340..344].copy_from_slice(&self.sec.to_le_bytes());
        bytes[344..348].copy_from_slice(&self.usec.to_le_bytes());
        bytes
    }
}

pub fn bytes(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(Record::bytes).collect()
}

/// A directory of a test's own.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Place {
        Place(tempfile::tempdir().expect("a directory for temporary files"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, contents).expect("a temporary file");
        path
    }
}

/// The program, in English and UTC, with no terminal anywhere.
pub fn ctl(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_utempterctl"));
    command.args(arguments).env("TZ", "UTC").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Its exit status, standard output and standard error.
pub fn run(arguments: &[&str]) -> (i32, String, String) {
    done(ctl(arguments).output().expect("utempterctl"))
}

pub fn done(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("output in UTF-8");
    let status = output.status.code().unwrap_or_else(|| panic!("{}", output.status));
    (status, text(output.stdout), text(output.stderr))
}

/// The JSON of a command that does well.
pub fn json(arguments: &[&str]) -> Value {
    let (status, output, errors) = run(&[&["--json"], arguments].concat());
    assert_eq!(status, 0, "{errors}");
    assert_eq!(errors, "");
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Notes that a test could not run, and why; where nothing may be skipped, that is a failure.
pub fn skip(test: &str, why: &str) {
    let no_skip = std::env::var_os("UTEMPTER_NO_SKIP");
    assert!(no_skip.is_none_or(|value| value == "0" || value.is_empty()), "{test}: {why}");
    eprintln!("{test}: skipped: {why}");
    if let Some(list) = std::env::var_os("UTEMPTER_SKIPPED") {
        use std::io::Write;
        let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
        let mut file = file.expect("the list of what was skipped");
        writeln!(file, "{test}: {why}").expect("the list of what was skipped");
    }
}

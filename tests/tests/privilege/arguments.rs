//! The command line, and the host in it.

use nix::libc::EINVAL;
use utempter_tests::{Case, Side};

use crate::attempt::{Attempt, Result, c_string};
use crate::scene::{Entry, Expect, Row, Scene};

use Expect::{As, Recorded, Refused};

fn words(name: &'static str, words: &'static [&'static str]) -> Row {
    Row::new(name, Refused(EINVAL), Refused(1), move |_| Ok(Attempt::new()?.words(words)))
}

fn refused(name: &'static str, host: &'static [u8]) -> Row {
    Row::new(name, Refused(EINVAL), Refused(1), move |_| Ok(Attempt::new()?.host(host)))
}

fn host(name: &'static str, host: &'static [u8], recorded: &'static str) -> Row {
    let expect = As(Entry { host: recorded.into(), ..Entry::default() });
    Row::new(name, expect.clone(), expect, move |_| Ok(Attempt::new()?.host(host)))
}

const ESCAPE_AT_299: [u8; 300] = {
    let mut host = [b'h'; 300];
    host[299] = 0x1b;
    host
};

const LONG: &str = match std::str::from_utf8(&[b'h'; 256]) {
    Ok(text) => text,
    Err(_) => "",
};

pub fn rows() -> Vec<Row> {
    vec![
        words("no argument vector", &[]),
        words("no word", &["utempter"]),
        words("an empty word", &["utempter", ""]),
        words("an empty name", &[""]),
        words("the operation as its name", &["add", "host"]),
        words("an operation in capitals", &["utempter", "ADD", "host"]),
        words("a word too many", &["utempter", "add", "host", "more"]),
        words("an empty word too many", &["utempter", "add", "host", ""]),
        words("del with a host", &["utempter", "del", "host"]),
        words("an option", &["utempter", "--help"]),
        words("a line of another user", &["utempter", "del", "pts/7"]),
        Row::new("20,000 words", Refused(EINVAL), Refused(1), |_| {
            Ok(Attempt::new()?.words(std::iter::once("utempter").chain(["add"; 20_000])))
        }),
        Row::new("an operation of 100 kB", Refused(EINVAL), Refused(1), |_| {
            Ok(Attempt::new()?.words([b"utempter".to_vec(), vec![b'a'; 100_000]]))
        }),
        Row::new("another program's name", Recorded, Recorded, |_| {
            Ok(Attempt::new()?.words(["../../bin/su", "add", "host"]))
        }),
        Row::new("a name of 100 kB with escape sequences", Recorded, Recorded, |_| {
            let mut attempt = Attempt::new()?;
            attempt.argv[0] = c_string("\x1b]0;%n%n%s".repeat(10_000));
            Ok(attempt)
        }),
        refused("a host that clears the screen", b"a\x1b[2J"),
        refused("a host that sets the title", b"\x1b]0;title\x07"),
        refused("a host with a C1 control", b"a\x9b2J"),
        refused("a host with a C1 control in UTF-8", b"a\xc2\x9b2J"),
        refused("a host with a newline and a line of who", b"a\nroot pts/7"),
        refused("a host with a carriage return", b"a\rroot"),
        refused("a host with a backspace", b"a\x08\x08root"),
        refused("a host of invalid UTF-8", b"\xff\xfe"),
        refused("a host of overlong UTF-8", b"a\xc0\x80"),
        refused("a host that begins with a space", b" "),
        refused("an escape behind the 256 bytes that count", &ESCAPE_AT_299),
        host("a host of 300 bytes", &[b'h'; 300], LONG),
        host("a host of 100 kB", &[b'h'; 100_000], LONG),
        host("a host of formats", b"%n%n%s%hhn%99999d", "%n%n%s%hhn%99999d"),
        host("a host like a shell's words", b"$(id);`id`|&", "$(id);`id`|&"),
        host("an empty host", b"", ""),
    ]
}

pub fn cases() -> Vec<Case> {
    vec![Case::world("every byte of a host, first and later", Side::Ours, |_| every_byte())]
}

fn every_byte() -> Result {
    for byte in 1..=255u8 {
        for host in [vec![byte], vec![b'a', byte], vec![b'a', byte, b'a']] {
            let first = host[0];
            let printable = matches!(byte, 0x20..=0x7e) && first != b' ';
            let expect = match printable {
                true => As(Entry {
                    host: String::from_utf8(host.clone())?.escape_default().to_string(),
                    ..Entry::default()
                }),
                false => Refused(EINVAL),
            };
            // Each on a new pts/0: the last one has been closed.
            Scene::expect(&mut Attempt::new()?.host(&host), &expect)
                .map_err(|error| format!("{:?}: {error}", host.escape_ascii().to_string()))?;
        }
    }
    Ok(())
}

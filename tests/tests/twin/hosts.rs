//! What may be said in ut_host, and what is refused.

use utempter_tests::twin::Scenario;

/// Both libraries are given this host; the session is ended whatever came of it.
fn host(name: &'static str, host: &'static [u8]) -> Scenario {
    Scenario::new(name, move |world| {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let add = [b"add a ", host].concat();
        let mut client = world.client(&["open a"]);
        client.arg(OsStr::from_bytes(&add)).arg("del a");
        world.finish(&mut client).map(drop)
    })
}

pub fn scenarios() -> Vec<Scenario> {
    vec![
        host("an empty host", b""),
        host("a host of 1 byte", b"h"),
        host("a host of 255 bytes", &[b'h'; 255]),
        host("a host of 256 bytes", &[b'h'; 256]),
        host("a host of 257 bytes", &[b'h'; 257]),
        host("a host of 300 bytes", &[b'h'; 300]),
        host("a host of 100 kB", &[b'h'; 100_000]),
        host("a host with spaces", b"example.org via mosh [4711]"),
        host("a host that ends in a space", b"example.org "),
        host("a host of tmux", b"tmux(4711).%0"),
        host("a host with a scope", b"fe80::1%eth0 via mosh [4711]"),
        host("a host of every printing character", &PRINTING),
        host("a host that begins with a space", b" example.org"),
        host("a host with a newline", b"example\norg"),
        host("a host with a tab", b"example\torg"),
        host("a host with an escape", b"\x1b[31mexample.org"),
        host("a host with a delete character", b"example\x7f"),
        host("a host in UTF-8", "b\u{fc}cher.example".as_bytes()),
        host("a host that begins in UTF-8", "\u{fc}ber.example".as_bytes()),
        host("a host in Latin-1", b"b\xfccher.example"),
        // Past what the record holds, and still refused.
        host("a newline behind 256 bytes", &NEWLINE_AT_280),
    ]
}

const PRINTING: [u8; 94] = {
    let mut all = [0; 94];
    let mut at = 0;
    while at < all.len() {
        all[at] = b'!' + at as u8;
        at += 1;
    }
    all
};

const NEWLINE_AT_280: [u8; 300] = {
    let mut host = [b'h'; 300];
    host[280] = b'\n';
    host
};

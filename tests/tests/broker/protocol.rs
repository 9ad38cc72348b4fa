//! What may be said, and what is answered.

use nix::libc;
use utempter_tests::part::{Running, command};
use utempter_tests::pty::Pty;
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, World};

use crate::none;
use crate::peer::{ADD, DEL, Peer, ask, request};

/// What is sent with the master, and what the answer is.
fn table() -> Vec<(&'static str, Vec<u8>, i32)> {
    let with = |head: &[u8], host: &[u8]| [head, host].concat();
    vec![
        ("a session", request(ADD, "host"), 0),
        ("its end", request(DEL, ""), 0),
        ("no host", request(ADD, ""), 0),
        ("a name that is nobody's", with(b"\x01\x01\x04none", b"host"), 0),
        ("a name with NUL and high bytes", with(b"\x01\x01\x04\0\xff\0\xff", b"host"), 0),
        ("a host of 256 bytes", request(ADD, &"x".repeat(256)), 0),
        ("a host of 700 bytes", request(ADD, &"x".repeat(700)), 0),
        ("nothing", vec![], libc::EPROTO),
        ("a version alone", vec![1], libc::EPROTO),
        ("no length", vec![1, ADD], libc::EPROTO),
        ("a name longer than the message", with(b"\x01\x01\x09", b"12345678"), libc::EPROTO),
        ("version 0", vec![0, ADD, 0], libc::EPROTONOSUPPORT),
        ("version 2", vec![2, ADD, 0], libc::EPROTONOSUPPORT),
        ("version 255, and nobody knows what", vec![255; 200], libc::EPROTONOSUPPORT),
        ("operation 0", vec![1, 0, 0], libc::EOPNOTSUPP),
        ("operation 3", vec![1, 3, 0], libc::EOPNOTSUPP),
        ("the end, with a host", request(DEL, "host"), libc::EINVAL),
        ("a host with a newline", request(ADD, "a\nb"), libc::EINVAL),
        ("a host that begins with a space", request(ADD, " a"), libc::EINVAL),
        ("a host in UTF-8", request(ADD, "caf\u{e9}"), libc::EINVAL),
        ("1024 bytes", [request(ADD, ""), vec![b'x'; 1021]].concat(), 0),
        ("1025 bytes", [request(ADD, ""), vec![b'x'; 1022]].concat(), libc::EMSGSIZE),
        ("100,000 bytes", vec![1; 100_000], libc::EMSGSIZE),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = table()
        .into_iter()
        .map(|(name, _, _)| {
            let name = format!("said: {name}");
            Case::world_of(&name.clone(), Side::Broker, none, move |world| said(world, &name))
        })
        .collect();
    cases.push(Case::world_of(
        "two requests on one connection: the second is not read",
        Side::Broker,
        none,
        |world| said(world, "said: two requests"),
    ));
    cases
}

fn said(world: &World, name: &str) -> Outcome {
    let word = name.trim_start_matches("said: ").to_owned();
    Running::start(&mut command(world, ALICE, "send", &[word]))?.finish()?;
    // Whatever was said, the next is served.
    let again = ["a session".to_owned()];
    Running::start(&mut command(world, ALICE, "send", &again))?.finish()?;
    Ok(())
}

/// As alice: says it, and is answered as the table has it.
pub fn send(words: &[String]) -> Outcome {
    let pty = Pty::open()?;
    let master = pty.number_of_descriptor();
    let name = words.first().ok_or("no name")?.as_str();
    if name == "two requests" {
        let peer = Peer::greeted()?.ok_or("not greeted")?;
        peer.send(&request(ADD, "one"), &[master])?;
        // It may have hung up by now.
        let _ = peer.send(&request(ADD, "two"), &[master]);
        let answers = (peer.answer()?, peer.answer()?);
        return match answers {
            (Some(0), None) => Ok(()),
            other => Err(format!("answered {other:?}").into()),
        };
    }
    let table = table();
    let (_, message, errno) = table.iter().find(|row| row.0 == name).ok_or("no such row")?;
    let answer = ask(message, &[master])?;
    if answer != Some(*errno as u16) {
        return Err(format!("answered {answer:?}, and not {errno}").into());
    }
    Ok(())
}

//! Machines where utmps keeps the records.

use std::fs;

use login_records::{Layout, Line, Session, Time};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, World};

use crate::peers::{UTMPD, Utmpd, WTMPD, listen, wtmpd};
use crate::{case, ctl, ill, says, well};

pub fn cases() -> Vec<Case> {
    vec![
        case("utmps: a healthy machine, by the helper", Side::Ours, |world| {
            let _utmpd = Utmpd::start(Vec::new())?;
            wtmpd()?;
            fs::remove_file(World::UTMP)?;
            fs::remove_file(World::WTMP)?;
            let recorded = format!("was recorded by the helper in {UTMPD}, and its end");
            well(world, ALICE, &["utmpd answers, sessions: 0", &recorded])
        }),
        case("utmps: a healthy machine, by the broker", Side::Broker, |world| {
            let _utmpd = Utmpd::start(Vec::new())?;
            wtmpd()?;
            // The broker looks once a second whether it is there.
            std::thread::sleep(std::time::Duration::from_millis(1100));
            let recorded = format!("was recorded by the broker in {UTMPD}, and its end");
            well(world, ALICE, &["records to utmps", &recorded])
        }),
        case("utmps: a socket that its daemon has left", Side::Ours, |world| {
            drop(listen(UTMPD)?);
            well(world, ALICE, &[&format!("nobody listens at {UTMPD}"), "rc-service utmpd restart"])
        }),
        case("utmps: a daemon that hangs", Side::Ours, |world| {
            let _listeners = [listen(UTMPD)?, listen(WTMPD)?];
            ill(world, ALICE, &["error    utmps        utmpd does not answer", "rc-service utmpd"])
        }),
        case("utmps: no daemon for the history", Side::Ours, |world| {
            let _utmpd = Utmpd::start(Vec::new())?;
            well(world, ALICE, &[&format!("nobody listens at {WTMPD}"), "rc-service wtmpd restart"])
        }),
        case("utmps: list reads by its protocol", Side::Ours, list),
        case("utmps: history reads the file that its daemon writes", Side::Ours, history),
    ]
}

/// A record of each, as utmps has them.
fn records() -> Vec<Vec<u8>> {
    let session = Session { line: Line::pts(77), pid: 1, user: b"alice", host: b"there" };
    let login = session.login(Time::now());
    let other = Session { line: Line::pts(78), ..session };
    [login, other.login(Time::now()), other.logout(Time::now())]
        .iter()
        .map(|record| Layout::TIME64.encode(record).to_vec())
        .collect()
}

fn list(world: &World) -> Outcome {
    let mut records = records();
    records.remove(1);
    let _utmpd = Utmpd::start(records)?;
    let session = "\"user\":\"alice\",\"line\":\"pts/77\",\"host\":\"there\",\"pid\":1,";
    let stores = format!("\"stores\":[\"{UTMPD}\"]");
    for arguments in [&["list", "--json"][..], &["list", "--json", "--source", "utmps"]] {
        let (status, text) = ctl(world, ALICE, arguments)?;
        says(&text, &[session, &stores, UTMPD])?;
        if status != 0 || text.matches("\"line\"").count() != 1 {
            return Err(format!("{arguments:?}: {status}: {text}").into());
        }
    }
    let (_, text) = ctl(world, ALICE, &["list"])?;
    says(&text, &["utmps\n", &format!("\nfrom /var/run/utmp, {UTMPD}\n")])?;
    // A store that is not here is not made up for.
    let (status, text) = ctl(world, ALICE, &["list", "--source", "wtmpdb"])?;
    says(&text, &["a file of wtmpdb is not here"])?;
    if status != 3 { Err(text.into()) } else { Ok(()) }
}

fn history(world: &World) -> Outcome {
    fs::remove_file(World::WTMP)?;
    fs::create_dir("/var/log/wtmpd")?;
    fs::write("/var/log/wtmpd/wtmp", records().concat())?;
    let (status, text) = ctl(world, ALICE, &["history"])?;
    says(&text, &["pts/77", "pts/78", "\nfrom /var/log/wtmpd/wtmp\n"])?;
    if status != 0 { Err(text.into()) } else { Ok(()) }
}

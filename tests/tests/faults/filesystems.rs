//! Disks that are full, or may not be written to.

use std::fs;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use utempter_tests::part::{self, Running};
use utempter_tests::side_by_side::{Comparison, Report};
use utempter_tests::utmp::{Record, SIZE, USER_PROCESS, encode};
use utempter_tests::world::BOB;
use utempter_tests::{Outcome, Side, World};

use crate::call::{self, call};

/// Where the small file system is.
const SMALL: &str = "/tmp/small";

pub fn comparisons() -> Vec<Comparison> {
    let mut all = Vec::new();
    for file in [World::UTMP, World::WTMP] {
        let name = file.rsplit('/').next().unwrap_or(file);
        all.push(Comparison::new(format!("the disk of {name} is full"), move |world, report| {
            is_full(world, report, file, Reader::None)
        }));
        all.push(Comparison::new(
            format!("the disk of {name} is full, and a reader has the lock"),
            move |world, report| is_full(world, report, file, Reader::HasTheLock),
        ));
        all.push(Comparison::new(
            format!("the disk of {name} is read-only"),
            move |world, report| read_only(world, report, file),
        ));
    }
    all
}

fn others() -> Vec<u8> {
    // One more would go beyond the first page of 4096 bytes.
    let line = |n| format!("pts/{n}");
    let record = |n| Record::new(USER_PROCESS, 1, &line(n), &line(n)[3..], "bob", "");
    encode(&(900..910).map(record).collect::<Vec<_>>())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    None,
    HasTheLock,
}

fn is_full(world: &World, report: &mut Report, file: &str, reader: Reader) -> Outcome {
    call::prepare()?;
    fs::create_dir(SMALL)?;
    let small = format!("{SMALL}/file");
    mount(Some("tmpfs"), SMALL, Some("tmpfs"), MsFlags::empty(), Some("size=4k,mode=755"))?;
    call::fresh(&small, &others())?;
    mount(Some(small.as_str()), file, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    let _reader = match reader {
        Reader::None => None,
        Reader::HasTheLock => {
            let words = [file.to_owned()];
            let mut reader = Running::start(&mut part::command(world, BOB, "reader", &words))?;
            reader.line()?;
            Some(reader)
        }
    };

    let called = call(world, &[])?;
    let bytes = fs::read(file)?;
    let before = bytes.starts_with(&others());
    report.say("add", &*called.ending);
    report.say("the file of 3840 bytes", format!("{} bytes", bytes.len()));
    if world.side == Side::Ours {
        let expected = if file == World::UTMP { "ENOSPC" } else { "0" };
        assert_eq!(called.ending, expected);
        assert!(before, "a record of another line has changed");
        assert!(call::has_session(other(file)), "the other file has no record");
        match reader {
            Reader::None => assert_eq!(bytes.len(), others().len()),
            // Never cut without the lock; the next record goes over it.
            Reader::HasTheLock => assert_eq!(bytes.len(), 4096),
        }
    }

    mount(None::<&str>, SMALL, None::<&str>, MsFlags::MS_REMOUNT, Some("size=8k"))?;
    let called = call(world, &[])?;
    let bytes = fs::read(file)?;
    let right = bytes.len() == others().len() + SIZE && bytes.starts_with(&others());
    let right = right && call::has_session(file);
    report.say("add when there is room", &*called.ending);
    report.say(
        "the file is then",
        if right { "whole, with the record" } else { "not as it should be" },
    );
    if world.side == Side::Ours && !(right && called.ending == "0") {
        return Err(format!("{called:?}, {} bytes", bytes.len()).into());
    }
    Ok(())
}

fn other(file: &str) -> &'static str {
    if file == World::UTMP { World::WTMP } else { World::UTMP }
}

fn read_only(world: &World, report: &mut Report, file: &str) -> Outcome {
    call::prepare()?;
    call::fresh(file, &others())?;
    mount(Some(file), file, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, file, None::<&str>, flags, None::<&str>)?;
    let called = call(world, &[])?;
    report.say("add", &*called.ending);
    let recorded = call::has_session(other(file));
    let name = Path::new(other(file)).file_name().unwrap_or_default().to_string_lossy();
    report.say(&format!("the record in {name}"), if recorded { "there" } else { "lost" });
    assert!(fs::read(file)? == others());
    if world.side == Side::C && file == World::UTMP {
        assert!(!recorded, "the C library has changed: utmp no longer keeps wtmp from a record");
    }
    if world.side == Side::Ours {
        assert_eq!(called.ending, if file == World::UTMP { "EROFS" } else { "0" });
        assert!(recorded);
    }
    Ok(())
}

/// The part that keeps a reader's lock.
pub fn reader(words: &[String]) -> Outcome {
    let file = fs::File::open(words.first().ok_or("a file")?)?;
    utempter_tests::lock::take(&file, utempter_tests::lock::Kind::Read)?;
    println!("held");
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

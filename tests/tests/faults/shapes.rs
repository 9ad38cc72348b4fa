//! utmp and wtmp that are something else, or not as they should be.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use utempter_tests::side_by_side::{Comparison, Report};
use utempter_tests::utmp::{Record, SIZE, USER_PROCESS, encode};
use utempter_tests::{Outcome, Side, World};

use crate::call::{self, call};

pub fn comparisons() -> Vec<Comparison> {
    let mut all = Vec::new();
    for file in [World::UTMP, World::WTMP] {
        let name = file.rsplit('/').next().unwrap_or(file);
        for shape in SHAPES {
            all.push(Comparison::new(format!("{name} is {}", shape.name), move |world, report| {
                is(world, report, file, shape)
            }));
        }
    }
    all
}

struct Shape {
    name: &'static str,
    make: fn(&str) -> Outcome,
    /// What ours answers where utmp is so. For wtmp it is always success.
    ending: &'static str,
    /// What becomes of it.
    after: After,
}

#[derive(PartialEq, Eq)]
enum After {
    /// Nothing.
    Same,
    /// It has the record, behind what was there.
    Record,
}

/// Bytes of records in the files that have some.
fn others() -> Vec<u8> {
    encode(&[Record::new(USER_PROCESS, 1, "pts/900", "/900", "bob", "")])
}

/// Beside it, for what points there.
fn target(file: &str) -> String {
    format!("{file}.target")
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "a directory",
        make: |file| Ok(fs::create_dir(file)?),
        ending: "EISDIR",
        after: After::Same,
    },
    Shape {
        name: "a fifo",
        make: |file| Ok(nix::unistd::mkfifo(file, Mode::from_bits_truncate(0o666))?),
        ending: "ESPIPE",
        after: After::Same,
    },
    Shape {
        name: "a symlink to a file",
        make: |file| {
            call::fresh(&target(file), &others())?;
            Ok(symlink(target(file), file)?)
        },
        ending: "0",
        after: After::Record,
    },
    Shape {
        name: "a symlink to nothing",
        make: |file| Ok(symlink(target(file), file)?),
        ending: "0",
        after: After::Same,
    },
    Shape {
        name: "a symlink to itself",
        make: |file| Ok(symlink(file, file)?),
        ending: "ELOOP",
        after: After::Same,
    },
    Shape {
        name: "a device",
        make: |file| {
            // Of the machine's own, since a node made here may be void.
            fs::write(file, "")?;
            Ok(mount(Some("/dev/null"), file, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
        },
        ending: "ESPIPE",
        after: After::Same,
    },
    Shape {
        name: "a socket",
        make: |file| Ok(UnixListener::bind(file).map(drop)?),
        ending: "ENXIO",
        after: After::Same,
    },
    Shape { name: "empty", make: |file| call::fresh(file, b""), ending: "0", after: After::Record },
    Shape {
        name: "of odd length",
        make: |file| call::fresh(file, &[&others()[..], &[7; 211]].concat()),
        ending: "0",
        after: After::Record,
    },
    Shape {
        name: "shorter than a record",
        make: |file| call::fresh(file, &[7; 100]),
        ending: "0",
        after: After::Record,
    },
    Shape {
        name: "of 4 GiB, and a hole",
        make: |file| {
            call::fresh(file, &others())?;
            Ok(File::options().write(true).open(file)?.set_len(4 << 30)?)
        },
        ending: "0",
        after: After::Record,
    },
];

fn is(world: &World, report: &mut Report, file: &str, shape: &Shape) -> Outcome {
    call::prepare()?;
    let other = if file == World::UTMP { World::WTMP } else { World::UTMP };
    call::remove(file)?;
    (shape.make)(file)?;
    // Everybody may: what is refused is refused for what it is.
    if !fs::symlink_metadata(file)?.is_symlink() && fs::canonicalize(file)?.starts_with("/run") {
        fs::set_permissions(file, Permissions::from_mode(0o777))?;
    }
    let before = call::snapshot()?;
    let called = call(world, &[])?;
    let mut changed = call::changed(&before, &call::snapshot()?);
    changed.retain(|name| name != other);
    let recorded = call::has_session(other);
    let seconds = called.milliseconds as f64 / 1000.0;
    report.say("add", format!("{} after {seconds:.1} s", called.ending));
    report.say("the record in the other file", if recorded { "there" } else { "lost" });
    report.say("changed", if changed.is_empty() { "nothing".into() } else { changed.join(", ") });

    if world.side == Side::C && file == World::UTMP && shape.name == "a fifo" {
        assert_eq!(called.ending, "hung", "the C library has changed");
    }
    if world.side == Side::Ours {
        let ending = if file == World::UTMP { shape.ending } else { "0" };
        assert_eq!(called.ending, ending);
        assert!(called.milliseconds < 5000, "{called:?}");
        assert!(recorded, "the other file has no record");
        match shape.after {
            After::Same => assert!(changed.is_empty(), "{changed:?}"),
            After::Record => {
                let real = fs::canonicalize(file)?;
                assert_eq!(changed, [real.to_string_lossy()]);
                check_end(&real.to_string_lossy())?;
            }
        }
    }
    // The world's files are removed from outside, which a mount would hinder.
    let _ = umount2(file, MntFlags::MNT_DETACH);
    Ok(())
}

/// The file's last record is alice's session, in frame, and nothing is behind it.
fn check_end(file: &str) -> Outcome {
    use std::os::unix::fs::FileExt;
    let size = fs::metadata(file)?.len();
    assert_eq!(size % SIZE as u64, 0, "{size} bytes");
    let mut last = [0; SIZE];
    File::open(file)?.read_exact_at(&mut last, size - SIZE as u64)?;
    let record = Record(last);
    assert!(record.is_live() && record.line() == "pts/0" && record.user() == "alice", "{record:?}");
    Ok(())
}

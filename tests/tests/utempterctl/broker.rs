//! The doctor and the broker.

use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, accept, bind, send, socket,
};
use nix::unistd::Pid;
use rusqlite::Connection;
use utempter_tests::utmp::Record;
use utempter_tests::world::ALICE;
use utempter_tests::wtmpdbd::Wtmpdbd;
use utempter_tests::{Case, Outcome, Side, World, broker};

use crate::sources::{DATABASE, create, switch_files_off};
use crate::{ROOT, case, ctl, finish, ill, says, well};

pub fn cases() -> Vec<Case> {
    vec![
        case("a terminal under no_new_privs with a broker is healthy", Side::Broker, |world| {
            let answers = format!(
                "{}, 0666 root:root: utempterd answers (version 1), and records to /var/run/utmp, /var/log/wtmp",
                broker::SOCKET
            );
            let words = [
                answers.as_str(),
                "note     privileges   no_new_privs is set",
                "was recorded by the broker in /var/run/utmp, and its end",
                "was recorded by the broker in /var/log/wtmp, and its end",
                "the helper was not tried: no_new_privs is set",
            ];
            well(world, ALICE, &words)?;
            let (utmp, wtmp) = (world.utmp()?, world.wtmp()?);
            match utmp.iter().any(Record::is_live) || wtmp.len() != 2 {
                true => Err(format!("{utmp:?} {wtmp:?}").into()),
                false => Ok(()),
            }
        }),
        case("broker and helper, each of them tried", Side::Both, |world| {
            for user in [ALICE, ROOT] {
                well(world, user, &["recorded by the broker", "recorded by the helper"])?;
            }
            match world.wtmp()?.len() {
                8 => Ok(()),
                count => Err(format!("{count} records").into()),
            }
        }),
        case("a broker, and no helper", Side::Broker, |world| {
            let (status, text) = ctl(world, ALICE, &["doctor", "--helper", "/tmp/none"])?;
            says(&text, &["warning  helper       /tmp/none: No such file", "there is none"])?;
            if status != 0 { Err(text.into()) } else { Ok(()) }
        }),
        case("a broker's socket that is not for everybody", Side::Broker, |world| {
            fs::set_permissions(broker::SOCKET, Permissions::from_mode(0o600))?;
            ill(world, ALICE, &["0600 root:root: it is not for everybody", "chmod 0666 /run/ut"])
        }),
        case("the same where the helper counts", Side::Both, |world| {
            fs::set_permissions(broker::SOCKET, Permissions::from_mode(0o600))?;
            well(world, ALICE, &["it is not for everybody", "recorded by the helper in"])
        }),
        case("a broker's socket that somebody else has made", Side::Broker, |world| {
            chown(broker::SOCKET, Some(ALICE.uid), None)?;
            well(world, ALICE, &["0666 alice:root: not root's", "rm /run/utempter/socket && "])
        }),
        case("a broker's socket that nobody listens at", Side::Broker, |world| {
            world.broker.borrow_mut().take().ok_or("no broker")?.crash()?;
            ill(
                world,
                ALICE,
                &["nobody listens at /run/utempter/socket", "restart utempterd.socket"],
            )
        }),
        case("a broker's socket that is none", Side::Broker, |world| {
            fs::remove_file(broker::SOCKET)?;
            fs::write(broker::SOCKET, "")?;
            ill(world, ALICE, &["/run/utempter/socket is no socket", "rm -r /run/utempter/socket"])
        }),
        case("a broker that hangs", Side::Broker, |world| {
            let pid = world.broker.borrow().as_ref().ok_or("no broker")?.pid();
            kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
            let words = ["does not greet within a second", "systemctl restart utempterd.service"];
            let outcome = ill(world, ALICE, &words);
            kill(Pid::from_raw(pid), Signal::SIGCONT)?;
            outcome
        }),
        case("something else at the broker's socket", Side::Both, |world| {
            fs::remove_file(broker::SOCKET)?;
            let kind = SockType::SeqPacket;
            let listener = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None)?;
            bind(listener.as_raw_fd(), &UnixAddr::new(broker::SOCKET)?)?;
            nix::sys::socket::listen(&listener, Backlog::new(10)?)?;
            fs::set_permissions(broker::SOCKET, Permissions::from_mode(0o666))?;
            std::thread::spawn(move || {
                while let Ok(client) = accept(listener.as_raw_fd()) {
                    let _ = send(client, b"hello", MsgFlags::empty());
                }
            });
            well(world, ALICE, &["is no utempterd", "recorded by the helper in"])
        }),
        case("another /dev/pts than the broker's", Side::Broker, |world| {
            let mut command = world.command(ROOT, "unshare");
            let script = "mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts && \
                          { [ -L /dev/ptmx ] || mount --bind /dev/pts/ptmx /dev/ptmx; } && \
                          exec \"$0\" doctor";
            let command = command.args(["-m", "sh", "-c", script, World::CLIENT]);
            let (status, text) = finish(command)?;
            says(&text, &["this /dev/pts is another than the broker's"])?;
            if status != 1 { Err(text.into()) } else { Ok(()) }
        }),
        case("wtmpdb alone, with a broker", Side::Broker, |world| {
            create()?;
            switch_files_off()?;
            let recorded = format!("was recorded by the broker in {DATABASE}, and its end");
            well(world, ALICE, &["warning  utmp         /run/utmp does not exist", &recorded])
        }),
        case("wtmpdb's daemon alone, with a broker", Side::Broker, |world| {
            let _daemon = Wtmpdbd::start(vec![], Duration::ZERO)?;
            switch_files_off()?;
            let recorded = format!("was recorded by the broker in {}, and", Wtmpdbd::SOCKET);
            well(world, ALICE, &["records to wtmpdb's daemon", &recorded])
        }),
        case("no store at all, with a broker", Side::Broker, |world| {
            switch_files_off()?;
            ill(world, ALICE, &["the broker was content, and recorded nothing"])
        }),
        case("wtmpdb without a broker", Side::Ours, |world| {
            create()?;
            well(
                world,
                ALICE,
                &["note     wtmpdb", "by the broker only", "enable --now utempterd.socket"],
            )
        }),
        case("wtmpdb's file of something else", Side::Ours, |world| {
            fs::write(DATABASE, "words and words\n".repeat(500))?;
            well(world, ALICE, &["warning  wtmpdb", "no database of wtmpdb", "&& wtmpdb boot"])
        }),
        case("wtmpdb's file that this user may not read", Side::Ours, |world| {
            create()?;
            fs::set_permissions(DATABASE, Permissions::from_mode(0o600))?;
            well(world, ALICE, &["cannot be read by this user", "chmod 0644 /var/log/wtmp.db"])
        }),
        case("wtmpdb's daemon that hangs", Side::Ours, |world| {
            fs::create_dir_all("/run/wtmpdb")?;
            let _listener = UnixListener::bind(Wtmpdbd::SOCKET)?;
            fs::set_permissions(Wtmpdbd::SOCKET, Permissions::from_mode(0o666))?;
            well(
                world,
                ALICE,
                &["warning  wtmpdb       wtmpdb's daemon: ", "restart wtmpdbd.socket"],
            )
        }),
        case("wtmpdb's file that a reader locks", Side::Broker, locked),
    ]
}

fn locked(world: &World) -> Outcome {
    create()?;
    let reader = Connection::open(DATABASE)?;
    reader.execute_batch("BEGIN")?;
    reader.query_row("SELECT count(*) FROM wtmp", [], |_| Ok(()))?;
    let own = format!("process {} ", std::process::id());
    let words = [
        own.as_str(),
        "holds a read lock on /var/log/wtmp.db",
        "the broker keeps them, and tries again",
        "warning  trial",
        "was not recorded by the broker in /var/log/wtmp.db",
    ];
    well(world, ALICE, &words)
}

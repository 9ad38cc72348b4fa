//! The files of a world, and how they come over the machine's.

use std::env;
use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::unistd::Group;

use super::user::{self, ALICE};
use super::{Side, World};
use crate::place;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Makes the files, outside.
pub(super) fn make(directory: &Path) -> Result {
    let utmp = utmp_group()?;
    for name in ["run", "run/lock", "log", "etc", "private"] {
        fs::create_dir(directory.join(name))?;
    }
    // For clients of every user.
    fs::write(directory.join("run/transcript"), "")?;
    fs::set_permissions(directory.join("run/transcript"), Permissions::from_mode(0o666))?;
    for name in ["run/utmp", "log/wtmp"] {
        let file = directory.join(name);
        fs::write(&file, "")?;
        chown(&file, Some(0), Some(utmp))?;
        fs::set_permissions(&file, Permissions::from_mode(0o664))?;
    }
    fs::write(directory.join("etc/passwd"), user::passwd())?;
    fs::write(directory.join("etc/group"), user::group(utmp))?;
    fs::write(directory.join("etc/nsswitch.conf"), "passwd: files\ngroup: files\n")?;
    for name in ["passwd", "group", "nsswitch.conf"] {
        let file = directory.join("etc").join(name);
        fs::set_permissions(file, Permissions::from_mode(0o644))?;
    }
    Ok(())
}

fn utmp_group() -> Result<u32> {
    let group = Group::from_name("utmp")?.ok_or("the machine has no group utmp")?;
    Ok(group.gid.as_raw())
}

/// Lays the files over the machine's, inside.
pub(super) fn enter(directory: &Path, side: Side) -> Result {
    // Before the world's own group file, which has the same number, is in place.
    let utmp = utmp_group()?;
    mount_at(None, "/".as_ref(), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, "")?;
    mount_at(Some("proc"), "/proc".as_ref(), Some("proc"), MsFlags::empty(), "")?;

    let private = directory.join("private");
    // A file system where setgid counts, whatever the machine's /tmp is mounted with.
    mount_at(Some("tmpfs"), &private, Some("tmpfs"), MsFlags::MS_NODEV, "mode=1777")?;
    fill(&private, side, utmp)?;
    bind(&private.join("lib/libutempter.so.0"), &place::c_library()?)?;
    let helpers = place::system_helper();
    bind(&private.join("lib/utempter"), helpers.parent().ok_or("a helper in no directory")?)?;

    bind(&directory.join("run"), "/run".as_ref())?;
    if !Path::new("/var/run").is_symlink() {
        bind(&directory.join("run"), "/var/run".as_ref())?;
    }
    bind(&directory.join("log"), "/var/log".as_ref())?;
    for name in ["passwd", "group", "nsswitch.conf"] {
        bind(&directory.join("etc").join(name), &Path::new("/etc").join(name))?;
    }
    // Its own numbers, so that each world's first pty is pts/0.
    new_devpts("/dev/pts".as_ref())?;
    if !Path::new("/dev/ptmx").is_symlink() {
        bind("/dev/pts/ptmx".as_ref(), "/dev/ptmx".as_ref())?;
    }
    // Last, since the world's own directory is most likely in /tmp.
    bind(&private, "/tmp".as_ref())?;
    // What is still the machine's own, a test cannot change by mistake.
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount_at(None, "/".as_ref(), None, read_only, "")
}

/// Mounts an instance of devpts that has nothing to do with any other.
pub fn new_devpts(at: &Path) -> Result {
    let options = format!("newinstance,ptmxmode=0666,mode=0620,gid={}", user::TTY);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount_at(Some("devpts"), at, Some("devpts"), flags, &options)
}

/// What becomes /tmp: the programs under test, and alice's home.
fn fill(private: &Path, side: Side, utmp: u32) -> Result {
    for name in ["bin", "lib", "home"] {
        fs::create_dir(private.join(name))?;
        fs::set_permissions(private.join(name), Permissions::from_mode(0o755))?;
    }
    chown(private.join("home"), Some(ALICE.uid), Some(ALICE.gid))?;
    let client = env::var_os("UTEMPTER_WORLD_CLIENT").ok_or("no client was compiled")?;
    let to = private.join(Path::new(World::CLIENT).strip_prefix("/tmp")?);
    fs::copy(&client, &to)?;
    fs::set_permissions(&to, Permissions::from_mode(0o755))?;

    let (library, installed) = match side.stage() {
        Some(stage) => (stage.library(), stage.helper()),
        None => (place::c_library()?, place::system_helper()),
    };
    copy(&library, &private.join("lib/libutempter.so.0"))?;
    if side == Side::Both {
        copy(&place::Stage::main().library(), &private.join("lib/ours.so"))?;
    }
    if side == Side::Broker || side == Side::Both {
        copy(&place::Stage::main().broker(), &private.join("bin/utempterd"))?;
    }
    // The directory of the helper's, with what lies beside it.
    let helpers = private.join("lib/utempter");
    fs::create_dir(&helpers)?;
    fs::set_permissions(&helpers, Permissions::from_mode(0o755))?;
    for installed in [Some(installed.clone()), place::other_helper(&installed)].iter().flatten() {
        let helper = helpers.join(installed.file_name().ok_or("a file without a name")?);
        copy(installed, &helper)?;
        chown(&helper, Some(0), Some(utmp))?;
        fs::set_permissions(&helper, Permissions::from_mode(0o2711))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result {
    fs::copy(from, to)
        .map_err(|error| format!("{}: {error}: first `make stage`", from.display()))?;
    Ok(())
}

fn bind(from: &Path, to: &Path) -> Result {
    let from_name = from.to_str().ok_or("a path of other than UTF-8")?;
    mount_at(Some(from_name), to, None, MsFlags::MS_BIND, "")
}

fn mount_at(
    source: Option<&str>,
    at: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: &str,
) -> Result {
    mount(source, at, kind, flags, Some(options))
        .map_err(|error| format!("mounting {source:?} at {}: {error}", at.display()).into())
}

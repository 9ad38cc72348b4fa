//! A file system of alice's own making, whose daemon never answers when a file is closed: the
//! kernel then waits in close(2). linux/fuse.h has the messages.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::unistd::{ForkResult, Pid};
use utempter_tests::Skip;
use utempter_tests::world::ALICE;

use crate::peer::Failure;
use crate::sys;

/// The file.
pub const FILE: &str = "/tmp/home/fuse/file";

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const FLUSH: u32 = 25;
const INIT: u32 = 26;

/// Mounts it; the daemon's pid.
pub fn serve_hanging() -> Result<Pid, Failure> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .map_err(|error| Skip(format!("needs /dev/fuse: {error}")))?;
    let at = Path::new("/tmp/home/fuse");
    std::fs::create_dir(at)?;
    let (fd, uid, gid) = (device.as_raw_fd(), ALICE.uid, ALICE.gid);
    let options = format!("fd={fd},rootmode=40000,user_id={uid},group_id={gid}");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("alice"), at, Some("fuse"), flags, Some(options.as_str()))?;
    match sys::fork()? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let _ = answer(device);
            sys::exit_now(0);
        }
    }
}

/// Numbers, one after the other.
fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

fn longs(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

/// struct fuse_attr of the directory, node 1, or of the file, node 2.
fn attributes(node: u64) -> Vec<u8> {
    let mode = if node == 1 { 0o40755 } else { 0o100666 };
    let rest = words(&[0, 0, 0, mode, 1, ALICE.uid, ALICE.gid, 0, 4096, 0]);
    [longs(&[node, 0, 0, 0, 0, 0]), rest].concat()
}

fn answer(mut device: File) -> Result<(), Failure> {
    let mut message = vec![0; 1 << 17];
    loop {
        let read = device.read(&mut message)?;
        let message = &message[..read];
        let operation = u32::from_ne_bytes(message[4..8].try_into()?);
        let unique = u64::from_ne_bytes(message[8..16].try_into()?);
        let node = u64::from_ne_bytes(message[16..24].try_into()?);
        let (error, body) = match operation {
            INIT => (0, words(&[7, 31, 65536, 0, 0, 65536, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            LOOKUP => (0, [longs(&[2, 0, 9, 9]), words(&[0, 0]), attributes(2)].concat()),
            GETATTR => (0, [longs(&[9]), words(&[0, 0]), attributes(node)].concat()),
            OPEN => (0, [longs(&[1]), words(&[0, 0])].concat()),
            FLUSH | FORGET => continue,
            _ => (-libc::ENOSYS, Vec::new()),
        };
        let head = [words(&[16 + body.len() as u32, error as u32]), longs(&[unique])].concat();
        device.write_all(&[head, body].concat())?;
    }
}

//! A file system of alice's own making, whose file answers as a pty's master would.
//!
//! Any user may serve one with fusermount(1); that others' programs may use it too, as a
//! setgid one would, needs `user_allow_other` in fuse.conf, which some systems have. Here
//! root mounts it. linux/fuse.h has the messages; only what is asked here is answered.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::unistd::ForkResult;
use utempter_tests::Skip;
use utempter_tests::world::ALICE;

use crate::attempt::Result;
use crate::sys;

/// Where the file is.
pub const FILE: &str = "/tmp/home/fuse/master";

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const RELEASEDIR: u32 = 29;
const IOCTL: u32 = 39;

/// Mounts it, and serves until the world ends: pty number `number`, whose slave is said to
/// be the descriptor `slave` of whoever asks.
pub fn serve(number: u32, slave: i32) -> Result {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .map_err(|error| Skip(format!("needs /dev/fuse: {error}")))?;
    std::fs::create_dir("/tmp/home/fuse")?;
    let (fd, uid, gid) = (device.as_raw_fd(), ALICE.uid, ALICE.gid);
    let options = format!("fd={fd},rootmode=40000,user_id={uid},group_id={gid},allow_other");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let at = Path::new("/tmp/home/fuse");
    mount(Some("alice"), at, Some("fuse"), flags, Some(options.as_str()))?;
    match sys::fork()? {
        ForkResult::Parent { .. } => Ok(()),
        ForkResult::Child => {
            let _ = answer(device, number, slave);
            sys::exit_now(0);
        }
    }
}

/// A message's fields, one after the other.
struct Fields(Vec<u8>);

impl Fields {
    fn new() -> Fields {
        Fields(Vec::new())
    }

    fn u32(mut self, values: &[u32]) -> Fields {
        values.iter().for_each(|value| self.0.extend(value.to_ne_bytes()));
        self
    }

    fn u64(mut self, values: &[u64]) -> Fields {
        values.iter().for_each(|value| self.0.extend(value.to_ne_bytes()));
        self
    }

    /// struct fuse_attr of the directory, node 1, or of the file, node 2.
    fn attributes(self, node: u64) -> Fields {
        let mode = if node == 1 { 0o40755 } else { 0o100666 };
        let times = [0; 3];
        self.u64(&[node, 0, 0])
            .u64(&times)
            .u32(&[0; 3])
            .u32(&[mode, 1, ALICE.uid, ALICE.gid, 0, 4096, 0])
    }
}

fn word(message: &[u8], at: usize) -> u32 {
    message.get(at..at + 4).map_or(0, |bytes| u32::from_ne_bytes(bytes.try_into().unwrap()))
}

fn long(message: &[u8], at: usize) -> u64 {
    message.get(at..at + 8).map_or(0, |bytes| u64::from_ne_bytes(bytes.try_into().unwrap()))
}

fn answer(mut device: File, number: u32, slave: i32) -> Result {
    let mut message = vec![0; 1 << 17];
    loop {
        let read = device.read(&mut message)?;
        let message = &message[..read];
        let (operation, unique, node) = (word(message, 4), long(message, 8), long(message, 16));
        let body = match operation {
            INIT => Ok(Fields::new().u32(&[7, 31, 65536, 0, 0, 65536, 1, 0, 0]).u32(&[0; 7])),
            // Every name is the file's; a second is long enough for all of it.
            LOOKUP => Ok(Fields::new().u64(&[2, 0, 9, 9]).u32(&[0, 0]).attributes(2)),
            GETATTR => Ok(Fields::new().u64(&[9]).u32(&[0, 0]).attributes(node)),
            OPEN | OPENDIR => Ok(Fields::new().u64(&[1]).u32(&[0, 0])),
            IOCTL if word(message, 52) == libc::TIOCGPTN as u32 => {
                Ok(Fields::new().u32(&[0, 0, 0, 0, number]))
            }
            IOCTL if word(message, 52) == libc::TIOCGPTPEER as u32 => {
                Ok(Fields::new().u32(&[slave as u32, 0, 0, 0]))
            }
            IOCTL => Ok(Fields::new().u32(&[0; 4])),
            RELEASE | RELEASEDIR | READDIR | FLUSH => Ok(Fields::new()),
            FORGET => continue,
            _ => Err(libc::ENOSYS),
        };
        let (error, body) = match body {
            Ok(body) => (0, body.0),
            Err(errno) => (-errno, Vec::new()),
        };
        let length = 16 + body.len() as u32;
        let mut reply = Fields::new().u32(&[length, error as u32]).u64(&[unique]).0;
        reply.extend(body);
        device.write_all(&reply)?;
    }
}

//! `utempterctl history` beside util-linux's `last`, on one file, in turns.
//!
//! RECORDS sets the number of records (1,000,000) and ROUNDS that of the turns (7).

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use login_databases::{Entry, Kind, Layout, Time};
use nix::sys::resource::{UsageWho, getrusage};

fn main() -> io::Result<()> {
    let number = |name: &str, default: usize| {
        env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (records, rounds) = (number("RECORDS", 1_000_000), number("ROUNDS", 7));
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (path, small) = (directory.path().join("wtmp"), directory.path().join("small"));
    write(&path, records)?;
    write(&small, records / 100)?;
    let ctl = env!("CARGO_BIN_EXE_utempterctl");

    // Before last is run: the most memory of all children so far is what can be asked for.
    let memory = |path: &Path| -> io::Result<i64> {
        run(Command::new(ctl).arg("history").arg("-f").arg(path))?;
        Ok(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss())
    };
    let (least, most) = (memory(&small)?, memory(&path)?);

    let (mut ours, mut first, mut last) = (Vec::new(), Vec::new(), Vec::new());
    let has_last = Command::new("last")
        .arg("--version")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux"));
    for _ in 0..rounds {
        ours.push(run(Command::new(ctl).arg("history").arg("-f").arg(&path))?);
        first.push(run(Command::new(ctl).args(["history", "--limit", "20", "-f"]).arg(&path))?);
        if has_last {
            last.push(run(Command::new("last").arg("-f").arg(&path))?);
        }
    }
    let size = std::fs::metadata(&path)?.len();
    println!("{records} records, {} MB, {rounds} rounds; medians:", size / 1_000_000);
    println!(
        "  utempterctl history --limit 20   {:>9.1?}   (promised: under 50 ms)",
        median(&mut first)
    );
    println!("  utempterctl history              {:>9.1?}", median(&mut ours));
    println!(
        "    its memory                     {most} KiB, and {least} KiB for a hundredth of the file"
    );
    if !has_last {
        println!("  last                             not run: it is not util-linux's here");
        return Ok(());
    }
    println!("  last -f                          {:>9.1?}", median(&mut last));
    let mut ratios: Vec<f64> = last
        .iter()
        .zip(&ours)
        .map(|(last, ours)| last.as_secs_f64() / ours.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "  ratio                            {:.1} (from {:.1} to {:.1}; promised: 5)",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1]
    );
    Ok(())
}

fn run(command: &mut Command) -> io::Result<Duration> {
    let begin = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let took = begin.elapsed();
    if !status.success() {
        return Err(io::Error::other(format!("{command:?}: {status}")));
    }
    Ok(took)
}

/// Of what is sorted for it.
fn median(times: &mut [Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

/// Years of a machine with sixty terminals, four users and a reboot now and then.
fn write(path: &Path, records: usize) -> io::Result<()> {
    let layout = Layout::NATIVE;
    let mut file = BufWriter::new(File::create(path)?);
    let mut put = |entry: Entry, sec| {
        let bytes = layout.encode(entry.with_time(Time { sec, usec: 0 }).record());
        file.write_all(&bytes[..layout.size()])
    };
    let mut state = 5u64;
    let mut below = |bound: u64| {
        // Knuth's linear congruential generator, MMIX.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut on = [0; 60];
    let mut now = 1_500_000_000;
    let boot =
        Entry::new(Kind::Boot).with_line("~").with_user("reboot").with_host("6.1.0-18-amd64");
    for n in 0..records {
        now += below(400) as i64;
        if n % 20_000 == 0 {
            on = [0; 60];
            put(boot, now)?;
            continue;
        }
        let pty = below(60) as usize;
        let line = format!("pts/{pty}");
        if on[pty] > 0 {
            let user = if pty % 2 == 0 { "" } else { "alice" };
            let logout = Entry::new(Kind::Dead).with_line(&line).with_user(user).with_pid(on[pty]);
            put(logout, now)?;
            on[pty] = 0;
        } else {
            on[pty] = 1000 + n as i32;
            let user = ["alice", "bob", "carol", "dave"][below(4) as usize];
            let host = format!("192.168.1.{}", below(250));
            let login = Entry::new(Kind::User).with_line(&line).with_user(user).with_host(host);
            put(login.with_pid(on[pty]), now)?;
        }
    }
    file.flush()
}

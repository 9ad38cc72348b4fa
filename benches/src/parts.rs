//! Where the time of one add goes, and what a helper's run consists of.

use crate::rows::has_two_helpers;
use crate::samples::Samples;
use crate::text::{grouped, table, time};

/// From nothing at all to a whole add, each beside the C library's.
pub fn start(samples: &Samples) -> String {
    let rows = [
        ("one-cpu", "socket", "turn", "a socket kept open: asked and answered, on one processor"),
        (
            "one-cpu",
            "socket",
            "ask",
            "a socket: connected, greeted, asked, answered, closed, on one",
        ),
        ("one-cpu", "broker", "add", "add by the broker, on one"),
        ("small", "socket", "turn", "a socket kept open, each side where the scheduler puts it"),
        ("small", "socket", "ask", "a socket: connected, greeted, asked, answered, closed, so"),
        ("small", "broker", "add", "add by the broker, so"),
        ("small", "bare", "run", "an empty program without a C library, started and waited for"),
        ("small", "static", "run", "the same with glibc, static"),
        ("small", "dynamic", "run", "the same with glibc, dynamic: the loader too"),
        ("small", "ours-alone", "add", "our helper, started as the empty programs are"),
        ("small", "nss-alone", "add", "utempter-nss, started so"),
        ("small", "c-alone", "add", "the C library's helper, started so"),
        ("small", "ours", "add", "add by our library and helper"),
        ("small", "nss", "add", "add by our library and utempter-nss"),
        ("small", "c", "add", "add by the C library and its helper"),
    ];
    let found = rows.iter().filter_map(|(measurement, way, operation, what)| {
        let spread = samples.spread(measurement, 0, way, operation)?;
        let whole = samples.spread(measurement, 0, "c", "add")?;
        let part = spread.median / whole.median;
        Some([
            (*what).to_owned(),
            time(spread.median),
            format!("{} to {}", time(spread.low), time(spread.high)),
            format!("{part:.3}"),
        ])
    });
    table(["what", "median", "middle half", "of the C library's add"], found)
}

/// The differences of the table before: what costs.
pub fn costs(samples: &Samples) -> String {
    let get = |way: &str, operation: &str| {
        samples.spread("small", 0, way, operation).map(|found| found.median)
    };
    let runs = [get("bare", "run"), get("static", "run"), get("dynamic", "run")];
    let [Some(bare), Some(with_libc), Some(dynamic)] = runs else {
        return table(["part", "C library"], [["did not run".to_owned(), "-".to_owned()]]);
    };
    // A helper without a C library has neither its start nor the loader's to pay for.
    let is_bare = has_two_helpers();
    let column = |way: &str, is_bare: bool| -> Option<[String; 5]> {
        let (alone, whole) = (get(&format!("{way}-alone"), "add")?, get(way, "add")?);
        let (libc, loader) =
            if is_bare { (0.0, 0.0) } else { (with_libc - bare, dynamic - with_libc) };
        let parts = [bare, libc, loader, alone - bare - libc - loader, whole - alone];
        // What is less by this way than by posix_spawn is not a cost.
        Some(parts.map(|part| format!("{} ({:.0}%)", signed(part), part / whole * 100.0)))
    };
    let what = [
        "a process: made, exec, ended, waited for",
        "glibc's own start",
        "the loader",
        "the helper's work",
        "the library's way beside posix_spawn",
    ];
    let columns = [column("c", false), column("ours", is_bare), column("nss", false)]
        .map(|column| column.unwrap_or_else(|| [const { String::new() }; 5].map(|_| "-".into())));
    let rows = (0..5).map(|n| {
        let [theirs, ours, second] = [0, 1, 2].map(|way| columns[way][n].clone());
        [what[n].to_owned(), theirs, ours, second]
    });
    table(["part of an add", "C library", "ours", "utempter-nss"], rows)
}

fn signed(micros: f64) -> String {
    if micros < 0.0 { format!("-{}", time(-micros)) } else { time(micros) }
}

/// Counts of one add of each helper.
pub fn profile(samples: &Samples) -> String {
    let what = [
        ("add-instructions", "instructions in user space (callgrind)", 0),
        ("add-instructions-loader", "of these the loader", 0),
        ("add-instructions-libraries", "of these glibc", 0),
        ("add-instructions-own", "of these the helper itself", 0),
        ("calls", "system calls, all of the start included (strace)", 0),
        ("page-faults", "page faults (perf stat)", 0),
        ("task-clock", "processor time, ms, user and system (perf stat)", 3),
        ("peak", "peak memory, KiB (VmHWM)", 0),
    ];
    let rows = what.iter().map(|(operation, name, digits)| {
        let [theirs, ours, second] = ["c", "ours", "nss"].map(|way| {
            let found = samples.spread("programs", 0, way, operation).map(|found| found.median);
            found.map_or("-".into(), |count| match digits {
                0 => grouped(count.round() as u64),
                _ => format!("{count:.digits$}"),
            })
        });
        [(*name).to_owned(), theirs, ours, second]
    });
    table(["one add", "C library", "ours", "utempter-nss"], rows)
}

//! `dump`: raw records.

use std::io::Write;
use std::path::Path;

use login_databases::{
    Detected, Endian, Entry, Forward, Found, Input, Layout, Packing, detect, printable,
};
use serde::Serialize;

use crate::cli::{Dump, Order};
use crate::failure::{Done, Failure, Status, warn};
use crate::moment::Clock;
use crate::output::Output;
use crate::output::json::{Object, hex, text, write};
use crate::output::progress::Progress;
use crate::output::table::{Column, FAINT, Row, Table, left, right};

static COLUMNS: [Column; 10] = [
    right("OFFSET"),
    left("TYPE", 13),
    right("PID"),
    left("ID", 4),
    left("LINE", 7),
    left("USER", 8),
    left("HOST", 8),
    left("ADDRESS", 8),
    left("TIME", 16),
    left("EXIT", 4),
];

static COUNTS: [Column; 5] =
    [left("PATH", 20), right("SIZE"), right("RECORD-SIZE"), right("RECORDS"), left("LAYOUT", 6)];

#[derive(Serialize)]
struct JsonRecord {
    offset: u64,
    r#type: i16,
    type_name: String,
    pid: i32,
    line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_hex: Option<String>,
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_hex: Option<String>,
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_hex: Option<String>,
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_hex: Option<String>,
    termination: i16,
    exit: i16,
    session: i64,
    time: Option<String>,
    seconds: i64,
    microseconds: i32,
    address: Option<String>,
}

#[derive(Serialize)]
struct Foreign {
    offset: u64,
    length: u64,
}

/// A file that is being dumped.
struct File {
    records: Forward,
    detected: Detected,
}

pub fn run(options: &Dump, output: &mut Output) -> Done {
    let mut status = Status::Well;
    let mut clock = Clock::local();
    let mut files = Vec::new();
    for path in &options.files {
        files.push(open(path, options)?);
    }
    let mut object = output.json.then(|| Object::open(output)).transpose()?;
    let mut list = object.as_mut().map(|object| object.list(output, "files")).transpose()?;
    let mut counts = Table::new(&COUNTS);
    let several = files.len() > 1;
    for (n, file) in files.iter_mut().enumerate() {
        let foreign = match (&mut list, options.count) {
            (Some(_), _) => {
                output.write_all(if n > 0 { b",\n" } else { b"\n" })?;
                write_json(file, options.count, &mut clock, output)?
            }
            (None, true) => count(file, &mut counts, output)?,
            (None, false) => {
                if several {
                    writeln!(output, "{}:", shown(file.records.input()))?;
                }
                write_table(file, &mut clock, output)?
            }
        };
        output.flush()?;
        for Foreign { offset, length } in &foreign {
            let path = shown(file.records.input());
            warn(&format!("{path}: {length} bytes at offset {offset} are no record"));
            status = Status::Wrong;
        }
    }
    counts.finish(output)?;
    if let Some(list) = list {
        list.close(output)?;
    }
    if let Some(object) = object {
        object.close(output)?;
    }
    Ok(status)
}

fn open(path: &Path, options: &Dump) -> Result<File, Failure> {
    let input = Input::open(path)?;
    if input.is_sqlite() {
        return Err(Failure::Nothing(format!(
            "{}: a database of SQLite, not records (history and lastlog read those)",
            shown(&input)
        )));
    }
    let detected = match options.record_size {
        None => detect(&input)?,
        Some(size) => Detected { layout: named(size, options.endian)?, sure: true },
    };
    Ok(File { records: Forward::new(input, detected.layout), detected })
}

fn named(size: usize, order: Option<Order>) -> Result<Layout, Failure> {
    let layout = Layout::ALL.into_iter().find(|layout| layout.size() == size);
    let layout = layout.ok_or_else(|| {
        Failure::Usage(format!("no record has {size} bytes: it is 382, 384, 392 or 400"))
    })?;
    Ok(layout.with_endian(match order {
        None => Endian::NATIVE,
        Some(Order::Little) => Endian::Little,
        Some(Order::Big) => Endian::Big,
    }))
}

fn shown(input: &Input) -> String {
    printable(input.path().as_os_str().as_encoded_bytes())
}

fn endian(layout: Layout) -> &'static str {
    match layout.endian() {
        Endian::Little => "little",
        Endian::Big => "big",
    }
}

/// Goes through a file. What is no record is gathered, a million times at the most.
fn each(
    file: &mut File,
    progress: &mut Progress,
    mut show: impl FnMut(u64, Entry) -> Result<(), Failure>,
) -> Result<Vec<Foreign>, Failure> {
    let mut foreign = Vec::new();
    loop {
        match file.records.next()? {
            Some(Found::Record { offset, raw }) => show(offset, raw.entry())?,
            Some(Found::Foreign { offset, length }) => foreign.push(Foreign { offset, length }),
            None => return Ok(foreign),
        }
        progress.show(|| (file.records.position(), file.records.input().size()));
    }
}

fn count(file: &mut File, table: &mut Table, output: &mut Output) -> Result<Vec<Foreign>, Failure> {
    let mut progress = Progress::new(output);
    let mut number = 0u64;
    let foreign = each(file, &mut progress, |_, _| {
        number += 1;
        Ok(())
    })?;
    drop(progress);
    let input = file.records.input();
    let layout = file.detected.layout;
    table.row(output, |row| {
        row.text(&shown(input));
        row.text(&input.size().to_string());
        row.text(&layout.size().to_string());
        row.text(&number.to_string());
        let sure = if file.detected.sure { "" } else { ", supposed" };
        row.text(&format!("{}-endian{sure}{}", endian(layout), packing(input)));
    })?;
    Ok(foreign)
}

fn packing(input: &Input) -> &'static str {
    match input.packing() {
        None => "",
        Some(Packing::Gzip) => ", gzip",
        Some(Packing::Xz) => ", xz",
        Some(Packing::Zstd) => ", zstd",
    }
}

fn write_table(
    file: &mut File,
    clock: &mut Clock,
    output: &mut Output,
) -> Result<Vec<Foreign>, Failure> {
    let mut table = Table::new(&COLUMNS);
    let mut progress = Progress::new(output);
    let foreign = each(file, &mut progress, |offset, entry| {
        Ok(table.row(output, |row| fill(row, offset, &entry, clock))?)
    })?;
    table.finish(output)?;
    Ok(foreign)
}

fn fill(row: &mut Row, offset: u64, entry: &Entry, clock: &mut Clock) {
    row.text(&offset.to_string());
    row.text(&entry.kind().to_string());
    row.text(&entry.pid().to_string());
    row.bytes(entry.id());
    row.bytes(entry.line());
    row.bytes(entry.user());
    row.bytes(entry.host());
    row.cell(|to| to.extend(entry.address().map(|address| address.to_string())));
    row.cell(|to| match clock.rfc3339(entry.time()) {
        Some(time) => to.push_str(&time),
        None => clock.minute(entry.time().sec, to),
    });
    row.cell(|to| match entry.exit() {
        (0, 0) => {}
        (termination, exit) => to.push_str(&format!("{termination}/{exit}")),
    });
    if entry.kind() == login_databases::Kind::Empty {
        row.style(FAINT);
    }
}

fn write_json(
    file: &mut File,
    count: bool,
    clock: &mut Clock,
    output: &mut Output,
) -> Result<Vec<Foreign>, Failure> {
    let input = file.records.input();
    let layout = file.detected.layout;
    output.write_all(b"{\"path\":")?;
    write(output, &input.path().to_string_lossy())?;
    let packing = packing(input).trim_start_matches(", ");
    write!(
        output,
        ",\"size\":{},\"packing\":{},\"record_size\":{},\"endian\":\"{}\",\"layout_sure\":{}",
        input.size(),
        if packing.is_empty() { "null".into() } else { format!("\"{packing}\"") },
        layout.size(),
        endian(layout),
        file.detected.sure
    )?;
    let mut number = 0u64;
    if !count {
        output.write_all(b",\"records\":[")?;
    }
    let mut progress = Progress::new(output);
    let foreign = each(file, &mut progress, |offset, entry| {
        number += 1;
        if !count {
            output.write_all(if number > 1 { b",\n" } else { b"\n" })?;
            write(output, &record(offset, &entry, clock))?;
        }
        Ok(())
    })?;
    if !count {
        output.write_all(b"]")?;
    }
    write!(output, ",\"count\":{number},\"not_records\":")?;
    write(output, &foreign)?;
    output.write_all(b"}")?;
    Ok(foreign)
}

fn record(offset: u64, entry: &Entry, clock: &mut Clock) -> JsonRecord {
    let (termination, exit) = entry.exit();
    JsonRecord {
        offset,
        r#type: entry.kind().ut_type(),
        type_name: entry.kind().to_string(),
        pid: entry.pid(),
        line: text(entry.line()),
        line_hex: hex(entry.line()),
        id: text(entry.id()),
        id_hex: hex(entry.id()),
        user: text(entry.user()),
        user_hex: hex(entry.user()),
        host: text(entry.host()),
        host_hex: hex(entry.host()),
        termination,
        exit,
        session: entry.session(),
        time: clock.rfc3339(entry.time()),
        seconds: entry.time().sec,
        microseconds: entry.time().usec,
        address: entry.address().map(|address| address.to_string()),
    }
}

//! What was found in both worlds, side by side.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use utempter_tests::place;

use crate::findings::{Finding, Findings, Mark};

static PARTS: Mutex<BTreeMap<&'static str, String>> = Mutex::new(BTreeMap::new());

/// Keeps a claim's rows for [`print`].
pub fn note(name: &'static str, c: &Findings, ours: &Findings) {
    let mut names: Vec<&str> = ours.0.iter().map(|finding| finding.what.as_str()).collect();
    names.extend(c.0.iter().map(|finding| finding.what.as_str()).filter(|w| ours.get(w).is_none()));
    let mut text = format!("\n{name}\n");
    for what in names {
        let (c, ours) = (cell(c.get(what)), cell(ours.get(what)));
        if what.len() <= 58 && c.chars().count() <= 30 {
            let _ = writeln!(text, "  {what:<58}  {c:<30}  {ours}");
        } else {
            let _ = writeln!(text, "  {what}");
            for (side, found) in [("C library", c), ("ours", ours)] {
                let _ = writeln!(text, "      {side:<9}  {found}");
            }
        }
    }
    PARTS.lock().expect("no panic while it is held").insert(name, text);
}

fn cell(finding: Option<&Finding>) -> String {
    match finding {
        None => "-".into(),
        Some(Finding { mark: Mark::Bad, found, .. }) => format!("! {found}"),
        Some(finding) => finding.found.clone(),
    }
}

/// Prints the table in the order of the claims, and leaves it in `target/campaign/`.
pub fn print(names: &[&str]) {
    let parts = PARTS.lock().expect("no panic while it is held");
    if parts.is_empty() {
        return;
    }
    let mut text =
        format!("{:<60}  {:<30}  ours\n", "The caller (!: not as it must be)", "C library");
    for part in names.iter().filter_map(|name| parts.get(name)) {
        text += part;
    }
    let _ = writeln!(std::io::stdout(), "\n{text}");
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| place::repository().join("target"), PathBuf::from);
    let directory = target.join("campaign");
    let written = fs::create_dir_all(&directory)
        .and_then(|()| fs::write(directory.join("caller.txt"), &text));
    if let Err(error) = written {
        eprintln!("{}: {error}", directory.display());
    }
}

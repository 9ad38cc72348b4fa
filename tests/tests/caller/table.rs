//! What was found in both worlds, side by side.

use std::env;
use std::fs;
use std::path::PathBuf;

use utempter_tests::place;
use utempter_tests::table::Table;

use crate::findings::{Finding, Findings, Mark};

static TABLE: Table = Table::new(58, 30, usize::MAX);

/// Keeps a claim's rows for [`print`].
pub fn note(name: &str, c: &Findings, ours: &Findings) {
    let only_c = c.0.iter().filter(|finding| ours.get(&finding.what).is_none());
    let rows = ours.0.iter().chain(only_c).map(|Finding { what, .. }| what.clone());
    TABLE.put(
        name,
        rows.map(|what| {
            let (c, ours) = (cell(c.get(&what)), cell(ours.get(&what)));
            (what, c, ours)
        }),
    );
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
    let text = TABLE.print("The caller (!: not as it must be)", names.iter().copied());
    if text.is_empty() {
        return;
    }
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| place::repository().join("target"), PathBuf::from);
    let directory = target.join("campaign");
    let written = fs::create_dir_all(&directory)
        .and_then(|()| fs::write(directory.join("caller.txt"), &text));
    if let Err(error) = written {
        eprintln!("{}: {error}", directory.display());
    }
}

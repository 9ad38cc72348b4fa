//! What SECURITY.md says is tested.

use std::env;
use std::fs;
use std::process::Command;

use crate::case::Outcome;
use crate::place;

/// Each name in quotes in the tables of the section under this heading is a test of this
/// executable, or how some begin ("..."). `besides` is at a name's end where it need not be.
///
/// # Errors
///
/// A name that no test has, or hardly any names.
pub fn names_tests(heading: &str, besides: Option<&str>) -> Outcome {
    let list = Command::new(env::current_exe()?).arg("--list").output()?;
    let list = String::from_utf8(list.stdout)?;
    let text = fs::read_to_string(place::repository().join("SECURITY.md"))?;
    let section = text.split("\n## ").find(|section| section.lines().next() == Some(heading));
    let section = section.ok_or_else(|| format!("there is no section {heading:?}"))?;
    let mut count = 0;
    for row in section.lines().filter(|line| line.starts_with('|')) {
        let tests = row.split('|').nth(3).ok_or("a row of three columns")?;
        for name in tests.split('"').skip(1).step_by(2) {
            let begin = name.trim_end_matches("...");
            let begin = besides.and_then(|end| begin.strip_suffix(end)).unwrap_or(begin);
            if !list.lines().any(|test| test.starts_with(begin)) {
                return Err(format!("there is no test {name:?}").into());
            }
            count += 1;
        }
    }
    match count {
        15.. => Ok(()),
        _ => Err(format!("{count} names only").into()),
    }
}

//! What SECURITY.md says is tested.

use std::env;
use std::fs;
use std::process::Command;

use utempter_tests::place;

use crate::attempt::Result;

/// Each name in quotes in its table is a test of this executable, or how some begin.
pub fn names_tests() -> Result {
    let list = Command::new(env::current_exe()?).arg("--list").output()?;
    let list = String::from_utf8(list.stdout)?;
    let text = fs::read_to_string(place::repository().join("SECURITY.md"))?;
    // Where there is one helper, nothing is handed over.
    let is_one = place::Stage::main().freestanding_helper().is_none();
    let of_two = if is_one { " (handed over)" } else { "" };
    let mut count = 0;
    for row in text.lines().filter(|line| line.starts_with('|')) {
        let tests = row.split('|').nth(3).ok_or("a row of three columns")?;
        for name in tests.split('"').skip(1).step_by(2) {
            let begin = name.trim_end_matches("...");
            let begin = begin.strip_suffix(of_two).unwrap_or(begin);
            if !list.lines().any(|test| test.starts_with(begin)) {
                return Err(format!("there is no test {name:?}").into());
            }
            count += 1;
        }
    }
    match count {
        20.. => Ok(()),
        _ => Err(format!("{count} names only").into()),
    }
}

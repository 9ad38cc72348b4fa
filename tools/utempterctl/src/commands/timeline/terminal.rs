//! In the terminal: a row a user, a cell a stretch of time.

use std::io::{self, Write};

use login_databases::printable;
use unicode_width::UnicodeWidthStr;

use super::chart::Chart;
use crate::moment::{Clock, duration};
use crate::output::Output;

/// Rising with the share of the cell's time.
const BLOCKS: [&str; 9] = [
    " ", "\u{2581}", "\u{2582}", "\u{2583}", "\u{2584}", "\u{2585}", "\u{2586}", "\u{2587}",
    "\u{2588}",
];

/// Draws it.
pub fn write(chart: &Chart, clock: &mut Clock, output: &mut Output) -> io::Result<()> {
    let columns = output.columns.unwrap_or(100);
    let names: Vec<String> = chart.users.iter().map(|user| shortened(&user.name)).collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let sums: Vec<String> = chart
        .users
        .iter()
        .map(|user| {
            let mut text = String::new();
            duration(user.seconds(), &mut text);
            text
        })
        .collect();
    let widest_sum = sums.iter().map(String::len).max().unwrap_or(0);
    let cells = columns.saturating_sub(widest + widest_sum + 4).max(10);
    let (mut from, mut until) = (String::new(), String::new());
    clock.minute(chart.since, &mut from);
    clock.minute(chart.until, &mut until);
    let gap = cells.saturating_sub(from.len() + until.len()).max(1);
    writeln!(output, "{:widest$} {from}{:gap$}{until}", "", "")?;
    for ((user, name), sum) in chart.users.iter().zip(&names).zip(&sums) {
        let space = widest - name.width();
        write!(output, "{name}{:space$} ", "")?;
        let step = chart.length() / cells as f64;
        for cell in 0..cells {
            let from = chart.since as f64 + cell as f64 * step;
            let share = user.share(from, from + step);
            output.write_all(BLOCKS[(share * 8.0).ceil() as usize].as_bytes())?;
        }
        writeln!(output, " {sum:>widest_sum$}")?;
    }
    Ok(())
}

fn shortened(name: &[u8]) -> String {
    let name = printable(name);
    match name.char_indices().nth(16) {
        Some((at, _)) => format!("{}\u{2026}", &name[..at]),
        None => name,
    }
}

//! Numbers and tables as people read them.

use comfy_table::{ContentArrangement, Table, presets};

use crate::rows::Row;

/// Microseconds in a unit that suits them, with three digits that count.
pub fn time(micros: f64) -> String {
    let (value, unit) = match micros {
        micros if micros < 0.9995 => (micros * 1e3, "ns"),
        micros if micros < 999.5 => (micros, "µs"),
        micros if micros < 999.5e3 => (micros / 1e3, "ms"),
        micros => (micros / 1e6, "s"),
    };
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {unit}")
}

/// 1,234,567.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table that is one in the terminal and in Markdown.
pub fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return "Not measured.".into();
    }
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head);
    for row in rows {
        table.add_row(row);
    }
    table.to_string()
}

/// The table of what is promised.
pub fn promises(theirs: &str, rows: &[Row]) -> String {
    let head = ["what", theirs, "ours", "ratio (middle half)", "reach", ""];
    table(
        head,
        rows.iter().map(|row| {
            let met = match row.met {
                Some(true) => "met",
                Some(false) => "not met",
                None => "",
            };
            let Row { what, theirs, ours, ratio, reach, .. } = row;
            let [what, theirs, ours, ratio, reach] =
                [what, theirs, ours, ratio, reach].map(String::clone);
            [what, theirs, ours, ratio, reach, met.into()]
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(time(67.12), "67.1 µs");
        assert_eq!(time(811.4), "811 µs");
        assert_eq!(time(1234.0), "1.23 ms");
        assert_eq!(time(999.7), "1.00 ms");
        assert_eq!(time(0.3347), "335 ns");
        assert_eq!(time(10_003_000.0), "10.0 s");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(123), "123");
    }
}

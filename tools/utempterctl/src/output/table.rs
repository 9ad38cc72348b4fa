//! A table whose first rows are out before its last are known.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Output;

/// A column: its title, and how far it may shrink where the terminal is narrow.
pub struct Column {
    /// What stands above it.
    pub title: &'static str,
    /// The least width, in cells; what is longer is cut, on a terminal.
    pub least: usize,
    /// Whether numbers stand in it.
    pub right: bool,
}

/// A column of text.
pub const fn left(title: &'static str, least: usize) -> Column {
    Column { title, least, right: false }
}

/// A column of numbers, never cut.
pub const fn right(title: &'static str) -> Column {
    Column { title, least: 100, right: true }
}

/// For what is not as it should be.
pub const BAD: Style = AnsiColor::Red.on_default();
/// For what is to be looked at.
pub const ODD: Style = AnsiColor::Yellow.on_default();
/// For what is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// For what matters less.
pub const FAINT: Style = Style::new().dimmed();

/// A row that is being written.
#[derive(Clone, Default)]
pub struct Row {
    text: String,
    /// Where each cell ends in the text.
    ends: Vec<usize>,
    style: Style,
    /// Where nothing is to be cut or coloured the text is the very line that is written: the
    /// columns, how wide each is, and which comes next.
    line: Option<(&'static [Column], Vec<usize>, usize)>,
}

impl Row {
    /// Another cell, as `write` fills it; `-` if it writes nothing.
    pub fn cell(&mut self, write: impl FnOnce(&mut String)) {
        let start = self.text.len();
        write(&mut self.text);
        if self.text.len() == start {
            self.text.push('-');
        }
        match self.line.is_some() {
            true => self.align(start),
            false => self.ends.push(self.text.len()),
        }
    }

    /// Gives the cell that begins at `start` its width.
    fn align(&mut self, start: usize) {
        let Some((columns, widths, at)) = &mut self.line else { return };
        let cell = &self.text[start..];
        let cells = if cell.is_ascii() { cell.len() } else { cell.width() };
        let space = widths[*at].saturating_sub(cells);
        if columns[*at].right {
            self.text.insert_str(start, &SPACES[..space.min(SPACES.len())]);
        }
        *at += 1;
        if *at == columns.len() {
            *at = 0;
            self.text.push('\n');
        } else {
            let space = if columns[*at - 1].right { 0 } else { space };
            spaces(space + 2, &mut self.text);
        }
    }

    /// Another cell, of bytes out of a record.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let plain = bytes.iter().fold(true, |all, byte| all & (b' '..=b'~').contains(byte));
        self.cell(|to| match std::str::from_utf8(bytes) {
            Ok(text) if plain => to.push_str(text),
            _ => to.push_str(&login_databases::printable(bytes)),
        });
    }

    /// Another cell, of a text.
    pub fn text(&mut self, text: &str) {
        self.cell(|to| to.push_str(text));
    }

    /// The whole row in this style.
    pub fn style(&mut self, style: Style) {
        self.style = style;
    }

    fn cells(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let cell = &self.text[start..*end];
            start = *end;
            cell
        })
    }
}

/// Rows after which the widths are settled.
const SAMPLE: usize = 100;
/// And the time after which they are, however few the rows.
const WAIT: Duration = Duration::from_millis(100);

/// A table on its way out.
pub struct Table {
    columns: &'static [Column],
    waiting: Vec<Row>,
    row: Row,
    widths: Option<Vec<usize>>,
    begin: Instant,
    line: String,
}

impl Table {
    /// A table of these columns.
    pub fn new(columns: &'static [Column]) -> Table {
        Table {
            columns,
            waiting: Vec::new(),
            row: Row::default(),
            widths: None,
            begin: Instant::now(),
            line: String::new(),
        }
    }

    /// Adds the row that `write` fills.
    pub fn row(&mut self, output: &mut Output, write: impl FnOnce(&mut Row)) -> io::Result<()> {
        self.row.text.clear();
        self.row.ends.clear();
        self.row.style = Style::new();
        write(&mut self.row);
        if self.row.line.is_some() {
            return output.write_all(self.row.text.as_bytes());
        }
        if let Some(widths) = &self.widths {
            put(output, self.columns, widths, &self.row, &mut self.line)?;
            return if output.is_watched() { output.flush() } else { Ok(()) };
        }
        self.waiting.push(self.row.clone());
        if self.waiting.len() >= SAMPLE || self.begin.elapsed() > WAIT {
            self.settle(output)?;
        }
        Ok(())
    }

    /// Writes what still waits. A table without rows is not written at all.
    pub fn finish(mut self, output: &mut Output) -> io::Result<()> {
        if self.widths.is_none() && !self.waiting.is_empty() {
            self.settle(output)?;
        }
        Ok(())
    }

    fn settle(&mut self, output: &mut Output) -> io::Result<()> {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| column.title.len()).collect();
        for row in &self.waiting {
            for (width, cell) in widths.iter_mut().zip(row.cells()) {
                *width = (*width).max(cell.width());
            }
        }
        if let Some(columns) = output.columns {
            fit(&mut widths, self.columns, columns);
        }
        let mut head = Row::default();
        self.columns.iter().for_each(|column| head.text(column.title));
        head.style(Style::new().bold());
        put(output, self.columns, &widths, &head, &mut self.line)?;
        for row in self.waiting.drain(..) {
            put(output, self.columns, &widths, &row, &mut self.line)?;
        }
        if !output.is_watched() && !output.colored {
            self.row.line = Some((self.columns, widths, 0));
            self.widths = Some(Vec::new());
            return Ok(());
        }
        self.widths = Some(widths);
        if output.is_watched() { output.flush() } else { Ok(()) }
    }
}

/// Takes from the widest column that may give until the whole fits.
fn fit(widths: &mut [usize], columns: &[Column], terminal: usize) {
    loop {
        let whole = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let widest = (0..widths.len())
            .filter(|at| widths[*at] > columns[*at].least)
            .max_by_key(|at| widths[*at]);
        match widest {
            Some(at) if whole > terminal => widths[at] -= 1,
            _ => return,
        }
    }
}

fn put(
    output: &mut Output,
    columns: &[Column],
    widths: &[usize],
    row: &Row,
    line: &mut String,
) -> io::Result<()> {
    line.clear();
    let styled = output.colored && row.style != Style::new();
    if styled {
        line.push_str(&row.style.render().to_string());
    }
    let cut = output.columns.is_some();
    let last = columns.len() - 1;
    for (at, cell) in row.cells().enumerate() {
        let cells = if cell.is_ascii() { cell.len() } else { cell.width() };
        let space = widths[at].saturating_sub(cells);
        let right = columns[at].right;
        if right {
            spaces(space, line);
        }
        match cut && cells > widths[at] && !right {
            true => push_cut(cell, widths[at], line),
            false => line.push_str(cell),
        }
        if at < last {
            let space = if right { 0 } else { space };
            spaces(space + 2, line);
        }
    }
    if styled {
        line.push_str(&row.style.render_reset().to_string());
    }
    line.push('\n');
    output.write_all(line.as_bytes())
}

/// As much as fits, and a mark that it is not all.
fn push_cut(cell: &str, width: usize, line: &mut String) {
    let mut left = width.saturating_sub(1);
    for character in cell.chars() {
        let cells = character.width().unwrap_or(0);
        if cells > left {
            break;
        }
        left -= cells;
        line.push(character);
    }
    line.push('\u{2026}');
    spaces(left, line);
}

const SPACES: &str = "                                                                ";

fn spaces(mut count: usize, line: &mut String) {
    while count > 0 {
        let some = count.min(SPACES.len());
        line.push_str(&SPACES[..some]);
        count -= some;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_column_shrinks_first_and_numbers_never() {
        static COLUMNS: [Column; 3] = [left("USER", 8), left("HOST", 5), right("PID")];
        let mut widths = vec![20, 60, 7];
        fit(&mut widths, &COLUMNS, 60);
        assert_eq!(widths.iter().sum::<usize>() + 4, 60);
        assert_eq!(widths[2], 7);
        fit(&mut widths, &COLUMNS, 1);
        assert_eq!(widths, [8, 5, 7]);
    }

    #[test]
    fn cut_text_is_as_wide_as_its_column() {
        for text in ["abcdefghij", "\u{5b57}\u{5b57}\u{5b57}\u{5b57}\u{5b57}"] {
            for width in 1..10 {
                let mut line = String::new();
                push_cut(text, width, &mut line);
                assert_eq!(line.width(), width, "{line}");
            }
        }
    }
}

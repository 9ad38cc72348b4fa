//! What was seen with each library, in two columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Mutex;

/// A table of two columns, the C library's and ours, in parts that tests of several threads
/// write. The numbers are widths in characters: what is wider goes on lines of its own.
pub struct Table {
    what: usize,
    c: usize,
    ours: usize,
    parts: Mutex<BTreeMap<String, String>>,
}

impl Table {
    /// An empty one.
    pub const fn new(what: usize, c: usize, ours: usize) -> Table {
        Table { what, c, ours, parts: Mutex::new(BTreeMap::new()) }
    }

    /// Writes one part: what was looked at, and what was seen with each library.
    pub fn put(&self, part: &str, rows: impl Iterator<Item = (String, String, String)>) {
        let fits = |text: &str, width| text.chars().count() <= width;
        let mut text = format!("\n{part}\n");
        for (what, c, ours) in rows {
            let _ = if fits(&what, self.what) && fits(&c, self.c) && fits(&ours, self.ours) {
                writeln!(text, "  {what:<0$}  {c:<1$}  {ours}", self.what, self.c)
            } else {
                writeln!(text, "  {what}\n      C library  {c}\n      ours       {ours}")
            };
        }
        self.parts.lock().expect("no panic while it is held").insert(part.to_owned(), text);
    }

    /// Prints it under this title, with the parts in this order. Gives back what was printed:
    /// nothing where there is no part.
    pub fn print<'a>(&self, title: &str, order: impl Iterator<Item = &'a str>) -> String {
        let parts = self.parts.lock().expect("no panic while it is held");
        if parts.is_empty() {
            return String::new();
        }
        let mut text = format!("{title:<0$}  {1:<2$}  ours\n", self.what + 2, "C library", self.c);
        text.extend(order.filter_map(|part| parts.get(part)).map(String::as_str));
        let _ = writeln!(std::io::stdout(), "\n{text}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_in_the_order_asked_for_and_what_is_wide_has_lines_of_its_own() {
        let table = Table::new(4, 3, 9);
        let row = |c: &str| ("lost".to_owned(), c.to_owned(), "none".to_owned());
        table.put("b", [row("all")].into_iter());
        table.put("a", [row("nearly all")].into_iter());
        let text = table.print("", ["b", "a", "c"].into_iter());
        let wanted = "        C library  ours\n\nb\n  lost  all  none\n\n\
                      a\n  lost\n      C library  nearly all\n      ours       none\n";
        assert_eq!(text, wanted);
    }
}

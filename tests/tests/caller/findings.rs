//! What a case found in one world: the lines that the C program writes, and more of its kind.

use std::fmt::Write as _;

/// How something was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it must be.
    Ok,
    /// Not so.
    Bad,
    /// Told, with no demand.
    Saw,
    /// The test's own step failed.
    Broken,
}

const WORDS: [(Mark, &str); 4] =
    [(Mark::Ok, "ok"), (Mark::Bad, "BAD"), (Mark::Saw, "saw"), (Mark::Broken, "broken")];

/// One thing found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How it was.
    pub mark: Mark,
    /// What was looked at.
    pub what: String,
    /// What was found.
    pub found: String,
}

/// All that was found in one world, in order.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Notes one.
    pub fn note(&mut self, mark: Mark, what: &str, found: &str) {
        // Of several alike in one run, each keeps its row.
        let what = (2..)
            .map(|number| format!("{what} ({number})"))
            .scan(what.to_owned(), |name, next| Some(std::mem::replace(name, next)))
            .find(|name| self.get(name).is_none())
            .unwrap_or_default();
        self.0.push(Finding { mark, what, found: found.to_owned() });
    }

    /// Notes a count out of so many, all of which are wanted.
    pub fn all(&mut self, what: &str, found: usize, of: usize) {
        let mark = if found == of && of > 0 { Mark::Ok } else { Mark::Bad };
        self.note(mark, what, &format!("{found} of {of}"));
    }

    /// Notes a count, none of which is wanted.
    pub fn none(&mut self, what: &str, found: usize) {
        let mark = if found == 0 { Mark::Ok } else { Mark::Bad };
        self.note(mark, what, &found.to_string());
    }

    /// Takes the lines that are findings, and gives back the others. `end` is one of
    /// neither: whether it was there.
    pub fn take(&mut self, text: &str) -> (bool, String) {
        let (mut ended, mut rest) = (false, String::new());
        for line in text.lines() {
            let mut parts = line.splitn(3, '\t');
            let word = parts.next().unwrap_or_default();
            let mark = WORDS.iter().find(|(_, other)| *other == word).map(|(mark, _)| *mark);
            match (mark, parts.next(), parts.next()) {
                (Some(mark), Some(what), Some(found)) => self.note(mark, what, found),
                _ if line == "end" => ended = true,
                _ => {
                    rest += line;
                    rest.push('\n');
                }
            }
        }
        (ended, rest)
    }

    /// As lines, for [`Findings::take`].
    pub fn encode(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, Finding { mark, what, found }| {
            let word = WORDS.iter().find(|(other, _)| other == mark).map_or("", |(_, word)| word);
            let _ = writeln!(text, "{word}\t{what}\t{}", found.replace('\n', " | "));
            text
        })
    }

    /// The finding of this name.
    pub fn get(&self, what: &str) -> Option<&Finding> {
        self.0.iter().find(|finding| finding.what == what)
    }

    /// Those of one mark, a line each.
    pub fn lines(&self, mark: Mark) -> String {
        let those = self.0.iter().filter(|finding| finding.mark == mark);
        those.map(|finding| format!("{}: {}\n", finding.what, finding.found)).collect()
    }
}

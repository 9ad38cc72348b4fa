//! What is written: tables for people, JSON for programs.

pub mod json;
pub mod progress;
pub mod table;

use std::io::{self, IsTerminal, Stdout, Write};

use anstream::{AutoStream, ColorChoice};

use crate::cli::Color;

/// Standard output, and how it is to look.
pub struct Output {
    /// JSON is wanted.
    pub json: bool,
    /// Colours may be used.
    pub colored: bool,
    /// Columns of the terminal, if it is one.
    pub columns: Option<usize>,
    to: io::BufWriter<Stdout>,
}

impl Output {
    /// Finds out what standard output is.
    pub fn new(json: bool, color: Color) -> Output {
        let stdout = io::stdout();
        let colored = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => AutoStream::choice(&stdout) != ColorChoice::Never,
        };
        let columns = stdout.is_terminal().then(|| {
            terminal_size::terminal_size_of(&stdout).map_or(80, |(width, _)| width.0.max(20).into())
        });
        Output { json, colored, columns, to: io::BufWriter::with_capacity(1 << 16, stdout) }
    }

    /// Whether somebody is waiting for each line.
    pub fn is_watched(&self) -> bool {
        self.columns.is_some()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

//! Completions and man pages, for packages.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

use crate::cli::Cli;
use crate::failure::{Done, Failure, Status};

/// The date in the pages: that of their last change.
const DATE: &str = "2026-11-22";
/// Columns of a page's source.
const WIDTH: usize = 79;

/// Writes `completions/` and `man1/` into the directory.
pub fn run(directory: &Path) -> Done {
    write(directory).map_err(|error| {
        let shown = login_databases::printable(directory.as_os_str().as_encoded_bytes());
        Failure::Nothing(format!("{shown}: {error}"))
    })?;
    Ok(Status::Well)
}

fn write(directory: &Path) -> io::Result<()> {
    let completions = directory.join("completions");
    let pages = directory.join("man1");
    fs::create_dir_all(&completions)?;
    fs::create_dir_all(&pages)?;
    // What is hidden from people is of no use in a package's pages either.
    let mut command = Cli::command().mut_subcommand("generate", |hidden| hidden.hide(true));
    for shell in Shell::value_variants() {
        generate_to(*shell, &mut command.clone(), "utempterctl", &completions)?;
    }
    // `help` is the others' pages.
    command = command.disable_help_subcommand(true);
    command.build();
    page(&command, &pages)?;
    command.get_subcommands().filter(|one| !one.is_hide_set()).try_for_each(|one| page(one, &pages))
}

fn page(command: &Command, directory: &Path) -> io::Result<()> {
    // `utempterctl history` has the page utempterctl-history.
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).replace(' ', "-");
    let mut text = Vec::new();
    Man::new(command.clone())
        .title(name.to_uppercase())
        .date(DATE)
        .source(concat!("libutempter ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands")
        .render(&mut text)?;
    let text = String::from_utf8_lossy(&text).replace("\n.br\n\n.br\n", "\n.sp\n");
    fs::write(directory.join(format!("{name}.1")), tidy(&text))
}

/// The page with the sections that man(7) has for what clap puts into one, and as mandoc's
/// lint wants its lines.
fn tidy(text: &str) -> String {
    let mut page = String::new();
    let mut extra = false;
    for line in text.lines().map(str::trim_end) {
        match line {
            ".SH EXTRA" => extra = true,
            "Exit status:" => page.push_str(".SH EXIT STATUS\n"),
            "Environment:" => page.push_str(".SH ENVIRONMENT\n"),
            // What follows has a heading of its own, or none is needed.
            "" => {}
            _ if line.starts_with('.') => {
                extra &= !line.starts_with(".SH");
                page.push_str(line);
                page.push('\n');
            }
            _ if extra && line.starts_with("  ") => {
                let (term, words) = line.trim_start().split_once("  ").unwrap_or((line, ""));
                page.push_str(".TP 10\n");
                fold(term, &mut page);
                fold(words.trim_start(), &mut page);
            }
            _ if extra && line.contains("json the output") => {
                page.push_str(".SH JSON\n");
                fold(line, &mut page);
            }
            _ if extra => match line.strip_prefix("JSON: ") {
                Some(fields) => {
                    page.push_str(".SH JSON\n");
                    fold(fields, &mut page);
                }
                None => fold(line, &mut page),
            },
            _ => fold(line, &mut page),
        }
    }
    page
}

/// Adds text in lines of at most [`WIDTH`].
fn fold(text: &str, page: &mut String) {
    let mut length = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        // At a line's beginning these would be requests.
        let is_request = word.starts_with(['.', '\'']);
        if length > 0 && length + 1 + word.len() > WIDTH && !is_request {
            page.push('\n');
            length = 0;
        } else if length > 0 {
            page.push(' ');
            length += 1;
        }
        page.push_str(word);
        length += word.len();
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_and_begin_no_request() {
        let mut page = String::new();
        fold(&format!("{} .x y", "w".repeat(78)), &mut page);
        assert_eq!(page, format!("{} .x\ny\n", "w".repeat(78)));
    }

    #[test]
    fn what_clap_puts_into_one_section_has_its_own() {
        let page = tidy(
            ".SH EXTRA\nExit status:\n  0  well\n\nEnvironment:\n  TZ  zone\n.SH VERSION\nv1\n",
        );
        let expected = ".SH EXIT STATUS\n.TP 10\n0\nwell\n.SH ENVIRONMENT\n.TP 10\nTZ\nzone\n\
                        .SH VERSION\nv1\n";
        assert_eq!(page, expected);
    }
}

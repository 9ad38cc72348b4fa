//! `utempterctl`: who is on, who has been, and whether terminals are recorded here.
#![forbid(unsafe_code)]

mod ahead;
mod cli;
mod commands;
mod failure;
mod generate;
mod moment;
mod output;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::new(cli.json, cli.color);
    let done = match &cli.command {
        Command::List(options) => commands::list::run(options, &mut output),
        Command::History(options) => commands::history::run(options, &mut output),
        Command::Dump(options) => commands::dump::run(options, &mut output),
        Command::Lastlog(options) => commands::lastlog::run(options, &mut output),
        Command::Reap(options) => commands::reap::run(options, &mut output),
        Command::Doctor(options) => commands::doctor::run(options, &mut output),
        Command::Timeline(options) => commands::timeline::run(options, &mut output),
        Command::Generate { directory } => generate::run(directory),
    };
    let done = done.and_then(|status| output.flush().map(|()| status).map_err(Into::into));
    match done {
        Ok(status) => status.into(),
        Err(failure) => failure.report(),
    }
}

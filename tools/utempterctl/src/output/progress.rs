//! A bar on standard error, for reads that take long.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::Output;

/// How far a long read has come. Shown on a terminal only, and only where standard output is
/// none: there the rows themselves show it.
pub struct Progress {
    bar: Option<ProgressBar>,
    wanted: bool,
    begin: Instant,
    asked: u32,
}

/// What is over by then needs no bar.
const PATIENCE: Duration = Duration::from_millis(400);

impl Progress {
    /// For what goes to `output`.
    pub fn new(output: &Output) -> Progress {
        let wanted = io::stderr().is_terminal() && !output.is_watched();
        Progress { bar: None, wanted, begin: Instant::now(), asked: 0 }
    }

    /// Shows it, if it is time: `done` gives bytes read, and of how many.
    pub fn show(&mut self, done: impl FnOnce() -> (u64, u64)) {
        if !self.wanted {
            return;
        }
        self.asked = self.asked.wrapping_add(1);
        // Looking at the clock costs more than a row.
        if self.asked % 1024 != 0 || self.begin.elapsed() < PATIENCE {
            return;
        }
        let (done, total) = done();
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{wide_bar} {percent}% {eta}");
            ProgressBar::new(total)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

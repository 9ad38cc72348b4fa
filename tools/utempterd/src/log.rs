//! What people should know, on stderr: the service manager keeps it.

use std::fmt::Arguments;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The same kind of error is told once in this time: clients can cause some at will.
const AT_MOST: Duration = Duration::from_secs(10);

static LAST: Mutex<Option<(String, Instant)>> = Mutex::new(None);

/// An error. The same one again within seconds is left out.
pub fn error(text: Arguments<'_>) {
    let text = text.to_string();
    let now = Instant::now();
    if let Ok(mut last) = LAST.lock() {
        if last.as_ref().is_some_and(|(said, at)| *said == text && now - *at < AT_MOST) {
            return;
        }
        *last = Some((text.clone(), now));
    }
    // The 3 is syslog's word for an error, which journald takes off (sd-daemon(3)).
    let _ = writeln!(std::io::stderr(), "<3>utempterd: {text}");
}

//! What a check has found.

use std::path::Path;

use login_databases::printable;
use serde::Serialize;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// Terminals are recorded still.
    Warning,
    /// Terminals are not recorded, or not everywhere.
    Error,
}

/// What makes an error none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// Nothing does.
    None,
    /// The broker does the work: only the helper minds.
    Broker,
    /// Another store says who is on.
    Kept,
}

/// A finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which check it is from.
    pub check: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What was found.
    pub finding: String,
    /// Why that is so, or what follows.
    pub cause: Option<String>,
    /// The command that mends it.
    pub remedy: Option<String>,
    /// What makes it matter less.
    pub excuse: Excuse,
}

impl Finding {
    /// A finding without cause or remedy.
    pub fn new(check: &'static str, level: Level, finding: impl Into<String>) -> Finding {
        Finding {
            check,
            level,
            finding: finding.into(),
            cause: None,
            remedy: None,
            excuse: Excuse::None,
        }
    }

    /// That matters less where this holds.
    pub fn unless(mut self, excuse: Excuse) -> Finding {
        self.excuse = excuse;
        self
    }

    /// With a cause.
    pub fn cause(mut self, cause: impl Into<String>) -> Finding {
        self.cause = Some(cause.into());
        self
    }

    /// With a remedy: a command, or words where no command does it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Finding {
        self.remedy = Some(remedy.into());
        self
    }
}

/// A path, fit to be shown.
pub fn shown(path: &Path) -> String {
    printable(path.as_os_str().as_encoded_bytes())
}

/// A path, as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let shown = shown(path);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,".contains(&byte);
    if shown.bytes().all(plain) { shown } else { format!("'{}'", shown.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_path_as_one_word() {
        assert_eq!(quoted("/run/utmp".as_ref()), "/run/utmp");
        assert_eq!(quoted("/a b/it's;rm".as_ref()), "'/a b/it'\\''s;rm'");
    }
}

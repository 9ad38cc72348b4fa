//! What a record says.

use std::fmt;

/// `ut_type` by name. See utmp(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Says nothing.
    Empty,
    /// A change of run level, or a shutdown.
    RunLevel,
    /// A boot.
    Boot,
    /// The clock after a change.
    NewTime,
    /// The clock before a change.
    OldTime,
    /// A process started by init.
    Init,
    /// A login prompt.
    LoginPrompt,
    /// A session.
    User,
    /// A session that has ended.
    Dead,
    /// What no program on Linux writes.
    Accounting,
    /// A number that utmp(5) does not know.
    Other(i16),
}

const NAMES: [(Kind, &str); 10] = [
    (Kind::Empty, "EMPTY"),
    (Kind::RunLevel, "RUN_LVL"),
    (Kind::Boot, "BOOT_TIME"),
    (Kind::NewTime, "NEW_TIME"),
    (Kind::OldTime, "OLD_TIME"),
    (Kind::Init, "INIT_PROCESS"),
    (Kind::LoginPrompt, "LOGIN_PROCESS"),
    (Kind::User, "USER_PROCESS"),
    (Kind::Dead, "DEAD_PROCESS"),
    (Kind::Accounting, "ACCOUNTING"),
];

impl Kind {
    /// The kind of a `ut_type`.
    ///
    /// ```
    /// use login_databases::Kind;
    /// assert_eq!(Kind::from_type(7), Kind::User);
    /// assert_eq!(Kind::User.to_string(), "USER_PROCESS");
    /// assert_eq!(Kind::from_type(99).ut_type(), 99);
    /// ```
    pub fn from_type(ut_type: i16) -> Kind {
        let known = usize::try_from(ut_type).ok().and_then(|at| NAMES.get(at));
        known.map_or(Kind::Other(ut_type), |(kind, _)| *kind)
    }

    /// The `ut_type`.
    pub fn ut_type(self) -> i16 {
        match self {
            Kind::Other(ut_type) => ut_type,
            known => NAMES.iter().position(|(kind, _)| *kind == known).map_or(0, |at| at as i16),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Other(ut_type) => write!(formatter, "{ut_type}"),
            known => formatter.pad(NAMES[known.ut_type() as usize].1),
        }
    }
}

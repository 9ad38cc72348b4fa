//! Where the stores are. Constants of the build, never of the environment of whoever runs it.

/// The file of the sessions that are: `/var/run/utmp` unless the build's environment named
/// another in `UTEMPTER_UTMP`.
pub const UTMP_PATH: &str = match option_env!("UTEMPTER_UTMP") {
    Some(path) => path,
    None => "/var/run/utmp",
};

const _: () =
    assert!(is_absolute(UTMP_PATH) && is_absolute(WTMP_PATH), "a store needs a path from /");

/// A path that is not would be one below the caller's directory, opened with what the helper
/// is lent. [`super::RecordFile::open_named`] takes 255 bytes.
#[allow(dead_code)] // Rust 1.85 does not see a use in a constant without a name.
const fn is_absolute(path: &str) -> bool {
    matches!(path.as_bytes(), [b'/', _, ..]) && path.len() < 256
}

/// The file of the sessions that were: `/var/log/wtmp` unless the build's environment named
/// another in `UTEMPTER_WTMP`.
pub const WTMP_PATH: &str = match option_env!("UTEMPTER_WTMP") {
    Some(path) => path,
    None => "/var/log/wtmp",
};

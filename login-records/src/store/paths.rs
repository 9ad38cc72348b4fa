//! Where the stores are. Constants of the build, never of the environment of whoever runs it.

/// The file of the sessions that are: `/var/run/utmp` unless the build's environment named
/// another in `UTEMPTER_UTMP`.
pub const UTMP_PATH: &str = match option_env!("UTEMPTER_UTMP") {
    Some(path) => path,
    None => "/var/run/utmp",
};

/// The file of the sessions that were: `/var/log/wtmp` unless the build's environment named
/// another in `UTEMPTER_WTMP`.
pub const WTMP_PATH: &str = match option_env!("UTEMPTER_WTMP") {
    Some(path) => path,
    None => "/var/log/wtmp",
};

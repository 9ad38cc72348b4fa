//! The stores: where records are kept.

mod file;
mod frame;
mod lock;
mod paths;
#[cfg(test)]
mod testing;
mod utmp;
mod utmps;
mod wtmp;

pub use file::{RecordFile, Stamp};
pub use lock::Patience;
pub use paths::{UTMP_PATH, WTMP_PATH};
pub use utmp::{Index, Place, Utmp};
pub use utmps::{Deadline, UTMPD_PATH, UTMPS_LAYOUT, Utmps, WTMPD_PATH};
pub use wtmp::Wtmp;

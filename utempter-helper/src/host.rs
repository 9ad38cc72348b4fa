//! What may stand in `ut_host`.

use login_records::check_host;

use crate::refusal::Refusal;

/// The host as it is recorded.
pub(crate) fn check(host: &[u8]) -> Result<&[u8], Refusal> {
    check_host(host)
        .map_err(|errno| Refusal::new(errno, "the host has a byte that is not printable"))
}

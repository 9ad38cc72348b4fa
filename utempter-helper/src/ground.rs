//! The helper's own ground: nothing of how the caller has set itself up may hold it back.

use login_records::Errno;

use crate::refusal::Refusal;
use crate::sys;

/// Seconds after which the helper ends, whatever it waits for.
const ALARM: u32 = 5;

/// Takes signals, timer and limits into its own hands. Some callers start the helper
/// directly and prepare nothing (kpty, foot); tmux has every signal blocked.
pub(crate) fn prepare() -> Result<(), Refusal> {
    sys::default_signals();
    sys::alarm(ALARM);
    sys::unblock_signals();
    // A write beyond the limit is an error then, not the end.
    sys::ignore_file_size_signal();
    sys::raise_file_size_limit();
    for fd in 0..=2 {
        // A file opened here would get its number, and be written to as if it were stderr.
        if !sys::is_open(fd) {
            return Err(Refusal::new(Errno::EBADF, "descriptors 0, 1 and 2 must be open"));
        }
    }
    Ok(())
}

//! What has been lent to the helper, laid down but for the moment of opening the files.

use login_records::Errno;

use crate::refusal::Refusal;
use crate::sys;

/// The effective ids the helper was started with. They stay as the saved ones: given up for
/// good, the saved gid would let the caller's own prlimit(2) at the running helper.
#[derive(Debug)]
pub struct Lent {
    uid: Ids,
    gid: Ids,
}

/// A real id and the effective one lent beside it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) real: u32,
    pub(crate) lent: u32,
}

/// Makes the real ids the effective ones, before anything of the caller's is looked at.
pub(crate) fn lay_down() -> Result<Lent, Refusal> {
    let lent = Lent { uid: sys::uids(), gid: sys::gids() };
    lent.lay_down()?;
    Ok(lent)
}

impl Lent {
    /// Runs `action` with what was lent, and lays it down again.
    ///
    /// # Errors
    ///
    /// As setresuid(2) and setresgid(2) have it.
    pub fn with<T>(&self, action: impl FnOnce() -> T) -> Result<T, Refusal> {
        let result = self.take().map(|()| action());
        // Also where only one of the two could be taken: what follows is a report to files
        // of the caller's choice.
        self.lay_down()?;
        result
    }

    fn take(&self) -> Result<(), Refusal> {
        // The uid first: it may be what allows to take the gid.
        if self.uid.lent != self.uid.real {
            sys::set_effective_uid(self.uid.lent).map_err(cannot)?;
        }
        if self.gid.lent != self.gid.real {
            sys::set_effective_gid(self.gid.lent).map_err(cannot)?;
        }
        Ok(())
    }

    fn lay_down(&self) -> Result<(), Refusal> {
        if self.gid.lent != self.gid.real {
            sys::set_effective_gid(self.gid.real).map_err(cannot)?;
        }
        if self.uid.lent != self.uid.real {
            sys::set_effective_uid(self.uid.real).map_err(cannot)?;
        }
        Ok(())
    }
}

fn cannot(errno: Errno) -> Refusal {
    Refusal::new(errno, "cannot change the effective user or group")
}

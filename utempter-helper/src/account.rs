//! The login name that goes into the record.

use core::ffi::CStr;

use crate::privilege::Lent;
use crate::refusal::Refusal;
use crate::sys;

const LOGNAME: &[u8] = b"LOGNAME=";
/// Bytes of the longest login name (LOGIN_NAME_MAX, limits.h).
const LONGEST: usize = 256;

/// A login name, cut to the 32 bytes of `ut_user`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    bytes: [u8; 32],
}

impl Account {
    /// Takes over a name that the user database has given.
    pub fn named(name: &[u8]) -> Account {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(name) {
            *to = *from;
        }
        Account { bytes }
    }

    /// The name, padded with NUL.
    pub(crate) fn name(&self) -> &[u8] {
        &self.bytes
    }
}

/// The account of the real uid. Several accounts may share one: the one that LOGNAME names
/// is taken where it has this very uid, and by the name that the database gives it.
///
/// # Errors
///
/// `ESRCH` for a uid without an account; others as getpwuid_r(3) gives them.
pub fn account_of(uid: u32, _: &Lent) -> Result<Account, Refusal> {
    let named = logname().and_then(|name| sys::account_named(name, uid));
    match named {
        Some(account) => Ok(account),
        None => sys::account_of(uid)
            .map_err(|errno| Refusal::new(errno, "no account has the caller's uid")),
    }
}

/// The value of LOGNAME, where it can be the name of an account.
pub fn logname() -> Option<&'static CStr> {
    let entry = sys::environment().find(|entry| entry.to_bytes().starts_with(LOGNAME))?;
    let value = entry.to_bytes_with_nul().get(LOGNAME.len()..)?;
    let name = CStr::from_bytes_with_nul(value).ok()?;
    // The C library puts the name on its stack for nscd, and hands it to every module.
    (1..=LONGEST).contains(&name.count_bytes()).then_some(name)
}

//! The login name, out of `/etc/passwd`: passwd(5), nsswitch.conf(5).

use core::ffi::CStr;

use login_records::Errno;
use utempter_helper::{Account, Refusal, logname};

use crate::sys::{hand_over, read_whole_lines};

/// The helper that has a C library, and with it every source of names.
const OTHER: &CStr = match CStr::from_bytes_with_nul(concat!(env!("UTEMPTER_NSS"), "\0").as_bytes())
{
    Ok(path) => path,
    Err(_) => panic!("the helper's path has a NUL byte"),
};

/// The account of the real uid, as [`utempter_helper::account_of`] has it; what the file
/// alone cannot tell is left to the other helper, if it is installed.
pub(crate) fn account(uid: u32) -> Result<Account, Refusal> {
    let found = if files_come_first() { in_file(uid) } else { None };
    match found {
        Some(Found { account, certain: true }) => Ok(account),
        found => {
            let errno = Errno(hand_over(OTHER));
            let what = "no account in /etc/passwd, and no helper to ask others:";
            found.map(|found| found.account).ok_or(Refusal {
                errno,
                what,
                path: env!("UTEMPTER_NSS"),
            })
        }
    }
}

/// An account of the file.
struct Found {
    account: Account,
    /// Whether no other source can know better.
    certain: bool,
}

/// Whether the file is asked before any other source. So it is where nothing is said.
fn files_come_first() -> bool {
    let first = |line: &[u8]| {
        let sources = line.strip_prefix(b"passwd:")?;
        Some(
            sources.split(u8::is_ascii_whitespace).find(|source| !source.is_empty())
                == Some(b"files"),
        )
    };
    read_whole_lines(c"/etc/nsswitch.conf", first).flatten().unwrap_or(true)
}

/// The account of the name in LOGNAME, if it has this uid, or the first one that has.
fn in_file(uid: u32) -> Option<Found> {
    let wanted = logname().map(CStr::to_bytes);
    let mut first = None;
    // A name that is not in the file may be another source's, with this very uid.
    let mut certain = wanted.is_none();
    let named = read_whole_lines(c"/etc/passwd", |line| {
        let mut fields = line.split(|byte| *byte == b':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        let is_wanted = wanted == Some(name);
        certain |= is_wanted;
        if decimal(number) != Some(uid) {
            return None;
        }
        let account = Account::named(name);
        if is_wanted || wanted.is_none() {
            return Some(account);
        }
        first = first.or(Some(account));
        None
    })?;
    named.or(first).map(|account| Found { account, certain })
}

fn decimal(text: &[u8]) -> Option<u32> {
    let mut number: u32 = 0;
    for digit in text {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
    }
    (!text.is_empty()).then_some(number)
}

//! The login name, out of `/etc/passwd`: passwd(5), nsswitch.conf(5).
//!
//! Only where this must be what the C library finds: where it asks the file first, and the file
//! is plain as far as it has to be read. Everything else is the other helper's.

use core::ffi::CStr;
use core::ops::ControlFlow::{Break, Continue};

use login_records::Errno;
use utempter_helper::{Account, Lent, Refusal, logname};

use crate::lines::each_line;
use crate::sys;

/// The helper that has a C library, and with it every source of names. The path is the build's.
const OTHER: &CStr = match CStr::from_bytes_with_nul(concat!(env!("UTEMPTER_NSS"), "\0").as_bytes())
{
    Ok(path) => path,
    Err(_) => panic!("the other helper's path has a NUL byte"),
};

/// The account of the real uid, as [`utempter_helper::account_of`] finds it. Where that cannot
/// be told, the other helper goes on in this one's place.
pub(crate) fn account(uid: u32, lent: &Lent) -> Result<Account, Refusal> {
    let found = if is_files_first() { in_file(uid) } else { None };
    match found {
        Some(account) => Ok(account),
        // With the very ids that this one has been started with.
        None => Err(Refusal {
            errno: lent.with(|| Errno(sys::start_instead(OTHER)))?,
            what: "/etc/passwd does not tell the login name, and who could does not start:",
            path: env!("UTEMPTER_NSS"),
        }),
    }
}

/// Whether the C library takes what it finds in the file, before it asks anybody else.
fn is_files_first() -> bool {
    let mut is = false;
    let read = each_line(c"/etc/nsswitch.conf", |line| {
        if let Some(sources) = sources(line) {
            let mut sources =
                sources.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            // An action in brackets may say that what is found is not all.
            is = sources.next() == Some(b"files")
                && sources.next().is_none_or(|next| !next.starts_with(b"["));
        }
        Continue::<()>(())
    });
    read.is_ok() && is
}

/// What a line of nsswitch.conf says of `passwd`, if it is about that.
fn sources(line: &[u8]) -> Option<&[u8]> {
    let line = line.split(|byte| *byte == b'#').next()?.trim_ascii_start();
    let end = line.iter().position(|byte| *byte == b':' || byte.is_ascii_whitespace())?;
    if line.get(..end)? == b"passwd" { line.get(end + 1..) } else { None }
}

/// The account of the name in LOGNAME, if it has this uid; or else the first one that has.
fn in_file(uid: u32) -> Option<Account> {
    let wanted = logname().map(CStr::to_bytes);
    // Whether LOGNAME has had its say. A name that is not in the file may be known elsewhere.
    let mut settled = wanted.is_none();
    let mut first = None;
    each_line(c"/etc/passwd", |line| {
        let Some((name, number)) = plain(line) else { return Break(None) };
        let found = (number == uid).then(|| Account::named(name));
        first = first.or(found);
        if !settled && wanted == Some(name) {
            settled = true;
            first = found.or(first);
        }
        if settled && first.is_some() { Break(first) } else { Continue(()) }
    })
    .ok()??
}

/// Name and uid of a line as it should be. C libraries differ in what they make of others:
/// comments, `+` and `-` of NIS, blanks, fields left out, signs before a number.
fn plain(line: &[u8]) -> Option<(&[u8], u32)> {
    let odd = matches!(line.first()?, b' ' | b'#' | b'+' | b'-' | b':');
    if odd || line.iter().any(u8::is_ascii_control) {
        return None;
    }
    let mut fields = line.split(|byte| *byte == b':');
    let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    decimal(gid)?;
    let uid = decimal(uid)?;
    (fields.count() == 3).then_some((name, uid))
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

//! Whether some bytes are a record.

use login_records::Layout;

/// What bytes are that stand where a record is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A record.
    Record,
    /// A record with nonsense in it, or bytes from the middle of one.
    Odd,
    /// No record.
    No,
}

/// What bytes are that stand where a record is expected.
///
/// Whoever can write a record can write nonsense into it, and it is a record still. What is
/// to be told from it is a frame that has shifted, and bytes of something else.
pub(crate) fn in_frame(layout: &Layout, bytes: &[u8]) -> Verdict {
    match before_a_record(layout, bytes) {
        // What was cut short may have the beginning of the next record for its end.
        Verdict::Record if !is_padded(layout, bytes) => Verdict::Odd,
        verdict => verdict,
    }
}

/// As [`in_frame`], of bytes that a record follows, or the end: they may have a wrong
/// beginning, but not a wrong end.
pub(crate) fn before_a_record(layout: &Layout, bytes: &[u8]) -> Verdict {
    let sane = || (0..1_000_000).contains(&layout.time_of(bytes).usec);
    let texts = || is_text::<32>(layout.line_of(bytes)) && is_text::<32>(layout.user_of(bytes));
    match layout.type_of(bytes) {
        0 if is_zero(bytes) => Verdict::Record,
        0 if sane() && texts() => Verdict::Odd,
        1..=9 => match (sane(), texts()) {
            (true, true) => Verdict::Record,
            (false, false) if !is_padded(layout, bytes) => Verdict::No,
            _ => Verdict::Odd,
        },
        _ => Verdict::No,
    }
}

/// Whether bytes anywhere are a record beyond doubt.
pub(crate) fn anywhere(layout: &Layout, bytes: &[u8]) -> bool {
    if !(1..=9).contains(&layout.type_of(bytes)) {
        return false;
    }
    let time = layout.time_of(bytes);
    (0..1_000_000).contains(&time.usec)
        && (0..1 << 34).contains(&time.sec)
        && layout.pid_of(bytes) >= 0
        && is_text::<32>(layout.line_of(bytes))
        && is_text::<32>(layout.user_of(bytes))
        && is_text::<256>(layout.host_of(bytes))
        && (layout.line_of(bytes)[0] != 0 || layout.user_of(bytes)[0] != 0)
}

/// Whether NUL follows where the host's text has ended, and fills what no field has: a
/// record that was cut short ends with the beginning of the next.
fn is_padded(layout: &Layout, bytes: &[u8]) -> bool {
    ends_once::<256>(layout.host_of(bytes)) && is_zero(layout.reserved_of(bytes))
}

/// Text without control characters, and NUL from its end on.
fn is_text<const N: usize>(field: &[u8]) -> bool {
    let is_control = |byte: &u8| matches!(byte, 1..=0x1f | 0x7f);
    let field = field.first_chunk::<N>().unwrap_or(&[0; N]);
    !field.iter().fold(false, |any, byte| any | is_control(byte)) && ends_once::<N>(field)
}

// These know their lengths and have no early end, so that the compiler can take many bytes
// at once: every record of a history comes by here.

/// Whether nothing follows the first NUL.
fn ends_once<const N: usize>(field: &[u8]) -> bool {
    let field = field.first_chunk::<N>().unwrap_or(&[0; N]);
    let pairs = field.iter().zip(&field[1..]);
    !pairs.fold(false, |any, (one, next)| any | ((*one == 0) & (*next != 0)))
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}

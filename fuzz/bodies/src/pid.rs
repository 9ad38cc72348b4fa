//! `UTEMPTER_PID` in the helper's environment.

use utempter_helper::parse_pid;

use crate::strings;

/// What the entries after the equals sign say, by std's own parser.
fn expected(values: &[&[u8]]) -> Result<Option<i32>, ()> {
    let [value] = values else {
        return if values.is_empty() { Ok(None) } else { Err(()) };
    };
    let text = std::str::from_utf8(value).map_err(|_| ())?;
    // It would take a sign.
    if text.starts_with('+') {
        return Err(());
    }
    text.parse().ok().filter(|pid| *pid > 0).map(Some).ok_or(())
}

/// The input is the entries, with NUL between them.
pub fn check(input: &[u8]) {
    let entries = strings(input);
    let values: Vec<&[u8]> = entries
        .iter()
        .filter_map(|entry| entry.to_bytes().strip_prefix(b"UTEMPTER_PID="))
        .collect();
    let parsed = parse_pid(entries.iter().map(|entry| entry.as_c_str()));
    assert_eq!(parsed.map_err(drop), expected(&values), "{entries:?}");
    if let Err(refusal) = parsed {
        assert_eq!(refusal.errno.name(), "EINVAL");
    }
}

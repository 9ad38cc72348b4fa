//! Which layout a file has: utmp(5) gives it no mark of its own.

use login_records::{Endian, Layout};

use crate::error::Error;
use crate::input::Input;
use crate::plausible::{self, Verdict};

/// What a file was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detected {
    /// The layout of its records.
    pub layout: Layout,
    /// Whether the records say so; an empty file has this machine's layout without saying it.
    pub sure: bool,
}

/// Records looked at in each place.
const SAMPLE: u64 = 32;

/// The layout in which the file's bytes make the most sense, of every machine's.
///
/// # Errors
///
/// [`Error::Unknown`] where they make sense in none; [`Error::Io`].
///
/// ```
/// use login_databases::{Input, Layout, detect};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("wtmp");
/// let record = login_databases::Entry::new(login_databases::Kind::User).with_line("pts/3");
/// std::fs::write(&path, &Layout::TIME64.encode(record.record())[..400])?;
/// assert_eq!(detect(&Input::open(&path)?)?.layout, Layout::TIME64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn detect(input: &Input) -> Result<Detected, Error> {
    let mut best: Option<(Layout, Score)> = None;
    for layout in candidates() {
        let score = score(input, layout)?;
        if score.hits > 0 && best.is_none_or(|(_, other)| score.is_better(other)) {
            best = Some((layout, score));
        }
    }
    match best {
        // One in eight: a file that is badly damaged is a file of records still.
        Some((layout, score)) if 8 * score.hits >= score.seen => {
            Ok(Detected { layout, sure: score.certain > 0 })
        }
        // Too short for anything to be said about it.
        _ if input.size() < Layout::M68K.size() as u64 => {
            Ok(Detected { layout: Layout::NATIVE, sure: false })
        }
        _ => Err(Error::Unknown(input.path().to_owned())),
    }
}

/// This machine's first: it wins where two make the same sense.
fn candidates() -> impl Iterator<Item = Layout> {
    let foreign = match Endian::NATIVE {
        Endian::Little => Endian::Big,
        Endian::Big => Endian::Little,
    };
    let all = move |endian| Layout::ALL.into_iter().map(move |layout| layout.with_endian(endian));
    let others = all(Endian::NATIVE).chain(all(foreign)).filter(|other| *other != Layout::NATIVE);
    std::iter::once(Layout::NATIVE).chain(others)
}

#[derive(Clone, Copy, Default)]
struct Score {
    /// Records looked at.
    seen: u64,
    /// Of these, such as may be records.
    hits: u64,
    /// And such as are records beyond doubt.
    certain: u64,
    /// The file's size is a multiple of the record's.
    whole: bool,
}

impl Score {
    fn is_better(self, other: Score) -> bool {
        let rank = |score: Score| score.certain * 4 + score.hits;
        // By share: a longer record is seen less often.
        let (own, others) = (rank(self) * other.seen, rank(other) * self.seen);
        own > others || (own == others && self.whole && !other.whole)
    }
}

fn score(input: &Input, layout: Layout) -> Result<Score, Error> {
    let size = layout.size() as u64;
    let count = input.size() / size;
    let mut score = Score { whole: input.size() % size == 0, ..Score::default() };
    let mut bytes = vec![0; layout.size()];
    let starts = [0, count / 2, count.saturating_sub(SAMPLE)];
    let mut next = 0;
    for start in starts {
        for index in next.max(start)..(start + SAMPLE).min(count) {
            next = index + 1;
            input.read_exact_at(&mut bytes, index * size)?;
            score.seen += 1;
            score.hits += u64::from(plausible::in_frame(&layout, &bytes) != Verdict::No);
            score.certain += u64::from(plausible::anywhere(&layout, &bytes));
        }
    }
    Ok(score)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, Kind, Time};

    fn file(layout: Layout, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for n in 0..count {
            let entry = Entry::new(if n % 2 == 0 { Kind::User } else { Kind::Dead })
                .with_line(&format!("pts/{n}"))
                .with_user("alice")
                .with_pid(1000 + n as i32)
                .with_time(Time { sec: 1_700_000_000 + n as i64, usec: 123_456 });
            bytes.extend_from_slice(&layout.encode(entry.record())[..layout.size()]);
        }
        bytes
    }

    fn of(bytes: &[u8]) -> Result<Detected, Error> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        detect(&Input::open(file.path()).unwrap())
    }

    #[test]
    fn each_layout_is_found_from_one_record_on() {
        for layout in candidates() {
            for count in [1, 2, 3, 200] {
                let found = of(&file(layout, count)).unwrap();
                assert_eq!(found, Detected { layout, sure: true }, "{count}");
            }
        }
    }

    #[test]
    fn a_torn_tail_and_a_torn_middle_change_nothing() {
        for layout in candidates() {
            let mut bytes = file(layout, 100);
            bytes.truncate(bytes.len() - 100);
            assert_eq!(of(&bytes).unwrap().layout, layout);
            bytes.drain(layout.size() * 60..layout.size() * 60 + 77);
            assert_eq!(of(&bytes).unwrap().layout, layout);
        }
    }

    #[test]
    fn what_is_no_file_of_records_is_refused() {
        let random: Vec<u8> =
            (0u32..100_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert!(matches!(of(&random), Err(Error::Unknown(_))));
        assert!(matches!(of("words\n".repeat(1000).as_bytes()), Err(Error::Unknown(_))));
    }

    #[test]
    fn an_empty_file_has_this_machine_s_layout() {
        for bytes in [&b""[..], b"x"] {
            assert_eq!(of(bytes).unwrap(), Detected { layout: Layout::NATIVE, sure: false });
        }
        assert!(!of(&[0; 4000]).unwrap().sure);
    }
}

//! A record's bytes, in each layout and byte order.

use std::sync::LazyLock;

use login_records::{Endian, Layout};

fn layouts() -> impl Iterator<Item = Layout> {
    let orders = [Endian::Little, Endian::Big];
    Layout::ALL.into_iter().flat_map(move |layout| orders.map(|order| layout.with_endian(order)))
}

/// The bytes of each layout that stand for something; the rest is padding.
static MEANING: LazyLock<Vec<Vec<usize>>> = LazyLock::new(|| {
    let meaning = |layout: Layout| {
        let zero = vec![0; layout.size()];
        let counts = |at: &usize| {
            let mut bytes = zero.clone();
            bytes[*at] = 1;
            layout.decode(&bytes) != layout.decode(&zero)
        };
        (0..layout.size()).filter(counts).collect()
    };
    layouts().map(meaning).collect()
});

/// The input is a record of every layout that it is long enough for.
pub fn check(input: &[u8]) {
    for (layout, meaning) in layouts().zip(MEANING.iter()) {
        let Some(record) = layout.decode(input) else {
            assert!(input.len() < layout.size());
            continue;
        };
        assert!(input.len() >= layout.size());
        let bytes = layout.encode(&record);
        for at in meaning {
            assert_eq!(bytes[*at], input[*at], "byte {at} of {layout:?}");
        }
        assert!(bytes[layout.size()..].iter().all(|byte| *byte == 0));
        assert_eq!(layout.decode(&bytes[..layout.size()]), Some(record));
    }
}

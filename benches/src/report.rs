//! The page: the text of `performance.md.in`, with what was measured in its places.

use std::collections::BTreeMap;

use crate::Failure;

/// The text, which has no figures of its own.
pub const TEXT: &str = include_str!("../performance.md.in");

/// What stands in the text's places.
pub type Places = BTreeMap<&'static str, String>;

/// Fills the places, every one, and with nothing left over.
///
/// # Errors
///
/// The name of the place that has nothing, or of what has no place.
pub fn fill(text: &str, places: &Places) -> Result<String, Failure> {
    let mut filled = String::new();
    let mut rest = text;
    let mut used = Vec::new();
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("a place without an end")?;
        filled.push_str(before);
        filled.push_str(places.get(name).ok_or_else(|| format!("nothing for {name:?}"))?);
        used.push(name);
        rest = after;
    }
    filled.push_str(rest);
    match places.keys().find(|name| !used.contains(name)) {
        Some(name) => Err(format!("no place for {name:?}").into()),
        None => Ok(filled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled() {
        let places = Places::from([("a", "one".to_owned()), ("b", "two".to_owned())]);
        assert_eq!(fill("{{a}}, {{b}}.", &places).unwrap(), "one, two.");
        assert!(fill("{{a}}", &places).is_err());
        assert!(fill("{{a}} {{b}} {{c}}", &places).is_err());
    }

    /// A later run replaces the figures, and the text would go on saying the old ones.
    #[test]
    fn the_text_claims_no_number() {
        let places = TEXT.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
        let places: Places = places
            .map(|(name, _)| (Box::leak(name.to_owned().into_boxed_str()) as &str, "-".into()))
            .collect();
        let prose = fill(TEXT, &places).unwrap();
        let words = prose.split(|c: char| c.is_whitespace() || "(`,;:".contains(c));
        let numbers: Vec<&str> = words
            .filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
            // base 64 is a name.
            .filter(|word| *word != "64")
            .collect();
        assert!(numbers.is_empty(), "{numbers:?}");
    }
}

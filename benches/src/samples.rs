//! What was measured: values by measurement, size, way and operation.

use std::collections::BTreeMap;

use crate::Failure;

/// Values in the order of their taking.
#[derive(Default)]
pub struct Samples(BTreeMap<(String, u64, String, String), Vec<f64>>);

/// A middle, and between what the middle half lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Samples {
    /// Takes in lines of MEASUREMENT SIZE WAY OPERATION VALUE..., as the worlds write them.
    ///
    /// # Errors
    ///
    /// What is no such line.
    pub fn read(&mut self, text: &str) -> Result<(), Failure> {
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(measurement), Some(size), Some(way), Some(operation)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(format!("no measurement: {line:?}").into());
            };
            let values = words.map(str::parse).collect::<Result<Vec<f64>, _>>()?;
            let key = (measurement.into(), size.parse()?, way.into(), operation.into());
            self.0.entry(key).or_default().extend(values);
        }
        Ok(())
    }

    /// One more value.
    pub fn put(&mut self, measurement: &str, size: u64, way: &str, operation: &str, value: f64) {
        let key = (measurement.into(), size, way.into(), operation.into());
        self.0.entry(key).or_default().push(value);
    }

    /// The values, if there are any.
    pub fn values(
        &self,
        measurement: &str,
        size: u64,
        way: &str,
        operation: &str,
    ) -> Option<&[f64]> {
        let key = (measurement.to_owned(), size, way.to_owned(), operation.to_owned());
        self.0.get(&key).map(Vec::as_slice).filter(|values| !values.is_empty())
    }

    /// Their spread.
    pub fn spread(
        &self,
        measurement: &str,
        size: u64,
        way: &str,
        operation: &str,
    ) -> Option<Spread> {
        self.values(measurement, size, way, operation).map(spread)
    }

    /// The sizes a measurement was made with.
    pub fn sizes(&self, measurement: &str) -> Vec<u64> {
        let mut sizes: Vec<u64> =
            self.0.keys().filter(|key| key.0 == measurement).map(|key| key.1).collect();
        sizes.dedup();
        sizes
    }
}

/// Of at least one value.
pub fn spread(values: &[f64]) -> Spread {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |part: f64| sorted[((sorted.len() - 1) as f64 * part).round() as usize];
    Spread { low: at(0.25), median: at(0.5), high: at(0.75) }
}

/// Of the ratios of each to its neighbour in time, which had the same machine.
pub fn paired(theirs: &[f64], ours: &[f64]) -> Spread {
    let ratios: Vec<f64> = theirs.iter().zip(ours).map(|(theirs, ours)| ours / theirs).collect();
    spread(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back() {
        let mut samples = Samples::default();
        samples.read("small 0 c add 1.5 2\nsmall 0 c add 3").unwrap();
        assert_eq!(samples.values("small", 0, "c", "add"), Some(&[1.5, 2.0, 3.0][..]));
        assert_eq!(samples.values("small", 1, "c", "add"), None);
        assert!(samples.read("small x c add 1").is_err());
        assert!(samples.read("small 0 c").is_err());
    }

    #[test]
    fn ratios_are_of_pairs() {
        let ratios = paired(&[1.0, 10.0, 100.0], &[0.5, 5.0, 70.0]);
        assert_eq!(ratios, Spread { low: 0.5, median: 0.5, high: 0.7 });
    }
}

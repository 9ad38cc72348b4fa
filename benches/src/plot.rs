//! Times by size as SVG, both axes logarithmic, in colours that follow light and dark.

use std::fmt::Write;

use crate::growth::{WAYS, points};
use crate::samples::Samples;
use crate::text::{grouped, time};

/// The plot's part of the picture.
const LEFT: f64 = 80.0;
const TOP: f64 = 44.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 340.0;
/// Room for the names of the curves.
const RIGHT: f64 = 150.0;
/// Apart enough to be read.
const LETTERS: f64 = 15.0;

/// A picture of one measurement.
pub fn svg(samples: &Samples, measurement: &str, title: &str, unit: &str) -> Option<String> {
    let curves: Vec<_> = WAYS
        .iter()
        .enumerate()
        .map(|(n, (way, name))| (n, *name, points(samples, measurement, way)))
        .filter(|(_, _, points)| !points.is_empty())
        .collect();
    let all: Vec<_> = curves.iter().flat_map(|(_, _, points)| points.clone()).collect();
    // Nothing has no logarithm: it stands one step before the smallest that has.
    let least = all.iter().map(|(x, _)| *x).filter(|x| *x > 0.0).reduce(f64::min)?;
    let most = all.iter().map(|(x, _)| *x).reduce(f64::max)?;
    let start = (least / 4.0).log10();
    let across = |x: f64| {
        let power = if x > 0.0 { x.log10() } else { start };
        LEFT + WIDTH * (power - start) / (most.log10() - start)
    };
    let low = all.iter().map(|(_, y)| *y).reduce(f64::min)?.log10().floor();
    let high = all.iter().map(|(_, y)| *y).reduce(f64::max)?.log10().ceil();
    let up = |y: f64| TOP + HEIGHT * (high - y.log10()) / (high - low).max(1.0);

    let mut svg = String::new();
    let (whole, tall) = (LEFT + WIDTH + RIGHT, TOP + HEIGHT + 50.0);
    let bottom = TOP + HEIGHT;
    // A String takes everything.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {tall}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{title}</title>\n<style>\
         .back{{fill:#fff}}text{{fill:#333}}.line{{stroke:#8886;fill:none}}\
         .way{{fill:none;stroke-width:2}}\
         .w0{{stroke:#b5482a}}.w1{{stroke:#2a78b8}}.w2{{stroke:#7a5bb0}}.w3{{stroke:#2f8f5b}}\
         @media(prefers-color-scheme:dark){{.back{{fill:#111}}text{{fill:#ddd}}}}</style>\n\
         <rect class=\"back\" width=\"{whole}\" height=\"{tall}\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{title}</text>"
    );
    for power in low as i32..=high as i32 {
        let (y, tick) = (up(10f64.powi(power)), time(10f64.powi(power)));
        let (right, left) = (LEFT + WIDTH, LEFT - 8.0);
        let _ = writeln!(
            svg,
            "<path class=\"line\" d=\"M{LEFT} {y:.1}H{right}\"/>\
             <text x=\"{left}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>",
            y + 4.0
        );
    }
    for size in samples.sizes(measurement) {
        let x = across(size as f64);
        let _ = writeln!(
            svg,
            "<path class=\"line\" d=\"M{x:.1} {TOP}V{bottom}\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 18.0,
            grouped(size)
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{unit}</text>",
        LEFT + WIDTH / 2.0,
        bottom + 38.0
    );
    let mut ends: Vec<(f64, usize, &str)> = Vec::new();
    for (n, name, points) in &curves {
        let mut path = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let (x, y, letter) = (across(*x), up(*y), if i == 0 { 'M' } else { 'L' });
            let _ = write!(path, "{letter}{x:.1} {y:.1}");
            let _ =
                writeln!(svg, "<circle class=\"way w{n}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"/>");
        }
        let _ = writeln!(svg, "<path class=\"way w{n}\" d=\"{path}\"/>");
        ends.extend(points.last().map(|(_, y)| (up(*y), *n, *name)));
    }
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = TOP;
    for (y, _, name) in ends {
        let y = y.max(free);
        free = y + LETTERS;
        let _ =
            writeln!(svg, "<text x=\"{}\" y=\"{:.1}\">{name}</text>", LEFT + WIDTH + 10.0, y + 4.0);
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_its_curve() {
        let mut samples = Samples::default();
        samples
            .read("m 0 c add 10\nm 100 c add 1000\nm 0 broker add 9\nm 100 broker add 9")
            .unwrap();
        let svg = svg(&samples, "m", "Title", "things").unwrap();
        assert_eq!(svg.matches("<path class=\"way").count(), 2);
        assert!(
            svg.contains(">C library<") && svg.contains(">broker<") && !svg.contains(">helper<")
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn nothing_makes_no_picture() {
        assert!(svg(&Samples::default(), "m", "Title", "things").is_none());
    }
}

//! As SVG: a row a user, a bar a span, in colours that follow light and dark.

use std::fmt::Write as _;
use std::io::{self, Write};

use login_databases::{Time, printable};

use super::chart::Chart;
use crate::moment::{Clock, duration};

/// Width of the part with the bars, and where it begins.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 160.0;
const ROW: f64 = 22.0;
const TOP: f64 = 36.0;
/// Lines with a time above them.
const TICKS: u32 = 6;

/// Draws it.
pub fn write(chart: &Chart, clock: &mut Clock, to: &mut impl Write) -> io::Result<()> {
    let height = TOP + ROW * chart.users.len() as f64 + 8.0;
    let whole = LEFT + WIDTH + 90.0;
    writeln!(
        to,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>Who was on</title>\n<style>\
         text{{fill:#333}}.bar{{fill:#2a78b8}}.line{{stroke:#8886}}.row{{fill:#8881}}\
         @media(prefers-color-scheme:dark){{text{{fill:#ddd}}.bar{{fill:#6db3e8}}}}</style>"
    )?;
    for tick in 0..=TICKS {
        let x = LEFT + WIDTH * f64::from(tick) / f64::from(TICKS);
        let sec = chart.since as f64 + chart.length() * f64::from(tick) / f64::from(TICKS);
        let mut time = String::new();
        clock.minute(sec as i64, &mut time);
        writeln!(
            to,
            "<line class=\"line\" x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{height}\"/>\
             <text x=\"{x:.1}\" y=\"18\" text-anchor=\"middle\">{time}</text>",
            TOP - 10.0
        )?;
    }
    for (n, user) in chart.users.iter().enumerate() {
        let y = TOP + ROW * n as f64;
        let middle = y + ROW * 0.7;
        let mut sum = String::new();
        duration(user.seconds(), &mut sum);
        writeln!(
            to,
            "<rect class=\"row\" x=\"{LEFT}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{}\"/>\
             <text x=\"{}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>\
             <text x=\"{}\" y=\"{middle:.1}\">{sum}</text>",
            ROW - 4.0,
            LEFT - 8.0,
            escaped(&printable(&user.name)),
            LEFT + WIDTH + 8.0
        )?;
        bars(chart, user, y, clock, to)?;
    }
    writeln!(to, "</svg>")
}

fn bars(
    chart: &Chart,
    user: &super::chart::User,
    y: f64,
    clock: &mut Clock,
    to: &mut impl Write,
) -> io::Result<()> {
    let x = |sec: i64| {
        let share = (sec as f64 - chart.since as f64) / chart.length();
        LEFT + WIDTH * share.clamp(0.0, 1.0)
    };
    // Bars that would be one to the eye are drawn as one: a million make no sense.
    let mut last = f64::MIN;
    for (login, logout) in &user.spans {
        let (from, until) = (x(*login).max(last), x(*logout));
        if *logout < chart.since || *login > chart.until || until < last + 0.2 {
            continue;
        }
        last = until.max(from + 0.5);
        let mut title = String::new();
        for (sec, before) in [(*login, ""), (*logout, " \u{2013} ")] {
            let time = clock.rfc3339(Time { sec, usec: 0 });
            // A String takes everything.
            let _ = write!(title, "{before}{}", time.unwrap_or_else(|| format!("@{sec}")));
        }
        writeln!(
            to,
            "<rect class=\"bar\" x=\"{from:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{}\">\
             <title>{title}</title></rect>",
            y + 2.0,
            last - from,
            ROW - 8.0
        )?;
    }
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

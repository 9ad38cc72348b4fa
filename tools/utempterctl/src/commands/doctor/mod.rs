//! `doctor`: whether a terminal is recorded here, and if not, why.

mod confinement;
mod finding;
mod helper;
mod lock;
mod services;
mod stores;
mod trial;

use std::io::Write;

use serde::Serialize;

use crate::cli::Doctor;
use crate::failure::{Done, Status};
use crate::output::Output;
use crate::output::json::Object;
use crate::output::table::{BAD, FAINT, GOOD, ODD};
use finding::{Finding, Level};

#[derive(Serialize)]
struct Json<'a> {
    check: &'a str,
    level: Level,
    finding: &'a str,
    cause: Option<&'a str>,
    remedy: Option<&'a str>,
}

pub fn run(options: &Doctor, output: &mut Output) -> Done {
    let mut findings = Vec::new();
    // What decides first, what explains after; a check is a function that adds findings.
    let helper = helper::check(options.helper.as_deref(), &mut findings);
    let checks: [fn(&mut Vec<Finding>); 4] =
        [stores::check, lock::check, confinement::check, services::check];
    for check in checks {
        check(&mut findings);
    }
    trial::check(helper.as_deref(), &mut findings);
    let recorded = !findings.iter().any(|finding| finding.level == Level::Error);
    if output.json {
        let mut object = Object::open(output)?;
        object.field(output, "recorded", &recorded)?;
        let mut list = object.list(output, "findings")?;
        for finding in &findings {
            let value = Json {
                check: finding.check,
                level: finding.level,
                finding: &finding.finding,
                cause: finding.cause.as_deref(),
                remedy: finding.remedy.as_deref(),
            };
            list.value(output, &value)?;
        }
        list.close(output)?;
        object.close(output)?;
    } else {
        findings.iter().try_for_each(|finding| write(finding, output))?;
        match recorded {
            true => writeln!(output, "\nA terminal is recorded here.")?,
            false => writeln!(output, "\nA terminal is not recorded here, or not everywhere.")?,
        }
    }
    Ok(if recorded { Status::Well } else { Status::Wrong })
}

fn write(finding: &Finding, output: &mut Output) -> std::io::Result<()> {
    let (name, style) = match finding.level {
        Level::Ok => ("ok", GOOD),
        Level::Note => ("note", FAINT),
        Level::Warning => ("warning", ODD),
        Level::Error => ("error", BAD),
    };
    let name = format!("{name:<7}");
    if output.colored {
        write!(output, "{}{name}{}", style.render(), style.render_reset())?;
    } else {
        write!(output, "{name}")?;
    }
    writeln!(output, "  {:<11}  {}", finding.check, finding.finding)?;
    for (what, text) in [("cause", &finding.cause), ("mend it", &finding.remedy)] {
        if let Some(text) = text {
            writeln!(output, "{:22}{what}: {text}", "")?;
        }
    }
    Ok(())
}

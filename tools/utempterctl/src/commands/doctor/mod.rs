//! `doctor`: whether a terminal is recorded here, and if not, why.

mod ask;
mod broker;
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
use finding::{Excuse, Finding, Level};
use trial::Trial;

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
    // What the library asks first, and then what explains.
    let utmps = services::utmps(&mut findings);
    let broker = broker::check(&utmps, &mut findings);
    let helper = helper::check(options.helper.as_deref(), &mut findings);
    stores::check(utmps, &mut findings);
    lock::check(&mut findings);
    let no_new_privs = confinement::check(broker, &mut findings);
    services::wtmpdb(broker, &mut findings);
    let tried = trial::check(
        &Trial { broker, helper: helper.as_deref(), no_new_privs, utmps },
        &mut findings,
    );
    for finding in findings.iter_mut().filter(|finding| finding.level == Level::Error) {
        let excused = match finding.excuse {
            Excuse::None => false,
            Excuse::Broker => tried.by_broker,
            Excuse::Kept => tried.kept,
        };
        if excused {
            finding.level = Level::Warning;
        }
    }
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

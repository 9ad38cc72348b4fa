//! The service manager's files.

use std::process::Command;
use std::time::Duration;

use utempter_tests::{Case, Outcome, bounded, place};

const LIMIT: Duration = Duration::from_secs(60);

pub fn cases() -> Vec<Case> {
    vec![
        Case::here("systemd's exposure of the service is 2.0 or less", exposure),
        Case::here("systemd finds nothing wrong with the units", verified),
    ]
}

fn unit(name: &str) -> std::path::PathBuf {
    place::repository().join("dist/systemd").join(name)
}

fn exposure() -> Outcome {
    let analyze = place::program("systemd-analyze", "systemd")?;
    let mut command = Command::new(analyze);
    command.args(["security", "--offline=true", "--no-pager"]).arg(unit("utempterd.service"));
    let text = bounded::run(&mut command, LIMIT)?.text()?;
    let line = text.lines().find(|line| line.contains("Overall exposure")).ok_or(text.clone())?;
    println!("{line}");
    let number = line.split(':').nth(1).and_then(|rest| rest.split_whitespace().next());
    let exposure: f64 = number.ok_or(line)?.parse()?;
    if exposure > 2.0 {
        return Err(text.into());
    }
    Ok(())
}

fn verified() -> Outcome {
    let analyze = place::program("systemd-analyze", "systemd")?;
    // It looks whether what is to be started exists.
    let directory = tempfile::tempdir()?;
    let broker = place::Stage::main().broker();
    for name in ["utempterd.socket", "utempterd.service"] {
        let text = std::fs::read_to_string(unit(name))?;
        let text = text.replace("/usr/sbin/utempterd", broker.to_str().ok_or("a path")?);
        // Man pages are not installed where this runs.
        let text: String = text
            .lines()
            .filter(|line| !line.starts_with("Documentation"))
            .map(|l| format!("{l}\n"))
            .collect();
        std::fs::write(directory.path().join(name), text)?;
    }
    let mut command = Command::new(analyze);
    command
        .arg("verify")
        .args(["utempterd.socket", "utempterd.service"].map(|n| directory.path().join(n)));
    let output = bounded::run(&mut command, LIMIT)?;
    let said: Vec<&str> = output.text.lines().filter(|line| line.contains("utempterd")).collect();
    if !said.is_empty() {
        return Err(output.text.into());
    }
    Ok(())
}

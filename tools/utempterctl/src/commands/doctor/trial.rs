//! A session, recorded for real.

use std::env;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use login_databases::now::{self, Stores};
use login_databases::{Backward, Found, Input, Kind, Utmpx, detect, printable};
use login_records::store::{UTMP_PATH, WTMP_PATH};
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::unistd::{Uid, User, geteuid};

use super::finding::{Finding, Level, quoted, shown};
use super::services::UTMPS;

const CHECK: &str = "trial";
/// What the record says it is from.
const HOST: &str = "utempterctl";
/// The helper ends itself after five.
const DEADLINE: Duration = Duration::from_secs(12);

pub fn check(helper: Option<&Path>, findings: &mut Vec<Finding>) {
    let Some(helper) = helper else {
        findings.push(Finding::new(CHECK, Level::Error, "not made: there is no helper"));
        return;
    };
    if let Err(finding) = trial(helper, findings) {
        findings.push(*finding);
    }
}

/// The pty of the trial, and as whom the helper runs.
struct Stage {
    master: OwnedFd,
    line: String,
    user: Option<User>,
}

fn trial(helper: &Path, findings: &mut Vec<Finding>) -> Result<(), Box<Finding>> {
    let stage = Stage::new().map_err(|why| {
        let text = format!("not made: no pty is to be had: {why}");
        Box::new(Finding::new(CHECK, Level::Error, text).cause("is /dev/pts mounted?"))
    })?;
    let begin = Instant::now();
    stage.run(helper, &["add", HOST])?;
    let took = begin.elapsed();
    let kept = stage.look(Kind::User);
    let removed = stage.run(helper, &["del"]);
    let ended = stage.look(Kind::Dead);
    removed?;
    if kept.is_empty() {
        return Err(Box::new(
            Finding::new(CHECK, Level::Error, "the helper was content, and recorded nothing")
                .cause("there is neither utmp nor utmps: all that it could write is switched off")
                .remedy(format!("install -o root -g utmp -m 0664 /dev/null {UTMP_PATH}")),
        ));
    }
    let as_whom = stage.user.as_ref().map_or_else(String::new, |user| format!(" as {}", user.name));
    for (store, has_login) in &kept {
        let has_logout = ended.iter().any(|(other, has)| other == store && *has);
        let text = match (has_login, has_logout) {
            (true, true) => {
                let line = &stage.line;
                format!("{line} was recorded{as_whom} in {store}, and its end ({took:.1?})")
            }
            (false, _) => format!("{} was not recorded{as_whom} in {store}", stage.line),
            (true, false) => format!("the end of {} was not recorded in {store}", stage.line),
        };
        let finding = match has_login & has_logout {
            true => Finding::new(CHECK, Level::Ok, text),
            false => Finding::new(CHECK, Level::Error, text)
                .cause("the helper said that all was well: see its words in the system's log")
                .remedy(format!("journalctl -t utempter; ls -l {}", quoted(Path::new(store)))),
        };
        findings.push(finding);
    }
    Ok(())
}

impl Stage {
    fn new() -> Result<Stage, String> {
        let words = |error: nix::Error| error.desc().to_owned();
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).map_err(words)?;
        grantpt(&master).map_err(words)?;
        unlockpt(&master).map_err(words)?;
        let path = ptsname_r(&master).map_err(words)?;
        let line = path.strip_prefix("/dev/").unwrap_or(&path).to_owned();
        let user = geteuid().is_root().then(somebody).flatten();
        if let Some(user) = &user {
            chown(&path, Some(user.uid.as_raw()), None).map_err(|error| error.to_string())?;
        }
        let master = master.into();
        Ok(Stage { master, line, user })
    }

    /// Runs the helper, with the reason on its standard error.
    fn run(&self, helper: &Path, arguments: &[&str]) -> Result<(), Box<Finding>> {
        let verb = arguments[0];
        let failed = |why: String| {
            Box::new(Finding::new(CHECK, Level::Error, format!("{verb}: {} {why}", shown(helper))))
        };
        let master = || self.master.try_clone().map(Stdio::from);
        let mut command = Command::new(helper);
        command.args(arguments).env("UTEMPTER_DEBUG", "1").env_remove("UTEMPTER_PID");
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).env("LOGNAME", &user.name);
        }
        let io = |error: std::io::Error| failed(error.to_string());
        let mut child = command
            .stdin(master().map_err(io)?)
            .stdout(master().map_err(io)?)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("cannot be started: {error}")))?;
        let begin = Instant::now();
        let status = loop {
            match child.try_wait().map_err(io)? {
                Some(status) => break status,
                None if begin.elapsed() > DEADLINE => {
                    // Nothing more can be done about one that is not to be killed.
                    let _ = child.kill();
                    return Err(failed("did not end".into()));
                }
                None => sleep(Duration::from_millis(1)),
            }
        };
        if status.success() {
            return Ok(());
        }
        let mut words = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            // What it says is for people: none of it is no reason to give up.
            let _ = stderr.take(4096).read_to_end(&mut words);
        }
        Err(Box::new(explain(verb, helper, status, &words)))
    }

    /// The stores that exist, and whether each has our record of this kind.
    fn look(&self, kind: Kind) -> Vec<(String, bool)> {
        let mut found = Vec::new();
        let pid = std::process::id() as i32;
        let line = self.line.as_bytes();
        if Path::new(UTMP_PATH).exists() {
            let has = Utmpx::open(UTMP_PATH).is_ok_and(|mut utmp| {
                utmp.entries()
                    .flatten()
                    .any(|entry| entry.kind() == kind && entry.line() == line && entry.pid() == pid)
            });
            found.push((UTMP_PATH.to_owned(), has));
        }
        if Path::new(UTMPS).exists() {
            let stores = Stores { utmps: Some(UTMPS.into()), ..Stores::default() };
            let on = now::sessions(&stores)
                .sessions
                .iter()
                .any(|one| one.line == line && one.pid == Some(pid));
            found.push((UTMPS.to_owned(), on == (kind == Kind::User)));
        }
        // History without a store of who is on is not enough to call it recorded.
        if !found.is_empty() && File::open(WTMP_PATH).is_ok() {
            found.push((WTMP_PATH.to_owned(), self.is_in_history(kind, pid)));
        }
        found
    }

    fn is_in_history(&self, kind: Kind, pid: i32) -> bool {
        let Ok(input) = Input::open(WTMP_PATH) else { return false };
        let Ok(detected) = detect(&input) else { return false };
        let mut records = Backward::new(input, detected.layout);
        // Others may have written since.
        for _ in 0..1000 {
            match records.next() {
                Ok(Some(Found::Record { raw, .. })) => {
                    if raw.kind() == kind && raw.line() == self.line.as_bytes() && raw.pid() == pid
                    {
                        return true;
                    }
                }
                Ok(Some(Found::Foreign { .. })) => {}
                Ok(None) | Err(_) => return false,
            }
        }
        false
    }
}

/// Who it is tried as where this is root: the user who called sudo, or nobody.
fn somebody() -> Option<User> {
    let caller = env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok()).map(Uid::from_raw);
    let caller = caller.filter(|uid| !uid.is_root());
    caller
        .and_then(|uid| User::from_uid(uid).ok().flatten())
        .or_else(|| User::from_name("nobody").ok().flatten())
}

fn explain(verb: &str, helper: &Path, status: ExitStatus, words: &[u8]) -> Finding {
    let errno = status.code().filter(|code| (2..134).contains(code));
    let why = match (status.code(), errno) {
        (_, Some(errno)) => format!("failed: {}", std::io::Error::from_raw_os_error(errno)),
        (Some(code), None) => format!("failed with status {code}"),
        (None, None) => format!("was ended: {status}"),
    };
    let finding = Finding::new(CHECK, Level::Error, format!("{verb}: {} {why}", shown(helper)));
    let lines: Vec<String> =
        words.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(printable).collect();
    let finding = match lines.is_empty() {
        true => finding.cause("it gave no reason; Debian's C library gives none to anybody"),
        false => finding.cause(lines.join("; ")),
    };
    let own = quoted(helper);
    match errno {
        Some(nix::libc::EACCES | nix::libc::EPERM) => {
            finding.remedy(format!("chgrp utmp {own} && chmod 2711 {own}"))
        }
        Some(nix::libc::ENOSPC) => finding.remedy(format!("df {UTMP_PATH} {WTMP_PATH}")),
        _ => finding.remedy("see the other findings; journalctl -t utempter has more"),
    }
}

//! A session, recorded for real.

use std::env;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use login_databases::now::{self, Stores};
use login_databases::{Backward, Entry, Found, Input, Kind, Utmpx, detect, is_socket, printable};
#[cfg(feature = "wtmpdb")]
use login_databases::{Source, Time, wtmpdb};
use login_records::store::{UTMP_PATH, UTMPD_PATH, WTMP_PATH};
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::unistd::{Uid, User, geteuid};

use super::ask::{Operation, greeted};
use super::finding::{Excuse, Finding, Level, quoted, shown};
use super::services::Utmps;

const CHECK: &str = "trial";
/// What the record says it is from.
const HOST: &str = "utempterctl";
/// The helper ends itself after five.
const DEADLINE: Duration = Duration::from_secs(12);
/// The broker answers first, and tells wtmpdb then.
#[cfg(feature = "wtmpdb")]
const WTMPDB: Duration = Duration::from_secs(3);

/// What there is to be tried.
pub struct Trial<'a> {
    /// The broker greets.
    pub broker: bool,
    pub helper: Option<&'a Path>,
    pub no_new_privs: bool,
    pub utmps: Utmps,
}

/// What the trial has shown.
#[derive(Default)]
pub struct Tried {
    /// The broker has recorded a session and its end.
    pub by_broker: bool,
    /// Some store that says who is on has had the session.
    pub kept: bool,
}

/// How a session comes into the records.
#[derive(Clone, Copy)]
enum Way<'a> {
    Broker,
    Helper(&'a Path),
}

/// A store that has been looked into.
struct Look {
    store: String,
    found: bool,
    /// It says who is on.
    keeps: bool,
}

pub fn check(trial: &Trial<'_>, findings: &mut Vec<Finding>) -> Tried {
    let mut tried = Tried::default();
    let mut attempt = |way, findings: &mut Vec<Finding>| -> bool {
        let begin = findings.len();
        match run(way, trial.utmps, findings) {
            Ok(kept) => tried.kept |= kept,
            Err(finding) => findings.push(*finding),
        }
        !findings[begin..].iter().any(|finding| finding.level == Level::Error)
    };
    let by_broker = trial.broker && attempt(Way::Broker, findings);
    match trial.helper {
        Some(_) if by_broker && trial.no_new_privs => findings.push(
            Finding::new(CHECK, Level::Note, "the helper was not tried: no_new_privs is set")
                .cause(
                    "the library asks the broker; what starts the helper itself is not recorded",
                ),
        ),
        Some(helper) => {
            let begin = findings.len();
            attempt(Way::Helper(helper), findings);
            findings[begin..].iter_mut().for_each(|finding| finding.excuse = Excuse::Broker);
        }
        None if by_broker => findings.push(
            Finding::new(CHECK, Level::Note, "the helper was not tried: there is none")
                .cause("the library needs none here; Konsole and foot start it themselves"),
        ),
        None => findings.push(
            Finding::new(CHECK, Level::Error, "not made: there is no helper")
                .unless(Excuse::Broker),
        ),
    }
    tried.by_broker = by_broker;
    tried
}

/// The pty of the trial, and as whom the helper runs.
struct Stage<'a> {
    way: Way<'a>,
    master: OwnedFd,
    line: String,
    user: Option<User>,
    utmps: Utmps,
}

/// Records a session and its end; whether a store that says who is on has had it.
fn run(way: Way<'_>, utmps: Utmps, findings: &mut Vec<Finding>) -> Result<bool, Box<Finding>> {
    let stage = Stage::new(way, utmps).map_err(|why| {
        let text = format!("not made: no pty is to be had: {why}");
        Box::new(Finding::new(CHECK, Level::Error, text).cause("is /dev/pts mounted?"))
    })?;
    let begin = Instant::now();
    stage.act(Operation::Add)?;
    let took = begin.elapsed();
    let logins = stage.look(Kind::User);
    let removed = stage.act(Operation::Del);
    let logouts = stage.look(Kind::Dead);
    removed?;
    let by = match way {
        Way::Broker => "broker",
        Way::Helper(_) => "helper",
    };
    if logins.is_empty() {
        return Err(Box::new(
            Finding::new(
                CHECK,
                Level::Error,
                format!("the {by} was content, and recorded nothing"),
            )
            .cause("there is neither utmp nor utmps: all that it could write is switched off")
            .remedy(format!("install -o root -g utmp -m 0664 /dev/null {UTMP_PATH}")),
        ));
    }
    let as_whom = stage.user.as_ref().map_or_else(String::new, |user| format!(" as {}", user.name));
    let kept = logins.iter().any(|look| look.keeps && look.found);
    for Look { store, found, .. } in &logins {
        let line = &stage.line;
        let ended = logouts.iter().any(|other| other.store == *store && other.found);
        let text = match (*found, ended) {
            (true, true) => {
                format!(
                    "{line} was recorded by the {by}{as_whom} in {store}, and its end ({took:.1?})"
                )
            }
            (false, _) => format!("{line} was not recorded by the {by}{as_whom} in {store}"),
            (true, false) => format!("the end of {line} was not recorded by the {by} in {store}"),
        };
        let late = store.ends_with(".db") || is_socket(Path::new(store));
        let finding = match way {
            _ if *found && ended => Finding::new(CHECK, Level::Ok, text),
            // It keeps what it could not tell wtmpdb yet.
            Way::Broker if late && kept => Finding::new(CHECK, Level::Warning, text)
                .cause("wtmpdb has not taken it within three seconds; the broker tries again")
                .remedy("journalctl -u utempterd"),
            Way::Broker => Finding::new(CHECK, Level::Error, text)
                .cause("the broker said that all was well: see its words in the system's log")
                .remedy(format!("journalctl -u utempterd; ls -l {}", quoted(Path::new(store)))),
            Way::Helper(_) => Finding::new(CHECK, Level::Error, text)
                .cause("the helper said that all was well: see its words in the system's log")
                .remedy(format!("journalctl -t utempter; ls -l {}", quoted(Path::new(store)))),
        };
        findings.push(finding);
    }
    Ok(kept)
}

impl<'a> Stage<'a> {
    fn new(way: Way<'a>, utmps: Utmps) -> Result<Stage<'a>, String> {
        let words = |error: nix::Error| error.desc().to_owned();
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).map_err(words)?;
        grantpt(&master).map_err(words)?;
        unlockpt(&master).map_err(words)?;
        let path = ptsname_r(&master).map_err(words)?;
        let line = path.strip_prefix("/dev/").unwrap_or(&path).to_owned();
        // The broker asks nothing of root that it does not ask of others.
        let tries_setgid = matches!(way, Way::Helper(_)) && geteuid().is_root();
        let user = tries_setgid.then(somebody).flatten();
        if let Some(user) = &user {
            chown(&path, Some(user.uid.as_raw()), None).map_err(|error| error.to_string())?;
        }
        let master = master.into();
        Ok(Stage { way, master, line, user, utmps })
    }

    fn act(&self, operation: Operation) -> Result<(), Box<Finding>> {
        match (self.way, operation) {
            (Way::Broker, Operation::Add) => self.ask(operation, HOST),
            (Way::Broker, Operation::Del) => self.ask(operation, ""),
            (Way::Helper(helper), Operation::Add) => self.run(helper, &["add", HOST]),
            (Way::Helper(helper), Operation::Del) => self.run(helper, &["del"]),
        }
    }

    fn ask(&self, operation: Operation, host: &str) -> Result<(), Box<Finding>> {
        let answer = greeted().and_then(|broker| broker.ask(operation, host, self.master.as_fd()));
        let verb = match operation {
            Operation::Add => "add",
            Operation::Del => "del",
        };
        match answer {
            Ok(0) => Ok(()),
            Ok(errno) => Err(Box::new(refused(verb, errno))),
            Err(refusal) => Err(Box::new(
                Finding::new(CHECK, Level::Error, format!("{verb}: the broker: {refusal}"))
                    .cause("it greeted, and then did not answer")
                    .remedy("systemctl restart utempterd.service; journalctl -u utempterd"),
            )),
        }
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
    fn look(&self, kind: Kind) -> Vec<Look> {
        let mut looks = Vec::new();
        let pid = std::process::id() as i32;
        let line = self.line.as_bytes();
        if self.utmps == Utmps::Keeps {
            let stores = Stores { utmps: Some(UTMPD_PATH.into()), ..Stores::default() };
            let on = now::sessions(&stores)
                .sessions
                .iter()
                .any(|one| one.line == line && one.pid == Some(pid));
            let found = on == (kind == Kind::User);
            looks.push(Look { store: UTMPD_PATH.to_owned(), found, keeps: true });
        } else {
            if Path::new(UTMP_PATH).exists() {
                let ours = |entry: Entry| {
                    entry.kind() == kind && entry.line() == line && entry.pid() == pid
                };
                let found =
                    Utmpx::open(UTMP_PATH).is_ok_and(|mut utmp| utmp.entries().flatten().any(ours));
                looks.push(Look { store: UTMP_PATH.to_owned(), found, keeps: true });
            }
            if File::open(WTMP_PATH).is_ok() {
                let found = self.is_in_history(kind, pid);
                looks.push(Look { store: WTMP_PATH.to_owned(), found, keeps: false });
            }
        }
        #[cfg(feature = "wtmpdb")]
        if matches!(self.way, Way::Broker) {
            self.look_at_wtmpdb(kind, &mut looks);
        }
        // History without a store of who is on is not enough to call it recorded.
        if !looks.iter().any(|look| look.keeps) {
            looks.clear();
        }
        looks
    }

    /// wtmpdb has whole sessions, and so says who is on too.
    #[cfg(feature = "wtmpdb")]
    fn look_at_wtmpdb(&self, kind: Kind, looks: &mut Vec<Look>) {
        let line = self.line.as_bytes();
        let begun = Time::now().sec - 60;
        for path in Source::wtmpdb() {
            let has = || {
                // Others may have logged in since.
                let newest = wtmpdb::newest(&path, 100).unwrap_or_default();
                newest.iter().any(|session| {
                    session.line == line
                        && session.host == HOST.as_bytes()
                        && session.login.sec >= begun
                        && (session.logout.is_some()) == (kind == Kind::Dead)
                })
            };
            let end = Instant::now() + WTMPDB;
            let mut found = has();
            while !found && Instant::now() < end {
                sleep(Duration::from_millis(20));
                found = has();
            }
            looks.push(Look { store: path.display().to_string(), found, keeps: true });
        }
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

/// What the broker's errno value says: utempter-protocol(7).
fn refused(verb: &str, errno: i32) -> Finding {
    use nix::libc::{
        EACCES, EAGAIN, EMSGSIZE, ENOSPC, EOPNOTSUPP, EPERM, EPROTO, EPROTONOSUPPORT, EROFS, ESRCH,
        ETIMEDOUT, EXDEV,
    };
    let text = format!("{verb}: the broker answers: {}", std::io::Error::from_raw_os_error(errno));
    let finding = |level| Finding::new(CHECK, level, text);
    match errno {
        EPROTO | EOPNOTSUPP | EPROTONOSUPPORT | EMSGSIZE | EAGAIN => finding(Level::Error)
            .cause("the library tries the helper then")
            .remedy("systemctl restart utempterd.service; journalctl -u utempterd")
            .unless(Excuse::Kept),
        EXDEV => finding(Level::Error)
            .cause("this /dev/pts is another than the broker's, as in a container")
            .remedy("run a broker in here, or share the host's /dev/pts"),
        ESRCH => finding(Level::Error).cause(
            "this process has no number in the broker's pid namespace, or its uid no account there",
        ),
        EPERM => finding(Level::Error).cause("the pty belongs to somebody else"),
        ENOSPC => finding(Level::Error).remedy(format!("df {UTMP_PATH} {WTMP_PATH}")),
        ETIMEDOUT => finding(Level::Error)
            .cause("utmps does not answer it")
            .remedy("rc-service utmpd restart"),
        EACCES | EROFS => finding(Level::Error)
            .cause("its unit does not let it write there, or the file system does not")
            .remedy(format!("systemctl cat utempterd.service; ls -l {UTMP_PATH}")),
        _ => finding(Level::Error).remedy("journalctl -u utempterd"),
    }
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

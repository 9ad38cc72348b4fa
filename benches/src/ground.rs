//! A world made ready to be timed in: utmp and wtmp in memory, no broker but one of its own.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::unistd::Group;
use utempter_tests::broker::Broker;
use utempter_tests::world::{ALICE, Outside};
use utempter_tests::{Outcome, Side, World, bounded, compile, place};

use crate::Failure;

/// Within this all rounds of one program are over.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the programs are inside.
const PROGRAMS: &str = "/tmp/bench";
/// Where they come from: a world's own /tmp hides what is outside.
const BROUGHT: &str = "run/programs";
const RESULT: &str = "run/result";

/// The measuring programs, compiled, and copies of what is measured.
pub struct Programs(Vec<(PathBuf, String)>);

impl Programs {
    /// # Errors
    ///
    /// Where there is no compiler, or no staged tree.
    pub fn make() -> Result<Programs, Failure> {
        let source = |name: &str| {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(name).into_os_string()
        };
        let program = |name: &str, file: &str, flags: &[&str]| {
            let mut arguments = vec![source(file), "-O2".into()];
            arguments.extend(flags.iter().map(Into::into));
            Ok::<_, Failure>((compile::program(name, "gcc", &arguments)?, name.to_owned()))
        };
        let mut all = vec![
            program("pair", "pair.c", &["-ldl"])?,
            program("crowd", "crowd.c", &["-ldl"])?,
            program("peak", "peak.c", &[])?,
            program("dynamic", "nothing.c", &[])?,
            program("static", "nothing.c", &["-static"])?,
            program("bare", "bare.c", &["-static", "-nostdlib", "-fno-stack-protector"])?,
        ];
        let stage = place::Stage::main();
        // A library remembers one helper for its process: a copy for each.
        for copy in ["ours", "nss", "broker"] {
            all.push((stage.library(), format!("{copy}.so")));
        }
        for helper in ["utempter", "utempter-nss"] {
            let file = stage.helper().with_file_name(helper);
            if helper == "utempter" || file.exists() {
                all.push((file, helper.to_owned()));
            }
        }
        Ok(Programs(all))
    }

    /// Runs a case inside a world that has them; the measurements it wrote.
    ///
    /// # Errors
    ///
    /// What went wrong inside.
    pub fn run(&self, case: &str) -> Result<String, Failure> {
        let outside = Outside::new()?;
        let to = outside.path().join(BROUGHT);
        fs::create_dir(&to)?;
        for (file, name) in &self.0 {
            fs::copy(file, to.join(name))
                .map_err(|error| format!("{}: {error}: first `make stage`", file.display()))?;
        }
        let side = if has_broker() { Side::Both } else { Side::C };
        outside.run(case, side, &self.0[0].0)?;
        Ok(fs::read_to_string(outside.path().join(RESULT))?)
    }
}

/// Whether one is staged: it is optional.
pub fn has_broker() -> bool {
    place::Stage::main().broker().exists()
}

/// The world, ready.
pub struct Ground<'a> {
    pub world: &'a World,
    result: File,
}

impl Ground<'_> {
    /// # Errors
    ///
    /// Where nothing may be mounted.
    pub fn of(world: &World) -> Result<Ground<'_>, Failure> {
        world.broker.take();
        // Before it is hidden.
        let result = File::create(Path::new("/").join(RESULT))?;
        fs::create_dir(PROGRAMS)?;
        let utmp = Group::from_name("utmp")?.ok_or("no group utmp")?.gid.as_raw();
        for entry in fs::read_dir(Path::new("/").join(BROUGHT))? {
            let entry = entry?;
            let name = entry.file_name();
            let to = Path::new(PROGRAMS).join(&name);
            fs::copy(entry.path(), &to)?;
            let is_helper = name.to_string_lossy().starts_with("utempter");
            chown(&to, Some(0), is_helper.then_some(utmp))?;
            let mode = if is_helper { 0o2755 } else { 0o755 };
            fs::set_permissions(&to, Permissions::from_mode(mode))?;
        }
        for directory in ["/run", "/var/log"] {
            mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
        }
        for file in [World::UTMP, World::WTMP] {
            fs::write(file, "")?;
            chown(file, Some(0), Some(utmp))?;
            fs::set_permissions(file, Permissions::from_mode(0o664))?;
        }
        Ok(Ground { world, result })
    }

    /// A broker that knows nothing of what was before, where one is staged.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    pub fn new_broker(&self) -> Outcome {
        self.world.broker.take();
        if self.world.side == Side::Both {
            self.world.broker.replace(Some(Broker::start()?));
        }
        Ok(())
    }

    /// A number the broker's `/proc` tells, in the unit it has there; none without a broker.
    ///
    /// # Errors
    ///
    /// Where it is not there.
    pub fn of_broker(&self, file: &str, name: &str) -> Result<Option<u64>, Failure> {
        let Some(pid) = self.world.broker.borrow().as_ref().map(Broker::pid) else {
            return Ok(None);
        };
        let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
        Ok(Some(line.trim_end_matches("kB").trim().parse()?))
    }

    /// Runs one of the programs as alice, and keeps what it measured.
    ///
    /// # Errors
    ///
    /// What it said, where it failed.
    pub fn measure(
        &mut self,
        measurement: &str,
        size: u64,
        name: &str,
        words: &[String],
    ) -> Outcome {
        let mut command = self.world.command(ALICE, &program(name));
        command.args(words);
        let text = bounded::run(&mut command, LIMIT)?.text()?;
        for line in text.lines() {
            writeln!(self.result, "{measurement} {size} {line}")?;
        }
        Ok(())
    }

    /// Keeps one value.
    ///
    /// # Errors
    ///
    /// As write(2).
    pub fn note(&mut self, measurement: &str, size: u64, what: &str, value: f64) -> Outcome {
        Ok(writeln!(self.result, "{measurement} {size} {what} {value}")?)
    }
}

/// The path of a program inside.
pub fn program(name: &str) -> String {
    format!("{PROGRAMS}/{name}")
}

/// Whether it was brought.
pub fn has(name: &str) -> bool {
    Path::new(&program(name)).exists()
}

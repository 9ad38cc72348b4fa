//! The examples do what they say: each runs `who` on a pty, recorded meanwhile and no longer.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use utempter_tests::compile::program;
use utempter_tests::place::{self, Stage, repository};
use utempter_tests::world::ALICE;
use utempter_tests::{Case, Outcome, Side, World, bounded, run};

type Made = Result<PathBuf, Box<dyn Error + Send + Sync>>;

/// For a compiler that has nothing in its cache.
const LIMIT: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    run(vec![
        Case::world_of("the example in C", Side::Ours, c, records_while_it_runs),
        Case::world_of("the example in Python", Side::Ours, python, records_while_it_runs),
        Case::world_of("the example in Go", Side::Ours, go, records_while_it_runs),
        Case::world_of("the example in Rust", Side::Ours, rust, records_while_it_runs),
    ])
}

fn records_while_it_runs(world: &World) -> Outcome {
    let mut command = world.command(ALICE, World::CLIENT);
    command.args(["who", World::UTMP]);
    let text = bounded::run(&mut command, Duration::from_secs(15))?.text()?;
    let seen = text.starts_with("alice ") && text.contains("pts/0") && text.contains("(example)");
    let after: Vec<String> = world.utmp()?.iter().map(|record| format!("{record:?}")).collect();
    let ended = ["ended line=pts/0 id=ts/0 user=alice host="];
    if !seen || after != ended || world.wtmp()?.len() != 2 {
        return Err(format!("{text}{after:?}").into());
    }
    Ok(())
}

fn c() -> Made {
    let mut flags = pkg_config_flags()?;
    flags.insert(0, repository().join("examples/c/record.c").display().to_string());
    // What it reads of its pipe tells it nothing.
    flags.insert(0, "-Wno-unused-result".into());
    program("example-c", "gcc", &flags)
}

fn pkg_config_flags() -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
    let mut command = Command::new(place::program("pkg-config", "pkg-config")?);
    with_our_pkg_config(&mut command).args(["--cflags", "--libs", "libutempter"]);
    let text = bounded::run(&mut command, LIMIT)?.text()?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

fn with_our_pkg_config(command: &mut Command) -> &mut Command {
    let stage = Stage::main();
    command
        .env("PKG_CONFIG_LIBDIR", stage.libdir().join("pkgconfig"))
        .env("PKG_CONFIG_SYSROOT_DIR", stage.root())
        .env("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "1")
        .env("PKG_CONFIG_ALLOW_SYSTEM_LIBS", "1")
}

fn python() -> Made {
    place::program("python3", "python3")?;
    Ok(repository().join("examples/python/record.py"))
}

fn go() -> Made {
    let output = env::current_exe()?.with_extension("example-go");
    let mut command = Command::new(place::program("go", "golang-go")?);
    with_our_pkg_config(&mut command)
        .current_dir(repository().join("examples/go"))
        .env("GOCACHE", output.with_extension("go-cache"))
        .env("GOFLAGS", "-buildvcs=false")
        .args(["build", "-o"])
        .arg(&output);
    bounded::run(&mut command, LIMIT)?.text()?;
    Ok(output)
}

fn rust() -> Made {
    let target = env::current_exe()?.with_extension("example-rust");
    let libexec = place::system_helper();
    let libexec = libexec.ancestors().nth(2).ok_or("a helper in a directory of its own")?;
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(repository().join("examples/rust"))
        .env("LIBEXECDIR", libexec)
        .env("CARGO_TARGET_DIR", &target)
        .args(["build", "--locked", "--offline"]);
    bounded::run(&mut command, LIMIT)?.text()?;
    Ok(target.join("debug/record"))
}

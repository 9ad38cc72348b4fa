//! C and C++ programs are compiled and linked against the library as users do it, and record
//! their sessions.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use utempter_tests::compile::{program, source};
use utempter_tests::place::{self, Stage};
use utempter_tests::{Case, Outcome, Side, World, bounded, compile, elf, run};

type Made = Result<PathBuf, Box<dyn Error + Send + Sync>>;

const LEGACY: &str = "-Wno-deprecated-declarations";

fn main() -> ExitCode {
    run(vec![
        Case::world_of("C, by pkg-config", Side::Ours, by_pkg_config, records),
        Case::world_of("C++, by pkg-config", Side::Ours, cxx_by_pkg_config, records),
        Case::world_of("C, with the static archive", Side::Ours, with_archive, records),
        Case::world_of("C, static altogether", Side::Ours, all_static, records),
        Case::world_of(
            "C, with the static archive of GNU ld's tree",
            Side::OursGnuLd,
            with_gnu_archive,
            records,
        ),
        Case::world_of(
            "C, by pkg-config, with the library linked by GNU ld",
            Side::OursGnuLd,
            by_pkg_config,
            records,
        ),
        Case::world_of(
            "C, made with Debian's libutempter-dev, run with ours",
            Side::Ours,
            with_debian,
            records,
        ),
        Case::world_of(
            "C, made with Debian's libutempter-dev, run with the one linked by GNU ld",
            Side::OursGnuLd,
            with_debian,
            records,
        ),
        Case::world_of("C, made with ours, run with Debian's", Side::C, by_pkg_config, records),
        Case::here("a statically linked program needs no libutempter.so", || {
            let needed = elf::dynamic(&with_archive_as("needs")?)?.needed;
            if needed != ["libc.so.6"] {
                return Err(format!("it needs {needed:?}").into());
            }
            Ok(())
        }),
        Case::here("the header is C90", || include_alone("gcc", &["-std=c90", "-pedantic"])),
        Case::here("the header is C23", || include_alone("gcc", &["-std=c2x", "-pedantic"])),
        Case::here("the header is C++98", || {
            include_alone("g++", &["-x", "c++", "-std=c++98", "-pedantic"])
        }),
        Case::here("the old functions are deprecated in C", || deprecated("gcc", "c")),
        Case::here("the old functions are deprecated in C++", || deprecated("g++", "c++")),
    ])
}

/// What every client must be able to do.
fn records(world: &World) -> Outcome {
    let lines = world.run(&[
        "open a",
        "add a example.org",
        "open b",
        "old-add b old",
        "old-remove",
        "helper /nowhere",
        "add b host",
    ])?;
    let records = world.utmp()?;
    let expected = [
        "session line=pts/0 id=ts/0 user=alice host=example.org",
        "ended line=pts/1 id=ts/1 user=alice host=",
    ];
    let found: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
    if found != expected || lines[1] != "add a: 1, errno kept" || !lines[5].starts_with("add b: 0")
    {
        return Err(format!("{lines:#?} {records:#?}").into());
    }
    Ok(())
}

/// What pkg-config says of our tree.
fn pkg_config(
    stage: &Stage,
    words: &[&str],
) -> Result<Vec<OsString>, Box<dyn Error + Send + Sync>> {
    let mut command = Command::new(place::program("pkg-config", "pkg-config")?);
    command
        .env("PKG_CONFIG_LIBDIR", stage.libdir().join("pkgconfig"))
        .env("PKG_CONFIG_SYSROOT_DIR", stage.root())
        .env("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "1")
        .env("PKG_CONFIG_ALLOW_SYSTEM_LIBS", "1")
        .args(words)
        .arg("libutempter");
    let text = bounded::run(&mut command, Duration::from_secs(10))?.text()?;
    Ok(text.split_whitespace().map(OsString::from).collect())
}

fn by_pkg_config() -> Made {
    let mut arguments = vec![source("client.c").into(), LEGACY.into()];
    arguments.extend(pkg_config(&Stage::main(), &["--cflags", "--libs"])?);
    program("pkg-config", "gcc", &arguments)
}

fn cxx_by_pkg_config() -> Made {
    let mut arguments: Vec<OsString> = ["-x", "c++", LEGACY].map(OsString::from).to_vec();
    arguments.push(source("client.c").into());
    arguments.extend(pkg_config(&Stage::main(), &["--cflags", "--libs"])?);
    program("cxx", "g++", &arguments)
}

fn with_archive() -> Made {
    with_archive_as("archive")
}

fn with_archive_as(name: &str) -> Made {
    statically(name, &Stage::main(), &[])
}

fn with_gnu_archive() -> Made {
    statically("gnu-archive", &Stage::gnu_ld(), &[])
}

fn all_static() -> Made {
    statically("static", &Stage::main(), &["-static"])
}

fn statically(name: &str, stage: &Stage, how: &[&str]) -> Made {
    let mut arguments = vec![source("client.c").into(), LEGACY.into()];
    arguments.extend(how.iter().map(OsString::from));
    arguments.extend(pkg_config(stage, &["--static", "--cflags"])?);
    arguments.push("-Wl,-Bstatic".into());
    arguments.extend(pkg_config(stage, &["--static", "--libs"])?);
    if how.is_empty() {
        arguments.push("-Wl,-Bdynamic".into());
    }
    program(name, "gcc", &arguments)
}

/// Headers and library of the package libutempter-dev, and nothing of ours.
fn with_debian() -> Made {
    let library = Path::new("/usr/lib").join(place::triplet()).join("libutempter.so");
    if !Path::new("/usr/include/utempter.h").exists() || !library.exists() {
        return Err(Box::new(utempter_tests::Skip(
            "Debian's package libutempter-dev is not installed".into(),
        )));
    }
    place::c_library()?;
    let arguments = [source("client.c").into_os_string(), LEGACY.into(), "-lutempter".into()];
    program("debian", "gcc", &arguments)
}

fn include_alone(compiler: &str, how: &[&str]) -> Outcome {
    let include = Stage::main().includedir();
    let mut arguments: Vec<OsString> =
        ["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"].map(OsString::from).to_vec();
    arguments.push(include.into());
    arguments.extend(how.iter().map(OsString::from));
    arguments.push(source("include.c").into());
    compile::compile(compiler, &arguments).map(drop)
}

fn deprecated(compiler: &str, language: &str) -> Outcome {
    let include = Stage::main().includedir();
    let mut arguments: Vec<OsString> =
        ["-Wall", "-fsyntax-only", "-x", language].map(OsString::from).to_vec();
    arguments.extend([source("client.c").into(), "-I".into(), include.into()]);
    let said = compile::compile(compiler, &arguments)?;
    for name in ["addToUtmp", "removeFromUtmp", "removeLineFromUtmp"] {
        // Its name in quotes of the compiler's own choice.
        let warned = said.lines().any(|line| line.contains(name) && line.contains("is deprecated"));
        if !warned {
            return Err(format!("no word of {name}: {said}").into());
        }
    }
    Ok(())
}

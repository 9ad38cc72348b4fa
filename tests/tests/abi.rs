//! The shared library is the C library's in everything a program or a packager sees of it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use utempter_tests::place::{self, Stage};
use utempter_tests::{Case, Outcome, Skip, bounded, elf, run};

/// As Debian's libutempter0 has it, and its symbols file lists it.
const EXPORTS: [&str; 8] = [
    "UTEMPTER_1.1@@UTEMPTER_1.1 absolute",
    "addToUtmp function",
    "removeFromUtmp function",
    "removeLineFromUtmp function",
    "utempter_add_record@@UTEMPTER_1.1 function",
    "utempter_remove_added_record@@UTEMPTER_1.1 function",
    "utempter_remove_record@@UTEMPTER_1.1 function",
    "utempter_set_helper@@UTEMPTER_1.1 function",
];

/// Words that only a Rust program with its standard library or a panic in it holds.
const OF_STD: [&str; 6] =
    ["panicked", "/rustc/", "library/std", "library/core", "RUST_BACKTRACE", "rust_eh_personality"];

fn main() -> ExitCode {
    let mut cases = vec![Case::here("Debian's library exports what is expected of ours", || {
        exports(&place::c_library()?)
    })];
    for (linker, stage) in [("the default linker", Stage::main()), ("GNU ld", Stage::gnu_ld())] {
        cases.extend(of_stage(linker, stage));
    }
    run(cases)
}

fn of_stage(linker: &str, stage: Stage) -> Vec<Case> {
    let case = |what: &str, body: fn(&Stage) -> Outcome| {
        let stage = stage.clone();
        Case::here(&format!("{what}, by {linker}"), move || body(&stage))
    };
    vec![
        case("names and versions", |stage| exports(&stage.library())),
        case("names and versions are Debian's", equal_to_debian),
        case("SONAME and needs", soname_and_needs),
        case("the dynamic helper needs libc alone", |stage| {
            needs_libc_alone(&stage.dynamic_helper())
        }),
        case("the freestanding helper needs and exports nothing", freestanding),
        case("no panic and no std in the library", |stage| free_of_std(&stage.library())),
        case("no panic and no std in the helpers", |stage| {
            free_of_std(&stage.helper()).and_then(|()| free_of_std(&stage.dynamic_helper()))
        }),
        case("abidiff finds nothing", abidiff),
    ]
}

fn exports(library: &Path) -> Outcome {
    let expected: BTreeSet<String> = EXPORTS.iter().map(|name| (*name).to_owned()).collect();
    let found = elf::dynamic(library)?.exports;
    if found != expected {
        let missing: Vec<_> = expected.difference(&found).collect();
        let surplus: Vec<_> = found.difference(&expected).collect();
        return Err(format!("missing: {missing:?}, too many: {surplus:?}").into());
    }
    Ok(())
}

fn equal<T: Debug + PartialEq>(found: T, expected: T) -> Outcome {
    if found != expected {
        return Err(format!("found {found:#?}, expected {expected:#?}").into());
    }
    Ok(())
}

fn equal_to_debian(stage: &Stage) -> Outcome {
    equal(elf::dynamic(&stage.library())?, elf::dynamic(&place::c_library()?)?)
}

fn soname_and_needs(stage: &Stage) -> Outcome {
    equal(elf::dynamic(&stage.library())?.soname.as_deref(), Some("libutempter.so.0"))?;
    needs_libc_alone(&stage.library())
}

fn needs_libc_alone(file: &Path) -> Outcome {
    equal(elf::dynamic(file)?.needed, vec!["libc.so.6".to_owned()])
}

fn freestanding(stage: &Stage) -> Outcome {
    let helper = stage.freestanding_helper().ok_or_else(no_freestanding)?;
    let dynamic = elf::dynamic(&helper)?;
    equal((dynamic.needed, dynamic.exports), (Vec::new(), BTreeSet::new()))
}

fn no_freestanding() -> Skip {
    Skip("make stage has left out the freestanding helper (HELPER=dynamic, or this machine)".into())
}

fn free_of_std(file: &Path) -> Outcome {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let found: Vec<&str> = OF_STD
        .into_iter()
        .filter(|word| bytes.windows(word.len()).any(|window| window == word.as_bytes()))
        .collect();
    if found.is_empty() { Ok(()) } else { Err(format!("{found:?}").into()) }
}

fn abidiff(stage: &Stage) -> Outcome {
    let program = place::program("abidiff", "abigail-tools")?;
    let mut command = Command::new(program);
    command.arg(place::c_library()?).arg(stage.library());
    let output = bounded::run(&mut command, Duration::from_secs(60))?;
    // Its exit status is a set of bits, each a kind of difference or error.
    if output.status.code() != Some(0) {
        return Err(format!("{}\n{}", output.status, output.text).into());
    }
    Ok(())
}

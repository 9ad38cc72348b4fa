//! Bakes the helper's path in and, for the C library, tells the linker the exported versions.

use std::{env, process::exit};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=UTEMPTER_HELPER={}/utempter/utempter", libexecdir());

    let linux = env::var_os("CARGO_CFG_TARGET_OS").is_some_and(|os| os == "linux");
    if env::var_os("CARGO_FEATURE_CAPI").is_some() && linux {
        link_like_the_c_library();
    }
}

/// `LIBEXECDIR` of the build's environment. It becomes a path that programs execute for every
/// user, so anything but an absolute one is refused here and not discovered there.
fn libexecdir() -> String {
    println!("cargo::rerun-if-env-changed=LIBEXECDIR");
    let dir = match env::var("LIBEXECDIR") {
        Ok(dir) => dir,
        Err(env::VarError::NotPresent) => "/usr/libexec".into(),
        Err(env::VarError::NotUnicode(dir)) => refuse(&format!("{dir:?} is not UTF-8")),
    };
    if !dir.starts_with('/') {
        refuse(&format!("{dir:?} is not an absolute path"));
    }
    if dir.contains(['\0', '\n', '\r']) {
        refuse(&format!("{dir:?} contains a NUL or a line break"));
    }
    dir.trim_end_matches('/').into()
}

fn refuse(why: &str) -> ! {
    eprintln!("LIBEXECDIR: {why}");
    exit(1);
}

/// The exported names, their versions and the SONAME are the C library's, by lld: GNU ld refuses
/// a second version script beside rustc's own. (The Makefile has a way for GNU ld.)
fn link_like_the_c_library() {
    let map = concat!(env!("CARGO_MANIFEST_DIR"), "/libutempter.map");
    println!("cargo::rerun-if-changed={map}");
    for arg in [
        "-fuse-ld=lld",
        "-Wl,-soname,libutempter.so.0",
        // Everything must be defined: a panic path that survived would need more than libc.
        "-Wl,-z,defs",
        // GNU ld makes a symbol of this name for each version, and Debian's list of symbols has it.
        "-Wl,--defsym=UTEMPTER_1.1=0",
        // Not -Wl: the path may have a comma.
        "-Xlinker",
        &format!("--version-script={map}"),
    ] {
        println!("cargo::rustc-cdylib-link-arg={arg}");
    }
}

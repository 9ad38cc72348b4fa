//! Links a program that needs nothing under it, and bakes in where the other helper is.

use std::{env, process::exit};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(freestanding)");
    println!("cargo::rustc-env=UTEMPTER_NSS={}/utempter/utempter-nss", libexecdir());
    if !can_be() {
        return;
    }
    println!("cargo::rustc-cfg=freestanding");
    for arg in [
        "-nostartfiles",
        "-nostdlib",
        // It relocates itself, and protects what it has relocated.
        "-static-pie",
        "-Wl,-z,relro,-z,now,-z,noexecstack,-z,defs",
        // One read-only segment would need a page of its own in the file.
        "-Wl,-z,noseparate-code,--gc-sections",
    ] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("aarch64") {
        // What is protected ends on a page's end, however large the kernel's pages are.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,max-page-size=65536,-z,common-page-size=65536");
    }
}

/// Its calls are written for two machines, its structures are glibc's, and without the release
/// profile the helper's library has std.
fn can_be() -> bool {
    let is = |name: &str, values: &[&str]| {
        env::var(format!("CARGO_CFG_{name}")).is_ok_and(|value| values.contains(&&*value))
    };
    is("TARGET_OS", &["linux"])
        && is("TARGET_ENV", &["gnu"])
        && is("TARGET_ARCH", &["x86_64", "aarch64"])
        && is("TARGET_POINTER_WIDTH", &["64"])
        && is("TARGET_ENDIAN", &["little"])
        && env::var("PROFILE").as_deref() == Ok("release")
}

/// `LIBEXECDIR` of the build's environment: it becomes the path of a program that is executed
/// for every user.
fn libexecdir() -> String {
    println!("cargo::rerun-if-env-changed=LIBEXECDIR");
    let dir = env::var("LIBEXECDIR").unwrap_or_else(|_| "/usr/libexec".into());
    if !dir.starts_with('/') || dir.contains(['\0', '\n', '\r']) {
        eprintln!("LIBEXECDIR: {dir:?} is not an absolute path of one line");
        exit(1);
    }
    dir.trim_end_matches('/').into()
}

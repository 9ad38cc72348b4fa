//! Links a program that needs nothing under it, and bakes in where the other helper is.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBEXECDIR");
    let directory = env::var("LIBEXECDIR").unwrap_or_else(|_| "/usr/libexec".into());
    let directory = directory.trim_end_matches('/');
    println!("cargo::rustc-env=UTEMPTER_NSS={directory}/utempter/utempter-nss");
    // Position-independent, as a setgid program should be; it relocates itself.
    for arg in ["-nostartfiles", "-nostdlib", "-static-pie", "-Wl,-z,noseparate-code"] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}

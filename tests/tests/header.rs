//! `include/utempter.h` is what cbindgen makes of the source, byte for byte.

use std::fs;

use utempter_tests::place::repository;

#[test]
fn the_header_is_made_of_the_source() {
    let root = repository();
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let mut made = Vec::new();
    cbindgen::Builder::new()
        .with_src(root.join("src/capi.rs"))
        .with_config(config)
        .generate()
        .expect("src/capi.rs as cbindgen reads it")
        .write(&mut made);
    let kept = fs::read_to_string(root.join("include/utempter.h")).expect("include/utempter.h");
    let made = String::from_utf8(made).expect("a header of text");
    assert!(kept == made, "include/utempter.h is stale: `make header`. Made now:\n{made}");
}

//! What fuzzing has been begun from, and what it has found, over and over with any toolchain.

use std::fs;
use std::path::PathBuf;

use utempter_fuzz_bodies::TARGETS;
use utempter_tests::place;

fn seeds() -> PathBuf {
    place::repository().join("fuzz/seeds")
}

#[test]
fn every_seed_holds() {
    for (name, check) in TARGETS {
        let mut count = 0;
        for seed in fs::read_dir(seeds().join(name)).expect(name) {
            let path = seed.expect(name).path();
            println!("{}", path.display());
            check(&fs::read(path).expect(name));
            count += 1;
        }
        assert!(count >= 5, "{name} has {count} seeds");
    }
}

#[test]
fn every_target_has_its_program_and_no_other_has() {
    let names = |directory: &str, extension: &str| {
        let mut names: Vec<String> = fs::read_dir(place::repository().join(directory))
            .expect(directory)
            .map(|entry| entry.expect(directory).file_name().to_string_lossy().into_owned())
            .map(|name| name.strip_suffix(extension).expect(extension).to_owned())
            .collect();
        names.sort();
        names
    };
    let targets: Vec<String> = TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names("fuzz/fuzz_targets", ".rs"), targets);
    assert_eq!(names("fuzz/seeds", ""), targets);
}

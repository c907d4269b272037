//! The sample pages in `reports/sample` are what this program makes, byte for byte.

#![cfg(all(feature = "cli", feature = "stub", unix))]

use std::fs;
use std::path::Path;
use std::process::Command;

const FILES: [&str; 6] = [
    "run/run.json",
    "run/report.html",
    "run/intervals.csv",
    "run/scenario.toml",
    "compare.html",
    "plan.html",
];

#[test]
fn the_sample_is_what_the_program_makes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(root.join("tests/sample/make"))
        .args([Path::new(env!("CARGO_BIN_EXE_bedload")), made.path()])
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let mut size = 0;
    for file in FILES {
        let is = fs::read(made.path().join(file)).expect("made");
        let shipped = fs::read(root.join("reports/sample").join(file)).expect("shipped");
        size += shipped.len();
        assert!(
            is == shipped,
            "reports/sample/{file} is not what the program makes: if that is wanted, \
             `tests/sample/make target/debug/bedload reports/sample` makes it anew"
        );
    }
    assert!(size < 400_000, "the sample has {size} bytes");
}

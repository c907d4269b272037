//! Broken scenarios are answered with what is wrong and where, and never with a panic.
//!
//! Each file in `tests/broken/` has a row here: the codes and lines of all its problems.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bedload::scenario::{LARGEST_FILE, LoadError, Scenario};

/// A file, and each of its problems in the order of the text as `code:line`.
const BROKEN: &[(&str, &[&str])] = &[
    ("always-throttled.toml", &["always-throttled:19"]),
    ("amplitude.toml", &["amplitude-above-mean:8"]),
    (
        "bad-distributions.toml",
        &["p95-below-median:20", "min-above-max:23"],
    ),
    ("bad-name.toml", &["invalid-name:1"]),
    ("bad-toml.toml", &["syntax:7", "syntax:7"]),
    ("catalogue.toml", &["catalogue:1"]),
    (
        "comparing.toml",
        &[
            "invalid-value:19",
            "not-gated:19",
            "invalid-value:20",
            "unknown-metric:21",
            "above-whole:24",
            "negative-weight:25",
            "knob-values:28",
            "knob-values:29",
            "unknown-knob:30",
            "unknown-knob:31",
        ],
    ),
    ("cv-without-gamma.toml", &["cv-without-gamma:7"]),
    ("duplicate-key.toml", &["syntax:5"]),
    ("duplicate-names.toml", &["duplicate-name:22"]),
    ("empty.toml", &["empty:1"]),
    (
        "expect.toml",
        &[
            "warm-up-too-long:5",
            "no-bound:22",
            "invalid-value:26",
            "wrong-unit:31",
            "no-such-class:35",
            "no-such-model:40",
            "two-scopes:46",
            "no-quota-of-a-class:51",
            "min-above-max:56",
            "not-two-ends:60",
            "wrong-unit:64",
            "two-bounds:65",
            "never-sure:70",
            "never-sure:75",
            "abort-does-nothing:80",
            "invalid-value:85",
            "invalid-value:86",
        ],
    ),
    (
        "faults.toml",
        &[
            "unused-model:13",
            "retired-model:14",
            "no-stream:15",
            "fault-kind:24",
            "fault-kind:27",
            "not-an-answer:33",
            "invalid-value:37",
            "not-above-zero:38",
            "no-such-model:42",
            "above-whole:43",
            "empty-interval:47",
            "interval-overlaps:51",
            "fault-always:53",
        ],
    ),
    (
        "headroom.toml",
        &["no-headroom-left:22", "not-above-zero:23"],
    ),
    ("input-too-long.toml", &["input-too-long:18"]),
    (
        "limits.toml",
        &[
            "not-above-zero:15",
            "no-window-left:20",
            "out-of-range:22",
            "not-above-zero:25",
            "no-decrease:29",
            "not-above-zero:30",
            "above-whole:31",
            "unknown-priority:35",
            "missing-key:39",
            "invalid-value:45",
            "invalid-value:46",
        ],
    ),
    (
        "many-at-once.toml",
        &[
            "invalid-value:4",
            "invalid-value:7",
            "not-above-zero:13",
            "invalid-name:17",
            "invalid-value:22",
        ],
    ),
    ("max-tokens-required.toml", &["max-tokens-required:16"]),
    ("max-tokens-too-large.toml", &["max-tokens-too-large:19"]),
    ("missing-trace.toml", &["trace-unreadable:7"]),
    ("negative-rate.toml", &["invalid-value:7"]),
    ("negative-weight.toml", &["negative-weight:20"]),
    ("never-admitted-rpm.toml", &["never-admitted:19"]),
    ("never-admitted.toml", &["never-admitted:19"]),
    ("no-arrivals.toml", &["missing-key:1"]),
    ("no-model.toml", &["missing-key:1"]),
    ("no-prompt.toml", &["missing-key:1"]),
    ("not-utf8.toml", &["not-utf8:2"]),
    ("only-comments.toml", &["empty:1"]),
    ("retry.toml", &["not-above-zero:22", "invalid-value:23"]),
    ("run-too-long.toml", &["run-too-long:4"]),
    ("sampling.toml", &["out-of-range:20", "out-of-range:21"]),
    ("text-and-length.toml", &["text-and-length:20"]),
    ("two-arrivals.toml", &["several-choices:9"]),
    ("two-targets.toml", &["several-choices:23"]),
    ("unknown-arrivals.toml", &["unknown-key:6"]),
    (
        "unknown-keys.toml",
        &[
            "unknown-key:4",
            "unknown-key:5",
            "unknown-key:21",
            "unknown-key:22",
        ],
    ),
    ("unknown-model-name.toml", &["unknown-model-name:20"]),
    ("unknown-model.toml", &["unknown-model:10"]),
    ("unknown-table.toml", &["unknown-key:21"]),
    ("unsorted-trace.toml", &["trace-malformed:7"]),
    ("wrong-tables.toml", &["wrong-type:3", "wrong-type:15"]),
    (
        "wrong-types.toml",
        &[
            "invalid-value:4",
            "invalid-value:13",
            "invalid-value:14",
            "invalid-value:18",
        ],
    ),
    ("zero-duration.toml", &["not-above-zero:4"]),
    ("zero-rate.toml", &["zero-rate:7"]),
    ("zero-weights.toml", &["zero-weights:20"]),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken")
}

/// The problems of a scenario that must have some.
fn problems(path: &Path) -> Vec<String> {
    let error = Scenario::load(path).expect_err("a broken scenario is refused");
    let reports = error.reports();
    reports
        .iter()
        .map(|report| format!("{}:{}", report.code, report.line))
        .collect()
}

#[test]
fn each_problem_is_found_in_its_line() {
    for &(file, expected) in BROKEN {
        assert_eq!(problems(&folder().join(file)), expected, "{file}");
    }
}

#[test]
fn each_broken_file_has_its_row() {
    let rows: BTreeSet<String> = BROKEN.iter().map(|&(file, _)| file.to_owned()).collect();
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .expect("the folder is part of the repository")
        .map(|entry| {
            entry
                .expect("listable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.ends_with(".toml"))
        .collect();
    assert_eq!(rows, files);
    assert!(files.len() >= 20);
}

#[test]
fn every_message_keeps_to_the_style() {
    for &(file, _) in BROKEN {
        let error = Scenario::load(&folder().join(file)).expect_err("a broken scenario is refused");
        for report in error.reports() {
            let message = &report.message;
            assert!(
                !message.is_empty() && !message.ends_with('.'),
                "{file}: {message}"
            );
            assert_eq!(message.matches('`').count() % 2, 0, "{file}: {message}");
            let says_what_to_do = report.help.is_some() || report.code == "syntax";
            assert!(says_what_to_do, "{file}: {message}");
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let path = folder().join("nowhere.toml");
    assert_eq!(problems(&path), ["file-missing:1"]);
    let error = Scenario::load(&path).expect_err("there is no such file");
    assert!(error.to_string().contains("nowhere.toml"));
}

#[test]
fn ten_megabytes_of_noise_are_not_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("noise.toml");
    // A linear congruential generator: any bytes do, as long as they are the same each time.
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(10 << 20)
    .collect();
    std::fs::write(&path, noise).expect("writable");
    let error = Scenario::load(&path).expect_err("too large");
    assert!(matches!(error, LoadError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains(&LARGEST_FILE.to_string()));
}

#[test]
fn problems_that_follow_from_others_are_not_reported() {
    let text = "name = \"x\"\nrun = 60\n[arrivals.poison]\nrate = \"1/s\"\n";
    let diagnostics = Scenario::parse(text, Path::new("")).expect_err("broken");
    let codes: Vec<&str> = diagnostics.iter().map(|problem| problem.code).collect();
    // `run` and `arrivals` are excused; the model and the prompt are really missing.
    assert_eq!(
        codes,
        ["missing-key", "missing-key", "wrong-type", "unknown-key"]
    );
}

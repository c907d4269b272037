//! Every scenario that the project ships does what it says that it does.

#![cfg(all(feature = "cli", feature = "stub"))]

use std::path::{Path, PathBuf};
use std::process::Command;

use bedload::recorder::measured::{Measured, MinuteUse};
use bedload::results::Run;

/// The scenarios that show a load which does not fit; the others must pass.
const MEANT_TO_FAIL: [&str; 2] = ["max-tokens-unset", "over-quota"];

/// The classes of `model-families` whose bodies put a template around the words.
const TEMPLATED: [&str; 4] = ["deepseek", "llama-2", "llama-3", "mistral"];

/// Runs a scenario; returns the exit code and what was measured.
fn run(command: &str, scenario: &Path, args: &[&str]) -> (Option<i32>, Measured) {
    let out = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_bedload"))
        .arg(command)
        .arg(scenario)
        .arg("--out")
        .arg(out.path())
        .args(args)
        .output()
        .expect("the program starts");
    let name = scenario.file_stem().expect("a name");
    let run = Run::open(&out.path().join(name)).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("{}: {error}: {said}", scenario.display())
    });
    let measured = run.file.measured.expect("a run that has ended");
    assert!(measured.conserved, "{}", scenario.display());
    (output.status.code(), measured)
}

fn scenario(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    folder.join(name).with_extension("toml")
}

/// The share of attempts that were refused in these minutes.
fn refused(minutes: &[MinuteUse]) -> f64 {
    let refused: u64 = minutes.iter().map(|minute| minute.refused).sum();
    let taken: u64 = minutes.iter().map(|minute| minute.requests).sum();
    refused as f64 / (refused + taken) as f64
}

#[test]
fn every_scenario_passes_in_virtual_time_unless_it_is_meant_not_to() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(scenario("any").parent().expect("a folder"))
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("listable").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        let (code, measured) = run("sim", &file, &[]);
        let name = file.file_stem().expect("a name").to_str().expect("UTF-8");
        let expected = i32::from(MEANT_TO_FAIL.contains(&name));
        assert_eq!(code, Some(expected), "{name}: {:?}", measured.total.counts);
    }
}

/// The service begins with a minute of quota: 30,000 tokens, which 1,500 - 500 tokens a second more
/// than come in use up in 30 s. From the second minute on the arithmetic is 1 - 1/3.
#[test]
fn over_quota_is_refused_two_times_out_of_three() {
    let (code, measured) = run("sim", &scenario("over-quota"), &[]);
    assert_eq!(code, Some(1));
    let minutes = &measured.quota_use[0].minutes;
    assert!(minutes.len() >= 4, "{minutes:?}");
    let share = refused(&minutes[2..4]);
    // 360 attempts; one that falls to the other side of a boundary is 0.3 %.
    assert!((share - 2.0 / 3.0).abs() < 0.01, "{share}");
}

#[test]
fn over_quota_with_the_limiter_uses_the_quota_and_is_not_refused() {
    let args = ["--set", "limiter.enabled=true"];
    let (code, measured) = run("sim", &scenario("over-quota"), &args);
    assert_eq!(code, Some(0));
    let throttled = measured.total.attempts.throttle_share().expect("attempts");
    assert!(throttled <= 0.01, "{throttled}");
    let steady = measured.quota_use[0]
        .tokens
        .steady_share()
        .expect("whole minutes");
    assert!((0.97..=1.03).contains(&steady), "{steady}");
    // What does not fit is dropped by the client, not forgotten.
    let counts = measured.total.counts;
    assert_eq!(counts.intended, 720);
    assert_eq!(counts.completed + counts.dropped, 720, "{counts:?}");
}

/// The scenario's point: the same load without a throttle, by one line.
#[test]
fn max_tokens_makes_the_difference_between_two_of_five_refused_and_none() {
    let text = std::fs::read_to_string(scenario("max-tokens-unset")).expect("readable");
    let limited = text.replace(
        "output_tokens = 100",
        "output_tokens = 100\nmax_tokens = 200",
    );
    assert_ne!(limited, text);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("max-tokens-unset.toml");
    std::fs::write(&file, limited).expect("writable");
    // Ten minutes, so that chance is small: 900 arrivals, 1.6 % of standard deviation.
    let long = ["--duration", "10m"];
    let (code, unset) = run("sim", &scenario("max-tokens-unset"), &long);
    let share = unset.total.attempts.throttle_share().expect("attempts");
    assert_eq!(code, Some(1));
    assert!((0.3..0.5).contains(&share), "{share}");
    let (code, set) = run("sim", &file, &long);
    assert_eq!(code, Some(0));
    assert_eq!(set.total.attempts.throttled.total(), 0);
}

#[test]
fn every_family_is_answered_by_the_stub_with_its_tokens_counted() {
    // 120 requests for 16 classes.
    let args = ["--duration", "2s", "--set", "arrivals.constant.rate=60/s"];
    let (code, measured) = run("run", &scenario("model-families"), &args);
    assert_eq!(code, Some(0), "{:?}", measured.total.failures);
    assert_eq!(measured.classes.len(), 16);
    for class in &measured.classes {
        let name = &class.name;
        assert!(class.counts.completed > 0, "{name}: {:?}", class.counts);
        assert_eq!(class.counts.failed, 0, "{name}: {:?}", class.failures);
        // Lengths are drawn from 40 to 120 output tokens.
        let answers = class.counts.completed;
        let output = class.usage.output.0;
        assert!(
            (40 * answers..=120 * answers).contains(&output),
            "{name}: {output}"
        );
        // The stub counts what it is sent: a template around the words counts as well.
        let (estimated, counted) = (class.input_estimated, class.input_counted);
        if TEMPLATED.contains(&name.as_str()) {
            assert!(counted > estimated, "{name}: {counted:?}, {estimated:?}");
        } else {
            assert_eq!(counted, estimated, "{name}");
        }
    }
}

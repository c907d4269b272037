//! The simulator and the stub agree: the same scenario and seed come to the same in virtual time and
//! through sockets, bodies and the SDK.
//!
//! # How near is near enough
//!
//! Requests are evenly spaced, of constant length, and settle what they reserve, so the only chance is
//! in *when* a call reaches the service. Refill is half of what is asked for and no bucket is ever
//! full, so a bucket loses nothing: until the last call at T it has taken in `fill + refill x T`, and
//! each admitted call took out the same R. The admitted calls are therefore (fill + refill x T) / R
//! less what is left over at the end. What is left is less than R and what comes in between two calls
//! (half of R): between two runs, 2 requests after rounding. And T moves by the lateness of the last
//! calls, worth `refill / R` requests a second. Lateness is measured by the run, as far as it lies
//! in the client; for what lies between the client and the stub 50 ms are allowed.

#![cfg(all(feature = "cli", feature = "stub"))]

use std::path::Path;
use std::process::Command;

use bedload::recorder::measured::Group;
use bedload::results::Run;

/// Requests that are due each second, and how many of them fit.
const DUE: u64 = 40;
const FIT: u64 = 20;
const SECONDS: u64 = 4;
/// What a request reserves and settles: 400 input + 100 output tokens at a burndown of 1.
const TOKENS: u64 = 500;

/// `quotas` is what limits; `more` is what the client and the service do about it.
fn scenario(api: &str, rpm: u64, tpm: u64, more: &str) -> String {
    format!(
        r#"
name = "agreement"
seed = 9
target = {{ stub = {{}} }}
run = {{ duration = "{SECONDS}s", max_throttled = "100%" }}
arrivals.constant.rate = "{DUE}/s"

[model.nova]
id = "amazon.nova-lite-v1:0" # burndown 1
api = "{api}"
quota = {{ rpm = {rpm}, tpm = {tpm} }}

[[prompt]]
name = "even"
input_tokens = 400
max_tokens = 100
output_tokens = 100

{more}
"#
    )
}

/// Both runs of a scenario: in virtual time, and on the stub that `server` serves.
fn both(scenario: &str, server: &str) -> [Group; 2] {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("agreement.toml");
    std::fs::write(&file, scenario).expect("writable");
    let measure = |command: &[&str]| measure(command, &file, &folder.path().join(command[0]));
    [&["sim"][..], &["run", "--stub-server", server]].map(measure)
}

fn measure(command: &[&str], scenario: &Path, out: &Path) -> Group {
    let output = Command::new(env!("CARGO_BIN_EXE_bedload"))
        .args(command)
        .arg(scenario)
        .arg("--out")
        .arg(out)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{command:?}: {said}");
    let run = Run::open(&out.join("agreement")).expect("a run");
    run.file.measured.expect("a run that has ended").total
}

/// How many requests may go either way; see the head of this file. `waits` are the client's own
/// delays that are no part of the plan.
fn tolerance(waits: [Option<u64>; 2]) -> f64 {
    let late_ns: u64 = 50_000_000 + waits.into_iter().flatten().sum::<u64>();
    2.0 + FIT as f64 * late_ns as f64 / 1e9
}

/// Compares two counts and says what was compared.
fn near(what: &str, [sim, stub]: [f64; 2], tolerance: f64) {
    eprintln!("{what}: {sim} in virtual time, {stub} on the stub, tolerance {tolerance:.3}");
    assert!((sim - stub).abs() <= tolerance, "{what}");
}

fn refusals_agree(server: &str, api: &str, rpm: u64, tpm: u64) {
    // A hundredth of a minute's quota at the start: throttling begins in the first second.
    let service = "[service]\nfirst_token = \"100ms\"\noutput_rate = \"1000/s\"\n\
                   quota_initial_fill = \"1%\"\n";
    let runs = both(&scenario(api, rpm, tpm, service), server);
    let tolerance = tolerance([
        runs[1].limiter_wait.max_ns, // without a limiter, due → admitted is lateness
        runs[1].dispatch_lag.max_ns,
    ]);
    eprintln!("{server}, {api}, {rpm} requests and {tpm} tokens a minute:");
    for run in &runs {
        let attempts = &run.attempts;
        assert_eq!(attempts.sent, DUE * SECONDS);
        assert_eq!(
            attempts.sent,
            attempts.answered + attempts.throttled.total()
        );
        assert_eq!(run.settled.0, TOKENS * attempts.answered);
        assert_eq!(run.reserved, run.settled);
        // One dimension binds, and refusals name it.
        let named = if rpm < tpm / TOKENS {
            attempts.throttled.requests
        } else {
            attempts.throttled.tokens
        };
        assert_eq!(named, attempts.throttled.total());
    }
    // 12 requests' worth at the start and 20 more each second: 92 of 160, if nothing were left over.
    let expected = (FIT * 60 / 100 + FIT * SECONDS) as f64;
    near(
        "admitted, by arithmetic",
        [expected, runs[0].attempts.answered as f64],
        2.0,
    );
    let of_both = |value: fn(&Group) -> f64| [value(&runs[0]), value(&runs[1])];
    near(
        "admitted",
        of_both(|run| run.attempts.answered as f64),
        tolerance,
    );
    near(
        "settled tokens",
        of_both(|run| run.settled.0 as f64),
        tolerance * TOKENS as f64,
    );
    near(
        "throttle share",
        of_both(|run| run.attempts.throttle_share().unwrap_or_default()),
        tolerance / (DUE * SECONDS) as f64,
    );
}

#[test]
fn tokens_are_refused_alike_through_converse() {
    refusals_agree("wiremock", "converse", 100_000, FIT * 60 * TOKENS);
}

#[test]
fn tokens_are_refused_alike_through_invoke_model() {
    refusals_agree("wiremock", "invoke-model", 100_000, FIT * 60 * TOKENS);
}

#[test]
fn requests_are_refused_alike() {
    refusals_agree("wiremock", "converse", FIT * 60, 10_000_000);
}

#[test]
fn the_server_on_hyper_agrees_too() {
    refusals_agree("hyper", "converse", 100_000, FIT * 60 * TOKENS);
    refusals_agree("hyper", "invoke-model", FIT * 60, 10_000_000);
}

#[test]
fn a_limiter_is_never_refused_and_completes_as_many() {
    let limiter = "[limiter]\nburst = \"1s\"\nquota_timeout = \"1s\"\n\
                   [service]\nfirst_token = \"100ms\"\noutput_rate = \"1000/s\"\n";
    let runs = both(
        &scenario("converse", 100_000, FIT * 60 * TOKENS, limiter),
        "wiremock",
    );
    for run in &runs {
        assert_eq!(run.attempts.throttled.total(), 0);
        assert_eq!(run.counts.intended, DUE * SECONDS);
        assert_eq!(run.counts.completed + run.counts.dropped, DUE * SECONDS);
        assert!(run.counts.dropped > 0, "the limiter has something to do");
        assert_eq!(run.settled.0, TOKENS * run.counts.completed);
    }
    // The limiter decides by the client's clock, so only the timer's lateness can move its edge.
    let tolerance = tolerance([runs[1].dispatch_lag.max_ns, None]);
    let of_both = |value: fn(&Group) -> f64| [value(&runs[0]), value(&runs[1])];
    near(
        "completed",
        of_both(|run| run.counts.completed as f64),
        tolerance,
    );
    near(
        "dropped",
        of_both(|run| run.counts.dropped as f64),
        tolerance,
    );
}

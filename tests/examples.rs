//! The examples, run as whoever reads them would run them, against the embedded stub.
#![cfg(feature = "stub")]

use std::path::PathBuf;
use std::process::Command;

/// What an example prints; `cargo test` has built it beside this test.
fn run(name: &str) -> String {
    let test = std::env::current_exe().expect("this test has a path");
    let built: PathBuf = test
        .parent()
        .and_then(|deps| deps.parent())
        .map(|profile| profile.join("examples").join(name))
        .expect("tests are built two folders below the target");
    let output = Command::new(&built)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; cargo test builds it", built.display()));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {text}\n{errors}");
    text
}

#[test]
fn invoke_answers_through_both_operations() {
    let text = run("invoke");
    for words in [
        "invoke-model: ",
        "converse: ",
        "12 input + ",
        "EndTurn, 1 attempt",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn stream_comes_in_pieces_and_can_be_given_up() {
    let text = run("stream");
    assert!(text.starts_with("The river carries"), "{text}");
    assert!(text.contains("output tokens, the first after "), "{text}");
    assert!(text.contains("given up after 1 output token"), "{text}");
}

#[test]
fn quota_aware_waits_or_says_what_is_short() {
    let text = run("quota_aware");
    assert_eq!(text.matches("for quota").count(), 5, "{text}");
    for words in [
        "tokens per minute are missing; it would fit in ",
        "never fits: it takes 2006 tokens per minute, the limiter holds 1000",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn error_handling_matches_on_types() {
    let text = run("error_handling");
    for words in [
        "no client: unknown model",
        "no max_tokens: `max_tokens` is unset",
        "too many tokens: `max_tokens` is above the model's limit",
        "a whole book: the input is too long for the model",
        "a model that is not here: the service rejects the request",
        "the first call: answered",
        "one call too many: throttled: requests per minute",
        "put a QuotaAwareClient before it",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn batch_queue_answers_in_order_and_as_they_finish() {
    let text = run("batch_queue");
    assert!(text.contains("Submitted: 20 answers"), "{text}");
    assert!(text.contains("in order: true"), "{text}");
    assert!(text.contains("Finished: 20 answers"), "{text}");
}

#[test]
fn cached_asks_once() {
    let text = run("cached");
    assert!(text.contains("the same answer: true"), "{text}");
    assert!(text.contains("1 hit, 2 misses"), "{text}");
    assert!(text.contains("2 calls took quota"), "{text}");
}

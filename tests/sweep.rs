//! Sweeps from the outside.

#![cfg(all(feature = "cli", feature = "stub"))]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// Ten calls a second fit into 6,000 requests a minute ten times over, and into 120,000 tokens a minute once.
const SHOP: &str = r#"
name = "shop"
run.duration = "5m"
arrivals.poisson.rate = "4/s"

[model.nova]
id = "us.amazon.nova-lite-v1:0"
quota = { rpm = 6_000, tpm = 120_000 }

[[prompt]]
name = "chat"
input_tokens = 100
output_tokens = 100
max_tokens = 120

[service]
first_token = { lognormal = { median = "50ms", p95 = "90ms" } }
output_rate = "1000/s"
quota_capacity = "1s"
"#;

struct Shop(TempDir);

impl Shop {
    fn new() -> Self {
        let shop = Self(tempfile::tempdir().expect("a folder"));
        fs::write(shop.0.path().join("shop.toml"), SHOP).expect("writable");
        shop
    }

    fn sweep(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_bedload"))
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .args(["sweep", "shop.toml"])
            .args(args)
            .output()
            .expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let said = (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        );
        assert!(!said.2.contains("panicked"), "{args:?}: {}", said.2);
        said
    }
}

#[test]
fn a_sweep_finds_where_the_load_stops_fitting() {
    let shop = Shop::new();
    let flag = [
        "--target",
        "sim",
        "--arrivals.rate",
        "1/s..21/s",
        "--steps",
        "6",
        "--format",
        "json",
    ];
    let (code, out, err) = shop.sweep(&flag);
    assert_eq!(code, Some(0), "{err}");
    let sweep: Value = serde_json::from_str(&out).expect("JSON");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/sweep.json");
    let schema = fs::read_to_string(schema).expect("it is checked in");
    assert_eq!(
        schema,
        bedload::sweep::json_schema(),
        "bedload schema sweep > schema/sweep.json"
    );
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(
        validator.is_valid(&sweep),
        "{:?}",
        validator.iter_errors(&sweep).next()
    );
    let values: Vec<&str> = sweep["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|step| step["value"].as_str())
        .collect();
    assert_eq!(values, ["1/s", "5/s", "9/s", "13/s", "17/s", "21/s"]);
    assert_eq!(sweep["key"], "arrivals.poisson.rate");
    // The bucket holds a second, so that bursts of a Poisson process are refused well before its rate is.
    let knee = sweep["knee"].as_u64().expect("the first fits");
    assert!(knee < 2, "{knee}");
    let last = &sweep["steps"][5];
    let number = |name: &str| last[name].as_f64().expect("a number");
    // Ten answers a second are what 120,000 tokens a minute hold of 200 each.
    assert!((number("goodput") - 10.0).abs() < 0.5, "{last}");
    assert!(
        (number("throttle_share") - 11.0 / 21.0).abs() < 0.03,
        "{last}"
    );

    let same = [
        "--target",
        "sim",
        "--vary",
        "arrivals.poisson.rate=1/s..21/s",
        "--steps",
        "6",
        "--format",
        "json",
    ];
    assert_eq!(shop.sweep(&same).1, out);
    let page = shop
        .sweep(&[
            "--target",
            "sim",
            "--arrivals.rate=1/s..21/s",
            "--html",
            "-",
        ])
        .1;
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("offered/s"));
    roxmltree::Document::parse_with_options(
        &page,
        roxmltree::ParsingOptions {
            allow_dtd: true,
            ..roxmltree::ParsingOptions::default()
        },
    )
    .expect("well-formed");
}

#[test]
fn on_the_stub_runs_follow_one_another_and_are_kept() {
    let shop = Shop::new();
    let (code, out, err) = shop.sweep(&[
        "--target",
        "stub",
        "--model.nova.quota.tpm",
        "60000,600000",
        "--duration",
        "2s",
    ]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("On the stub"), "{out}");
    assert!(
        err.contains("2 of 2: model.nova.quota.tpm = 600000"),
        "{err}"
    );
    let kept = fs::read_dir(shop.0.path().join("reports/sweep/base/shop")).expect("a folder");
    assert_eq!(kept.count(), 2);
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let shop = Shop::new();
    for (args, part) in [
        (vec!["--arrivals.rate", "9/s..1/s"], "smaller end first"),
        (vec!["--arrivals.rate", "1/s..9/min"], "no rate in `/s`"),
        (vec!["--limiter.bust", "1s..9s"], "bust"),
        (
            vec![
                "--vary",
                "limiter.burst=1s,2s",
                "--vary",
                "limiter.headroom=0%",
            ],
            "over one key",
        ),
        (
            vec!["--target", "bedrock", "--arrivals.rate", "1/s..2/s"],
            "virtual time or on the stub",
        ),
        (vec![], "--vary"),
    ] {
        let (code, out, err) = shop.sweep(&args);
        assert_eq!(code, Some(2), "{args:?}: {out}{err}");
        assert!(err.contains(part), "{args:?}: {err}");
    }
}

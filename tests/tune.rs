//! The tuner from the outside: known optima, promises that are kept, and what it does to files.

#![cfg(all(feature = "cli", feature = "stub"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bedload::goal::{Goal, KnobText};
use bedload::rng::Seed;
use bedload::scenario::{Knob, Scenario};
use bedload::tune::{Score, TuneOptions, Tuning, trial, tune};
use serde_json::Value;
use tempfile::TempDir;

/// Three times what the quota holds, of calls that reserve what they settle but for one token: whatever the way
/// to count, the most that can be answered is the quota over 1,240 tokens.
const OVERLOAD: &str = r#"
name = "overload"
target.sim = {}
run.duration = "597s"   # the next minute of a clock begins after the last answer
run.drain = "1s"
arrivals.ARRIVALS

[model.nova]
id = "us.amazon.nova-lite-v1:0"
quota = { rpm = 1_000, tpm = 49_640 }

[limiter]
burst = "BURST"
headroom = "HEADROOM"
initial_fill = "FILL"
quota_timeout = "8s"

[[prompt]]
name = "chat"
input_tokens = 1_000
output_tokens = 240
max_tokens = 241

[service]
enforcement = "WAY"
quota_initial_fill = "FILL"
first_token = "300ms"
output_rate = "100/s"
"#;

/// Answers a second that the quota holds: 49,640 / 1,241 = 40 a minute.
const MOST: f64 = 40.0 / 60.0;

fn parsed(text: &str) -> Option<Scenario> {
    let checked = Scenario::parse(text, Path::new("")).ok()?;
    Some(checked.scenario)
}

fn overload(way: &str, burst: &str, headroom: &str) -> Option<Scenario> {
    asked("poisson.rate = \"120/min\"", way, burst, headroom)
}

fn asked(arrivals: &str, way: &str, burst: &str, headroom: &str) -> Option<Scenario> {
    // A bucket that begins full holds a minute more than its rate, and a window that begins used lets nothing
    // through for as long.
    let fill = if ["rolling", "fixed"].contains(&way) {
        "100%"
    } else {
        "0%"
    };
    let text = OVERLOAD
        .replace("ARRIVALS", arrivals)
        .replace("FILL", fill)
        .replace("WAY", way)
        .replace("BURST", burst)
        .replace("HEADROOM", headroom);
    parsed(&text)
}

fn knob(key: &str, values: &str) -> Knob {
    let text = KnobText {
        key: key.to_owned(),
        values: values.to_owned(),
    };
    Knob::read(&text).expect("a knob")
}

fn tuned(way: &str, bursts: &str, threads: usize) -> Tuning {
    let options = TuneOptions {
        knobs: vec![
            knob("limiter.burst", bursts),
            knob("limiter.headroom", "0%..20%/5"),
        ],
        present: None,
        goal: Goal::default(),
        budget: 400,
        threads,
    };
    let make = |values: &[String]| overload(way, &values[0], &values[1]);
    let present = overload(way, "60s", "20%").expect("a scenario");
    tune(&present, &make, &options, &|_| {}, &|| true).expect("an answer")
}

#[test]
fn known_optima_are_found_within_two_per_cent_for_every_way_to_count() {
    for (way, bursts) in [
        ("bucket", "2s..60s/5"),
        ("ledger", "60s"),
        ("rolling", "60s"),
        ("fixed", "60s"),
    ] {
        let found = tuned(way, bursts, 2);
        let promise = found.chosen.promise;
        let share = promise.goodput.mean / MOST;
        println!(
            "{way}: {:?} answers {:.2} % of the most; present {:.2} %",
            found.chosen.values,
            share * 100.0,
            found.present.goodput.mean / MOST * 100.0
        );
        assert!((0.98..1.005).contains(&share), "{way}: {share}");
        assert!(promise.holds && promise.throttle_share.mean == 0.0, "{way}");
        // A fifth of the quota left alone is a fifth of the answers.
        let present = found.present.goodput.mean / MOST;
        assert!((0.76..0.82).contains(&present), "{way}: {present}");
        assert!(found.chosen.gain.expect("there is one") > 0.2);
    }
}

#[test]
fn the_answer_is_the_same_on_any_number_of_threads() {
    assert_eq!(
        tuned("bucket", "5s..60s/3", 1),
        tuned("bucket", "5s..60s/3", 3)
    );
}

#[test]
fn what_is_promised_of_a_run_holds_for_other_seeds() {
    let found = tuned("bucket", "5s..60s/3", 2);
    let values = &found.chosen.values;
    let scenario = overload("bucket", &values[0], &values[1]).expect("a scenario");
    let promise = found.chosen.promise;
    let scores: Vec<Score> = (0..60)
        .map(|seed| trial(&scenario, Seed(77_000_000 + seed)))
        .collect();
    for (name, figure, of) in [
        (
            "goodput",
            promise.goodput,
            (|score| score.goodput) as fn(&Score) -> f64,
        ),
        ("wait", promise.wait_p99_s, |score| score.wait_p99_s),
        ("lost", promise.lost_share, |score| score.lost_share),
    ] {
        let (low, high) = (
            figure.low.expect("many runs"),
            figure.high.expect("many runs"),
        );
        let within = scores
            .iter()
            .filter(|score| (low..=high).contains(&of(score)))
            .count();
        println!("{name}: {within} of 60 within {low:.4} to {high:.4}");
        // 57 are expected; with luck as bad as one in a thousand, 51.
        assert!(within >= 51, "{name}: {within} of 60");
    }
}

#[test]
fn the_same_requests_for_both_make_differences_much_surer() {
    // Nearly all that the quota holds, in bursts: what is lost depends on when they come.
    let arrivals = "gamma = { rate = \"36/min\", cv = 2 }";
    let (one, other) = (
        asked(arrivals, "bucket", "5s", "0%").expect("a scenario"),
        asked(arrivals, "bucket", "30s", "0%").expect("a scenario"),
    );
    let of = |scenario: &Scenario, first: u64| -> Vec<Score> {
        (first..first + 40)
            .map(|seed| trial(scenario, Seed(seed)))
            .collect()
    };
    let (base, common, apart) = (of(&one, 1), of(&other, 1), of(&other, 1_001));
    let variance = |new: &[Score], of: fn(&Score) -> f64| {
        let differences: Vec<f64> = base.iter().zip(new).map(|(a, b)| of(b) - of(a)).collect();
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        let squares: f64 = differences.iter().map(|value| (value - mean).powi(2)).sum();
        squares / (differences.len() - 1) as f64
    };
    for (name, of) in [
        ("goodput", (|score| score.goodput) as fn(&Score) -> f64),
        ("lost", |score| score.lost_share),
    ] {
        assert!(variance(&common, of) > 0.0, "{name}: there is a difference");
        let ratio = variance(&apart, of) / variance(&common, of);
        println!("{name}: {ratio:.1} times the variance with other requests");
        assert!(ratio > 3.0, "{name}: {ratio}");
    }
}

struct Shop(TempDir);

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

const SHOP: &str = r#"# A shop's chat.
name = "shop"
run.duration = "20s"
run.drain = "2s"
arrivals.poisson.rate = "80/s"   # twice the quota

[model.nova]
id = "us.amazon.nova-lite-v1:0"
quota = { rpm = 24_000, tpm = 480_000 }

[limiter]
burst = "60s"   # a whole minute at once
headroom = "30%"
quota_timeout = "1s"

[[prompt]]
name = "chat"
input_tokens = 100
output_tokens = 100
max_tokens = 150

[service]
first_token = { lognormal = { median = "50ms", p95 = "90ms" } }
output_rate = "1000/s"
quota_initial_fill = "10%"
"#;

impl Shop {
    fn new() -> Self {
        let shop = Self(tempfile::tempdir().expect("a folder"));
        fs::write(shop.file(), SHOP).expect("writable");
        shop
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("shop.toml")
    }

    fn tune(&self, args: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_bedload"))
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .args(["tune", "shop.toml"])
            .args(args)
            .output()
            .expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let said = Said {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        assert!(!said.err.contains("panicked"), "{args:?}: {}", said.err);
        said
    }
}

const FEW: [&str; 6] = [
    "--knob",
    "limiter.burst=1s,2s,5s,60s",
    "--knob",
    "limiter.headroom=0%..30%/4",
    "--knob",
    "limiter.max_in_flight=unset",
];

#[test]
fn the_answer_can_be_pasted_read_by_programs_and_written_into_the_file() {
    let shop = Shop::new();
    let said = shop.tune(&FEW);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    for part in [
        "Settings to paste",
        "[limiter]",
        "Pareto front",
        "counted as rolling",
        "+20 % load",
        "longer long answers",
        "The service counts as `bucket` does",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let pasted = said
        .out
        .split("Settings to paste\n")
        .nth(1)
        .expect("a block");
    let pasted = pasted.split("\nPresent and").next().expect("its end");
    let table: toml::Table = pasted.parse().expect("TOML");
    assert!(table["limiter"]["burst"].is_str(), "{pasted}");

    let json = shop.tune(&[&FEW[..], &["--format", "json"]].concat());
    let json: Value = serde_json::from_str(&json.out).expect("JSON");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/tune.json");
    let schema = fs::read_to_string(schema).expect("it is checked in");
    assert_eq!(
        schema,
        bedload::tune::json_schema(),
        "bedload schema tune > schema/tune.json"
    );
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(
        validator.is_valid(&json),
        "{:?}",
        validator.iter_errors(&json).next()
    );
    let page = shop.tune(&[&FEW[..], &["--html", "-"]].concat());
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    let parsed = roxmltree::Document::parse_with_options(&page.out, options).expect("well-formed");
    let block = parsed.descendants().find(|node| node.has_tag_name("pre"));
    let block = block
        .and_then(|pre| pre.first_element_child()?.text())
        .expect("a block");
    assert!(block.parse::<toml::Table>().is_ok(), "{block}");
    let csv = shop.tune(&[&FEW[..], &["--format", "csv"]].concat());
    let rows = csv::Reader::from_reader(csv.out.as_bytes())
        .into_records()
        .count();
    assert_eq!(Some(rows as u64), json["tried"].as_u64());

    let written = shop.tune(&[&FEW[..], &["--write"]].concat());
    assert_eq!(written.code, Some(0), "{}", written.err);
    let text = fs::read_to_string(shop.file()).expect("readable");
    for kept in [
        "# A shop's chat.",
        "# twice the quota",
        "# a whole minute at once",
    ] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    let burst = json["chosen"]["values"][0].as_str().expect("a value");
    assert!(text.contains(&format!("burst = \"{burst}\"")), "{text}");
    assert!(!text.contains("sim"), "the target is not touched: {text}");
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let shop = Shop::new();
    for (args, part) in [
        (["--knob", "limiter.burst"], "KEY=VALUES"),
        (["--knob", "limiter.burst=9s..1s"], "smaller end first"),
        (["--knob", "limiter.bust=1s,2s"], "`limiter.bust`"),
        (
            ["--knob", "model.nova.quota.rpm=1,2"],
            "key of limiter, retry or prompt",
        ),
        (["--throttle-share", "200%"], "above 100%"),
        (["--pairs", "3"], "--confirm"),
        (
            ["--knob", "prompt.talk.max_tokens=100,200"],
            "no `prompt` has the name `talk`",
        ),
        (["--throttle-share", "1"], "ends in `%`"),
    ] {
        let said = shop.tune(&args);
        assert_eq!(said.code, Some(2), "{args:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(part), "{args:?}: {}", said.err);
        assert_eq!(said.out, "", "{args:?}");
    }
    let hopeless = shop.tune(&["--knob", "limiter.burst=60s,120s", "--wait-p99", "1ms"]);
    assert_eq!(hopeless.code, Some(1), "{}", hopeless.err);
    assert!(
        hopeless.out.contains("NO setting keeps"),
        "{}",
        hopeless.out
    );
}

/// A class's own `max_tokens` can be turned; what it cuts off is no answer.
#[test]
fn max_tokens_of_a_class_is_a_knob() {
    let shop = Shop::new();
    let said = shop.tune(&[
        "--knob",
        "prompt.chat.max_tokens=90,101,150,600",
        "--set",
        "limiter.enforcement=rolling",
        "--set",
        "service.enforcement=rolling",
        "--set",
        "service.quota_initial_fill=100%",
        "--format",
        "json",
    ]);
    let json: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_ne!(json["chosen"]["values"][0], "90", "{}", json["chosen"]);
    let cut = json["all"].as_array().expect("all").iter();
    let cut = cut.filter(|tried| tried["values"][0] == "90");
    for tried in cut {
        assert_eq!(tried["summary"]["goodput"]["mean"], 0.0);
    }
}

/// On the real clock, in turns with the present settings. A machine that stalls may try again.
#[test]
fn the_stub_confirms_what_was_promised() {
    let shop = Shop::new();
    let mut said = None;
    for _ in 0..3 {
        let args = ["--confirm", "--pairs", "2", "--duration", "6s"];
        let one = shop.tune(&[&FEW[..], &args].concat());
        let table = one.out.split("Promised and measured").nth(1);
        let table = table.expect("a table").to_owned();
        let kept = ["answers/s", "throttled", "wait p99"].iter().all(|name| {
            let row = table.lines().find(|line| line.starts_with(name));
            row.is_some_and(|row| row.ends_with("2 of 2"))
        });
        println!("{table}");
        let done = kept && one.code == Some(0);
        said = Some(one);
        if done {
            return;
        }
    }
    let said = said.expect("it ran");
    panic!("{:?}: {}{}", said.code, said.out, said.err);
}

/// Knobs that change nothing stay as they are, and what is good is left alone.
#[test]
fn present_settings_are_a_candidate_and_win_where_nothing_is_better() {
    let shop = Shop::new();
    let args = [
        "--set",
        "arrivals.poisson.rate=2/s",
        "--set",
        "limiter.headroom=0%",
        "--write",
    ];
    let before = fs::read_to_string(shop.file()).expect("readable");
    let said = shop.tune(&args);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let nothing = "Nothing that was tried is worth more than the present settings";
    assert!(said.out.contains(nothing), "{}", said.out);
    assert!(said.out.contains("limiter.burst = 60s"), "{}", said.out);
    assert!(
        said.out.contains("retry.max_attempts = unset"),
        "{}",
        said.out
    );
    assert!(said.err.contains("nothing is written"), "{}", said.err);
    assert_eq!(fs::read_to_string(shop.file()).expect("readable"), before);
    // More answers, and retries are not touched, which mend nothing here.
    let json = shop.tune(&["--format", "json"]);
    let json: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(json["chosen"]["is_better"], true);
    let values = json["chosen"]["values"].as_array().expect("values");
    assert_eq!(values.last().expect("retries"), "unset", "{values:?}");
}

/// Workers that wait for answers offer more where they get more: that counts, and not the share that is answered.
#[test]
fn in_a_closed_loop_more_answers_are_worth_more() {
    let shop = Shop::new();
    let said = shop.tune(&[
        "--set",
        "arrivals={ closed_loop = { workers = 40 } }",
        "--set",
        "service.quota_initial_fill=100%",
        "--knob",
        "limiter.headroom=0%,30%,90%",
        "--format",
        "json",
    ]);
    let json: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(json["chosen"]["values"][0], "0%", "{}", json["chosen"]);
}

//! Comparisons from the outside: what is refused, what passes, what regresses, and how it is told.

#![cfg(all(feature = "cli", feature = "stub"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// Chats and summaries under a limiter, busy enough that waits show.
const SCENARIO: &str = r#"
name = "desk"
target.stub = {}
run.duration = "10m"
arrivals.gamma = { rate = "3/s", cv = 2 }

[model.nova]
id = "us.amazon.nova-lite-v1:0"
quota = { rpm = 400, tpm = 200_000 }

[limiter]
burst = "10s"

[[prompt]]
name = "chat"
weight = 4
input_tokens = 300
output_tokens = { lognormal = { median = 120, p95 = 400 } }
max_tokens = 500

[[prompt]]
name = "summary"
input_tokens = 1_500
output_tokens = 200
max_tokens = 400

[service]
first_token = { lognormal = { median = "300ms", p95 = "700ms" } }
output_rate = "120/s"
"#;

struct Desk(TempDir);

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a folder"));
        fs::write(desk.path("desk.toml"), SCENARIO).expect("writable");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn said(&self, args: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_bedload"))
            .current_dir(self.0.path())
            .env_remove("NO_COLOR")
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

    /// Runs in virtual time, one for each seed, into a folder of their own.
    fn simulate(&self, out: &str, seeds: &[&str], set: &[&str]) {
        for seed in seeds {
            let mut args = vec!["sim", "desk.toml", "--quiet", "--out", out, "--seed", seed];
            for change in set {
                args.extend(["--set", change]);
            }
            let said = self.said(&args);
            assert!(said.code.is_some_and(|code| code < 2), "{}", said.err);
        }
    }

    fn compare(&self, base: &str, new: &str, more: &[&str]) -> Said {
        let (base, new) = (format!("{base}/desk/*"), format!("{new}/desk/*"));
        self.said(&[&["compare", &base, &new], more].concat())
    }
}

const SEEDS: [&str; 4] = ["1", "2", "3", "4"];

#[test]
fn a_side_is_no_worse_than_itself() {
    let desk = Desk::new();
    desk.simulate("base", &SEEDS, &[]);
    desk.simulate("again", &SEEDS, &[]);
    for new in ["base", "again"] {
        let said = desk.compare(
            "base",
            new,
            &["--strict", "--margin", "0%", "--margin-time", "0s"],
        );
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(
            said.out.contains("is the same, to the last digit"),
            "{}",
            said.out
        );
    }
}

#[test]
fn a_slower_service_is_found_and_the_part_that_moved_is_named() {
    let desk = Desk::new();
    desk.simulate("base", &SEEDS, &[]);
    // A tenth slower: 109 tokens a second instead of 120.
    desk.simulate("slow", &SEEDS, &["service.output_rate=\"109/s\""]);
    let refused = desk.compare("base", "slow", &[]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""));
    assert!(
        refused.err.contains("`--allow digest` compares them"),
        "{}",
        refused.err
    );

    let allowed = ["--allow", "digest"];
    let said = desk.compare("base", "slow", &allowed);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(
        said.out.contains("REGRESSED service_time.p50"),
        "{}",
        said.out
    );
    let moved = said.out.split("What moved").nth(1).expect("a table");
    assert!(
        moved.contains("chat") && moved.contains("service_time"),
        "{moved}"
    );
    // The other way round it is better, and passes.
    assert_eq!(desk.compare("slow", "base", &allowed).code, Some(0));
    let lenient = desk.compare("base", "slow", &["--allow", "digest", "--margin", "50%"]);
    assert_eq!(lenient.code, Some(0), "{}", lenient.out);
    let only = desk.compare(
        "base",
        "slow",
        &["--allow", "digest", "--metric", "throttle_share"],
    );
    assert_eq!(only.code, Some(0), "{}", only.out);
}

#[test]
fn a_changed_limiter_turns_the_gate_red() {
    let desk = Desk::new();
    let tight = "model.nova.quota.tpm=150000";
    desk.simulate("base", &SEEDS, &[tight, "limiter.burst=10s"]);
    desk.simulate("new", &SEEDS, &[tight, "limiter.burst=5s"]);
    let said = desk.compare("base", "new", &["--allow", "digest"]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    for part in ["REGRESSED desk", "REGRESSED limiter_wait", "pass)"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
}

#[test]
fn it_is_told_to_programs_test_reports_and_pull_requests() {
    let desk = Desk::new();
    desk.simulate("base", &SEEDS, &[]);
    desk.simulate("slow", &SEEDS, &["service.output_rate=\"60/s\""]);
    let with = |format: &str| {
        let said = desk.compare("base", "slow", &["--allow", "digest", "--format", format]);
        assert_eq!(said.code, Some(1), "{}", said.err);
        said.out
    };
    let json: Value = serde_json::from_str(&with("json")).expect("JSON");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/compare.json");
    let schema = fs::read_to_string(schema).expect("it is checked in");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(
        validator.is_valid(&json),
        "{:?}",
        validator.iter_errors(&json).next()
    );
    assert_eq!(
        (&json["verdict"], &json["pairs"]),
        (&"regressed".into(), &4.into())
    );
    let junit = with("junit");
    assert!(junit.starts_with("<?xml") && junit.trim_end().ends_with("</testsuites>"));
    assert!(
        junit.contains("name=\"service_time.p50\"><failure message=\"REGRESSED"),
        "{junit}"
    );
    let github = with("github");
    assert!(
        github.starts_with("::error title=bedload%3A desk::REGRESSED"),
        "{github}"
    );
    assert!(with("markdown").starts_with("# REGRESSED desk"));
}

#[test]
fn what_cannot_be_paired_or_read_exits_2() {
    let desk = Desk::new();
    desk.simulate("base", &["1", "2"], &[]);
    desk.simulate("other", &["2", "3"], &[]);
    let said = desk.compare("base", "other", &[]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err.contains("these seeds are on one side only: 1, 3"),
        "{}",
        said.err
    );
    for (args, told) in [
        (&["compare", "nowhere", "base/desk"][..], "nowhere"),
        (&["compare", "no*", "base/desk"], "no run matches `no*`"),
        (
            &[
                "compare",
                "base/desk",
                "base/desk",
                "--metric",
                "latency.p98",
            ],
            "it is none of latency.p50",
        ),
        (
            &["compare", "base/desk", "base/desk", "--allow", "seed"],
            "digest",
        ),
        (
            &["compare", "base/desk", "base/desk", "--margin", "much"],
            "--margin",
        ),
    ] {
        let said = desk.said(args);
        assert_eq!(said.code, Some(2), "{args:?}: {}", said.err);
        assert!(said.err.contains(told), "{args:?}: {}", said.err);
    }
}

/// One run on the real clock says nothing of how much such runs differ.
#[test]
fn one_run_a_side_on_the_stub_is_inconclusive() {
    let desk = Desk::new();
    for out in ["base", "new"] {
        let said = desk.said(&[
            "run",
            "desk.toml",
            "--quiet",
            "--duration",
            "2s",
            "--out",
            out,
        ]);
        assert!(said.code.is_some_and(|code| code < 2), "{}", said.err);
    }
    let said = desk.compare("base", "new", &[]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.starts_with("INCONCLUSIVE desk"), "{}", said.out);
    assert!(said.out.contains("no verdict is possible"), "{}", said.out);
    assert!(said.err.contains("`--strict`"), "{}", said.err);
    assert_eq!(desk.compare("base", "new", &["--strict"]).code, Some(1));
}

#[test]
fn pairs_are_made_in_turns_of_two_settings() {
    let desk = Desk::new();
    let tight = "model.nova.quota.tpm=150000";
    let with = |base: &str, new: &str| {
        desk.said(&[
            "compare",
            "--pairs",
            "4",
            "desk.toml",
            "--sim",
            "--base-set",
            tight,
            "--base-set",
            base,
            "--new-set",
            tight,
            "--new-set",
            new,
        ])
    };
    let same = with("limiter.burst=10s", "limiter.burst=10s");
    assert_eq!(same.code, Some(0), "{}", same.err);
    assert!(
        same.out
            .contains("4 pairs of runs: everything that was measured is the same"),
        "{}",
        same.out
    );
    let turns: Vec<&str> = same
        .err
        .lines()
        .filter_map(|line| line.split(": ").nth(1))
        .collect();
    assert_eq!(
        turns,
        ["base", "new", "new", "base", "base", "new", "new", "base"]
    );
    let worse = with("limiter.burst=10s", "limiter.burst=5s");
    assert_eq!(worse.code, Some(1), "{}{}", worse.out, worse.err);
    assert!(
        worse.out.contains("REGRESSED limiter_wait"),
        "{}",
        worse.out
    );
    for side in ["base", "new"] {
        let runs = fs::read_dir(desk.path("reports/compare").join(side).join("desk"));
        assert_eq!(
            runs.expect("a folder").count(),
            8,
            "both comparisons' runs are kept"
        );
    }
}

#[test]
fn pairs_on_the_stub_come_to_an_answer() {
    let desk = Desk::new();
    let short = "run.duration=\"1s\"";
    let said = desk.said(&[
        "compare",
        "--pairs",
        "2",
        "desk.toml",
        "--base-set",
        short,
        "--new-set",
        short,
    ]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(
        said.out.contains("2 pairs of runs on the stub"),
        "{}",
        said.out
    );
}

#[test]
fn pairs_that_cannot_be_made_say_why_before_anything_runs() {
    let desk = Desk::new();
    for (args, code, told) in [
        (
            &["desk.toml", "desk.toml"][..],
            2,
            "needs one scenario file",
        ),
        (&["nowhere.toml"], 2, "nowhere.toml"),
        (
            &["desk.toml", "--new-set", "limiter.brust=5s"],
            2,
            "the new side has no scenario",
        ),
        (
            &["desk.toml", "--base", "./no-such-program"],
            3,
            "cannot start `./no-such-program`",
        ),
        (
            &["desk.toml", "--base", "/bin/false", "--sim"],
            3,
            "left no run",
        ),
    ] {
        let said = desk.said(&[&["compare", "--pairs", "2"][..], args].concat());
        assert_eq!(said.code, Some(code), "{args:?}: {}", said.err);
        assert!(said.err.contains(told), "{args:?}: {}", said.err);
    }
    let said = desk.said(&["compare", "desk.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("needs two sides"), "{}", said.err);
}

#[test]
fn a_baseline_is_saved_and_compared_with() {
    let desk = Desk::new();
    desk.simulate("base", &SEEDS, &[]);
    desk.simulate("slow", &SEEDS, &["service.output_rate=\"60/s\""]);
    let saved = desk.said(&["compare", "--save-baseline", "main", "base/desk/*"]);
    assert_eq!(saved.code, Some(0), "{}", saved.err);
    let files = fs::read_dir(desk.path("reports/baselines/main")).expect("a folder");
    assert_eq!(files.count(), 4);
    let with = |new: &str, name: &str, more: &[&str]| {
        desk.said(&[&["compare", "--baseline", name, new][..], more].concat())
    };
    let same = with("base/desk/*", "main", &["--strict"]);
    assert_eq!(same.code, Some(0), "{}", same.err);
    assert!(
        same.out.contains("is the same, to the last digit"),
        "{}",
        same.out
    );
    let slow = with("slow/desk/*", "main", &["--allow", "digest"]);
    assert_eq!(slow.code, Some(1), "{}", slow.err);
    let none = with("base/desk/*", "other", &[]);
    assert_eq!(none.code, Some(2));
    assert!(
        none.err.contains("has no run of `desk` with seed 1"),
        "{}",
        none.err
    );
    let named = desk.said(&["compare", "--save-baseline", "../main", "base/desk/*"]);
    assert_eq!(named.code, Some(2), "{}", named.err);
}

#[test]
fn a_scenario_says_by_what_its_runs_are_judged_and_what_is_typed_takes_precedence() {
    let desk = Desk::new();
    let gate = "\n[gate]\nmargin = \"50%\"\nmargins = { \"service_time.p90\" = \"60%\" }\n\
                metrics = [\"service_time.p50\", \"service_time.p90\"]\n";
    fs::write(desk.path("desk.toml"), SCENARIO.to_owned() + gate).expect("writable");
    desk.simulate("base", &SEEDS, &[]);
    desk.simulate("slow", &SEEDS, &["service.output_rate=\"100/s\""]);
    let said = desk.compare("base", "slow", &["--allow", "digest"]);
    assert_eq!(said.code, Some(0), "{}", said.out);
    assert!(
        said.out.starts_with("PASSED desk: 2 no worse"),
        "{}",
        said.out
    );
    assert!(said.out.contains("+60.0 %"), "{}", said.out);
    let typed = desk.compare("base", "slow", &["--allow", "digest", "--margin", "1%"]);
    assert_eq!(typed.code, Some(1), "{}", typed.out);
    let own = ["--allow", "digest", "--margin", "service_time.p50=1%"];
    let one = desk.compare("base", "slow", &own);
    assert_eq!(one.code, Some(1), "{}", one.out);
    assert!(
        one.out.contains("REGRESSED service_time.p50"),
        "{}",
        one.out
    );
    assert!(
        !one.out.contains("REGRESSED service_time.p90"),
        "{}",
        one.out
    );
    let wrong = desk.compare("base", "slow", &["--margin", "service.p50=1%"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    assert!(wrong.err.contains("it is none of"), "{}", wrong.err);
}

#[test]
fn a_calibration_is_kept_beside_the_baselines_and_refuses_margins_below_it() {
    let desk = Desk::new();
    let simulated = desk.said(&["compare", "--calibrate", "desk.toml", "--pairs", "2"]);
    assert_eq!(simulated.code, Some(2));
    assert!(
        simulated.err.contains("make 5 or more"),
        "{}",
        simulated.err
    );
    let quick = SCENARIO
        .replace(
            "run.duration = \"10m\"",
            "run.duration = \"1s\"\nrun.drain = \"1s\"",
        )
        .replace(
            "gamma = { rate = \"3/s\", cv = 2 }",
            "constant.rate = \"60/s\"",
        )
        .replace("rpm = 400, tpm = 200_000", "rpm = 40_000, tpm = 20_000_000")
        .replace("\"120/s\"", "\"4000/s\"")
        .replace(
            "median = \"300ms\", p95 = \"700ms\"",
            "median = \"20ms\", p95 = \"40ms\"",
        );
    fs::write(desk.path("desk.toml"), quick).expect("writable");
    let said = desk.said(&["compare", "--calibrate", "desk.toml", "--pairs", "5"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.out.starts_with("Noise of desk on the stub: 5 pairs"),
        "{}",
        said.out
    );
    let saved = fs::read_to_string(desk.path("reports/baselines/noise/desk.json"));
    let saved: Value = serde_json::from_str(&saved.expect("it is there")).expect("JSON");
    assert_eq!(saved["pairs"], 5);
    assert!(
        saved["metrics"]["service_time.p50"]["sd"]
            .as_f64()
            .expect("a number")
            > 0.0
    );

    let again = |margin: &str| {
        let (base, new) = ("reports/compare/base/desk/*", "reports/compare/new/desk/*");
        let only = ["--metric", "service_time.p50", "--margin-time", "0s"];
        desk.said(&[&["compare", base, new, "--margin", margin], &only[..]].concat())
    };
    let drowned = again("0%");
    assert_eq!(drowned.code, Some(2), "{}", drowned.out);
    let below = "margins are below what this machine's runs differ by themselves";
    assert!(drowned.err.contains(below), "{}", drowned.err);
    assert_eq!(again("99%").code, Some(0));
}

#[test]
fn a_side_may_be_a_checkout_in_which_it_was_built() {
    let desk = Desk::new();
    let release = desk.path("before/target/release");
    fs::create_dir_all(&release).expect("writable");
    let made = [
        "compare",
        "--pairs",
        "2",
        "desk.toml",
        "--sim",
        "--base",
        "before",
    ];
    let missing = desk.said(&made);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("build it there"), "{}", missing.err);
    fs::copy(env!("CARGO_BIN_EXE_bedload"), release.join("bedload")).expect("a copy");
    let said = desk.said(&made);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("to the last digit"), "{}", said.out);
}

/// The shell of a workflow in docs/ci.md, step by step.
fn steps(workflow: &str, job: &str) -> Vec<String> {
    let own = workflow
        .split(&format!("\n  {job}:\n"))
        .nth(1)
        .expect("the job");
    let mut steps = Vec::new();
    let mut lines = own.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("  ") && !line.starts_with("   ") {
            break;
        }
        let Some(shell) = line
            .trim_start()
            .trim_start_matches("- ")
            .strip_prefix("run: ")
        else {
            continue;
        };
        if shell != "|" {
            steps.push(shell.to_owned());
            continue;
        }
        let mut block = String::new();
        while let Some(next) =
            lines.next_if(|next| next.starts_with("          ") || next.is_empty())
        {
            block.push_str(next.trim_start_matches(' '));
            block.push('\n');
        }
        steps.push(block);
    }
    steps
}

#[test]
fn the_documented_workflow_works_as_it_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/ci.md")).expect("it is checked in");
    let workflow = page.split("```yaml\n").nth(1).expect("a workflow");
    let workflow = workflow.split("```").next().expect("its end");
    let desk = Desk::new();
    for folder in ["scenarios", "reports/baselines/simulator"] {
        fs::create_dir_all(desk.path(folder)).expect("writable");
        for file in fs::read_dir(root.join(folder)).expect("a folder").flatten() {
            fs::copy(file.path(), desk.path(folder).join(file.file_name())).expect("a copy");
        }
    }
    let program = Path::new(env!("CARGO_BIN_EXE_bedload"));
    let path = format!(
        "{}:/usr/local/bin:/usr/bin:/bin",
        program.parent().expect("a folder").display()
    );
    let mut ran = 0;
    for shell in steps(workflow, "simulator") {
        if shell.starts_with("cargo ") {
            continue;
        }
        let output = Command::new("bash")
            .args(["-e", "-c", &shell])
            .current_dir(desk.0.path())
            .env("PATH", &path)
            .env("GITHUB_STEP_SUMMARY", desk.path("summary.md"))
            .output()
            .expect("bash starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{shell}\n{said}");
        ran += 1;
    }
    assert_eq!(ran, 2);
    let summary = fs::read_to_string(desk.path("summary.md")).expect("a summary");
    assert!(summary.starts_with("# PASSED burst"), "{summary}");
    let junit = fs::read_to_string(desk.path("junit.xml")).expect("a report");
    assert!(junit.contains("failures=\"0\""), "{junit}");
}

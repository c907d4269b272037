//! The summary, as a whole and where runs differ. The numbers are made by hand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::quota::Quota;
use crate::recorder::measured::*;
use crate::recorder::verdict::Verdict;
use crate::results::{
    ClassSettings, ModelSettings, PartialNote, Run, RunFile, RunState, SCHEMA_VERSION,
    ScenarioSummary, Settings, Target, Tool,
};
use crate::units::{TokenUsage, Tokens, Usd};

const MILLIS: u64 = 1_000_000;

fn spread(count: u64, millis: [u64; 4]) -> Spread {
    let [p50, p90, p99, max] = millis.map(|millis| Some(millis * MILLIS));
    let p99 = p99.filter(|_| count >= 299);
    Spread {
        count,
        p50_ns: p50,
        p90_ns: p90,
        p99_ns: p99,
        max_ns: max,
        ..Spread::default()
    }
}

fn group(name: &str, completed: u64, failed: u64) -> Group {
    let failures: BTreeMap<String, u64> = [("throttled_tokens".to_owned(), failed)].into();
    Group {
        name: name.to_owned(),
        counts: Counts {
            intended: completed + failed,
            completed,
            failed,
            ..Counts::default()
        },
        failures: failures
            .into_iter()
            .filter(|&(_, times)| times > 0)
            .collect(),
        attempts: Attempts {
            requests: completed + failed,
            sent: completed + 3 * failed,
            answered: completed,
            throttled: Throttles {
                tokens: 3 * failed,
                ..Throttles::default()
            },
            ..Attempts::default()
        },
        latency: spread(completed, [1_240, 2_310, 4_050, 5_000]),
        inflated_latency: Inflated {
            count: completed + failed,
            infinite: failed,
            p50: Quantile::Ns(1_240 * MILLIS),
            p90: Quantile::Ns(2_350 * MILLIS),
            p99: Quantile::Ns(4_800 * MILLIS),
            p999: Quantile::TooFew,
            max: if failed > 0 {
                Quantile::Infinite
            } else {
                Quantile::Ns(5_000 * MILLIS)
            },
        },
        limiter_wait: spread(completed, [0, 120, 800, 1_000]),
        service_time: spread(completed, [1_230, 2_200, 3_900, 4_400]),
        dispatch_lag: spread(completed, [0, 1, 2, 5]),
        usage: TokenUsage {
            input: Tokens(19_200),
            output: Tokens(72_000),
            ..TokenUsage::default()
        },
        settled: Tokens(379_200),
        requests_per_second: completed as f64 / 60.0,
        input_tokens_per_second: 320.0,
        output_tokens_per_second: 1_200.0,
        cost: Some(Usd {
            pico: 1_245_600_000_000,
        }),
        ..Group::default()
    }
}

fn quota_use(model: &str, quota: Quota) -> QuotaUse {
    let requests = DimensionUse {
        quota: quota.rpm,
        mean: 598.0,
        steady: None,
        peak_clock_minute: 598,
        peak_sliding_minute: 610,
    };
    let tokens = DimensionUse {
        quota: quota.tpm,
        mean: 379_200.0,
        steady: Some(379_000.0),
        peak_clock_minute: 380_000,
        peak_sliding_minute: 401_000,
    };
    QuotaUse {
        model: model.to_owned(),
        requests,
        tokens,
        reserved: tokens,
        minutes_per_entry: 1,
        minutes: Vec::new(),
    }
}

/// A run with something of everything.
fn run() -> Run {
    let model = ModelSettings {
        name: "sonnet".to_owned(),
        id: "us.anthropic.claude-sonnet-4-5-20250929-v1:0".to_owned(),
        api: "invoke-model".to_owned(),
        quota: Quota {
            rpm: None,
            tpm: Some(400_000),
            ..Quota::default()
        },
        burndown: 5,
        price: None,
        limiter: None,
    };
    let class = |name: &str| ClassSettings {
        name: name.to_owned(),
        model: 0,
    };
    let measured = Measured {
        window_ns: 60_000 * MILLIS,
        elapsed_ns: 62_300 * MILLIS,
        conserved: true,
        total: group("total", 598, 2),
        classes: vec![group("explain", 478, 0), group("summarise", 120, 2)],
        models: vec![group("sonnet", 598, 2)],
        quota_use: vec![quota_use("sonnet", model.quota)],
        warnings: vec![Warning {
            code: "few-samples".to_owned(),
            message:
                "`summarise` has 120 answers, and a 99th percentile needs 299: run longer, or \
                      at a higher rate, before you trust its tail"
                    .to_owned(),
        }],
        ..Measured::default()
    };
    let mark = |metric: &str, at_most: f64, value: f64| Verdict {
        metric: metric.to_owned(),
        at_most: Some(at_most),
        value: Some(value),
        passed: value <= at_most,
        ..Verdict::default()
    };
    Run {
        dir: Some(PathBuf::from("reports/support-desk/20261123T221500Z")),
        file: RunFile {
            schema_version: SCHEMA_VERSION,
            tool: Tool {
                name: "bedload".to_owned(),
                version: "0.1.0".to_owned(),
            },
            state: RunState::Complete,
            target: Target::Stub,
            scenario: ScenarioSummary {
                name: "support-desk".to_owned(),
                digest: String::new(),
                about: None,
            },
            seed: 7,
            started: Some("2026-11-23T22:15:00Z".to_owned()),
            settings: Settings {
                duration_ns: 60_000 * MILLIS,
                clock_offset_ns: 0,
                enforcement: Some("bucket".to_owned()),
                adjustment: Some("at_end".to_owned()),
                streaming: false,
                warm_up_ns: 0,
                request_rows: true,
                models: vec![model],
                classes: vec![class("explain"), class("summarise")],
                gate: None,
            },
            measured: Some(measured),
            measured_after_warm_up: None,
            verdicts: vec![
                mark("latency.p99", 4.5, 4.8),
                mark("throttle_share", 0.01, 0.009_93),
            ],
            error: None,
        },
        partial: None,
    }
}

const SUMMARY: &str = "\
600 requests in 60 s: 598 answered, 2 throttled (0.333 %)
MISSED 1 of 2 pass marks: `latency.p99`

Run           support-desk on the local stub, seed 7, began 2026-11-23T22:15:00Z
Requests      intended 600 = completed 598 + failed 2 + dropped 0 + cancelled 0
Attempts      sent 604 = answered 598 + throttled 6 + failed 0 + unfinished 0
Throttles     0.993 % of attempts: 6 for too many tokens
Failed as     throttled_tokens 2
Retries       4, 1.01 attempts per request; wasted: 0 tokens settled without an answer (0 %)
Throughput    9.97 answers/s (598/min), 320 input + 1,200 output tokens/s (19,200 + 72,000/min)

Time             from → to           p50     p90     p99    max  samples
latency          due → finished   1.24 s  2.31 s  4.05 s    5 s      598
  failures as ∞  due → finished   1.24 s  2.35 s   4.8 s      ∞      600
limiter wait     due → admitted      0 s  120 ms  800 ms    1 s      598
service time     sent → finished  1.23 s   2.2 s   3.9 s  4.4 s      598
dispatch lag     admitted → sent     0 s    1 ms    2 ms   5 ms      598

Prompt     requests  answered  throttles  latency p50     p90      p99  max
explain         478       478          0       1.24 s  2.31 s   4.05 s  5 s
summarise       122       120          6       1.24 s  2.31 s  too few  5 s

Quota use  per minute         quota    mean  steady  peak minute  peak any 60 s
sonnet     requests               –     598       –          598            610
           tokens settled   400,000  94.8 %  94.8 %         95 %          100 %
           tokens reserved  400,000  94.8 %  94.8 %         95 %          100 %

Cost          nothing; Bedrock's list price is $1.25
Warnings      few-samples: `summarise` has 120 answers, and a 99th percentile needs 299: run longer,
              or at a higher rate, before you trust its tail
Pass marks    MISSED  latency.p99 is 4.8 s, wanted at most 4.5 s
              passed  throttle_share is 0.993 %, wanted at most 1 %
Not measured  Bedrock itself: answers take as long as `[service]` says, and quota is counted by the
              `bucket` rule, one reading of what Bedrock does not publish
              time to first token and between tokens: answers were not streamed
Results       reports/support-desk/20261123T221500Z
";

#[test]
fn a_summary_goes_from_the_sentence_to_the_place_of_the_results() {
    assert_eq!(summary(&run(), Style::new(false)), SUMMARY);
}

#[test]
fn no_line_is_wider_than_a_hundred_columns() {
    for line in SUMMARY.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    let narrow = Style {
        color: false,
        width: 60,
    };
    let text = summary(&run(), narrow);
    let running = text.lines().filter(|line| line.starts_with("Warnings"));
    assert!(running.clone().count() == 1 && running.clone().all(|line| line.len() <= 60));
}

#[test]
fn colour_adds_nothing_that_the_words_do_not_say() {
    let painted = summary(&run(), Style::new(true));
    assert!(painted.contains("\x1b[1;31mMISSED"));
    let mut plain = String::new();
    for (place, part) in painted.split('\x1b').enumerate() {
        // Each escape sequence ends at its `m`.
        let text = if place == 0 {
            part
        } else {
            part.split_once('m').unwrap().1
        };
        plain.push_str(text);
    }
    assert_eq!(plain, SUMMARY);
}

/// The first lines of a summary, up to the empty one.
fn head(run: &Run) -> String {
    let unbroken = Style {
        color: false,
        width: 1_000,
    };
    let text = summary(run, unbroken);
    text.split("\n\n").next().unwrap().replace('\n', " | ")
}

fn with_counts(counts: Counts) -> Run {
    let mut run = run();
    run.file.verdicts.clear();
    let total = &mut run.file.measured.as_mut().unwrap().total;
    total.failures = [
        ("throttled_requests".to_owned(), 1),
        ("timeout".to_owned(), 2),
    ]
    .into();
    total.counts = counts;
    run
}

#[test]
fn the_first_sentence_says_what_happened_to_the_requests() {
    let all = Counts {
        intended: 1,
        completed: 1,
        ..Counts::default()
    };
    assert_eq!(head(&with_counts(all)), "1 request in 60 s: all answered");
    let none = Counts {
        intended: 3,
        failed: 3,
        ..Counts::default()
    };
    assert_eq!(
        head(&with_counts(none)),
        "3 requests in 60 s: none answered, 1 throttled (33.3 %), 2 failed (66.7 %)"
    );
    let mixed = Counts {
        intended: 1_000,
        completed: 990,
        failed: 3,
        dropped: 2,
        cancelled: 5,
    };
    assert_eq!(
        head(&with_counts(mixed)),
        "1,000 requests in 60 s: 990 answered, 1 throttled (0.1 %), 2 failed (0.2 %), \
         2 dropped (0.2 %), 5 cancelled (0.5 %)"
    );
    assert_eq!(head(&with_counts(Counts::default())), "no requests in 60 s");
}

#[test]
fn a_run_that_is_not_whole_says_why() {
    let all = Counts {
        intended: 2,
        completed: 2,
        ..Counts::default()
    };
    let mut run = with_counts(all);
    run.file.state = RunState::Interrupted;
    run.file.error = Some("`run.max_cost` was reached".to_owned());
    assert_eq!(
        head(&run),
        "2 requests in 60 s: all answered | stopped early: `run.max_cost` was reached"
    );

    run.file.state = RunState::Running;
    run.file.error = None;
    run.partial = Some(PartialNote {
        rows: 2,
        torn_line: true,
    });
    assert_eq!(
        head(&run),
        "2 requests that had ended in 60 s: all answered | this run was killed or still goes on: measured again \
         from 2 rows; the last row was cut off and is left out"
    );

    run.file.state = RunState::Failed;
    run.file.error = Some("cannot set a timer".to_owned());
    run.file.measured = None;
    run.partial = None;
    assert_eq!(
        head(&run),
        "nothing was measured | the run could not be completed: cannot set a timer"
    );
}

#[test]
fn a_pass_mark_without_a_value_says_why_it_is_missed() {
    let mut run = run();
    run.file.verdicts = vec![Verdict {
        metric: "latency.p99".to_owned(),
        at_most: Some(12.0),
        at_least: Some(0.5),
        reason: Some("not measured: too few samples".to_owned()),
        ..Verdict::default()
    }];
    let text = summary(&run, Style::new(false));
    let line = "MISSED  latency.p99 is not measured: too few samples, wanted between";
    assert!(text.contains(line), "{text}");
}

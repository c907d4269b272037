//! How often a comparison alarms for nothing, and whether it finds what is there: many simulated runs, told
//! apart from real ones by nothing but their seeds.
//!
//! Every run has a seed of its own, and says that it was on the stub, so that the verdicts are those of noisy
//! runs: intervals over pairs, and not differences of behaviour.

use std::path::Path;
use std::time::Duration;

use bedload::compare::{Comparison, Gate, Machine, Noise, NotComparable, Verdict};
use bedload::drive::{self, Observer, Wish, simulated};
use bedload::engine::Engine;
use bedload::gate::{GateSettings, Gauge};
use bedload::outcome::Event;
use bedload::recorder::Recorder;
use bedload::results::{
    RunFile, RunState, SCHEMA_VERSION, ScenarioSummary, Settings, Target, Tool,
};
use bedload::rng::Seed;
use bedload::scenario::Scenario;
use bedload::time::Instant;

/// Chats in bursts, without a limiter, under a quota that some bursts exceed: throttles come in clusters.
const BURSTS: &str = r#"
name = "bursts"
target.sim = {}
run.duration = "1h"
arrivals.gamma = { rate = "5/s", cv = 3 }

[model.nova]
id = "us.amazon.nova-lite-v1:0"
quota = { rpm = 100_000, tpm = TPM }

[[prompt]]
name = "chat"
input_tokens = 300
output_tokens = { lognormal = { median = 120, p95 = 400 } }
max_tokens = 500

[service]
first_token = { lognormal = { median = "300ms", p95 = "600ms" } }
output_rate = "RATE/s"
"#;

fn bursts(tpm: u64, rate: u64) -> Scenario {
    let text = BURSTS
        .replace("TPM", &tpm.to_string())
        .replace("RATE", &rate.to_string());
    let parsed = Scenario::parse(&text, Path::new(""));
    parsed.expect("a scenario that can be run").scenario
}

struct Recording(Recorder);

impl Observer for Recording {
    fn event(&mut self, event: &Event) {
        self.0.observe(event);
        while self.0.poll_interval().is_some() {}
    }

    fn tick(&mut self, _: Instant, _: &Engine) -> Wish {
        Wish::GoOn
    }
}

/// A run with this seed, as if it had been on the stub.
fn run(scenario: &Scenario, seed: u64) -> RunFile {
    let mut scenario = scenario.clone();
    scenario.seed = Seed(seed);
    let mut recording = Recording(drive::recorder(&scenario, Duration::ZERO));
    let mut engine = drive::engine(&scenario);
    let end = simulated::run(&scenario, &mut engine, &mut recording);
    RunFile {
        schema_version: SCHEMA_VERSION,
        tool: Tool {
            name: "bedload".to_owned(),
            version: "0".to_owned(),
        },
        state: RunState::Complete,
        target: Target::Stub,
        scenario: ScenarioSummary {
            name: scenario.name.clone(),
            digest: "the same".to_owned(),
            about: None,
        },
        seed,
        started: None,
        settings: Settings {
            duration_ns: 0,
            clock_offset_ns: 0,
            enforcement: None,
            adjustment: None,
            streaming: false,
            request_rows: false,
            models: Vec::new(),
            classes: Vec::new(),
            gate: None,
            warm_up_ns: 0,
        },
        measured: Some(recording.0.finish(end).0),
        measured_after_warm_up: None,
        verdicts: Vec::new(),
        error: None,
    }
}

fn runs(scenario: &Scenario, seeds: std::ops::Range<u64>) -> Vec<RunFile> {
    seeds.map(|seed| run(scenario, seed)).collect()
}

fn compared(base: &[RunFile], new: &[RunFile]) -> Comparison {
    Comparison::of(base, new, &Gate::default()).expect("they are comparable")
}

fn verdict_of(comparison: &Comparison, metric: &str) -> Option<Verdict> {
    let mut rows = comparison.metrics.iter();
    rows.find(|row| row.metric == metric)?.verdict
}

/// So many pairs of runs make a comparison.
const PAIRS: u64 = 10;

/// So many comparisons are made.
const COMPARISONS: u64 = 10;

#[test]
fn the_same_thing_seldom_alarms_and_doubled_throttles_are_found() {
    // Seven and fourteen per cent of calls throttled, in clusters: runs differ by two by themselves.
    let (roomy, tight) = (bursts(125_000, 100), bursts(115_000, 100));
    let throttled = |runs: &[RunFile]| {
        let shares = runs.iter().filter_map(|run| {
            let measured = run.measured.as_ref()?;
            measured.total.attempts.throttle_share()
        });
        shares.sum::<f64>() / runs.len() as f64
    };
    let (mut alarms, mut missed, mut wide) = (0, 0, 0);
    let (mut rare, mut often) = (0.0, 0.0);
    for comparison in 0..COMPARISONS {
        let first = 1 + comparison * 1_000;
        let base = runs(&roomy, first..first + PAIRS);
        let same = runs(&roomy, first + 100..first + 100 + PAIRS);
        let doubled = runs(&tight, first + 200..first + 200 + PAIRS);
        rare += throttled(&base) / COMPARISONS as f64;
        often += throttled(&doubled) / COMPARISONS as f64;
        let unchanged = compared(&base, &same);
        alarms += u64::from(unchanged.verdict == Verdict::Regressed);
        wide += u64::from(unchanged.verdict == Verdict::Inconclusive);
        let changed = compared(&base, &doubled);
        let found = verdict_of(&changed, "throttle_share") == Some(Verdict::Regressed);
        missed += u64::from(!found);
    }
    println!(
        "throttled {:.2} % and {:.2} %; of {COMPARISONS} comparisons of {PAIRS} pairs: {alarms} false alarms, {wide} \
         inconclusive, {missed} missed",
        rare * 100.0,
        often * 100.0
    );
    assert!(often / rare > 1.8 && often / rare < 2.6, "{rare} {often}");
    assert_eq!(alarms, 0);
    assert!(missed <= COMPARISONS / 10, "{missed} missed");
}

#[test]
fn a_fifth_more_service_time_is_found_and_a_calibration_knows_what_one_pair_can_tell() {
    let (fast, slow) = (bursts(10_000_000, 120), bursts(10_000_000, 100));
    let base = runs(&fast, 1..11);
    let new = runs(&slow, 101..111);
    let found = compared(&base, &new);
    assert_eq!(found.verdict, Verdict::Regressed);

    let machine = Machine {
        system: "any".to_owned(),
        processors: 2,
    };
    let again = runs(&fast, 201..211);
    let noise = Noise::of(&base, &again, machine.clone()).expect("a calibration");
    assert_eq!(noise.pairs, 10);
    let few = Noise::of(&base[..3], &again[..3], machine);
    assert!(matches!(few, Err(NotComparable::Pairing(_))), "{few:?}");
    let gauge = Gauge::parse("service_time.p50").expect("a gauge");
    let floor = |pairs| noise.floor(gauge, true, pairs).expect("it was measured");
    assert!((floor(1) / floor(4) - 2.0).abs() < 1e-9);

    let gate = |margin, noise: &Noise| Gate {
        settings: GateSettings {
            metrics: vec![gauge],
            margin: Some(margin),
            margin_s: Some(0.0),
            ..GateSettings::default()
        },
        noise: Some(noise.clone()),
        ..Gate::default()
    };
    // One pair tells nothing by itself, and what stands out of the noise with a calibration.
    let one = |new: &[RunFile], gate: &Gate| {
        let comparison = Comparison::of(&base[..1], new, gate).expect("they are comparable");
        comparison.verdict
    };
    assert_eq!(one(&new[..1], &Gate::default()), Verdict::Inconclusive);
    assert_eq!(one(&new[..1], &gate(0.01, &noise)), Verdict::Regressed);
    assert_eq!(one(&again[..1], &gate(0.2, &noise)), Verdict::Passed);
    assert_eq!(one(&again[..1], &gate(0.0, &noise)), Verdict::Inconclusive);
    // A margin that the noise drowns is refused, and says how many pairs would do.
    let below = floor(10) / 2.0;
    let refused = Comparison::of(&base, &new, &gate(below, &noise));
    let Err(NotComparable::BelowNoise(drowned)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(drowned[0].metric, "service_time.p50");
    let needed = drowned[0].pairs_needed.expect("more pairs would do");
    assert!((38..=42).contains(&needed), "{needed}");
    assert!(Comparison::of(&base, &new, &gate(0.05, &noise)).is_ok());
}

#[test]
fn a_tenth_more_service_time_is_always_found_in_virtual_time() {
    for seeds in 0..10 {
        let sides = |rate: u64| {
            let mut runs = runs(&bursts(10_000_000, rate), 1 + seeds * 3..4 + seeds * 3);
            runs.iter_mut().for_each(|run| run.target = Target::Sim);
            runs
        };
        // First tokens take as long, so that tokens have to come a little more than a tenth later.
        let found = compared(&sides(120), &sides(104));
        assert!(found.exact);
        assert_eq!(found.verdict, Verdict::Regressed, "seeds from {seeds}");
        assert!(compared(&sides(120), &sides(120)).identical);
    }
}

/// Where more is better, what may pass is a fall by the margin: 5 % of 100 is 95.
#[test]
fn a_fall_by_less_than_the_margin_passes() {
    let scenario = bursts(10_000_000, 120);
    let falls = |part: f64, margin: f64| {
        let base = runs(&scenario, 1..4);
        let mut new = base.clone();
        for run in &mut new {
            let measured = run.measured.as_mut().expect("it was measured");
            measured.total.requests_per_second *= part;
        }
        let gate = Gate {
            settings: GateSettings {
                metrics: vec![Gauge::parse("goodput").expect("a gauge")],
                margin: Some(margin),
                ..GateSettings::default()
            },
            ..Gate::default()
        };
        let mut sides = [base, new];
        for run in sides.iter_mut().flatten() {
            run.target = Target::Sim;
        }
        let [base, new] = sides;
        Comparison::of(&base, &new, &gate)
            .expect("comparable")
            .verdict
    };
    assert_eq!(falls(0.951, 0.05), Verdict::Passed);
    assert_eq!(falls(0.949, 0.05), Verdict::Regressed);
    assert_eq!(falls(0.45, 0.6), Verdict::Passed);
    assert_eq!(falls(0.01, 1.0), Verdict::Passed);
    assert_eq!(falls(2.0, 0.0), Verdict::Passed);
}

/// A run beside which others became infinitely slow is worse; one that ceased to be makes the rest no better.
#[test]
fn a_quantile_that_is_infinite_in_some_runs_is_judged_by_all_pairs() {
    use bedload::recorder::measured::Quantile;
    let scenario = bursts(10_000_000, 120);
    let with = |p99: &[Option<u64>]| {
        let mut runs = runs(&scenario, 1..4);
        for (run, p99) in runs.iter_mut().zip(p99) {
            run.target = Target::Sim;
            let measured = run.measured.as_mut().expect("it was measured");
            measured.total.inflated_latency.p99 = p99.map_or(Quantile::Infinite, |seconds| {
                Quantile::Ns(seconds * 1_000_000_000)
            });
        }
        runs
    };
    let verdict = |base: &[Option<u64>], new: &[Option<u64>]| {
        let gate = Gate {
            settings: GateSettings {
                metrics: vec![Gauge::parse("latency.p99").expect("a gauge")],
                ..GateSettings::default()
            },
            ..Gate::default()
        };
        let compared = Comparison::of(&with(base), &with(new), &gate);
        compared.expect("comparable").verdict
    };
    let (never, two, sixty) = (None, Some(2), Some(60));
    assert_eq!(
        verdict(&[never, two, two], &[sixty, sixty, sixty]),
        Verdict::Inconclusive
    );
    assert_eq!(
        verdict(&[never, two, two], &[two, two, two]),
        Verdict::Passed
    );
    assert_eq!(
        verdict(&[two, two, two], &[never, two, two]),
        Verdict::Regressed
    );
    assert_eq!(
        verdict(&[never, never, two], &[two, two, never]),
        Verdict::Inconclusive
    );
    assert_eq!(
        verdict(&[never, never, never], &[never, never, never]),
        Verdict::Passed
    );
}

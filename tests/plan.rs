//! The planner: its closed forms against the simulator, and its promises against runs.

use std::time::Duration;

use bedload::drive::{self, Observer, Wish, simulated};
use bedload::engine::Engine;
use bedload::forecast::Forecast;
use bedload::outcome::{Event, Outcome};
use bedload::plan::{Plan, PlanOptions};
use bedload::quota::Enforcement;
use bedload::report::{self, Form};
use bedload::scenario::Scenario;
use bedload::time::Instant;
use bedload::units::Share;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn scenario(text: &str) -> Scenario {
    match Scenario::parse(text, std::path::Path::new("")) {
        Ok(checked) => checked.scenario,
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// A mix: tokens a minute, burndown, and its prompts as (weight, input, output, max_tokens).
struct Mix {
    name: &'static str,
    tpm: u64,
    burndown: u32,
    prompts: &'static [(u32, &'static str, &'static str, u64)],
    first_token: &'static str,
    output_rate: &'static str,
}

/// Ten kinds of traffic, from calls that settle a thirtieth of what they reserve to calls that settle
/// five times as much.
const MIXES: &[Mix] = &[
    Mix {
        name: "chat, max_tokens 64,000",
        tpm: 3_000_000,
        burndown: 5,
        prompts: &[(1, "1155", "211", 64_000)],
        first_token: "\"1s\"",
        output_rate: "84/s",
    },
    Mix {
        name: "chat, max_tokens 4,096",
        tpm: 1_000_000,
        burndown: 5,
        prompts: &[(1, "1155", "211", 4_096)],
        first_token: "\"1s\"",
        output_rate: "84/s",
    },
    Mix {
        name: "chat of all lengths",
        tpm: 1_000_000,
        burndown: 5,
        prompts: &[(
            1,
            "{ lognormal = { median = 800, p95 = 3_000 } }",
            "{ lognormal = { median = 180, p95 = 600 } }",
            2_000,
        )],
        first_token: "{ lognormal = { median = \"700ms\", p95 = \"1.4s\" } }",
        output_rate: "60/s",
    },
    Mix {
        name: "reserved and settled alike",
        tpm: 400_000,
        burndown: 1,
        prompts: &[(1, "500", "500", 500)],
        first_token: "\"500ms\"",
        output_rate: "100/s",
    },
    Mix {
        name: "settles five times its reservation's output",
        tpm: 500_000,
        burndown: 5,
        prompts: &[(1, "100", "800", 800)],
        first_token: "\"500ms\"",
        output_rate: "80/s",
    },
    Mix {
        name: "burndown 15",
        tpm: 1_000_000,
        burndown: 15,
        prompts: &[(1, "2000", "{ uniform = { min = 50, max = 400 } }", 1_000)],
        first_token: "\"2s\"",
        output_rate: "45/s",
    },
    Mix {
        name: "long prompts, short answers",
        tpm: 2_000_000,
        burndown: 1,
        prompts: &[(
            1,
            "{ lognormal = { median = 6_000, p95 = 20_000 } }",
            "{ lognormal = { median = 20, p95 = 80 } }",
            256,
        )],
        first_token: "\"400ms\"",
        output_rate: "150/s",
    },
    Mix {
        name: "chat and summaries",
        tpm: 1_000_000,
        burndown: 5,
        prompts: &[
            (4, "300", "{ lognormal = { median = 180, p95 = 420 } }", 500),
            (
                1,
                "{ lognormal = { median = 1_800, p95 = 6_000 } }",
                "240",
                800,
            ),
        ],
        first_token: "{ lognormal = { median = \"700ms\", p95 = \"1.4s\" } }",
        output_rate: "60/s",
    },
    Mix {
        name: "an agent among chats",
        tpm: 4_000_000,
        burndown: 5,
        prompts: &[
            (9, "600", "150", 1_000),
            (
                1,
                "12_000",
                "{ lognormal = { median = 1_500, p95 = 4_000 } }",
                32_000,
            ),
        ],
        first_token: "\"1s\"",
        output_rate: "60/s",
    },
    Mix {
        name: "answers of half a minute",
        tpm: 2_000_000,
        burndown: 1,
        prompts: &[(
            1,
            "500",
            "{ uniform = { min = 1_000, max = 3_000 } }",
            8_000,
        )],
        first_token: "\"1s\"",
        output_rate: "66/s",
    },
];

impl Mix {
    /// Workers that always have something to ask, before a limiter that counts as the service does.
    fn scenario(&self, enforcement: Enforcement, minutes: u64) -> Scenario {
        let prompts: String = self
            .prompts
            .iter()
            .enumerate()
            .map(|(place, (weight, input, output, max_tokens))| {
                format!(
                    "[[prompt]]\nname = \"p{place}\"\nweight = {weight}\ninput_tokens = {input}\n\
                     output_tokens = {output}\nmax_tokens = {max_tokens}\n"
                )
            })
            .collect();
        scenario(&format!(
            r#"
name = "mix"
target.sim = {{}}
[run]
duration = "{minutes}m"
request_timeout = "10m"
drain = "10m"
[arrivals.closed_loop]
workers = 3000
[model.m]
id = "acme.m"
family = "openai"
burndown = {}
context = 1_000_000
max_output = 128_000
quota = {{ tpm = {} }}
[limiter]
burst = "60s"
initial_fill = "0%"
clock_margin = "0s"
quota_timeout = "30m"
[service]
first_token = {}
output_rate = "{}"
enforcement = "{enforcement}"
quota_initial_fill = "0%"
{prompts}"#,
            self.burndown, self.tpm, self.first_token, self.output_rate
        ))
    }
}

/// Counts what was answered after a warm-up.
struct Answered {
    from: Instant,
    to: Instant,
    count: u64,
    throttled: u64,
}

impl Observer for Answered {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Finished(record)
                if record.outcome == Outcome::Completed
                    && (self.from..self.to).contains(&record.finished) =>
            {
                self.count += 1;
            }
            Event::Ended {
                failure: Some(failure),
                ..
            } if failure.is_throttle() => self.throttled += 1,
            _ => {}
        }
    }

    fn tick(&mut self, _: Instant, _: &Engine) -> Wish {
        Wish::GoOn
    }
}

/// What the simulator sustains, in answers per minute.
fn simulated_per_minute(scenario: &Scenario, minutes: u64, warm_up: u64) -> f64 {
    let mut answered = Answered {
        from: Instant::ZERO + Duration::from_secs(warm_up * 60),
        to: Instant::ZERO + Duration::from_secs(minutes * 60),
        count: 0,
        throttled: 0,
    };
    let mut engine = drive::engine(scenario);
    simulated::run(scenario, &mut engine, &mut answered);
    let throttled = answered.throttled as f64 / (answered.count + answered.throttled) as f64;
    assert!(
        throttled < 0.01,
        "the limiter counts as the service does: {throttled}"
    );
    answered.count as f64 / (minutes - warm_up) as f64
}

/// How far a closed form may be from the simulator.
const WITHIN: f64 = 0.03;

#[test]
fn closed_forms_are_what_the_simulator_sustains() {
    let (minutes, warm_up) = (90, 30);
    let mut wrong = Vec::new();
    for mix in MIXES {
        for enforcement in Enforcement::ALL {
            let scenario = mix.scenario(enforcement, minutes);
            let closed = Forecast::of(&scenario).models[0].sustainable_per_minute;
            let closed = closed.expect("there is a quota");
            let measured = simulated_per_minute(&scenario, minutes, warm_up);
            let off = closed / measured - 1.0;
            println!(
                "{:45} {:8} closed {closed:8.1} simulated {measured:8.1} {:+.2} %",
                mix.name,
                enforcement.name(),
                off * 100.0
            );
            if off.abs() > WITHIN {
                wrong.push(format!(
                    "{}, {enforcement}: {:+.1} %",
                    mix.name,
                    off * 100.0
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Traffic that a property test can make more of.
fn traffic(arrivals: &str, limiter: bool, tpm: u64) -> Scenario {
    let limiter = if limiter {
        "[limiter]\nquota_timeout = \"10s\"\n"
    } else {
        ""
    };
    scenario(&format!(
        r#"
name = "traffic"
target.sim = {{}}
run.duration = "30m"
{arrivals}
{limiter}
[model.m]
id = "acme.m"
family = "openai"
burndown = 5
context = 1_000_000
max_output = 128_000
quota = {{ rpm = 600, tpm = {tpm} }}
[[prompt]]
name = "chat"
weight = 3
input_tokens = {{ lognormal = {{ median = 400, p95 = 2_000 }} }}
output_tokens = {{ lognormal = {{ median = 120, p95 = 500 }} }}
max_tokens = 1_000
[[prompt]]
name = "label"
input_tokens = 900
output_tokens = 4
max_tokens = 16
"#
    ))
}

fn options(load: f64) -> PlanOptions {
    PlanOptions {
        load,
        seeds: 2,
        threads: 2,
        wait_max: Duration::from_secs(2),
        ..PlanOptions::default()
    }
}

fn plan(scenario: &Scenario, options: &PlanOptions) -> Plan {
    Plan::of(scenario, options, &|_, _| {})
}

fn any_arrivals() -> impl Strategy<Value = String> {
    prop_oneof![
        (10_u32..120).prop_map(|rate| format!("arrivals.poisson.rate = \"{rate}/min\"")),
        (10_u32..120).prop_map(|rate| format!("arrivals.constant.rate = \"{rate}/min\"")),
        (10_u32..120, 2_u32..5).prop_map(|(rate, cv)| format!(
            "arrivals.gamma = {{ rate = \"{rate}/min\", cv = {cv} }}"
        )),
        (10_u32..60).prop_map(|rate| format!(
            "arrivals.sine = {{ mean = \"{rate}/min\", amplitude = \"{}/min\", period = \"10m\", \
             spacing = \"poisson\" }}",
            rate / 2
        )),
    ]
}

/// Where a service refuses, a little more quota lets other calls in, whose answers come at other times:
/// the largest load that passes is then told to within a step of the search's grid.
const GRID: f64 = 1.011;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6,
        // Simulated percentiles are samples: a law within a tolerance is held on the same cases each time.
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn more_quota_never_fits_less(
        arrivals in any_arrivals(),
        limiter in any::<bool>(),
        tpm in 40_000_u64..400_000,
        more in 1.0_f64..3.0,
    ) {
        let with = |tpm: u64| plan(&traffic(&arrivals, limiter, tpm), &options(1.0));
        let (less, more) = (with(tpm), with((tpm as f64 * more) as u64));
        for (less, more) in less.models[0].fits.iter().zip(&more.models[0].fits) {
            prop_assert_eq!(less.enforcement, more.enforcement);
            prop_assert!(more.closed >= less.closed, "{:?} {:?}", less, more);
            prop_assert!(more.load.value * GRID >= less.load.value, "{:?} {:?}", less, more);
        }
    }

    /// A recording's larger load has every request of the smaller one, so that this is exact but for the
    /// search's grid.
    #[test]
    fn more_of_a_recording_never_needs_less(
        rows in prop::collection::vec((0_u64..20_000, 1_u64..3_000, 1_u64..800), 50..400),
        limiter in any::<bool>(),
        load in 0.5_f64..2.0,
        more in 1.0_f64..3.0,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trace.csv");
        let mut text = String::from("TIMESTAMP,ContextTokens,GeneratedTokens\n");
        let mut millis = 0;
        for (gap, input, output) in rows {
            millis += gap;
            let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
            let row = format!("2026-11-20 {hour:02}:{minute:02}:{second:02}.{:03}", millis % 1_000);
            text += &format!("{row},{input},{output}\n");
        }
        std::fs::write(&path, text).expect("writable");
        let arrivals = format!("arrivals.trace.path = \"{}\"", path.display());
        let mut scenario = traffic(&arrivals, limiter, 200_000);
        for prompt in &mut scenario.prompts {
            (prompt.input, prompt.output) = (None, None);
        }
        never_less(&plan(&scenario, &options(load)), &plan(&scenario, &options(load * more)))?;
    }

    /// Random arrivals of another rate are other arrivals; their percentiles are samples, which half as much
    /// load again is more than.
    #[test]
    fn more_load_never_needs_less(
        arrivals in any_arrivals(),
        limiter in any::<bool>(),
        load in 0.5_f64..2.0,
        more in 1.5_f64..4.0,
    ) {
        let scenario = traffic(&arrivals, limiter, 200_000);
        never_less(&plan(&scenario, &options(load)), &plan(&scenario, &options(load * more)))?;
    }
}

fn never_less(less: &Plan, more: &Plan) -> Result<(), TestCaseError> {
    for (less, more) in less.models[0].needs.iter().zip(&more.models[0].needs) {
        prop_assert!(more.tpm.value >= less.tpm.value, "{:?} {:?}", less, more);
        prop_assert!(more.rpm.value >= less.rpm.value, "{:?} {:?}", less, more);
        let wanted = |more: u64, less: u64| more as f64 * GRID >= less as f64;
        prop_assert!(
            wanted(more.tpm_wanted, less.tpm_wanted),
            "{:?} {:?}",
            less,
            more
        );
        prop_assert!(
            wanted(more.rpm_wanted, less.rpm_wanted),
            "{:?} {:?}",
            less,
            more
        );
    }
    Ok(())
}

#[test]
fn a_plan_is_the_same_on_any_number_of_threads() {
    let scenario = traffic(
        "arrivals.gamma = { rate = \"60/min\", cv = 3 }",
        true,
        100_000,
    );
    let with = |threads| {
        let options = PlanOptions {
            threads,
            growth: 0.05,
            ..options(1.0)
        };
        serde_json::to_string(&plan(&scenario, &options)).expect("a plan is JSON")
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(7));
}

/// The plan for a real trace; none where it is not beside the project.
fn azure(name: &str) -> Option<Plan> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data")
        .join(name);
    if !path.exists() {
        eprintln!("not tested: there is no `{name}` in ../shared/data");
        return None;
    }
    let scenario = scenario(&format!(
        r#"
name = "azure"
[arrivals.trace]
path = "{}"
[model.sonnet]
id = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
quota = {{ rpm = 10_000, tpm = 5_000_000 }}
[[prompt]]
name = "traced"
max_tokens = 4_096
"#,
        path.display()
    ));
    Some(plan(&scenario, &PlanOptions::default()))
}

#[test]
fn the_code_trace_needs_several_times_its_mean() {
    let Some(plan) = azure("AzureLLMInferenceTrace_code.csv") else {
        return;
    };
    let model = &plan.models[0];
    let needed = model.needs[0].tpm.value;
    let times = needed / model.demand.tokens_mean;
    assert!((3.0..8.0).contains(&times), "{times}");
    let page = report::plan(&plan, Form::Markdown).replace('\n', " ");
    let sentence = format!("{times:.2} times the mean of");
    assert!(page.contains(&sentence), "no `{sentence}` in {page}");
}

#[test]
fn the_conversation_trace_says_what_each_max_tokens_costs() {
    let Some(plan) = azure("AzureLLMInferenceTrace_conv.csv") else {
        return;
    };
    let curve = plan.models[0].curve.as_ref().expect("tokens are limited");
    let row = |max_tokens: u64| {
        let mut rows = curve.candidates.iter();
        let row = rows.find(|row| row.max_tokens == max_tokens);
        row.unwrap_or_else(|| panic!("no {max_tokens} in {curve:#?}"))
    };
    let (short, middle, long) = (row(1_024), row(4_096), row(64_000));
    // The mean input is 1,155 tokens, of which 5,000,000 hold so many reservations.
    for (row, least) in [(short, 2_200), (middle, 900), (long, 70)] {
        let reserved = 1_155.0 + row.max_tokens as f64;
        assert!((row.reserved / reserved - 1.0).abs() < 0.001, "{row:?}");
        assert_eq!(row.burst, (5_000_000.0 / row.reserved) as u64);
        assert!(row.burst > least, "{row:?}");
        for sustained in &row.sustained {
            assert!(*sustained > 0.0);
        }
    }
    // A bucket refills while calls hold what they reserved; by the other ways to count, they keep others out.
    assert_eq!(long.sustained[0], middle.sustained[0]);
    for way in 1..4 {
        assert!(
            long.sustained[way] < middle.sustained[way] * 0.9,
            "{curve:?}"
        );
    }
    let page = report::plan(&plan, Form::Markdown);
    for max_tokens in ["1,024", "4,096", "64,000"] {
        assert!(page.contains(max_tokens), "{max_tokens}: {page}");
    }
}

/// Calls that come evenly and settle what they reserve, so that a plan can be exact: no headroom is asked
/// for, and the quota cannot be saved up.
fn even(limiter: bool) -> String {
    let limiter = if limiter {
        "[limiter]\nburst = \"1s\"\nquota_timeout = \"30s\""
    } else {
        ""
    };
    format!(
        r#"
name = "even"
target.stub = {{}}
run.duration = "16s"
arrivals.constant.rate = "20/s"
{limiter}
[model.m]
id = "acme.m"
family = "openai"
burndown = 1
context = 1_000_000
max_output = 128_000
quota = {{ rpm = 100_000, tpm = 1_000_000 }}
[[prompt]]
name = "even"
input_tokens = 100
output_tokens = 100
max_tokens = 100
[service]
first_token = "20ms"
output_rate = "10000/s"
quota_capacity = "500ms"
"#
    )
}

/// What a run on the stub, on the real clock, does under a quota: the share of attempts throttled, and the
/// 99th percentile of waits.
#[cfg(all(feature = "cli", feature = "stub"))]
fn on_the_stub(text: &str, tpm: u64) -> (f64, Duration) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("even.toml");
    std::fs::write(&path, text).expect("writable");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_bedload"))
        .args(["run", "--quiet", "--set"])
        .arg(format!("model.m.quota.tpm={tpm}"))
        .arg("--out")
        .args([folder.path(), &path])
        .output()
        .expect("the program starts");
    let run = bedload::results::Run::open(&folder.path().join("even"));
    let run = run.unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let total = run.file.measured.expect("measured").total;
    let throttled = total.attempts.throttle_share().expect("calls were sent");
    let wait = total.limiter_wait.p99_ns.expect("300 samples and more");
    (throttled, Duration::from_nanos(wait))
}

#[test]
#[cfg(all(feature = "cli", feature = "stub"))]
fn a_planned_quota_keeps_its_promise_on_the_stub_and_ten_per_cent_less_does_not() {
    let promised_wait = Duration::from_millis(400);
    std::thread::scope(|scope| {
        for limiter in [false, true] {
            scope.spawn(move || {
                let text = even(limiter);
                let options = PlanOptions {
                    headroom: Share::percent(0),
                    wait_max: promised_wait,
                    ..PlanOptions::default()
                };
                let plan = plan(&scenario(&text), &options);
                let need = &plan.models[0].needs[0];
                assert_eq!(need.enforcement, Enforcement::Bucket);
                // A machine that stands still for half a second breaks any promise: it may try again.
                let mut kept = false;
                let mut seen = Vec::new();
                for _ in 0..3 {
                    let (throttled, wait) = on_the_stub(&text, need.tpm_wanted);
                    seen.push((throttled, wait));
                    kept = throttled <= plan.throttled_max && wait <= promised_wait;
                    if kept {
                        break;
                    }
                }
                assert!(kept, "{need:?}: {seen:?}");
                let (throttled, wait) = on_the_stub(&text, need.tpm_wanted * 9 / 10);
                let broken = throttled > plan.throttled_max || wait > promised_wait;
                assert!(
                    broken,
                    "{need:?} less a tenth: {throttled} throttled, {wait:?}"
                );
            });
        }
    });
}

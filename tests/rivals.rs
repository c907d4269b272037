//! What others' limiters are published to do, they do here: on one scenario each, in virtual time.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bedload::drive::{self, Observer, Wish, simulated};
use bedload::engine::Engine;
use bedload::limiter::Strategy;
use bedload::outcome::Event;
use bedload::recorder::Recorder;
use bedload::recorder::measured::{Group, Measured};
use bedload::results::LimiterSummary;
use bedload::scenario::Scenario;
use bedload::time::Instant;

/// Bursts, of calls that reserve 2,300 tokens and cost 800: 300 and five times 100. The quota is worth
/// 150 such calls a minute, or 52 reservations at a time.
const SCENARIO: &str = r#"
name = "rivals"
seed = 11
[target.sim]
[run]
duration = "20m"
drain = "2m"
max_throttled = "100%"
[arrivals.gamma]
rate = "RATE"
cv = 3.0
[model.haiku]
id = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
[model.haiku.quota]
tpm = 120_000
LIMITER
[[prompt]]
name = "chat"
input_tokens = 300
max_tokens = 2_000
output_tokens = 100
[service]
first_token = "2s"
output_rate = "100/s"
"#;

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

fn run(text: &str) -> Measured {
    let checked = Scenario::parse(text, Path::new("")).expect("a scenario");
    let scenario = checked.scenario;
    let mut recording = Recording(drive::recorder(&scenario, Duration::ZERO));
    let mut engine = drive::engine(&scenario);
    let now = simulated::run(&scenario, &mut engine, &mut recording);
    recording.0.finish(now).0
}

fn scenario(rate: &str, limiter: &str) -> String {
    SCENARIO.replace("RATE", rate).replace("LIMITER", limiter)
}

/// What each strategy comes to at this rate, where the limiter says `also` besides.
fn all(rate: &str, also: &str) -> BTreeMap<&'static str, Group> {
    let by_name = Strategy::ALL.into_iter().map(|strategy| {
        let name = strategy.name();
        let limiter = format!("[limiter]\nstrategy = \"{name}\"\n{also}");
        let measured = run(&scenario(rate, &limiter));
        assert!(measured.conserved, "{name}");
        (name, measured.total)
    });
    let results: BTreeMap<&'static str, Group> = by_name.collect();
    for (name, group) in &results {
        let counts = group.counts;
        println!(
            "{rate} {name:<15} answered {:>5} of {} throttled {:>5.1} % dropped {:>5} waited p50 {:>6} ms",
            counts.completed,
            counts.intended,
            100.0 * throttled(group),
            counts.dropped,
            group.limiter_wait.p50_ns.unwrap_or(0) / 1_000_000,
        );
    }
    results
}

fn throttled(group: &Group) -> f64 {
    group.attempts.throttle_share().unwrap_or(0.0)
}

#[test]
fn at_once_or_never_and_by_the_table_that_is_absent() {
    for rate in ["2/s", "4/s"] {
        let absent = run(&scenario(rate, ""));
        let none = run(&scenario(rate, "[limiter]\nstrategy = \"none\"\n"));
        assert_eq!(absent.total.counts, none.total.counts, "{rate}");
        assert_eq!(absent.total.attempts, none.total.attempts, "{rate}");
        let off = "[limiter]\nenabled = false\nstrategy = \"gcra\"\n";
        assert_eq!(absent.total, run(&scenario(rate, off)).total, "{rate}");
    }
}

/// At 1.6 times the quota: 4 times 60 calls a minute where 150 fit.
#[test]
fn over_the_quota_each_fares_as_published() {
    let found = all("4/s", "headroom = \"2%\"\n");
    let answered = |name: &str| found[name].counts.completed;
    // Ours waits for the service's own books.
    assert_eq!(throttled(&found["bedload"]), 0.0);
    assert!(answered("bedload") * 100 > answered("none") * 95);
    // Who charges late, or forgets burndown, sees 96,000 tokens a minute of the 192,000 that they cost:
    // a third of what is sent is refused, as it is with no limiter at all.
    for name in ["none", "charge-after", "previous-total", "fixed-estimate"] {
        assert!(throttled(&found[name]) > 0.25, "{name}");
    }
    // Requests alone, by throttles alone: fewer of them, and never none.
    let adaptive = throttled(&found["adaptive"]);
    assert!(adaptive > 0.0 && adaptive < throttled(&found["none"]) / 2.0);
    // What answers do not use is not given back: a call spends 2,300 tokens where it costs 800.
    for name in ["gcra", "fixed-window"] {
        assert_eq!(throttled(&found[name]), 0.0, "{name}");
        assert!(answered(name) * 2 < answered("bedload"), "{name}");
    }
}

/// At 0.8 times the quota, bursts and all, nobody is throttled, and who gives nothing back drops half.
#[test]
fn under_the_quota_only_refunds_matter() {
    let found = all("2/s", "");
    for (name, group) in &found {
        assert_eq!(throttled(group), 0.0, "{name}");
        let lost = group.counts.intended - group.counts.completed;
        if ["gcra", "fixed-window"].contains(name) {
            assert!(lost * 3 > group.counts.intended, "{name}");
        } else {
            assert_eq!(lost, 0, "{name}");
        }
    }
}

/// In `over-quota.toml` each call costs what it reserves, without burndown, and hardly lasts: who sets
/// the whole of it aside at the start, and who counts it at the end, are then nearly alike.
#[test]
fn where_estimates_are_exact_little_tells_them_apart() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/over-quota.toml");
    let text = std::fs::read_to_string(path).expect("it is part of the repository");
    assert!(text.contains("enabled = false"));
    let with = |strategy: &str| {
        let limiter = format!("strategy = \"{strategy}\"\nestimate = 500");
        run(&text.replace("enabled = false", &limiter)).total
    };
    for name in ["bedload", "gcra", "fixed-window", "fixed-estimate"] {
        assert_eq!(throttled(&with(name)), 0.0, "{name}");
    }
    let none = throttled(&with("none"));
    assert!((0.5..0.7).contains(&none), "{none}");
    for name in ["charge-after", "previous-total"] {
        let late = throttled(&with(name));
        println!("{name}: {late}");
        assert!(late < 0.02, "{name}: {late}");
    }
}

/// Where an answer takes 50 s, who counts it at its end lets everybody pass until then, though both
/// count as Bedrock does: no burndown, and nothing reserved in vain.
#[test]
fn whoever_charges_late_lets_calls_pass_together() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/over-quota.toml");
    let text = std::fs::read_to_string(path).expect("it is part of the repository");
    let slow = text
        .replace("\"1000/s\"", "\"2/s\"")
        .replace("max_in_flight = 50", "max_in_flight = 1000");
    let with = |strategy: &str| {
        let limiter = format!("strategy = \"{strategy}\"");
        run(&slow.replace("enabled = false", &limiter)).total
    };
    for name in ["charge-after", "previous-total"] {
        let late = throttled(&with(name));
        assert!(late > 0.1, "{name}: {late}");
    }
    for name in ["bedload", "gcra"] {
        assert_eq!(throttled(&with(name)), 0.0, "{name}");
    }
}

/// A limiter that says this; what is warned of or wrong, by code and by the line of the key.
fn problems(limiter: &str) -> Vec<(String, String)> {
    let text = scenario("1/s", limiter);
    let found = match Scenario::parse(&text, Path::new("")) {
        Ok(checked) => checked.warnings,
        Err(problems) => problems,
    };
    let line = |at: usize| {
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        text[start..].lines().next().unwrap_or_default().to_owned()
    };
    found
        .into_iter()
        .filter_map(|problem| Some((problem.code.to_string(), line(problem.primary?.span.start))))
        .collect()
}

#[test]
fn keys_that_a_strategy_ignores_are_pointed_at() {
    let limiter = r#"[limiter]
strategy = "gcra"
burst = "30s"
reservation = "mirror"
output_quantile = "80%"
clock_margin = "1s"
estimate = 7
oversize = "overdraw"
"#;
    let unused = |line: &str| ("unused-key".to_owned(), line.to_owned());
    assert_eq!(
        problems(limiter),
        [
            unused("reservation = \"mirror\""),
            unused("output_quantile = \"80%\""),
            unused("clock_margin = \"1s\""),
            unused("estimate = 7"),
        ]
    );
    let fixed = limiter
        .replace("gcra", "fixed-estimate")
        .replace("\"1s\"", "\"2s\"");
    assert!(!problems(&fixed).contains(&unused("estimate = 7")));
    // None of ours is.
    let ours = "[limiter]\nreservation = \"mirror\"\noutput_quantile = \"80%\"\nburst = \"9s\"\n";
    assert_eq!(problems(ours), []);
    let wrong = problems("[limiter]\nstrategy = \"grca\"\n");
    assert_eq!(wrong[0].0, "invalid-value");
}

/// A prompt of 2,300 tokens, and limits of 2,000 a minute.
#[test]
fn what_can_never_be_admitted_depends_on_the_strategy() {
    for strategy in Strategy::ALL {
        let name = strategy.name();
        let limiter = format!("[limiter]\nstrategy = \"{name}\"\ntpm = 2_000\nestimate = 2_001\n");
        let found = problems(&limiter);
        let never = found.iter().any(|(code, _)| code == "never-admitted");
        let knows = ["bedload", "fixed-window", "gcra", "fixed-estimate"];
        assert_eq!(never, knows.contains(&name), "{name}: {found:?}");
    }
}

#[test]
fn results_say_the_strategy_and_older_ones_are_ours() {
    let checked = Scenario::parse(
        &scenario(
            "1/s",
            "[limiter]\nstrategy = \"charge-after\"\nburst = \"5s\"\n",
        ),
        Path::new(""),
    );
    let scenario = checked.expect("a scenario").scenario;
    let settings = scenario.limiter_of("haiku").expect("it has a limiter");
    let summary = LimiterSummary::from(settings);
    assert_eq!(summary.strategy, Strategy::ChargeAfter);
    // As it counts, not as it was told to.
    assert_eq!(summary.burst_ns, 60_000_000_000);
    let mut json = serde_json::to_value(&summary).expect("a summary is JSON");
    assert_eq!(serde_json::from_value(json.clone()).ok(), Some(summary));
    let fields = json.as_object_mut().expect("an object");
    fields.remove("strategy");
    let older: LimiterSummary = serde_json::from_value(json).expect("an older file");
    assert_eq!(older.strategy, Strategy::Bedload);
}

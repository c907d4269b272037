use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::arrivals::{Profile, Spacing};
use crate::expect::Metric;
use crate::outcome::Failure;
use crate::units::Rate;

/// The least that can be run, up to its prompt's lengths.
const LEAST: &str = r#"
name = "least"
run.duration = "60s"
arrivals.constant.rate = "2/s"
model.nova.id = "amazon.nova-lite-v1:0"
model.nova.quota = { rpm = 60, tpm = 100_000 }
"#;

/// Every table there is.
const FULL: &str = r#"
name  = "support-desk"
about = "Chat answers and ticket summaries that share one account's quota"
seed  = 7

[target.stub]

[run]
duration = "1m30s"
max_cost = "$0.50"

[arrivals.poisson]
rate = "0.5/s"

[model.sonnet]
id  = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
api = "invoke-model"

[model.sonnet.quota]
rpm = 60
tpm = 100_000

[limiter]
burst = "30s"
headroom = "2%"

[retry]
max_attempts = 3
base = "500ms"
cap = "20s"
on = ["throttled_tokens", "timeout"]

[[prompt]]
name = "explain"
weight = 4
text = "Explain quantum computing in simple terms."
system = "Be brief."
max_tokens = 500
temperature = 0.7
output_tokens.lognormal = { median = 180, p95 = 420 }

[[prompt]]
name = "summarise"
input_tokens.lognormal = { median = 1_800, p95 = 6_000 }
max_tokens = 800
output_tokens.constant = 240

[service]
first_token.lognormal = { median = "700ms", p95 = "1.4s" }
output_rate = "60/s"

[[expect]]
metric = "latency.p99"
at_most = "12s"
"#;

fn parse(text: &str) -> Result<Checked, Vec<Diagnostic>> {
    Scenario::parse(text, Path::new("."))
}

fn accepted(text: &str) -> Checked {
    parse(text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The codes of the warnings of a text that can be run.
fn warnings(text: &str) -> Vec<&'static str> {
    accepted(text)
        .warnings
        .iter()
        .map(|warning| warning.code)
        .collect()
}

fn codes(text: &str) -> Vec<&'static str> {
    match parse(text) {
        Ok(checked) => panic!("accepted: {:?}", checked.scenario.name),
        Err(problems) => problems.iter().map(|problem| problem.code).collect(),
    }
}

fn least_with(prompt: &str) -> String {
    format!("{LEAST}\n[[prompt]]\nname = \"explain\"\nmax_tokens = 500\n{prompt}\n")
}

#[test]
fn what_is_not_said_has_its_default() {
    let Checked { scenario, warnings } = accepted(&least_with("text = \"What is it?\""));
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(scenario.seed, Seed(1));
    assert_eq!(scenario.target, TargetSettings::Stub);
    assert_eq!(scenario.run.drain, Duration::from_secs(30));
    assert_eq!(scenario.run.max_in_flight, 10_000);
    assert_eq!(scenario.run.max_throttled, Share::percent(1));
    assert_eq!(scenario.retry, RetryPolicy::default());
    assert_eq!(
        scenario.service.first_token,
        Distribution::Lognormal {
            median: 0.7e9,
            p95: 1.4e9
        }
    );
    let [model] = scenario.models.as_slice() else {
        panic!("one model")
    };
    assert_eq!((model.api, &model.limiter), (Api::InvokeModel, &None));
    let [prompt] = scenario.prompts.as_slice() else {
        panic!("one prompt")
    };
    assert_eq!(prompt.weight, 1.0);
    assert_eq!(
        prompt.input,
        Some(Distribution::Constant(3)),
        "eleven characters"
    );
    assert_eq!(prompt.output, Some(Distribution::Constant(200)));
}

#[test]
fn what_is_said_is_kept() {
    let Checked { scenario, warnings } = accepted(FULL);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(scenario.run.duration, Duration::from_secs(90));
    assert_eq!(
        scenario.run.max_cost,
        Some(Usd {
            pico: 500_000_000_000
        })
    );
    let half = Rate {
        events: 1,
        period_nanos: 2_000_000_000,
    };
    let poisson = ArrivalProcess::Open {
        profile: Profile::Constant(half),
        spacing: Spacing::Poisson,
    };
    assert_eq!(scenario.arrivals, poisson);
    assert_eq!(scenario.models[0].facts.burndown, 5);
    let limiter = scenario.models[0]
        .limiter
        .as_ref()
        .expect("there is a limiter");
    assert_eq!(
        (limiter.quota.rpm, limiter.meters.headroom),
        (Some(60), Share::percent(2))
    );
    assert!(
        scenario
            .retry
            .on
            .iter()
            .eq([&Failure::ThrottledTokens, &Failure::Timeout])
    );
    assert_eq!(
        scenario.prompts[0].input,
        Some(Distribution::Constant(13)),
        "42 + 9 characters"
    );
    assert_eq!(
        scenario.prompts[1].output,
        Some(Distribution::Constant(240))
    );
    assert_eq!(
        scenario.expect[0].metric,
        Metric::parse("latency.p99").expect("a metric")
    );
    assert_eq!(scenario.expect[0].at_most, Some(12.0));
}

#[test]
fn a_prompt_that_only_sometimes_fits_is_a_warning() {
    let tight = FULL.replace("burst = \"30s\"", "burst = \"10s\"");
    // 98,000 · 10 / 60 = 16,333 tokens; the median summary reserves 2,600, one in a thousand 18,085.
    assert_eq!(warnings(&tight), ["sometimes-never-admitted"]);
    let tighter = FULL.replace("burst = \"30s\"", "burst = \"500ms\"");
    assert!(codes(&tighter).contains(&"never-admitted"));
}

#[test]
fn an_unset_max_tokens_says_what_it_reserves() {
    let text = FULL
        .replace("api = \"invoke-model\"", "api = \"converse\"")
        .replace("max_tokens = 500\n", "")
        .replace("tpm = 100_000", "tpm = 1_000_000");
    let checked = accepted(&text);
    let [warning] = checked.warnings.as_slice() else {
        panic!("{:?}", checked.warnings)
    };
    assert_eq!(
        warning.title,
        "`max_tokens` is unset: each request reserves the model's maximum of 64,000 tokens; \
         15 fit into 1,000,000 tpm"
    );
    assert_eq!(checked.scenario.prompts[0].reserved_output, Tokens(64_000));
}

#[test]
fn warnings_that_do_not_stop_a_run() {
    let text = "text = \"What is it?\"";
    let with = |more: &str| warnings(&format!("{}\n{more}", least_with(text)));
    assert_eq!(
        with("[limiter]\nrpm = 90\nheadroom = \"10%\""),
        ["limiter-above-quota"]
    );
    assert_eq!(
        with("[limiter]\nrpm = 66\nheadroom = \"10%\""),
        Vec::<&str>::new()
    );
    assert_eq!(
        with("[[prompt]]\nname = \"b\"\nweight = 0\ntext = \"x\"\nmax_tokens = 1"),
        ["never-chosen"]
    );
    let unlimited = least_with(text).replace("model.nova.quota = { rpm = 60, tpm = 100_000 }", "");
    assert_eq!(warnings(&unlimited), ["no-quota"]);
    let retired = least_with(text).replace("amazon.nova-lite-v1:0", "amazon.titan-text-express-v1");
    assert_eq!(warnings(&retired), ["retired-model"]);
    let both = FULL.replace("temperature = 0.7", "temperature = 0.7\ntop_p = 0.9");
    assert_eq!(warnings(&both), ["temperature-and-top-p"]);
    let unused = FULL.replace(
        "[model.sonnet.quota]",
        "[model.other]\nid = \"amazon.nova-pro-v1:0\"\nquota = { rpm = 9 }\n[model.sonnet.quota]",
    );
    assert!(
        codes(&unused).iter().all(|&code| code == "missing-key"),
        "two models, none named"
    );
    let named = unused.replace("weight = 4", "weight = 4\nmodel = \"sonnet\"");
    let named = named.replace(
        "name = \"summarise\"",
        "name = \"summarise\"\nmodel = \"sonnet\"",
    );
    assert_eq!(warnings(&named), ["unused-model"]);
}

#[test]
fn a_model_that_only_the_scenario_knows_needs_all_its_facts() {
    let text = least_with("text = \"x\"").replace("amazon.nova-lite-v1:0", "acme.rock-v1");
    assert_eq!(codes(&text), ["unknown-model"]);
    let facts =
        "model.nova.family = \"llama\"\nmodel.nova.burndown = 3\nmodel.nova.context = 8_192\n";
    let partly = text.replace("\n[[prompt]]", &format!("{facts}\n[[prompt]]"));
    assert_eq!(codes(&partly), ["unknown-model"]);
    let fully = partly.replace(
        "burndown = 3",
        "burndown = 3\nmodel.nova.max_output = 2_048",
    );
    assert_eq!(accepted(&fully).scenario.models[0].facts.burndown, 3);
}

#[test]
fn a_trace_gives_the_lengths_and_the_duration() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-05 09:00:00.0,100,20\n\
                2026-01-05 09:00:10.0,300,40";
    std::fs::write(folder.path().join("trace.csv"), rows).expect("writable");
    let text = least_with("")
        .replace(
            "arrivals.constant.rate = \"2/s\"",
            "arrivals.trace = { path = \"trace.csv\", speed = 2 }",
        )
        .replace("run.duration = \"60s\"", "");
    let checked = Scenario::parse(&text, folder.path()).expect("a trace");
    assert_eq!(checked.scenario.run.duration, Duration::from_secs(6));
    assert_eq!(checked.scenario.prompts[0].input, None);
    assert_eq!(checked.scenario.prompts[0].output, None);
    let tight = text.replace("tpm = 100_000", "tpm = 700");
    let problems = Scenario::parse(&tight, folder.path()).expect("the shorter request fits");
    assert_eq!(problems.warnings[0].code, "sometimes-always-throttled");
}

#[test]
fn noise_is_cut_short() {
    let many = "[[prompt]]\n".repeat(20_000);
    assert!(parse(&many).is_err_and(|problems| problems.len() <= 101));
    let deep = format!("x = {}", "[".repeat(100_000));
    assert_eq!(codes(&deep)[0], "syntax");
    let long = format!("{} = 1", "k".repeat(1_000_000));
    assert!(codes(&long).contains(&"unknown-key"));
}

/// A refusal has at least one error, and every place is in the text.
fn holds(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(checked) => prop_assert!(checked.warnings.iter().all(|problem| !problem.is_error())),
        Err(problems) => {
            prop_assert!(problems.iter().any(Diagnostic::is_error));
            for problem in &problems {
                let report = problem.report("x.toml", text);
                prop_assert!(report.line >= 1 && report.column >= 1);
                if let Some(label) = &problem.primary {
                    prop_assert!(
                        label.span.start <= label.span.end && label.span.end <= text.len()
                    );
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_text_panics(text in "(?s).{0,200}") {
        holds(&text)?;
    }

    #[test]
    fn no_text_that_looks_like_toml_panics(
        text in "([\\[\\]{}=.,\"'a-c1-3 \n-]|name|run|model|prompt|arrivals|limiter){0,80}"
    ) {
        holds(&text)?;
    }

    #[test]
    fn no_mutation_of_a_scenario_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, ".{0,12}"), 1..6)
    ) {
        let mut lines: Vec<String> = FULL.lines().map(str::to_owned).collect();
        for (place, kind, noise) in edits {
            let at = place.index(lines.len());
            match kind {
                0 if lines.len() > 1 => drop(lines.remove(at)),
                1 => {
                    let line = lines[at].clone();
                    lines.insert(at, line);
                }
                2 => lines[at] = noise,
                _ => lines[at].push_str(&noise),
            }
        }
        holds(&lines.join("\n"))?;
    }
}

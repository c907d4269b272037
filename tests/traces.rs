//! Real traffic, replayed whole: the Azure LLM inference traces of 2023 (CC-BY 4.0; Patel et al.,
//! "Splitwise: Efficient generative LLM inference using phase splitting", ISCA 2024). The files are
//! not part of the project; where they are not beside it, the tests say so and prove nothing.

use std::path::{Path, PathBuf};

use bedload::drive::{self, Observer, Wish, simulated};
use bedload::engine::Engine;
use bedload::outcome::Event;
use bedload::recorder::Recorder;
use bedload::recorder::measured::Measured;
use bedload::scenario::Scenario;
use bedload::time::Instant;

struct Records(Recorder);

impl Observer for Records {
    fn event(&mut self, event: &Event) {
        self.0.observe(event);
        while self.0.poll_interval().is_some() {}
    }

    fn tick(&mut self, _now: Instant, _engine: &Engine) -> Wish {
        Wish::GoOn
    }
}

fn trace(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data")
        .join(name);
    if !path.exists() {
        eprintln!("not tested: there is no `{name}` in ../shared/data");
        return None;
    }
    Some(path)
}

fn replay(path: &Path) -> Measured {
    let text = format!(
        r#"
name = "replay"
[arrivals.trace]
path = "{}"
[model.sonnet]
id = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
[model.sonnet.quota]
rpm = 10_000
tpm = 50_000_000
[[prompt]]
name = "traced"
max_tokens = 4_096
"#,
        path.display()
    );
    let checked = Scenario::parse(&text, Path::new("")).expect("a scenario");
    let scenario = checked.scenario;
    let mut engine = drive::engine(&scenario);
    let mut records = Records(drive::recorder(&scenario, std::time::Duration::ZERO));
    let end = simulated::run(&scenario, &mut engine, &mut records);
    records.0.finish(end).0
}

#[test]
fn the_conversation_trace_replays_whole() {
    let Some(path) = trace("AzureLLMInferenceTrace_conv.csv") else {
        return;
    };
    let measured = replay(&path);
    assert_eq!(measured.total.counts.intended, 19_366);
    assert_eq!(measured.total.counts.completed, 19_366);
    // The publisher's means: 1,155 tokens in, 211 out.
    assert_eq!(measured.total.usage.input.0 / 19_366, 1154);
    assert_eq!(measured.total.usage.output.0 / 19_366, 211);
}

#[test]
fn the_code_trace_replays_whole() {
    let Some(path) = trace("AzureLLMInferenceTrace_code.csv") else {
        return;
    };
    let measured = replay(&path);
    assert_eq!(measured.total.counts.intended, 8819);
    assert_eq!(measured.total.counts.completed, 8819);
    assert_eq!(measured.total.usage.input.0 / 8819, 2047);
    assert_eq!(measured.total.usage.output.0 / 8819, 27);
}

//! How true are the times that a run reports? Streams whose first token takes 50 ms and whose tokens
//! come every 10 ms, at more and more of them at a time, on the stub in the same process.
//!
//! Prints a table of what was reported less what is true; the stub's own lateness is in it, and so is
//! whatever else the machine does. `cargo bench --bench accuracy`

use std::path::Path;
use std::time::Duration;

use bedload::clock::Clock;
use bedload::drive::{self, Observer, Wish, real};
use bedload::engine::Engine;
use bedload::outcome::Event;
use bedload::recorder::Recorder;
use bedload::recorder::measured::{Group, Spread};
use bedload::scenario::Scenario;
use bedload::target::stub::StubTarget;
use bedload::time::Instant;

/// Streams at a time, and for how many seconds.
const LOADS: [(u64, u64); 5] = [(1, 30), (20, 30), (100, 20), (500, 20), (1_000, 20)];

const TTFT_MS: f64 = 50.0;
const GAP_MS: f64 = 10.0;

/// A stream lasts a second: 50 ms and 95 tokens. So as many are under way, on average, as begin in a
/// second. They begin at random: if they began evenly, the tokens of all would be due at once.
fn scenario(streams: u64, seconds: u64) -> Scenario {
    let text = format!(
        r#"
name = "accuracy"
target.stub = {{}}
run.duration = "{seconds}s"
arrivals.poisson.rate = "{streams}/s"

[model.nova]
id = "amazon.nova-lite-v1:0"
api = "converse-stream"
quota.rpm = 1_000_000

[[prompt]]
name = "even"
input_tokens = 20
max_tokens = 100
output_tokens = 95

[service]
first_token = "50ms"
output_rate = "100/s"
"#
    );
    let checked = Scenario::parse(&text, Path::new("")).expect("a good scenario");
    checked.scenario
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

async fn measure(scenario: &Scenario) -> Group {
    let clock = Clock::start();
    let stub = StubTarget::start(scenario, clock).await.expect("a stub");
    let mut recording = Recording(drive::recorder(scenario, Duration::ZERO));
    let mut engine = drive::engine(scenario);
    let driven = real::drive(&mut engine, &stub, &clock, &mut recording);
    driven.await.expect("a timer");
    recording.0.finish(clock.now()).0.total
}

/// Mean, median and 99th percentile, in milliseconds above what is true.
fn errors(spread: &Spread, true_ms: f64) -> String {
    let cell = |nanos: Option<u64>| match nanos {
        Some(nanos) => format!("{:+.3}", nanos as f64 / 1e6 - true_ms),
        None => "too few".to_owned(),
    };
    let cells = [spread.mean_ns, spread.p50_ns, spread.p99_ns].map(cell);
    cells.map(|cell| format!("{cell:>9}")).concat()
}

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    println!("reported less true, in ms: mean, p50, p99");
    println!(
        "{:>8}{:>10}{:>27}{:>27}{:>27}",
        "streams",
        "answered",
        "time to first token (50)",
        "between tokens (10)",
        "dispatch lag (0)"
    );
    for (streams, seconds) in LOADS {
        let total = runtime.block_on(measure(&scenario(streams, seconds)));
        let none = Spread::default();
        println!(
            "{streams:>8}{:>10}{}{}{}",
            total.counts.completed,
            errors(&total.ttft.unwrap_or(none), TTFT_MS),
            errors(&total.itl.unwrap_or(none), GAP_MS),
            errors(&total.dispatch_lag, 0.0),
        );
    }
}

//! What a tuner's trials cost: `cargo bench --no-default-features --bench tune`.
//!
//! A hundred settings of a limiter, each with ten thousand requests of a mix of two classes, one after the other
//! on one core: a million requests from due to done, with waits, throttles and waste counted.

use std::path::Path;
use std::time::Duration;

use bedload::rng::Seed;
use bedload::scenario::Scenario;
use bedload::tune::trial;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SCENARIO: &str = r#"
name = "bench"
target.sim = {}
run.max_requests = 10_000
arrivals.poisson.rate = "20/s"

[model.nova]
id = "us.amazon.nova-lite-v1:0"
quota = { rpm = 1_500, tpm = 700_000 }

[limiter]
burst = "10s"
quota_timeout = "20s"

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

fn settings(c: &mut Criterion) {
    let checked = Scenario::parse(SCENARIO, Path::new("")).expect("a scenario");
    let settings: Vec<Scenario> = (0..100)
        .map(|step| {
            let mut scenario = checked.scenario.clone();
            for model in &mut scenario.models {
                if let Some(limiter) = &mut model.limiter {
                    limiter.meters.burst = Duration::from_millis(1_000 + 500 * step);
                }
            }
            scenario
        })
        .collect();
    let mut group = c.benchmark_group("tune");
    group.sample_size(10);
    group.throughput(Throughput::Elements(100 * 10_000));
    group.bench_function("a hundred settings of ten thousand requests", |b| {
        b.iter(|| {
            settings
                .iter()
                .map(|scenario| trial(scenario, Seed(1)).goodput)
                .sum::<f64>()
        });
    });
    group.finish();
}

criterion_group!(benches, settings);
criterion_main!(benches);

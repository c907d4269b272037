//! What a request costs on the real clock: the client's CPU time per request against the embedded
//! stub, for a bare loop over the SDK call and for the whole driver (engine, limiter, recorder).
//!
//! `cargo bench --bench real`: the "time" that is printed is CPU time of the client's thread, so that
//! the stub, which has a thread of its own, does not count. Compare the two within one run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, InferenceConfiguration, Message,
};
use bedload::clock::Clock;
use bedload::drive::{self, Observer, Wish};
use bedload::engine::Engine;
use bedload::exchange::sdk_client;
use bedload::outcome::Event;
use bedload::recorder::Recorder;
use bedload::scenario::Scenario;
use bedload::target::stub::StubTarget;
use bedload::time::Instant;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const MODEL: &str = "amazon.nova-lite-v1:0";
const PROMPT: &str = "Explain quantum computing in simple terms.";
const MAX_TOKENS: i32 = 50;
const IN_FLIGHT: u64 = 64;

/// A closed loop of as many requests, as fast as they go.
fn scenario(requests: u64) -> Scenario {
    let text = format!(
        r#"
name = "bench"
[run]
duration = "1h"
max_requests = {requests}
[arrivals.closed_loop]
workers = {IN_FLIGHT}
[model.nova]
id = "{MODEL}"
api = "converse"
[model.nova.quota]
rpm = 100_000_000
tpm = 100_000_000_000
[limiter]
[[prompt]]
name = "explain"
text = "{PROMPT}"
max_tokens = {MAX_TOKENS}
output_tokens = {MAX_TOKENS}
[service]
first_token = "0s"
output_rate = "1000000/s"
"#
    );
    match Scenario::parse(&text, Path::new("")) {
        Ok(checked) => checked.scenario,
        Err(problems) => panic!("{problems:?}"),
    }
}

fn thread_cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(spent.tv_sec).unwrap_or(0),
        u32::try_from(spent.tv_nsec).unwrap_or(0),
    )
}

fn bare_client(endpoint_url: String) -> Client {
    let credentials = Credentials::new("stub", "stub", None, None, "bench");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint_url)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    sdk_client(&config)
}

async fn bare_call(client: Client) {
    let message = Message::builder()
        .role(ConversationRole::User)
        .content(ContentBlock::Text(PROMPT.to_owned()))
        .build()
        .expect("a message");
    let inference = InferenceConfiguration::builder()
        .max_tokens(MAX_TOKENS)
        .build();
    let call = client
        .converse()
        .model_id(MODEL)
        .messages(message)
        .inference_config(inference);
    call.send().await.expect("the stub answers");
}

/// CPU time of the client's thread for so many calls, `IN_FLIGHT` at a time.
async fn bare_loop(client: &Client, requests: u64) -> Duration {
    let before = thread_cpu();
    let mut calls = JoinSet::new();
    for _ in 0..requests.min(IN_FLIGHT) {
        calls.spawn(bare_call(client.clone()));
    }
    let mut left = requests.saturating_sub(IN_FLIGHT);
    while calls.join_next().await.is_some() {
        if left > 0 {
            left -= 1;
            calls.spawn(bare_call(client.clone()));
        }
    }
    thread_cpu() - before
}

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

async fn driven(target: &StubTarget, requests: u64, clock: &Clock) -> Duration {
    let scenario = scenario(requests);
    let mut engine = drive::engine(&scenario);
    let mut observer = Records(drive::recorder(&scenario, Duration::ZERO));
    let before = thread_cpu();
    drive::real::drive(&mut engine, target, clock, &mut observer)
        .await
        .expect("a timer");
    let spent = thread_cpu() - before;
    assert_eq!(engine.due_count(), requests);
    spent
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn converse(c: &mut Criterion) {
    let mut group = c.benchmark_group("client_cpu_per_converse");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    group.bench_function("bare_sdk_loop", |b| {
        let runtime = runtime();
        let clock = Clock::start();
        let stub = runtime
            .block_on(StubTarget::start(&scenario(1), clock))
            .expect("a port");
        let client = Arc::new(bare_client(stub.address()));
        b.iter_custom(|requests| runtime.block_on(bare_loop(&client, requests)));
    });
    group.bench_function("driver", |b| {
        let runtime = runtime();
        let clock = Clock::start();
        let stub = runtime
            .block_on(StubTarget::start(&scenario(1), clock))
            .expect("a port");
        b.iter_custom(|requests| runtime.block_on(driven(&stub, requests, &Clock::start())));
    });
    group.finish();
}

criterion_group!(benches, converse);
criterion_main!(benches);

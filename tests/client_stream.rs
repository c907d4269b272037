//! Answers that come piece by piece, as an application gets them: against the stub, through the SDK.
#![cfg(feature = "stub")]

use std::path::Path;

use bedload::client::{BedrockClient, InvokeError, Prompt, QuotaAwareClient};
use bedload::clock::Clock;
use bedload::outcome::{Failure, StopReason};
use bedload::quota::Dimension;
use bedload::retry::RetryPolicy;
use bedload::scenario::{Api, Scenario};
use bedload::target::stub::StubTarget;
use bedload::units::Tokens;

const MODEL: &str = "amazon.nova-lite-v1:0"; // burndown 1
const OUTPUT: u64 = 40;
/// What the prompt reserves: "How long is a river?" is 5 tokens, and `max_tokens` is 1,000.
const RESERVED: u64 = 1_005;
const TPM: u64 = 60_000;

async fn stub(more: &str) -> StubTarget {
    let text = format!(
        r#"
name = "streams"
target.stub = {{}}
run.duration = "60s"
arrivals.constant.rate = "1/s"

[model.nova]
id = "{MODEL}"
api = "converse-stream"
quota.rpm = 1_000

[[prompt]]
name = "short"
input_tokens = 5
max_tokens = 1_000
output_tokens = {OUTPUT}

[service]
first_token = "5ms"
output_rate = "500/s"
{more}
"#
    );
    let checked = Scenario::parse(&text, Path::new("")).expect("a good scenario");
    StubTarget::start(&checked.scenario, Clock::start())
        .await
        .expect("a stub")
}

fn client(stub: &StubTarget, api: Api) -> QuotaAwareClient {
    let bedrock = BedrockClient::builder(MODEL)
        .api(api)
        .retry(RetryPolicy::default())
        .build(&stub.sdk_config())
        .expect("a client");
    QuotaAwareClient::builder(bedrock)
        .max_tpm(TPM)
        .burst(std::time::Duration::from_secs(60))
        .build()
        .expect("a limiter")
}

fn prompt() -> Prompt {
    Prompt::new("How long is a river?").max_tokens(1_000)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// Tokens that the limiter has counted as used, apart from what has come back since.
fn settled(client: &QuotaAwareClient) -> (u64, u64) {
    let counts = client.metrics().counts;
    (counts.reserved.0, counts.settled.0)
}

#[test]
fn the_pieces_are_the_answer_and_the_service_counts_it() {
    block_on(async {
        let stub = stub("").await;
        for api in [Api::Converse, Api::InvokeModelStream] {
            let client = client(&stub, api);
            let whole = client.invoke(&prompt()).await.expect("an answer");
            let mut stream = client.stream(&prompt()).await.expect("a stream");
            let first = stream.next().await.expect("a piece").expect("a good one");
            assert_eq!(stream.usage().output, Tokens(1));
            let answer = stream.finish().await.expect("the rest");
            assert_eq!(first + &answer.text, whole.text);
            assert_eq!(answer.usage, whole.usage);
            assert_eq!(answer.usage.output, Tokens(OUTPUT));
            assert_eq!(answer.stop, StopReason::EndTurn);
            assert!(answer.first_token.expect("streamed") < answer.latency);
            let each = answer.usage.input.0 + OUTPUT;
            assert_eq!(settled(&client), (2 * RESERVED, 2 * each));
        }
    });
}

#[test]
fn an_answer_that_is_given_up_costs_what_had_come() {
    block_on(async {
        let stub = stub("").await;
        let client = client(&stub, Api::Converse);
        let mut stream = client.stream(&prompt()).await.expect("a stream");
        for _ in 0..3 {
            stream.next().await.expect("a piece").expect("a good one");
        }
        let usage = stream.cancel();
        assert_eq!((usage.input, usage.output), (Tokens(5), Tokens(3)));
        assert_eq!(settled(&client), (RESERVED, 8));
        // To drop it is the same.
        drop(client.stream(&prompt()).await.expect("a stream"));
        assert_eq!(settled(&client), (2 * RESERVED, 8 + 5));
        let remaining = client.metrics().remaining;
        let tokens = remaining.iter().find(|(limit, _)| *limit == Dimension::Tpm);
        let (_, tokens) = tokens.expect("limited");
        assert!(tokens + 13 >= TPM.cast_signed() && client.metrics().in_flight == 0);
    });
}

#[test]
fn a_stream_that_breaks_off_says_so_and_costs_what_had_come() {
    block_on(async {
        for (fault, class) in [
            ("damage = \"early-end\"", Failure::Interrupted),
            ("reset = \"mid-body\"", Failure::Interrupted),
            ("exception = \"throttled_tokens\"", Failure::ThrottledTokens),
            ("damage = \"corrupt\"", Failure::Unreadable),
        ] {
            let stub = stub(&format!("[[service.fault]]\n{fault}\n")).await;
            let client = client(&stub, Api::Converse);
            let stream = client.stream(&prompt()).await.expect("a stream");
            let error = stream.finish().await.expect_err("it breaks off");
            let details = error.details().expect("it was sent");
            assert_eq!(details.failure, class, "{fault}: {error}");
            assert_eq!(details.usage.output, Tokens(OUTPUT / 2), "{fault}");
            let cost = if class.is_throttle() {
                0
            } else {
                5 + OUTPUT / 2
            };
            assert_eq!(settled(&client).1, cost, "{fault}");
            assert_eq!(client.metrics().in_flight, 0, "{fault}");
        }
    });
}

#[test]
fn a_stream_is_bounded_by_the_request_timeout() {
    block_on(async {
        let stub = stub("[[service.fault]]\nstall = \"60s\"\n").await;
        let client = BedrockClient::builder(MODEL)
            .api(Api::Converse)
            .request_timeout(std::time::Duration::from_millis(300))
            .build(&stub.sdk_config())
            .expect("a client");
        let stream = client.stream(&prompt()).await.expect("a stream");
        let error = stream.finish().await.expect_err("it stalls");
        assert!(matches!(error, InvokeError::Timeout(_)), "{error}");
        let details = error.details().expect("it was sent");
        assert_eq!(details.usage.output, Tokens(OUTPUT / 2));
    });
}

#[test]
fn what_may_pass_is_tried_again_until_the_answer_begins() {
    block_on(async {
        let stub = stub("[[service.fault]]\nrefuse = \"unavailable\"\ncalls = [1]\n").await;
        let client = BedrockClient::builder(MODEL)
            .retry(RetryPolicy {
                max_attempts: 2,
                base: std::time::Duration::from_millis(1),
                ..RetryPolicy::default()
            })
            .build(&stub.sdk_config())
            .expect("a client");
        let stream = client.stream(&prompt()).await.expect("the second attempt");
        assert_eq!(stream.finish().await.expect("an answer").attempts, 2);
    });
}

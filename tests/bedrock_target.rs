//! What a call to Bedrock is on the wire, and what becomes of its answer. The other end is a mock on
//! loopback that says exactly what each test needs.
#![cfg(feature = "stub")]

use std::path::Path;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bedload::clock::Clock;
use bedload::exchange::sdk_client;
use bedload::outcome::{AttemptId, AttemptOutcome, ClassIndex, Dispatch, Failure, ModelIndex};
use bedload::scenario::Scenario;
use bedload::target::Target;
use bedload::target::bedrock::{BedrockTarget, Calls};
use bedload::time::Instant;
use bedload::units::Tokens;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const SCENARIO: &str = r#"
name = "one-call"
[run]
duration = "1s"
request_timeout = "300ms"
[arrivals.constant]
rate = "1/s"
[model.mistral]
id = "mistral.mistral-7b-instruct-v0:2"
[[prompt]]
name = "hello"
text = "Hello."
max_tokens = 20
"#;

/// Sends one call to a server that answers so; returns what became of it, and what it received.
fn send(answer: ResponseTemplate) -> (AttemptOutcome, Vec<Request>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "nobody", "nothing", None, None, "test",
            )))
            .endpoint_url(server.uri())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let checked = Scenario::parse(SCENARIO, Path::new("")).expect("a scenario");
        let calls = Arc::new(Calls::new(&checked.scenario, Clock::start(), false));
        let target = BedrockTarget::new(sdk_client(&config), calls);
        let dispatch = Dispatch {
            id: AttemptId {
                request: 0,
                attempt: 1,
                slot: 0,
            },
            class: ClassIndex(0),
            model: ModelIndex(0),
            input: Tokens(2),
            output: Tokens(20),
            due: Instant::ZERO,
            admitted: Instant::ZERO,
        };
        let outcome = target.send(dispatch).await;
        let received = server.received_requests().await.unwrap_or_default();
        (outcome, received)
    })
}

fn answer() -> ResponseTemplate {
    let body = r#"{"outputs":[{"text":"Hi.","stop_reason":"stop"}]}"#;
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

fn failure(outcome: &AttemptOutcome) -> Option<Failure> {
    outcome.result.as_ref().err().map(|failure| failure.class)
}

#[test]
fn one_call_is_one_request_and_does_not_say_who_it_is() {
    let answer = answer()
        .insert_header("x-amzn-bedrock-input-token-count", "5")
        .insert_header("x-amzn-bedrock-output-token-count", "3");
    let (outcome, received) = send(answer);
    let usage = outcome.result.expect("an answer").usage;
    assert_eq!((usage.input, usage.output), (Tokens(5), Tokens(3)));
    assert_eq!(received.len(), 1);
    assert!(received[0].headers.get("x-bedload-call").is_none());
    assert!(received[0].headers.get("authorization").is_some());
    let path = received[0].url.path();
    assert_eq!(path, "/model/mistral.mistral-7b-instruct-v0%3A2/invoke");
}

#[test]
fn an_answer_without_token_counts_is_a_failure_and_not_a_guess() {
    let (outcome, _) = send(answer());
    assert_eq!(failure(&outcome), Some(Failure::UsageMissing));
}

#[test]
fn the_sdk_does_not_try_again() {
    let refusal = |status, exception: &str, words: &str| {
        ResponseTemplate::new(status)
            .insert_header("x-amzn-errortype", exception)
            .set_body_raw(format!(r#"{{"message":"{words}"}}"#), "application/json")
    };
    let cases = [
        (
            429,
            "ThrottlingException",
            "Too many tokens, please wait before trying again.",
            Failure::ThrottledTokens,
        ),
        (
            429,
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
            Failure::ThrottledRequests,
        ),
        (
            429,
            "ModelNotReadyException",
            "Not ready.",
            Failure::ModelNotReady,
        ),
        (
            503,
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
            Failure::Unavailable,
        ),
        (
            500,
            "InternalServerException",
            "Try your request again.",
            Failure::InternalServer,
        ),
    ];
    for (status, exception, words, class) in cases {
        let (outcome, received) = send(refusal(status, exception, words));
        assert_eq!(failure(&outcome), Some(class), "{exception}: {words}");
        assert_eq!(received.len(), 1, "{exception}");
    }
}

#[test]
fn an_answer_that_does_not_come_in_time_is_a_time_out() {
    let late = answer().set_delay(std::time::Duration::from_secs(20));
    let (outcome, _) = send(late);
    assert_eq!(failure(&outcome), Some(Failure::Timeout));
    assert!(outcome.finished - outcome.sent >= std::time::Duration::from_millis(300));
}

#[test]
fn an_answer_that_cannot_be_read_says_so() {
    let (outcome, _) = send(ResponseTemplate::new(200).set_body_raw("<html>", "text/html"));
    assert_eq!(failure(&outcome), Some(Failure::Unreadable));
}

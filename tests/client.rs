//! The client for applications: every family, every class of error, retries, the limiter's answers.
#![cfg(feature = "stub")]

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bedload::catalogue::{Family, Model};
use bedload::client::{
    Answer, BedrockClient, BuildError, CachedClient, Invoke, InvokeError, Order, Prompt,
    QuotaAwareClient, RetryBudget, Throttle, queue,
};
use bedload::clock::Clock;
use bedload::outcome::{Failure, StopReason};
use bedload::quota::Dimension;
use bedload::retry::RetryPolicy;
use bedload::scenario::{Api, Scenario};
use bedload::target::stub::StubTarget;
use bedload::units::Tokens;
use bedload::wire::error::{error_body, error_type_header, for_failure};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn config(endpoint_url: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "nobody", "nothing", None, None, "test",
        )))
        .endpoint_url(endpoint_url)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

const NOVA: &str = "us.amazon.nova-lite-v1:0";

/// A server that answers the first calls with these, and everything afterwards with the last.
async fn server(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let last = answers.len().saturating_sub(1);
    for (place, answer) in answers.into_iter().enumerate() {
        let mock = Mock::given(any()).respond_with(answer);
        let mock = if place == last {
            mock
        } else {
            mock.up_to_n_times(1)
        };
        mock.mount(&server).await;
    }
    server
}

fn hello() -> ResponseTemplate {
    let body = r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hi."}]}},
        "stopReason":"end_turn","usage":{"inputTokens":5,"outputTokens":3,"totalTokens":8,
        "cacheReadInputTokens":7,"cacheWriteInputTokens":2},"metrics":{"latencyMs":42}}"#;
    ResponseTemplate::new(200)
        .insert_header("x-amzn-requestid", "a-request")
        .set_body_raw(body, "application/json")
}

fn refusal(failure: Failure) -> ResponseTemplate {
    let error = for_failure(failure).expect("an answer of the service");
    ResponseTemplate::new(error.status)
        .insert_header("x-amzn-errortype", error_type_header(error.exception))
        .insert_header("x-amzn-requestid", "a-request")
        .set_body_raw(error_body(&error.message), "application/json")
}

fn quick_retries(max_attempts: u32) -> RetryPolicy {
    RetryPolicy {
        max_attempts,
        base: Duration::from_millis(1),
        ..RetryPolicy::default()
    }
}

fn converse(server: &MockServer, retry: RetryPolicy) -> BedrockClient {
    BedrockClient::builder(NOVA)
        .api(Api::Converse)
        .retry(retry)
        .request_timeout(Duration::from_millis(300))
        .build(&config(&server.uri()))
        .expect("a known model")
}

fn prompt() -> Prompt {
    Prompt::new("Hello.").max_tokens(20)
}

#[test]
fn every_family_answers_through_both_operations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/model-families.toml");
    let checked = Scenario::load(&folder).expect("a shipped scenario");
    block_on(async {
        let stub = StubTarget::start(&checked.scenario, Clock::start())
            .await
            .expect("a stub");
        let mut families = std::collections::BTreeSet::new();
        for model in &checked.scenario.models {
            for api in [Api::InvokeModel, Api::Converse] {
                let client = BedrockClient::builder(&model.id)
                    .api(api)
                    .build(&stub.sdk_config())
                    .expect("a known model");
                let prompt = prompt().system("Be short.").temperature(0.5).stop("END");
                let answer = client.invoke(&prompt).await;
                let Answer {
                    text, usage, stop, ..
                } = answer.unwrap_or_else(|error| panic!("{}: {error}", model.id));
                // The stub writes four characters for each token that it counts.
                assert_eq!(text.len() as u64, usage.output.0 * 4, "{}", model.id);
                assert!(usage.output <= Tokens(20) && usage.input > Tokens(0));
                assert!(matches!(stop, StopReason::EndTurn | StopReason::MaxTokens));
            }
            families.insert(format!("{:?}", model.facts.family));
        }
        assert!(families.len() >= 11, "{families:?}");
    });
}

#[test]
fn an_answer_says_everything() {
    block_on(async {
        let server = server(vec![hello()]).await;
        let answer = converse(&server, RetryPolicy::default())
            .invoke(&prompt())
            .await
            .expect("an answer");
        assert_eq!(answer.text, "Hi.");
        assert_eq!(answer.usage.total(), Tokens(17));
        assert_eq!(
            (answer.usage.cache_read, answer.usage.cache_write),
            (Tokens(7), Tokens(2))
        );
        assert_eq!(answer.service_latency, Some(Duration::from_millis(42)));
        assert_eq!((answer.attempts, answer.quota_wait), (1, Duration::ZERO));
        assert_eq!(answer.request_id.as_deref(), Some("a-request"));
        assert_eq!(answer.stop, StopReason::EndTurn);
    });
}

/// The error that this failure of the service becomes.
fn is_its_variant(failure: Failure, error: &InvokeError) -> bool {
    use InvokeError as E;
    match failure {
        Failure::ThrottledRequests => matches!(error, E::Throttled(Throttle::Requests, _)),
        Failure::ThrottledTokens => matches!(error, E::Throttled(Throttle::Tokens, _)),
        Failure::ThrottledTokensPerDay => matches!(error, E::Throttled(Throttle::TokensPerDay, _)),
        Failure::ThrottledOther => matches!(error, E::Throttled(Throttle::Unclear, _)),
        Failure::ModelNotReady => matches!(error, E::ModelNotReady(_)),
        Failure::Unavailable => matches!(error, E::Capacity(_)),
        Failure::InternalServer => matches!(error, E::InternalServer(_)),
        Failure::ModelTimeout => matches!(error, E::ModelTimeout(_)),
        Failure::ModelError | Failure::ModelStreamError => matches!(error, E::ModelError(_)),
        Failure::Validation => matches!(error, E::Validation(_)),
        Failure::InputTooLong => matches!(error, E::InputTooLong(_)),
        Failure::MaxTokensTooLarge => matches!(error, E::MaxTokensTooLarge(_)),
        Failure::AccessDenied => matches!(error, E::AccessDenied(_)),
        Failure::NotFound => matches!(error, E::NotFound(_)),
        Failure::QuotaExceeded => matches!(error, E::AccountQuota(_)),
        Failure::OtherService => matches!(error, E::Other(_)),
        _ => false,
    }
}

#[test]
fn every_error_of_the_service_is_a_type_and_is_retried_only_if_that_can_help() {
    block_on(async {
        for &failure in Failure::ALL {
            if for_failure(failure).is_none() {
                continue;
            }
            let server = server(vec![refusal(failure)]).await;
            let error = converse(&server, quick_retries(3))
                .invoke(&prompt())
                .await
                .expect_err("a refusal");
            assert!(is_its_variant(failure, &error), "{failure}: {error:?}");
            assert_eq!(error.retry_may_help(), failure.may_pass(), "{failure}");
            assert_eq!(error.request_id(), Some("a-request"), "{failure}");
            let attempts = if failure.may_pass() { 3 } else { 1 };
            let details = error.details().expect("it was sent");
            assert_eq!(details.attempts, attempts, "{failure}");
            let received = server.received_requests().await.unwrap_or_default();
            assert_eq!(received.len(), attempts as usize, "{failure}");
        }
    });
}

#[test]
fn what_is_ours_is_a_type_too() {
    block_on(async {
        let slow = hello().set_delay(Duration::from_secs(5));
        let server = server(vec![slow]).await;
        let client = converse(&server, RetryPolicy::default());
        let error = client.invoke(&prompt()).await.expect_err("too slow");
        assert!(matches!(error, InvokeError::Timeout(_)), "{error:?}");

        let nobody = BedrockClient::builder(NOVA)
            .retry(RetryPolicy::default())
            .build(&config("http://127.0.0.1:1"))
            .expect("a known model");
        let error = nobody.invoke(&prompt()).await.expect_err("nobody there");
        assert!(matches!(error, InvokeError::Transport(_)), "{error:?}");
        assert!(error.retry_may_help());

        let error = client.invoke(&Prompt::new("Hello.")).await;
        let error = error.expect_err("no max_tokens");
        assert!(matches!(error, InvokeError::MaxTokensUnset(_)), "{error:?}");
        assert!(!error.retry_may_help());
    });
    let garbage = ResponseTemplate::new(200).set_body_raw("<html>", "text/html");
    block_on(async {
        let server = server(vec![garbage]).await;
        let client = converse(&server, RetryPolicy::default());
        let error = client.invoke(&prompt()).await.expect_err("garbage");
        assert!(matches!(error, InvokeError::Unreadable(_)), "{error:?}");
    });
}

#[test]
fn a_retry_may_help_and_an_outage_uses_the_budget_up() {
    block_on(async {
        let server = server(vec![
            refusal(Failure::ThrottledTokens),
            refusal(Failure::Unavailable),
            hello(),
        ])
        .await;
        let answer = converse(&server, quick_retries(3)).invoke(&prompt()).await;
        assert_eq!(answer.expect("the third time").attempts, 3);
    });
    block_on(async {
        let server = server(vec![refusal(Failure::Unavailable)]).await;
        let client = BedrockClient::builder(NOVA)
            .retry(quick_retries(3))
            .retry_budget(RetryBudget {
                capacity: 25,
                ..RetryBudget::default()
            })
            .build(&config(&server.uri()))
            .expect("a known model");
        for _ in 0..10 {
            client.invoke(&prompt()).await.expect_err("an outage");
        }
        // Ten calls and five retries, not twenty.
        let received = server.received_requests().await.unwrap_or_default();
        assert_eq!((received.len(), client.retries()), (15, 5));
    });
}

#[test]
fn an_unknown_model_is_an_error_with_the_remedy() {
    let config = config("http://127.0.0.1:1");
    let unknown = BedrockClient::builder("amazon.nova-light-v1:0").build(&config);
    let error = unknown.expect_err("no such model");
    assert!(matches!(error, BuildError::UnknownModel { .. }));
    let words = error.to_string();
    assert!(
        words.contains("did you mean `amazon.nova-lite-v1:0`?"),
        "{words}"
    );
    assert!(words.contains("Model::stated"), "{words}");
    let stated = Model::stated("acme.tiny", Family::OpenAi, 1, Tokens(8000), Tokens(1000));
    let known = BedrockClient::builder("acme.tiny")
        .model(stated)
        .build(&config);
    assert!(known.is_ok());
}

#[test]
fn quota_is_waited_for_or_told() {
    block_on(async {
        let server = server(vec![hello()]).await;
        let bedrock = converse(&server, RetryPolicy::default());
        let hasty = QuotaAwareClient::builder(bedrock.clone())
            .max_rpm(6)
            .max_tpm(60_000)
            .wait_for_quota(false)
            .build()
            .expect("limits");
        hasty.invoke(&prompt()).await.expect("the first fits");
        let Err(InvokeError::QuotaExceeded(short)) = hasty.invoke(&prompt()).await else {
            panic!("one request in ten seconds fits");
        };
        assert_eq!((short.dimension, short.missing), (Some(Dimension::Rpm), 1));
        let wait = short.fits_in.expect("it fits in time").as_secs_f64();
        assert!((9.0..=10.0).contains(&wait), "{wait}");
        let Err(InvokeError::NeverFits(misfit)) = hasty.invoke(&prompt().max_tokens(10_000)).await
        else {
            panic!("10,000 tokens never fit");
        };
        assert_eq!((misfit.dimension, misfit.holds), (Dimension::Tpm, 10_000));
        let received = server.received_requests().await.unwrap_or_default();
        assert_eq!(received.len(), 1, "what was refused was not sent");

        let patient = QuotaAwareClient::builder(bedrock)
            .max_rpm(600)
            .burst(Duration::from_millis(100))
            .quota_timeout(Duration::from_millis(250))
            .build()
            .expect("limits");
        // The fourth would have to wait 300 ms.
        let asked = prompt();
        let calls = tokio::join!(
            patient.invoke(&asked),
            patient.invoke(&asked),
            patient.invoke(&asked),
            patient.invoke(&asked),
        );
        let second = calls.1.expect("it waits 100 ms");
        assert!(second.quota_wait >= Duration::from_millis(90));
        assert!(calls.0.is_ok() && calls.2.is_ok());
        let Err(InvokeError::QuotaExceeded(short)) = calls.3 else {
            panic!("250 ms are too short for the fourth");
        };
        assert!(short.waited >= Duration::from_millis(250), "{short:?}");
        let metrics = patient.metrics();
        assert_eq!((metrics.counts.admitted, metrics.counts.timed_out), (3, 1));
        // Nova counts an output token once: 5 in, 2 written to the cache, 3 out.
        assert_eq!(metrics.counts.settled, Tokens(30));
    });
}

#[test]
fn a_throttle_is_retried_with_a_permit_of_its_own() {
    block_on(async {
        let server = server(vec![refusal(Failure::ThrottledTokens), hello()]).await;
        let client = QuotaAwareClient::builder(converse(&server, quick_retries(2)))
            .max_rpm(6000)
            .build()
            .expect("limits");
        let answer = client.invoke(&prompt()).await.expect("the second time");
        let metrics = client.metrics();
        assert_eq!(answer.attempts, 2);
        assert_eq!((metrics.counts.admitted, metrics.counts.throttled), (2, 1));
        assert_eq!((metrics.retries, metrics.in_flight), (1, 0));
    });
}

#[test]
fn limits_that_let_nothing_pass_are_refused() {
    let bedrock = || {
        BedrockClient::builder(NOVA)
            .build(&config("http://127.0.0.1:1"))
            .expect("a known model")
    };
    let none = QuotaAwareClient::builder(bedrock()).build();
    assert_eq!(none.err(), Some(BuildError::NoLimits));
    let zero = QuotaAwareClient::builder(bedrock()).max_tpm(0).build();
    assert_eq!(zero.err(), Some(BuildError::ZeroLimit(Dimension::Tpm)));
}

/// Answers after a while that depends on the prompt, and counts.
#[derive(Clone, Default)]
struct Echo {
    calls: std::sync::Arc<std::sync::atomic::AtomicU32>,
}

impl Invoke for Echo {
    async fn invoke(&self, prompt: &Prompt) -> Result<Answer, InvokeError> {
        let call = self
            .calls
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // The first of each four takes longest.
        for _ in 0..(4 - call % 4) * 10 {
            tokio::task::yield_now().await;
        }
        Ok(Answer {
            text: format!("{prompt:?}"),
            usage: bedload::units::TokenUsage::default(),
            stop: StopReason::EndTurn,
            service_latency: None,
            latency: Duration::ZERO,
            first_token: None,
            attempts: 1,
            quota_wait: Duration::ZERO,
            request_id: None,
        })
    }

    fn identity(&self) -> String {
        "echo".to_owned()
    }
}

#[test]
fn a_queue_holds_back_and_keeps_its_order() {
    for order in [Order::Submitted, Order::Finished] {
        block_on(async {
            let echo = Echo::default();
            let (submitter, mut results) = queue(echo.clone(), 4, order);
            for number in 0..4 {
                assert_eq!(submitter.submit(prompt()).await, Some(number));
            }
            let fifth = tokio::time::timeout(Duration::from_millis(50), submitter.submit(prompt()));
            assert!(
                fifth.await.is_err(),
                "there is no room until an answer is taken"
            );
            let mut numbers = vec![results.next().await.expect("an answer").0];
            assert_eq!(submitter.submit(prompt()).await, Some(4));
            drop(submitter);
            while let Some((number, answer)) = results.next().await {
                answer.expect("an echo");
                numbers.push(number);
            }
            assert_eq!(
                numbers.is_sorted(),
                order == Order::Submitted,
                "{numbers:?}"
            );
            numbers.sort_unstable();
            assert_eq!(numbers, [0, 1, 2, 3, 4]);
        });
    }
}

#[test]
fn a_queue_without_a_taker_takes_nothing_more() {
    block_on(async {
        let (submitter, results) = queue(Echo::default(), 2, Order::Finished);
        assert_eq!(submitter.submit(prompt()).await, Some(0));
        drop(results);
        assert_eq!(submitter.submit(prompt()).await, None);
    });
}

#[test]
fn a_cache_asks_once_is_bounded_and_forgets() {
    block_on(async {
        let echo = Echo::default();
        let calls = || echo.calls.load(std::sync::atomic::Ordering::Relaxed);
        let cached = CachedClient::builder(echo.clone())
            .max_bytes(20_000)
            .time_to_live(Duration::from_millis(100))
            .build();
        // At the same time, and again.
        let asked = prompt();
        let (one, other) = tokio::join!(cached.invoke(&asked), cached.invoke(&asked));
        assert_eq!(one, other);
        assert_eq!(calls(), 1);
        // Every parameter is part of the question, and who asks is not.
        for other in [
            prompt().temperature(0.5),
            prompt().top_p(0.5),
            prompt().system("x"),
            prompt().stop("x"),
            prompt().max_tokens(21),
        ] {
            cached.invoke(&other).await.expect("an echo");
        }
        assert_eq!(calls(), 6);
        cached.invoke(&prompt().class(3)).await.expect("an echo");
        assert_eq!(calls(), 6);
        for number in 0..200 {
            let other = Prompt::new(format!("Question {number}")).max_tokens(20);
            cached.invoke(&other).await.expect("an echo");
        }
        let metrics = cached.metrics().await;
        assert!(metrics.bytes <= 20_000, "{metrics:?}");
        assert_eq!(metrics.misses, 206);
        // Older than its time to live: asked again.
        let before = calls();
        let old = tokio::time::timeout(Duration::from_millis(150), std::future::pending::<()>());
        assert!(old.await.is_err());
        cached.invoke(&asked).await.expect("an echo");
        assert_eq!(calls(), before + 1);
    });
}

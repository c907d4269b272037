//! The server's side of `Converse` (AWS, Bedrock Runtime API reference, `Converse`).
//!
//! Promises: what the AWS SDK sends is measured, and what is written here the SDK reads.
//!
//! Deliberately not: the client's side, which the SDK has; nor every check of the service. Unknown
//! members pass, as they do in AWS's rest-json protocol, so that newer SDKs are served too. How the
//! service words a malformed `Converse` body is not public: the words of `InvokeModel` stand in.

use serde_json::{Value, json};

use super::schema::{self, Kind, TEXTS, optional, required};
use super::stop_words::MESSAGES;
use super::{Generated, Incoming, to_bytes};
use crate::units::{TokenUsage, Tokens};

const REQUEST: Kind = Kind::Open(&[
    required(
        "messages",
        Kind::List(&Kind::Open(&[
            required("role", Kind::Text),
            required("content", Kind::Blocks),
        ])),
    ),
    optional("system", Kind::Blocks),
    optional(
        "inferenceConfig",
        Kind::Open(&[
            optional("maxTokens", Kind::MaxTokens { at_least: 1 }),
            optional("temperature", Kind::Number),
            optional("topP", Kind::Number),
            optional("stopSequences", TEXTS),
        ]),
    ),
]);

/// Reads a `Converse` or `ConverseStream` request.
///
/// # Errors
/// The message of a `ValidationException` that names each fault of the body.
pub fn parse_request(body: &[u8]) -> Result<Incoming, String> {
    schema::check(&REQUEST, body)
}

/// The body of a `Converse` response that took the service so many milliseconds.
#[must_use]
pub fn response_body(generated: &Generated<'_>, latency_ms: u64) -> Vec<u8> {
    to_bytes(&json!({
        "metrics": {"latencyMs": latency_ms},
        "output": {"message": {"content": [{"text": generated.text}], "role": "assistant"}},
        "stopReason": MESSAGES.write(generated.stop),
        "usage": usage(&generated.usage),
    }))
}

/// Token counts. Those of the cache are left out where there are none, as the service does;
/// `totalTokens` includes them.
pub(super) fn usage(counts: &TokenUsage) -> Value {
    let cached = counts.cache_read + counts.cache_write;
    let mut usage = json!({
        "inputTokens": counts.input,
        "outputTokens": counts.output,
        "totalTokens": counts.input + counts.output + cached,
    });
    if cached > Tokens::ZERO {
        usage["cacheReadInputTokens"] = json!(counts.cache_read);
        usage["cacheWriteInputTokens"] = json!(counts.cache_write);
    }
    usage
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::tests::generated;

    #[test]
    fn a_request_is_measured() {
        let body = br#"{"inferenceConfig": {"maxTokens": 10},
                        "messages": [{"content": [{"text": "Why?"}, {"cachePoint": {"type": "default"}}],
                                      "role": "user"}],
                        "system": [{"text": "Be brief."}],
                        "requestMetadata": {"team": "a"}}"#;
        let expected = Incoming {
            text_chars: 13,
            max_tokens: Some(10),
        };
        assert_eq!(parse_request(body), Ok(expected));
    }

    #[test]
    fn faults_are_named() {
        let message = parse_request(br#"{"messages": "Why?"}"#).expect_err("messages is a list");
        assert!(
            message.contains("#/messages: expected type: JSONArray, found: String"),
            "{message}"
        );
    }

    #[test]
    fn a_response_as_documented() {
        let body: Value = serde_json::from_slice(&response_body(&generated("Because."), 659))
            .expect("a body is JSON");
        let expected = json!({
            "metrics": {"latencyMs": 659},
            "output": {"message": {"content": [{"text": "Because."}], "role": "assistant"}},
            "stopReason": "max_tokens",
            "usage": {"inputTokens": 12, "outputTokens": 34, "totalTokens": 46},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn the_total_includes_cached_tokens() {
        let mut cached = generated("");
        cached.usage.cache_read = Tokens(100);
        let body: Value =
            serde_json::from_slice(&response_body(&cached, 1)).expect("a body is JSON");
        let expected = json!({
            "inputTokens": 12, "outputTokens": 34, "totalTokens": 146,
            "cacheReadInputTokens": 100, "cacheWriteInputTokens": 0,
        });
        assert_eq!(body["usage"], expected);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_request(&body);
        }
    }
}

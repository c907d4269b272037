//! Response headers in which Bedrock counts tokens and time (AWS documentation, inference-invoke).
//!
//! Promises: names are in lower case, as HTTP libraries store them; a header that cannot be read
//! counts as missing, since the answer itself is good.
//!
//! `InvokeModel` sends these for every family; `Converse` sends none and counts in its body.

use std::time::Duration;

use crate::units::{TokenUsage, Tokens};

/// Input tokens, without those of the prompt cache.
pub const INPUT_TOKENS: &str = "x-amzn-bedrock-input-token-count";
/// Output tokens, as generated.
pub const OUTPUT_TOKENS: &str = "x-amzn-bedrock-output-token-count";
/// Input tokens read from the prompt cache; sent only where it was used.
pub const CACHE_READ_TOKENS: &str = "x-amzn-bedrock-cache-read-input-token-count";
/// Input tokens written to the prompt cache; sent only where it was used.
pub const CACHE_WRITE_TOKENS: &str = "x-amzn-bedrock-cache-write-input-token-count";
/// The service's own measure of the call, in milliseconds.
pub const LATENCY_MS: &str = "x-amzn-bedrock-invocation-latency";
/// The request's id, for AWS support.
pub const REQUEST_ID: &str = "x-amzn-requestid";
/// The exception's name; see [`super::error::error_type_header`].
pub const ERROR_TYPE: &str = "x-amzn-errortype";

/// Token counts from a response's headers, given a look-up by name; none where the input or the
/// output count is missing.
pub fn usage_from_headers<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Option<TokenUsage> {
    let count = |name| header(name)?.trim().parse().ok().map(Tokens);
    Some(TokenUsage {
        input: count(INPUT_TOKENS)?,
        output: count(OUTPUT_TOKENS)?,
        cache_read: count(CACHE_READ_TOKENS).unwrap_or_default(),
        cache_write: count(CACHE_WRITE_TOKENS).unwrap_or_default(),
    })
}

/// The service's own latency from a response's headers.
pub fn latency_from_headers<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Option<Duration> {
    header(LATENCY_MS)?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_millis)
}

/// The headers that an answer with these counts and this latency (in milliseconds) carries.
#[must_use]
pub fn for_answer(usage: &TokenUsage, latency_ms: u64) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        (INPUT_TOKENS, usage.input.0.to_string()),
        (OUTPUT_TOKENS, usage.output.0.to_string()),
        (LATENCY_MS, latency_ms.to_string()),
    ];
    if usage.cache_read + usage.cache_write > Tokens::ZERO {
        headers.push((CACHE_READ_TOKENS, usage.cache_read.0.to_string()));
        headers.push((CACHE_WRITE_TOKENS, usage.cache_write.0.to_string()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find<'h>(headers: &'h [(&'static str, String)], name: &str) -> Option<&'h str> {
        headers
            .iter()
            .find(|header| header.0 == name)
            .map(|header| header.1.as_str())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(counts in any::<[u64; 4]>(), latency_ms in any::<u64>()) {
            let [input, output, cache_read, cache_write] = counts.map(Tokens);
            let written = TokenUsage { input, output, cache_read, cache_write };
            let headers = for_answer(&written, latency_ms);
            prop_assert_eq!(usage_from_headers(|name| find(&headers, name)), Some(written));
            prop_assert_eq!(
                latency_from_headers(|name| find(&headers, name)),
                Some(Duration::from_millis(latency_ms))
            );
        }
    }

    #[test]
    fn a_missing_or_broken_count_is_no_usage() {
        assert_eq!(usage_from_headers(|_| None), None);
        assert_eq!(
            usage_from_headers(|name| (name != OUTPUT_TOKENS).then_some("7")),
            None
        );
        assert_eq!(usage_from_headers(|_| Some("many")), None);
    }
}

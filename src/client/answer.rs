//! What a model answered, and what it took.

use std::time::Duration;

use crate::outcome::StopReason;
use crate::units::TokenUsage;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The generated text.
    pub text: String,
    /// Its tokens as the service counted them: input, output, cache reads and writes, and their
    /// [`total`](TokenUsage::total).
    pub usage: TokenUsage,
    /// Why it ended.
    pub stop: StopReason,
    /// The service's own measure of its latency, where it gave one.
    pub service_latency: Option<Duration>,
    /// From the sending of the last attempt to its answer.
    pub latency: Duration,
    /// From the sending of the last attempt to its first token; streams only.
    pub first_token: Option<Duration>,
    /// How many attempts it took; 1 without a retry.
    pub attempts: u32,
    /// How long it waited for quota, all attempts together; zero without a limiter.
    pub quota_wait: Duration,
    /// The service's id of the request, where it gave one.
    pub request_id: Option<String>,
}

//! A client that stays within a quota.

use std::time::Duration;

use super::Invoke;
use super::answer::Answer;
use super::bedrock::BedrockClient;
use super::error::{BuildError, InvokeError};
use super::limiter::SharedLimiter;
use super::prompt::Prompt;
use super::stream::AnswerStream;
use crate::limiter::{Counts, LimiterSettings};
use crate::quota::{Dimension, Quota};

/// Calls one model within a quota. Cheap to clone; clones share the quota.
#[derive(Clone, Debug)]
pub struct QuotaAwareClient {
    client: BedrockClient,
    limiter: SharedLimiter,
}

/// What a [`QuotaAwareClient`] is told before it begins.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct QuotaAwareClientBuilder {
    client: BedrockClient,
    settings: LimiterSettings,
}

/// What a client has done, and what is left to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// What is left of each limit, in requests or tokens; negative in debt.
    pub remaining: Vec<(Dimension, i64)>,
    /// Requests that wait for quota.
    pub waiting: usize,
    /// Calls under way.
    pub in_flight: u32,
    /// Retries so far.
    pub retries: u64,
    /// What the limiter has counted: calls admitted, refused and throttled; tokens reserved, settled
    /// and wasted, which is to say reserved without need.
    pub counts: Counts,
}

impl QuotaAwareClient {
    /// Puts a limiter before `client`. Unless told otherwise it counts in a bucket of ten seconds,
    /// sets aside what Bedrock reserves, and has requests wait for up to 30 s.
    pub fn builder(client: BedrockClient) -> QuotaAwareClientBuilder {
        let settings = LimiterSettings::new(Quota::default(), client.counting());
        QuotaAwareClientBuilder { client, settings }
    }

    /// Puts a limiter before `client` that exists already, and may have other users.
    #[must_use]
    pub const fn with_limiter(client: BedrockClient, limiter: SharedLimiter) -> Self {
        Self { client, limiter }
    }

    /// Asks the model when there is quota for it.
    ///
    /// # Errors
    /// [`InvokeError::QuotaExceeded`] and [`InvokeError::NeverFits`] if it was not sent; otherwise
    /// see [`InvokeError`].
    pub async fn invoke(&self, prompt: &Prompt) -> Result<Answer, InvokeError> {
        self.client.invoke_behind(Some(&self.limiter), prompt).await
    }

    /// Asks the model for an answer that comes piece by piece, when there is quota for it. If it is
    /// given up, the quota is settled with what had come.
    ///
    /// # Errors
    /// As [`Self::invoke`].
    pub async fn stream(&self, prompt: &Prompt) -> Result<AnswerStream, InvokeError> {
        self.client.stream_behind(Some(&self.limiter), prompt).await
    }

    /// What it has done, and what is left to it.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics {
            remaining: self.limiter.remaining(),
            waiting: self.limiter.waiting(),
            in_flight: self.limiter.in_flight(),
            retries: self.client.retries(),
            counts: self.limiter.counts(),
        }
    }

    /// The limiter, to be shared with whoever else spends the same quota.
    #[must_use]
    pub const fn limiter(&self) -> &SharedLimiter {
        &self.limiter
    }
}

impl Invoke for QuotaAwareClient {
    async fn invoke(&self, prompt: &Prompt) -> Result<Answer, InvokeError> {
        Self::invoke(self, prompt).await
    }

    fn identity(&self) -> String {
        self.client.identity()
    }
}

impl QuotaAwareClientBuilder {
    /// Requests per minute.
    pub const fn max_rpm(mut self, requests: u64) -> Self {
        self.settings.quota.rpm = Some(requests);
        self
    }

    /// Tokens per minute.
    pub const fn max_tpm(mut self, tokens: u64) -> Self {
        self.settings.quota.tpm = Some(tokens);
        self
    }

    /// Tokens per day.
    pub const fn max_tpd(mut self, tokens: u64) -> Self {
        self.settings.quota.tpd = Some(tokens);
        self
    }

    /// Calls under way at a time.
    pub const fn max_in_flight(mut self, calls: u32) -> Self {
        self.settings.max_in_flight = Some(calls);
        self
    }

    /// Whether requests wait for quota (true unless said otherwise) or are refused at once.
    pub const fn wait_for_quota(mut self, wait: bool) -> Self {
        self.settings.wait_for_quota = wait;
        self
    }

    /// The longest that a request waits for quota; 30 s unless said otherwise.
    pub const fn quota_timeout(mut self, timeout: Duration) -> Self {
        self.settings.quota_timeout = timeout;
        self
    }

    /// How much may be spent at once, as time at the full rate; 10 s unless said otherwise.
    pub const fn burst(mut self, burst: Duration) -> Self {
        self.settings.meters.burst = burst;
        self
    }

    /// Everything at once, such as a scenario's
    /// [`limiter_of`](crate::scenario::Scenario::limiter_of) one of its models.
    pub fn settings(mut self, settings: LimiterSettings) -> Self {
        self.settings = settings;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// If nothing is limited, or something to zero.
    pub fn build(self) -> Result<QuotaAwareClient, BuildError> {
        let Self { client, settings } = self;
        if let Some((dimension, _)) = settings.quota.limited().find(|(_, limit)| *limit == 0) {
            return Err(BuildError::ZeroLimit(dimension));
        }
        if settings.quota == Quota::default() && settings.max_in_flight.is_none() {
            return Err(BuildError::NoLimits);
        }
        let limiter = SharedLimiter::new(&settings);
        Ok(QuotaAwareClient { client, limiter })
    }
}

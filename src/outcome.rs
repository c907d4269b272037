//! What happened to one request: its instants, its tokens, its attempts and how it ended.
//!
//! Promises: every way in which a call can fail has exactly one class ([`Failure`]), throttles are
//! told apart by cause and kept apart from capacity, time-outs and rejected requests, and nothing
//! here is an error of ours: the service's failures are data.
//!
//! Deliberately not: durations. Records keep instants; whoever prints a latency names its two ends.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Instant;
use crate::units::{TokenUsage, Tokens};

/// Which prompt class of the scenario, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassIndex(pub u16);

/// Which model of the scenario, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelIndex(pub u16);

/// One attempt to send one request. Attempts of a request count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The request, numbered from 0 in the order in which requests became due.
    pub request: u64,
    /// The attempt, numbered from 1.
    pub attempt: u32,
    /// Where the engine keeps the request while it is under way.
    pub slot: u32,
}

/// What the engine asks a driver to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Which attempt this is; handed back with its outcome.
    pub id: AttemptId,
    /// The prompt class.
    pub class: ClassIndex,
    /// The model.
    pub model: ModelIndex,
    /// Input tokens that the client expects the request to have.
    pub input: Tokens,
    /// Output tokens that the stub and the simulator generate, were there no `max_tokens`.
    pub output: Tokens,
    /// When the request became due.
    pub due: Instant,
    /// When this attempt was admitted by the limiter.
    pub admitted: Instant,
}

/// Why generation stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model had said what it had to say.
    EndTurn,
    /// `max_tokens` cut the answer off.
    MaxTokens,
    /// A stop sequence was met.
    StopSequence,
    /// Anything else (tool use, guardrail, …).
    Other,
}

/// A call that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Tokens as the service counted them.
    pub usage: TokenUsage,
    /// Why generation stopped.
    pub stop: StopReason,
    /// The service's own measure of its latency, where it gave one.
    pub service_latency: Option<Duration>,
}

/// A call that was not answered as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptFailure {
    /// Its class.
    pub class: Failure,
    /// The service's own words, or the transport's.
    pub message: Option<Box<str>>,
    /// Tokens that were spent all the same (a stream cut off half-way), if known.
    pub usage: TokenUsage,
}

impl From<Failure> for AttemptFailure {
    fn from(class: Failure) -> Self {
        Self {
            class,
            message: None,
            usage: TokenUsage::default(),
        }
    }
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptOutcome {
    /// When the call was really begun.
    pub sent: Instant,
    /// When the first token arrived; streams only.
    pub first_token: Option<Instant>,
    /// The pauses between its token events; streams that were answered only.
    pub gaps: Gaps,
    /// When it ended.
    pub finished: Instant,
    /// How it ended.
    pub result: Result<Answer, AttemptFailure>,
}

/// Pauses between the token events of a stream, equal neighbours together. Empty for answers that
/// come whole, and then without memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps(Vec<(Duration, u64)>);

impl Gaps {
    /// Adds `times` pauses of the same length.
    pub fn push(&mut self, gap: Duration, times: u64) {
        match self.0.last_mut() {
            _ if times == 0 => {}
            Some((last, count)) if *last == gap => *count += times,
            _ => self.0.push((gap, times)),
        }
    }

    /// Each length, and how often it came.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.0.iter().copied()
    }
}

macro_rules! named_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every value, in the order in which reports list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name used in files, scenarios and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named_enum! {
    /// How an attempt failed. The first four are throttles (HTTP 429).
    Failure {
        /// 429 `ThrottlingException`, "Too many requests": the RPM quota.
        ThrottledRequests = "throttled_requests",
        /// 429 `ThrottlingException`, "Too many tokens": the TPM quota.
        ThrottledTokens = "throttled_tokens",
        /// 429 `ThrottlingException`, "Too many tokens per day": the TPD quota.
        ThrottledTokensPerDay = "throttled_tokens_per_day",
        /// 429 `ThrottlingException` in other words, such as an overloaded model.
        ThrottledOther = "throttled_other",
        /// 429 `ModelNotReadyException`: a model that is being loaded, not a quota.
        ModelNotReady = "model_not_ready",
        /// 503 `ServiceUnavailableException`: capacity, not quota.
        Unavailable = "unavailable",
        /// 500 `InternalServerException`.
        InternalServer = "internal_server",
        /// 408 `ModelTimeoutException`.
        ModelTimeout = "model_timeout",
        /// 424 `ModelErrorException`.
        ModelError = "model_error",
        /// 424 `ModelStreamErrorException`, mostly in the middle of a stream.
        ModelStreamError = "model_stream_error",
        /// 400 `ValidationException`, except for the two below.
        Validation = "validation",
        /// 400 `ValidationException`: the input is longer than the model's context.
        InputTooLong = "input_too_long",
        /// 400 `ValidationException`: `max_tokens` is above the model's limit.
        MaxTokensTooLarge = "max_tokens_too_large",
        /// 403 `AccessDeniedException`, or credentials that are not accepted.
        AccessDenied = "access_denied",
        /// 404 `ResourceNotFoundException`.
        NotFound = "not_found",
        /// 400 `ServiceQuotaExceededException`.
        QuotaExceeded = "quota_exceeded",
        /// No answer within the scenario's `request_timeout`.
        Timeout = "timeout",
        /// No connection, or one that broke.
        Transport = "transport",
        /// A stream that ended before the message did.
        Interrupted = "interrupted",
        /// An answer without token usage in its headers or its body.
        UsageMissing = "usage_missing",
        /// An answer that could not be read.
        Unreadable = "unreadable",
        /// A request that this program could not build; a fault of ours.
        Client = "client",
        /// An error of the service that is none of the above.
        OtherService = "other_service",
    }
}

impl Failure {
    /// Whether this is a refusal for want of quota.
    #[must_use]
    pub const fn is_throttle(self) -> bool {
        matches!(
            self,
            Self::ThrottledRequests
                | Self::ThrottledTokens
                | Self::ThrottledTokensPerDay
                | Self::ThrottledOther
        )
    }

    /// Whether the service may still be at work on a request that we gave up, so that its
    /// reservation must be taken as spent.
    #[must_use]
    pub const fn leaves_work_running(self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Whether the same request may succeed when it is sent again.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        self.is_throttle()
            || matches!(
                self,
                Self::ModelNotReady
                    | Self::Unavailable
                    | Self::InternalServer
                    | Self::ModelTimeout
                    | Self::ModelError
                    | Self::ModelStreamError
                    | Self::Timeout
                    | Self::Transport
                    | Self::Interrupted
            )
    }
}

named_enum! {
    /// Why a request was given up before it was sent.
    DropReason {
        /// It waited for quota longer than the limiter's `quota_timeout`.
        QuotaTimeout = "quota_timeout",
        /// Quota was not free at once and `wait_for_quota` is false.
        QuotaExceeded = "quota_exceeded",
        /// It costs more than the limiter can ever hold.
        NeverFits = "never_fits",
        /// Too many requests were waiting already (`run.max_queue`).
        QueueFull = "queue_full",
        /// Too many requests were under way already (`run.max_in_flight`).
        InFlightLimit = "in_flight_limit",
    }
}

/// How a request ended. Each request that became due ends in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was answered.
    Completed,
    /// Its last attempt failed.
    Failed(Failure),
    /// It was never sent.
    Dropped(DropReason),
    /// The run ended before it did.
    Cancelled,
}

impl Outcome {
    /// The name of the outcome without its reason.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
            Self::Dropped(_) => "dropped",
            Self::Cancelled => "cancelled",
        }
    }

    /// The reason, where there is one.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Failed(failure) => Some(failure.name()),
            Self::Dropped(reason) => Some(reason.name()),
            Self::Completed | Self::Cancelled => None,
        }
    }
}

/// An attempt that was followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierAttempt {
    /// When the call was begun.
    pub sent: Instant,
    /// When it failed.
    pub finished: Instant,
    /// How it failed.
    pub failure: Failure,
}

/// One request, from due to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// Its number, from 0 in due order.
    pub id: u64,
    /// Its prompt class.
    pub class: ClassIndex,
    /// Its model.
    pub model: ModelIndex,
    /// When it should have started.
    pub due: Instant,
    /// When the limiter first let it go; none if it never did.
    pub admitted: Option<Instant>,
    /// When its last attempt was admitted (that is `admitted` unless it was retried).
    pub last_admitted: Option<Instant>,
    /// When its last attempt was really begun.
    pub sent: Option<Instant>,
    /// When the first token of its last attempt arrived; streams only.
    pub first_token: Option<Instant>,
    /// The pauses between the token events of its answer; streams only.
    pub gaps: Gaps,
    /// When it ended, however it did.
    pub finished: Instant,
    /// How it ended.
    pub outcome: Outcome,
    /// The service's words about its last failure.
    pub message: Option<Box<str>>,
    /// Attempts that were sent.
    pub attempts: u32,
    /// Input tokens that the client expected.
    pub input_estimate: Tokens,
    /// What one attempt reserves of the tokens-per-minute quota.
    pub reserved: Tokens,
    /// Tokens by the service's count, over all attempts.
    pub usage: TokenUsage,
    /// What all attempts together cost against the tokens-per-minute quota in the end.
    pub settled: Tokens,
    /// Attempts before the last.
    pub earlier: Vec<EarlierAttempt>,
}

/// What happened in a run, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request became due.
    Due {
        /// When.
        at: Instant,
        /// Its prompt class.
        class: ClassIndex,
    },
    /// An attempt was handed to the driver.
    Sent {
        /// When it was admitted.
        at: Instant,
        /// When its request became due.
        due: Instant,
        /// Its prompt class.
        class: ClassIndex,
        /// Its model.
        model: ModelIndex,
        /// What it reserves of the tokens-per-minute quota.
        reserved: Tokens,
    },
    /// An attempt came to its end.
    Ended {
        /// When.
        at: Instant,
        /// When its request became due.
        due: Instant,
        /// Its prompt class.
        class: ClassIndex,
        /// Its model.
        model: ModelIndex,
        /// What it had reserved of the tokens-per-minute quota.
        reserved: Tokens,
        /// What it cost against that quota in the end.
        settled: Tokens,
        /// Tokens by the service's count.
        usage: TokenUsage,
        /// How it failed, if it did.
        failure: Option<Failure>,
    },
    /// A request came to its end.
    Finished(RequestRecord),
    /// Somebody paused the run: from here on nothing is admitted.
    Paused {
        /// When.
        at: Instant,
    },
    /// Admission goes on.
    Resumed {
        /// When.
        at: Instant,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_lead_back() {
        for &failure in Failure::ALL {
            assert_eq!(Failure::from_name(failure.name()), Some(failure));
        }
        assert_eq!(
            Failure::ALL
                .iter()
                .filter(|failure| failure.is_throttle())
                .count(),
            4
        );
    }
}

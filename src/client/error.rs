//! Why there is no answer, or no client, as types that a caller can match.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::exchange::ExchangeError;
use crate::outcome::Failure;
use crate::quota::{Dimension, Misfit};
use crate::units::{TokenUsage, Tokens, grouped};

/// Why a client cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The catalogue does not know the model, so its burndown and its bodies' shape are not known.
    #[error("unknown model `{id}`: {}", remedy(closest.as_deref()))]
    UnknownModel {
        /// The id as given.
        id: String,
        /// The id in the catalogue that looks most like it.
        closest: Option<String>,
    },
    /// No AWS Region is set.
    #[error("no AWS Region: set AWS_REGION, or a Region in the SDK's configuration")]
    NoRegion,
    /// A quota-aware client without a limit.
    #[error("the limiter has nothing to keep to: set `max_rpm`, `max_tpm` or another limit")]
    NoLimits,
    /// A limit of zero, which would let nothing through.
    #[error("the limit of {} is zero: nothing would ever pass", .0.words())]
    ZeroLimit(Dimension),
}

fn remedy(closest: Option<&str>) -> String {
    let state = "state its facts with `.model(Model::stated(..))`";
    match closest {
        Some(closest) => format!("did you mean `{closest}`? If not, {state}"),
        None => state.to_owned(),
    }
}

/// Why a prompt was not answered.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The service refused it for want of quota (HTTP 429).
    #[error("throttled: {0} are over the quota; send less, or raise the quota ({1})")]
    Throttled(Throttle, Box<Details>),
    /// The model is being loaded.
    #[error("the model is not ready yet; try again in a while ({0})")]
    ModelNotReady(Box<Details>),
    /// The service has no capacity to spare (HTTP 503); no quota is involved.
    #[error(
        "the service has no capacity at the moment; try again, or use an inference profile ({0})"
    )]
    Capacity(Box<Details>),
    /// The input is longer than the model's context.
    #[error("the input is too long for the model; shorten it ({0})")]
    InputTooLong(Box<Details>),
    /// `max_tokens` is above the model's limit.
    #[error("`max_tokens` is above the model's limit; lower it ({0})")]
    MaxTokensTooLarge(Box<Details>),
    /// The service rejects the request otherwise.
    #[error("the service rejects the request ({0})")]
    Validation(Box<Details>),
    /// The credentials are not accepted, or may not use the model.
    #[error("access denied; check the credentials and the model access of the account ({0})")]
    AccessDenied(Box<Details>),
    /// The model or the profile does not exist here.
    #[error("not found; check the model id and the Region ({0})")]
    NotFound(Box<Details>),
    /// `ServiceQuotaExceededException`: a limit of the account that waiting does not mend.
    #[error("a service quota of the account is exceeded ({0})")]
    AccountQuota(Box<Details>),
    /// No answer within the client's `request_timeout`.
    #[error("no answer in time; allow more with `request_timeout`, or ask for less ({0})")]
    Timeout(Box<Details>),
    /// The model took longer than the service allows.
    #[error("the model took too long ({0})")]
    ModelTimeout(Box<Details>),
    /// The model failed.
    #[error("the model failed ({0})")]
    ModelError(Box<Details>),
    /// The stream ended before the message did.
    #[error("the stream was interrupted ({0})")]
    Interrupted(Box<Details>),
    /// No connection, or one that broke.
    #[error("no connection to the service; check the network and the endpoint ({0})")]
    Transport(Box<Details>),
    /// An answer that cannot be read, or without its token counts.
    #[error("the answer cannot be read ({0})")]
    Unreadable(Box<Details>),
    /// The service failed (HTTP 500).
    #[error("the service failed ({0})")]
    InternalServer(Box<Details>),
    /// The request could not be built.
    #[error("the request cannot be built ({0})")]
    Request(Box<Details>),
    /// Any other error of the service.
    #[error("the service answers with an error ({0})")]
    Other(Box<Details>),
    /// The limiter did not let it through in time; it was not sent.
    #[error(transparent)]
    QuotaExceeded(QuotaExceeded),
    /// It costs more than the limiter ever holds; it was not sent.
    #[error(
        "the request can never pass the limiter: it takes {} of {}, which never holds more than {}; \
         lower `max_tokens`, or raise the limit or its burst",
        grouped(.0.needs.cast_signed()), .0.dimension.name(), grouped(.0.holds.cast_signed())
    )]
    NeverFits(Misfit),
    /// The prompt has no `max_tokens`, and every call would reserve the model's maximum.
    #[error(
        "`max_tokens` is unset: each call would reserve {} tokens; set it with \
         `Prompt::max_tokens`, or accept that with `allow_unset_max_tokens`",
        grouped(.0.0.cast_signed())
    )]
    MaxTokensUnset(Tokens),
}

/// Which quota a throttle is about, as far as its words say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Throttle {
    /// Requests per minute.
    Requests,
    /// Tokens per minute.
    Tokens,
    /// Tokens per day.
    TokensPerDay,
    /// The words do not say; an overloaded model, for one.
    Unclear,
}

impl fmt::Display for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requests => "requests per minute",
            Self::Tokens => "tokens per minute",
            Self::TokensPerDay => "tokens per day",
            Self::Unclear => "requests",
        })
    }
}

/// What is known about a failed call.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// Its class, as results and scenarios name it.
    pub failure: Failure,
    /// The service's own words, or the transport's.
    pub message: Option<String>,
    /// The service's id of the request, where it gave one.
    pub request_id: Option<String>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Tokens that were spent all the same, if known.
    pub usage: TokenUsage,
    /// How long it waited for quota, all attempts together.
    pub quota_wait: Duration,
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => f.write_str(message)?,
            None => write!(f, "{}", self.failure)?,
        }
        if self.attempts > 1 {
            write!(f, "; {} attempts", self.attempts)?;
        }
        match &self.request_id {
            Some(id) => write!(f, "; request id {id}"),
            None => Ok(()),
        }
    }
}

/// What was short when a request was not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaExceeded {
    /// The dimension; none if it is not quota that it waited for, but its turn or the end of a call
    /// under way.
    pub dimension: Option<Dimension>,
    /// How many requests or tokens were missing.
    pub missing: u64,
    /// How long until it would fit if nobody else asks; none if that hangs on calls under way.
    pub fits_in: Option<Duration>,
    /// How long it had waited.
    pub waited: Duration,
}

impl fmt::Display for QuotaExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dimension {
            Some(Dimension::Rpm) => write!(f, "quota exceeded: no request per minute is left")?,
            Some(dimension) => write!(
                f,
                "quota exceeded: {} {} are missing",
                grouped(self.missing.cast_signed()),
                dimension.words()
            )?,
            None => write!(
                f,
                "quota exceeded: too many calls are under way or before it"
            )?,
        }
        match self.fits_in {
            Some(wait) => write!(f, "; it would fit in {:.1} s", wait.as_secs_f64())?,
            None => write!(f, "; it fits when calls under way have ended")?,
        }
        if self.waited > Duration::ZERO {
            write!(f, "; gave up after {:.1} s", self.waited.as_secs_f64())?;
        }
        Ok(())
    }
}

impl std::error::Error for QuotaExceeded {}

impl InvokeError {
    pub(super) fn of(error: ExchangeError, attempts: u32, quota_wait: Duration) -> Self {
        let failure = error.failure.class;
        let details = Box::new(Details {
            failure,
            message: error.failure.message.map(Into::into),
            request_id: error.request_id,
            attempts,
            usage: error.failure.usage,
            quota_wait,
        });
        match failure {
            Failure::ThrottledRequests => Self::Throttled(Throttle::Requests, details),
            Failure::ThrottledTokens => Self::Throttled(Throttle::Tokens, details),
            Failure::ThrottledTokensPerDay => Self::Throttled(Throttle::TokensPerDay, details),
            Failure::ThrottledOther => Self::Throttled(Throttle::Unclear, details),
            Failure::ModelNotReady => Self::ModelNotReady(details),
            Failure::Unavailable => Self::Capacity(details),
            Failure::InternalServer => Self::InternalServer(details),
            Failure::ModelTimeout => Self::ModelTimeout(details),
            Failure::ModelError | Failure::ModelStreamError => Self::ModelError(details),
            Failure::Validation => Self::Validation(details),
            Failure::InputTooLong => Self::InputTooLong(details),
            Failure::MaxTokensTooLarge => Self::MaxTokensTooLarge(details),
            Failure::AccessDenied => Self::AccessDenied(details),
            Failure::NotFound => Self::NotFound(details),
            Failure::QuotaExceeded => Self::AccountQuota(details),
            Failure::Timeout => Self::Timeout(details),
            Failure::Transport => Self::Transport(details),
            Failure::Interrupted => Self::Interrupted(details),
            Failure::UsageMissing | Failure::Unreadable => Self::Unreadable(details),
            Failure::Client => Self::Request(details),
            Failure::OtherService => Self::Other(details),
        }
    }

    /// What is known about the failed call; none if nothing was sent.
    #[must_use]
    pub const fn details(&self) -> Option<&Details> {
        match self {
            Self::Throttled(_, details)
            | Self::ModelNotReady(details)
            | Self::Capacity(details)
            | Self::InputTooLong(details)
            | Self::MaxTokensTooLarge(details)
            | Self::Validation(details)
            | Self::AccessDenied(details)
            | Self::NotFound(details)
            | Self::AccountQuota(details)
            | Self::Timeout(details)
            | Self::ModelTimeout(details)
            | Self::ModelError(details)
            | Self::Interrupted(details)
            | Self::Transport(details)
            | Self::Unreadable(details)
            | Self::InternalServer(details)
            | Self::Request(details)
            | Self::Other(details) => Some(details),
            Self::QuotaExceeded(_) | Self::NeverFits(_) | Self::MaxTokensUnset(_) => None,
        }
    }

    /// Whether the same prompt may be answered when it is sent again.
    #[must_use]
    pub fn retry_may_help(&self) -> bool {
        match self {
            Self::QuotaExceeded(_) => true,
            _ => self
                .details()
                .is_some_and(|details| details.failure.may_pass()),
        }
    }

    /// The service's id of the request, where it gave one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.details()?.request_id.as_deref()
    }
}

//! What became of a call, and what that has cost.

use crate::outcome::Failure;
use crate::quota::{Cost, Counting};
use crate::units::TokenUsage;

/// What became of a call that had a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was answered.
    Answered(TokenUsage),
    /// It failed, perhaps after some tokens.
    Failed(TokenUsage),
    /// The service throttled it: it has cost no tokens.
    Throttled,
    /// Nobody knows: we gave it up, and the service may be at work on it still. What it reserved is
    /// taken as spent.
    Unknown,
    /// As `Unknown`, because whoever had the permit lost it. Counted.
    Abandoned,
    /// It was not sent after all.
    Unsent,
}

impl End {
    /// What became of an attempt that failed so, or was answered, after so many tokens.
    #[must_use]
    pub const fn of_attempt(failure: Option<Failure>, usage: TokenUsage) -> Self {
        match failure {
            None => Self::Answered(usage),
            Some(class) if class.is_throttle() => Self::Throttled,
            Some(class) if class.leaves_work_running() => Self::Unknown,
            Some(_) => Self::Failed(usage),
        }
    }

    /// What a call that reserved so much has cost in the end.
    #[must_use]
    pub fn cost(self, counting: &Counting, reserved: Cost) -> Cost {
        match self {
            Self::Answered(usage) => counting.settle(usage),
            Self::Failed(usage) => counting.failed(reserved, usage),
            Self::Throttled => counting.throttled(),
            Self::Unknown | Self::Abandoned => reserved,
            Self::Unsent => Cost::ZERO,
        }
    }
}

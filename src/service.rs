//! The simulated Bedrock. WIP

use std::time::Duration;

use crate::distribution::Distribution;
use crate::units::{Rate, Share};

/// How the simulated service behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSettings {
    /// Nanoseconds from a request's arrival to its first token.
    pub first_token: Distribution,
    /// Output tokens generated per second.
    pub output_rate: Rate,
    /// How long a refusal (a throttle or a rejected request) takes to answer.
    pub refusal: Duration,
    /// How much quota the service holds at most, as time at the full rate.
    pub quota_capacity: Duration,
    /// How full the service's quota is when the run begins; one is full.
    pub quota_initial_fill: Share,
}

//! What a run does and where it ends: all that an engine is told before it begins.

use std::time::Duration;

use crate::arrivals::ArrivalProcess;
use crate::limiter::LimiterSettings;
use crate::mix::MixClass;
use crate::price::Price;
use crate::quota::Counting;
use crate::retry::RetryPolicy;
use crate::units::{Tokens, Usd};

/// What a run does.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// When requests are due.
    pub arrivals: ArrivalProcess,
    /// What they are.
    pub classes: Vec<MixClass>,
    /// How each of them is called.
    pub calls: Vec<CallPlan>,
    /// The models.
    pub models: Vec<ModelPlan>,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Where it ends.
    pub bounds: Bounds,
}

/// How requests of one class are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallPlan {
    /// `max_tokens`, or what the service puts in its place.
    pub max_tokens: Tokens,
    /// Their class of priority before the limiter.
    pub priority: u8,
}

/// What the engine knows of one model.
#[derive(Clone, Debug)]
pub struct ModelPlan {
    /// The client's own limits; none sends without asking.
    pub limiter: Option<LimiterSettings>,
    /// How the service counts its tokens.
    pub counting: Counting,
    /// What its tokens cost, where known.
    pub price: Option<Price>,
}

/// The bounds of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long requests go on becoming due.
    pub duration: Duration,
    /// How long afterwards requests may still wait for quota or for a retry.
    pub drain: Duration,
    /// The most requests that become due.
    pub max_requests: Option<u64>,
    /// The most calls under way; a request that is due beyond it is dropped.
    pub max_in_flight: u32,
    /// The most requests waiting for one model's quota, at least 1; one more is dropped.
    pub max_queue: u32,
    /// The most money that may be spent, counting calls under way at their worst.
    pub max_cost: Option<Usd>,
    /// The most tokens that may be used, input and output together, counted in the same way.
    pub max_total_tokens: Option<Tokens>,
}

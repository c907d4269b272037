//! What we do about the quota. WIP

use std::time::Duration;

use crate::quota::Quota;
use crate::units::Share;

/// A client's own limits for one model.
#[derive(Clone, Debug, PartialEq)]
pub struct LimiterSettings {
    /// The rates to stay within, before `headroom` is taken off; defaults to the model's quota.
    pub quota: Quota,
    /// How much unused quota can be saved up, as time at the full rate; above zero.
    pub burst: Duration,
    /// The share of the quota that is left alone; below one.
    pub headroom: Share,
    /// How full the buckets are at the start; one is full.
    pub initial_fill: Share,
    /// Whether requests wait for quota (true) or are dropped at once.
    pub wait_for_quota: bool,
    /// The longest a request waits for quota.
    pub quota_timeout: Duration,
    /// The most attempts under way at a time, if bounded.
    pub max_in_flight: Option<u32>,
}

//! What each `max_tokens` costs: the curve, and its knee.
//!
//! Promises: closed forms; the knee is the smallest candidate that cuts off no more than asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::ModelIndex;
use crate::quota::{Dimension, Enforcement, Quota};
use crate::scenario::Scenario;
use crate::sustained::{Calls, capacity};
use crate::units::Tokens;

/// The `max_tokens` curve of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Curve {
    /// The part of answers that may be cut off.
    pub cut_off_max: f64,
    /// The smallest `max_tokens` that cuts off no more than that.
    pub recommended: u64,
    /// The candidates, from small to large.
    pub candidates: Vec<Candidate>,
}

/// One `max_tokens`, for all prompts of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The value.
    pub max_tokens: u64,
    /// Whether the scenario's prompts have it now (the largest, if they differ).
    pub present: bool,
    /// Mean tokens that a call reserves.
    pub reserved: f64,
    /// How many calls may begin at once when nothing is used.
    pub burst: u64,
    /// How many tokens calls under way would hold at the sustained rate of a bucket, by Little's law.
    pub tokens_in_flight: f64,
    /// Requests per minute that are sustained, in the order of `bucket`, `ledger`, `rolling`, `fixed`.
    pub sustained: Vec<f64>,
    /// The part of answers that it cuts off.
    pub cut_off: f64,
}

/// Candidates, from small to large, besides the present one, the knee and the model's own maximum.
const CANDIDATES: [u64; 10] = [
    128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_000, 64_000,
];

/// The curve of a model whose tokens are limited.
pub(super) fn curve(
    scenario: &Scenario,
    index: ModelIndex,
    calls: &Calls,
    cut_off_max: f64,
) -> Option<Curve> {
    let model = &scenario.models[usize::from(index.0)];
    let limited = Quota {
        rpm: None,
        ..model.quota
    };
    if !limited.limits_tokens() || calls.shapes.is_empty() {
        return None;
    }
    let largest = model.facts.max_output.0;
    let recommended = round_up(calls.output_quantile(1.0 - cut_off_max)).min(largest);
    let present = calls.shapes.iter().map(|shape| shape.cap as u64).max()?;
    let mut values: Vec<u64> = CANDIDATES.to_vec();
    values.extend([recommended, present, largest]);
    values.retain(|value| *value <= largest);
    values.sort_unstable();
    values.dedup();
    let candidates = values
        .into_iter()
        .map(|max_tokens| candidate(scenario, index, calls, max_tokens, max_tokens == present))
        .collect();
    Some(Curve {
        cut_off_max,
        recommended,
        candidates,
    })
}

fn candidate(
    scenario: &Scenario,
    index: ModelIndex,
    calls: &Calls,
    max_tokens: u64,
    present: bool,
) -> Candidate {
    let model = &scenario.models[usize::from(index.0)];
    let meters = &scenario.service.meters;
    let capped = calls.capped(Tokens(max_tokens));
    let take = capped.take(Dimension::Tpm, &model.counting, meters);
    let sustained: Vec<f64> = Enforcement::ALL
        .iter()
        .map(|&enforcement| {
            let closed = super::closed_form(scenario, index, &capped, model.quota, enforcement);
            closed.map_or(f64::INFINITY, |(_, rate)| rate)
        })
        .collect();
    let tpm = model.quota.tpm.unwrap_or_default();
    Candidate {
        max_tokens,
        present,
        reserved: take.reserved,
        burst: (capacity(Dimension::Tpm, tpm, meters) / take.reserved) as u64,
        tokens_in_flight: sustained[0] / 60.0 * take.held * take.reserved,
        sustained,
        cut_off: capped.cut_off(),
    }
}

/// The next multiple of 16: round enough to type, and near.
fn round_up(tokens: f64) -> u64 {
    (tokens as u64).next_multiple_of(16).max(16)
}

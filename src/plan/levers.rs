//! What would help: each change alone, what it sustains, needs and costs.
//!
//! Promises: closed forms for the scenario's way to count; each lever states what it supposes. A price
//! that is not known leaves its cost out.
//!
//! Sources: AWS documentation for what counts against which quota: prompt caching and burndown
//! (quotas-token-burndown), cross-Region inference (quotas are those of the Region that is called),
//! service tiers (on-demand quota is shared by priority, default and flex; service-tiers-inference) and
//! batch (quotas of its own, half the price).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MINUTES_PER_MONTH, PlanOptions, closed_form};
use crate::catalogue::{self, QuotaScope, Scope};
use crate::outcome::ModelIndex;
use crate::price::Price;
use crate::quota::{Dimension, Quota};
use crate::scenario::Scenario;
use crate::sustained::Calls;
use crate::units::{Tokens, significant};

/// The part by which prompts or answers get shorter.
const SHORTER: f64 = 0.25;

/// What a batch job costs of the on-demand price (AWS price list, "Batch").
const BATCH_PRICE: f64 = 0.5;

/// What the flex and priority tiers cost of the standard price, where a model has them: Nova Pro's, by
/// the LiteLLM price list of 12 November 2026.
const FLEX_PRICE: f64 = 0.5;
const PRIORITY_PRICE: f64 = 1.75;

/// One change, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lever {
    /// What is changed.
    pub change: String,
    /// What that supposes.
    pub supposes: String,
    /// Requests per minute that are sustained then; none where no quota is known.
    pub sustained: Option<f64>,
    /// Mean tokens settled per minute at today's load.
    pub tokens_per_minute: f64,
    /// Dollars a month at today's load, if the price is known.
    pub dollars_per_month: Option<f64>,
}

/// How a kind of client fares with today's load and quota.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Client {
    /// What it does.
    pub client: String,
    /// The part of requests that is answered.
    pub answered: f64,
    /// The part of attempts that is throttled.
    pub throttled: f64,
    /// Attempts for each request that was sent.
    pub attempts: f64,
}

/// Dollars for one call, on average.
pub(super) fn dollars(price: Option<Price>, calls: &Calls) -> Option<f64> {
    let price = price?;
    let input = calls.mean(|shape| shape.input);
    let output = calls.mean(|shape| shape.output.min(shape.cap));
    Some((input * price.input as f64 + output * price.output as f64) / 1e12)
}

/// The changes that are looked at for one model, asked `rate` requests per minute.
pub(super) fn levers(
    scenario: &Scenario,
    index: ModelIndex,
    calls: &Calls,
    options: &PlanOptions,
    rate: f64,
) -> Vec<Lever> {
    let desk = Desk {
        scenario,
        index,
        rate,
    };
    let model = &scenario.models[usize::from(index.0)];
    let price = model.facts.price;
    let mut levers = vec![desk.lever("as it is", "", calls, model.quota, price, 1.0)];
    let shorter = calls.output_quantile(1.0 - options.cut_off);
    let knee = calls.capped(Tokens((shorter as u64).next_multiple_of(16).max(16)));
    if knee.mean(|shape| shape.cap) < calls.mean(|shape| shape.cap) {
        let max_tokens = knee.shapes.first().map_or(0.0, |shape| shape.cap);
        levers.push(desk.lever(
            &format!("max_tokens = {}", significant(max_tokens)),
            &format!("cuts off {} of answers", percent(knee.cut_off())),
            &knee,
            model.quota,
            price,
            1.0,
        ));
    }
    levers.extend(desk.caching(calls, options.cached));
    levers.push(desk.scaled("prompts 25 % shorter", calls, |shape| {
        shape.input *= 1.0 - SHORTER
    }));
    levers.push(desk.scaled("answers 25 % shorter", calls, |shape| {
        shape.output *= 1.0 - SHORTER
    }));
    levers.extend(desk.elsewhere(calls));
    levers.push(desk.batch(calls, options.batch));
    for (tier, factor) in [("flex", FLEX_PRICE), ("priority", PRIORITY_PRICE)] {
        let supposes = "where the model offers it, at Nova Pro's ratio; the quota is the same";
        let change = format!("{tier} tier");
        levers.push(desk.lever(&change, supposes, calls, model.quota, price, factor));
    }
    levers
}

fn percent(share: f64) -> String {
    format!("{} %", significant(share * 100.0))
}

struct Desk<'a> {
    scenario: &'a Scenario,
    index: ModelIndex,
    rate: f64,
}

impl Desk<'_> {
    fn lever(
        &self,
        change: &str,
        supposes: &str,
        calls: &Calls,
        quota: Quota,
        price: Option<Price>,
        factor: f64,
    ) -> Lever {
        let meters = &self.scenario.service.meters;
        let counting = &self.scenario.models[usize::from(self.index.0)].counting;
        let take = calls.take(Dimension::Tpm, counting, meters);
        let sustained = closed_form(self.scenario, self.index, calls, quota, meters.enforcement);
        Lever {
            change: change.to_owned(),
            supposes: supposes.to_owned(),
            sustained: sustained.map(|(_, rate)| rate),
            tokens_per_minute: self.rate * take.settled,
            dollars_per_month: dollars(price, calls)
                .map(|each| each * self.rate * factor * MINUTES_PER_MONTH),
        }
    }

    fn model(&self) -> &crate::scenario::ScenarioModel {
        &self.scenario.models[usize::from(self.index.0)]
    }

    fn scaled(
        &self,
        change: &str,
        calls: &Calls,
        scale: impl Fn(&mut crate::sustained::Shape),
    ) -> Lever {
        let mut scaled = calls.clone();
        scaled.shapes.iter_mut().for_each(scale);
        let model = self.model();
        self.lever(change, "", &scaled, model.quota, model.facts.price, 1.0)
    }

    /// Cache reads count against no quota, and cost less.
    fn caching(&self, calls: &Calls, cached: f64) -> Option<Lever> {
        let model = self.model();
        let price = model
            .facts
            .price
            .filter(|price| price.cache_read < price.input)?;
        let change = format!("prompt cache for {} of input", percent(cached));
        let supposes =
            "the rest of the prompt stays as it is; what writes to the cache costs is left out";
        let mut smaller = calls.clone();
        for shape in &mut smaller.shapes {
            shape.input *= 1.0 - cached;
        }
        let mut lever = self.lever(&change, supposes, &smaller, model.quota, Some(price), 1.0);
        let read = calls.mean(|shape| shape.input) * cached * price.cache_read as f64 / 1e12;
        lever.dollars_per_month = lever
            .dollars_per_month
            .map(|dollars| dollars + read * self.rate * MINUTES_PER_MONTH);
        Some(lever)
    }

    /// Other Regions have quotas of their own, and so have other scopes.
    fn elsewhere(&self, calls: &Calls) -> Vec<Lever> {
        let model = self.model();
        let mut levers = Vec::new();
        let doubled = |limit: Option<u64>| limit.map(|limit| limit.saturating_mul(2));
        let quota = model.quota;
        let twice = Quota {
            rpm: doubled(quota.rpm),
            tpm: doubled(quota.tpm),
            tpd: doubled(quota.tpd),
            input_tpm: doubled(quota.input_tpm),
            output_tpm: doubled(quota.output_tpm),
        };
        let supposes = "half of all calls, and the same quota in the other Region";
        levers.push(self.lever(
            "called in two Regions",
            supposes,
            calls,
            twice,
            model.facts.price,
            1.0,
        ));
        let own = catalogue::scope(&model.id).map(Scope::quota_scope);
        for scope in QuotaScope::ALL {
            if Some(scope) == own {
                continue;
            }
            let published = |dimension| {
                let mut lines = model.facts.quotas.iter();
                let line = lines.find(|line| line.scope == scope && line.dimension == dimension);
                line.and_then(|line| line.default)
            };
            let Some(tpm) = published(Dimension::Tpm) else {
                continue;
            };
            let other = Quota {
                rpm: published(Dimension::Rpm),
                tpm: Some(tpm),
                ..Quota::default()
            };
            let change = match scope {
                QuotaScope::OnDemand => "all calls on demand",
                QuotaScope::CrossRegion => "all calls by a geographic profile",
                QuotaScope::Global => "all calls by the global profile",
            };
            let entry = catalogue::Catalogue::shipped().entry(&model.facts.id);
            let price = entry.and_then(|entry| {
                let same = match scope {
                    QuotaScope::OnDemand => Scope::Base,
                    QuotaScope::CrossRegion => Scope::Us,
                    QuotaScope::Global => Scope::Global,
                };
                entry.prices.get(&same).copied()
            });
            let supposes = format!(
                "AWS's published default there, {} TPM; yours may be lower",
                significant(tpm as f64)
            );
            levers.push(self.lever(change, &supposes, calls, other, price, 1.0));
        }
        levers
    }

    /// What waits for a batch takes no TPM, and costs half.
    fn batch(&self, calls: &Calls, share: f64) -> Lever {
        let model = self.model();
        let change = format!("{} of requests by batch", percent(share));
        let factor = 1.0 - share + share * BATCH_PRICE;
        let supposes = "that they can wait for hours, and at least 100 a job";
        let mut lever = self.lever(
            &change,
            supposes,
            calls,
            model.quota,
            model.facts.price,
            factor,
        );
        lever.tokens_per_minute *= 1.0 - share;
        lever.sustained = lever.sustained.map(|rate| rate / (1.0 - share).max(1e-9));
        lever
    }
}

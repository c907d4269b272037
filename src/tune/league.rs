//! Every published strategy of a limiter on the same traffic, against what could be had at best.
//!
//! Promises: all strategies get the scenario's rates, queue and time-outs, and meet the same requests; each has
//! its own published burst. The oracle is the most that the quota lets through of this mix in closed form, as if
//! one knew the future and waits were nothing.
//!
//! Deliberately not: settings that were tuned for a strategy. The question is what each does as it comes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::score::{Sample, Summary};
use super::trial::{Score, trial};
use crate::forecast::calls;
use crate::goal::Goal;
use crate::limiter::{LimiterSettings, Strategy};
use crate::outcome::ModelIndex;
use crate::parallel;
use crate::quota::{Dimension, Enforcement};
use crate::rng::Seed;
use crate::scenario::Scenario;
use crate::sustained::{capacity, per_minute};

/// Runs of each strategy on each scenario.
const SEEDS: u64 = 10;

/// Strategies on several scenarios.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct League {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// What makes one better than another.
    pub goal: Goal,
    /// By scenario.
    pub scenarios: Vec<Match>,
}

/// All strategies on one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Match {
    /// The scenario's name.
    pub scenario: String,
    /// How the service is taken to count.
    pub enforcement: String,
    /// Answers a second that nobody can exceed.
    pub oracle: f64,
    /// Which strategy has most answers among those that keep the bound on throttles; none if none does.
    pub leader: Option<String>,
    /// By strategy, in the order of [`Strategy::ALL`].
    pub entries: Vec<Entry>,
}

/// One strategy on one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The strategy.
    pub strategy: String,
    /// What it came to.
    pub summary: Summary,
    /// Goodput as a part of the oracle's.
    pub of_oracle: f64,
}

/// Simulates every strategy on every scenario.
#[must_use]
pub fn league(
    scenarios: &[Scenario],
    goal: &Goal,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> League {
    let mut jobs = Vec::new();
    for (place, scenario) in scenarios.iter().enumerate() {
        for strategy in Strategy::ALL {
            for seed in 0..SEEDS {
                jobs.push((place, strategy, Seed(scenario.seed.0.wrapping_add(seed))));
            }
        }
    }
    let scores = parallel::map(
        &jobs,
        threads,
        |(place, strategy, seed)| trial(&following(&scenarios[*place], *strategy), *seed),
        |done| progress(done as u64),
    );
    let of = |place: usize, strategy: Strategy| -> Vec<Score> {
        let own = jobs
            .iter()
            .zip(&scores)
            .filter(|((at, which, _), _)| *at == place && *which == strategy);
        own.map(|(_, score)| *score).collect()
    };
    let matches = scenarios.iter().enumerate().map(|(place, scenario)| {
        let offered = Sample::of(&of(place, Strategy::Unlimited)).summary(goal);
        let oracle = oracle(scenario, offered.offered.mean);
        let entries: Vec<Entry> = Strategy::ALL
            .into_iter()
            .map(|strategy| {
                let summary = Sample::of(&of(place, strategy)).summary(goal);
                Entry {
                    strategy: strategy.name().to_owned(),
                    summary,
                    of_oracle: summary.goodput.mean / oracle.max(f64::MIN_POSITIVE),
                }
            })
            .collect();
        Match {
            scenario: scenario.name.clone(),
            enforcement: scenario.service.meters.enforcement.to_string(),
            oracle,
            leader: leader(goal, &entries),
            entries,
        }
    });
    League {
        schema_version: super::SCHEMA_VERSION,
        goal: goal.clone(),
        scenarios: matches.collect(),
    }
}

/// The first of those with most answers whose throttles are within the bound; equals stay in order.
fn leader(goal: &Goal, entries: &[Entry]) -> Option<String> {
    let mut best: Option<&Entry> = None;
    for entry in entries {
        let kept = entry.summary.throttle_share.mean <= goal.throttle_share;
        let more = best.is_none_or(|best| entry.summary.goodput.mean > best.summary.goodput.mean);
        if kept && more {
            best = Some(entry);
        }
    }
    best.map(|entry| entry.strategy.clone())
}

/// The scenario with the limits decided on as a strategy does; with those of its quota where it has none.
fn following(scenario: &Scenario, strategy: Strategy) -> Scenario {
    let mut changed = scenario.clone();
    let service = scenario.service.meters;
    for model in &mut changed.models {
        let own = model.limiter.take().unwrap_or_else(|| {
            let mut settings = LimiterSettings::new(model.quota, model.counting);
            let burst = settings.meters.burst;
            settings.meters = service;
            if service.enforcement == Enforcement::Bucket {
                settings.meters.burst = burst;
            }
            settings
        });
        model.limiter = Some(if strategy == Strategy::Bedload {
            own
        } else {
            own.following(strategy)
        });
    }
    changed
}

/// Answers a second at most, by model the lesser of what is offered and what its quota holds: its rate, and
/// what may be spent at once when the run begins.
fn oracle(scenario: &Scenario, offered: f64) -> f64 {
    let minutes = scenario.run.duration.as_secs_f64() / 60.0;
    let weight: f64 = scenario.prompts.iter().map(|prompt| prompt.weight).sum();
    let meters = scenario.service.meters;
    let all = scenario.models.iter().enumerate().map(|(place, model)| {
        let index = ModelIndex(u16::try_from(place).unwrap_or(u16::MAX));
        let own: f64 = scenario
            .prompts
            .iter()
            .filter(|prompt| prompt.model == index)
            .map(|prompt| prompt.weight)
            .sum();
        let offered = offered * own / weight.max(f64::MIN_POSITIVE);
        let calls = calls(scenario, index);
        let held = model.quota.limited().map(|(dimension, limit)| {
            let take = calls.take(dimension, &model.counting, &meters);
            let rate = per_minute(dimension, limit, &meters, &take);
            let cost = take.settled.max(f64::MIN_POSITIVE);
            let fill = match dimension {
                Dimension::Tpd => 0.0,
                _ => capacity(dimension, limit, &meters) * meters.initial_fill.fraction() / cost,
            };
            rate / 60.0 + fill / minutes / 60.0
        });
        held.fold(offered, f64::min)
    });
    all.sum()
}

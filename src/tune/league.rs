//! Every published strategy of a limiter on the same traffic, against what could be had at best.
//!
//! Promises: all strategies get the scenario's rates, queue and time-outs, and meet the same requests; each has
//! its own published burst. The oracle is the most that the quota lets through of this mix in closed form, as if
//! one knew the future and waits were nothing.
//!
//! Deliberately not: settings that were tuned for the others. The question is what each does as it comes; ours
//! is there twice, as the scenario has it and as the tuner sets it with seeds of its own.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::score::{Sample, Summary};
use super::search::Search;
use super::trial::{Score, trial};
use crate::forecast::calls;
use crate::goal::Goal;
use crate::limiter::{LimiterSettings, Reservation, Strategy};
use crate::outcome::ModelIndex;
use crate::parallel;
use crate::quota::{Dimension, Enforcement};
use crate::rng::Seed;
use crate::scenario::{Knob, Scenario, read_duration, read_share};
use crate::sustained::{capacity, per_minute};
use crate::units::Share;

/// Runs of each strategy on each scenario.
const SEEDS: u64 = 10;

/// How far their seeds are from the scenario's own, with which the tuner begins.
const FIRST_SEED: u64 = 4_000_000;

/// What the tuner's own entry is called.
const TUNED: &str = "bedload, tuned";

/// The most runs of its search.
const BUDGET: u64 = 300;

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
    /// Answers a second that nobody can exceed, on average over mixes.
    pub oracle: f64,
    /// Which strategies have most answers among those that keep the bound on throttles, to within a thousandth,
    /// in the order of [`Strategy::ALL`]; empty if none keeps it.
    pub leaders: Vec<String>,
    /// By strategy, in the order of [`Strategy::ALL`].
    pub entries: Vec<Entry>,
}

/// One strategy on one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The strategy.
    pub strategy: String,
    /// What the tuner set, where it did.
    pub settings: Option<String>,
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
    let matches = scenarios.iter().map(|scenario| {
        let mut sides: Vec<(&str, Option<String>, Scenario)> = Strategy::ALL
            .into_iter()
            .map(|strategy| (strategy.name(), None, following(scenario, strategy)))
            .collect();
        if let Some((settings, tuned)) = tuned(&sides[0].2, goal, threads, progress) {
            sides.push((TUNED, Some(settings), tuned));
        }
        let first = scenario.seed.0.wrapping_add(FIRST_SEED);
        let jobs: Vec<(&Scenario, Seed)> = sides
            .iter()
            .flat_map(|(_, _, side)| {
                (0..SEEDS).map(move |seed| (side, Seed(first.wrapping_add(seed))))
            })
            .collect();
        let scores = parallel::map(
            &jobs,
            threads,
            |(side, seed)| trial(side, *seed),
            |done| progress(done as u64),
        );
        let each: Vec<&[Score]> = scores.chunks(SEEDS as usize).collect();
        let summaries: Vec<Summary> = each
            .iter()
            .map(|scores| Sample::of(scores).summary(goal))
            .collect();
        let oracle = oracle(scenario, &summaries);
        let entries: Vec<Entry> = sides
            .iter()
            .zip(summaries)
            .map(|((name, settings, _), summary)| Entry {
                strategy: (*name).to_owned(),
                settings: settings.clone(),
                summary,
                of_oracle: summary.goodput.mean / oracle.max(f64::MIN_POSITIVE),
            })
            .collect();
        Match {
            scenario: scenario.name.clone(),
            enforcement: scenario.service.meters.enforcement.to_string(),
            oracle,
            leaders: leaders(goal, &entries),
            entries,
        }
    });
    League {
        schema_version: super::SCHEMA_VERSION,
        goal: goal.clone(),
        scenarios: matches.collect(),
    }
}

/// Goodputs that differ by less than this part are level.
const LEVEL: f64 = 0.001;

fn leaders(goal: &Goal, entries: &[Entry]) -> Vec<String> {
    let kept: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.summary.throttle_share.mean <= goal.throttle_share)
        .collect();
    let goodput = |entry: &&Entry| entry.summary.goodput.mean;
    let most = kept.iter().map(goodput).fold(0.0, f64::max);
    let level = kept
        .into_iter()
        .filter(|entry| goodput(entry) >= most * (1.0 - LEVEL));
    level.map(|entry| entry.strategy.clone()).collect()
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

/// Our limiter with the burst, the headroom and the reservation that the tuner finds, and what these are.
fn tuned(
    scenario: &Scenario,
    goal: &Goal,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Option<(String, Scenario)> {
    let list = |key: &str, values: &[&str]| Knob {
        key: key.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        scale: None,
    };
    let counted = scenario.models[0].limiter.as_ref()?.meters.enforcement;
    let mut knobs = vec![
        list("headroom", &["0%", "2%", "5%"]),
        list("reservation", &["max-tokens", "mirror", "expected"]),
    ];
    if counted == Enforcement::Bucket {
        knobs.push(list("burst", &["2s", "5s", "10s", "20s", "60s"]));
    }
    let make = |values: &[String]| {
        let mut changed = scenario.clone();
        for limiter in changed
            .models
            .iter_mut()
            .filter_map(|model| model.limiter.as_mut())
        {
            limiter.meters.headroom = read_share(&values[0]).ok()?;
            let quantile = Share::percent(90);
            limiter.reservation = match values[1].as_str() {
                "mirror" => Reservation::Mirror { quantile },
                "expected" => Reservation::Expected { quantile },
                _ => Reservation::MaxTokens,
            };
            if let Some(burst) = values.get(2) {
                limiter.meters.burst = read_duration(burst).ok()?;
            }
        }
        Some(changed)
    };
    let mut search = Search {
        knobs: &knobs,
        make: &make,
        present: None,
        goal,
        threads,
        budget: BUDGET,
        first_seed: scenario.seed.0,
        progress,
        goes_on: &|| true,
        runs: 0,
        refused: BTreeSet::new(),
        found: BTreeMap::new(),
    };
    let best = search.finalists(1).into_iter().next()?;
    let settings: Vec<String> = knobs
        .iter()
        .zip(&best)
        .map(|(knob, value)| format!("{} {value}", knob.key))
        .collect();
    Some((settings.join(", "), make(&best)?))
}

/// Answers a second that nobody can exceed on average over mixes: what is offered, or what the quota holds. Without
/// either bound (workers that wait for answers, and no quota) the most that anybody came to.
fn oracle(scenario: &Scenario, summaries: &[Summary]) -> f64 {
    let most = |of: fn(&Summary) -> f64| summaries.iter().map(of).fold(0.0, f64::max);
    let offered = if scenario.arrivals.closed_loop().is_some() {
        f64::INFINITY
    } else {
        // Whoever makes nobody wait ends with the arrivals, and has them at their own rate.
        most(|summary| summary.offered.mean)
    };
    let held = held(scenario, offered);
    if held.is_finite() {
        held
    } else {
        most(|summary| summary.goodput.mean)
    }
}

/// Answers a second at most, by model the lesser of what is offered and what its quota holds: its rate, and
/// what may be spent at once when the run begins.
fn held(scenario: &Scenario, offered: f64) -> f64 {
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

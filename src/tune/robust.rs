//! Worlds that are not as supposed: another way to count, more or less load, longer answers, a slower service.
//!
//! The client keeps its settings in all of them: it does not know where it is.

use super::{Bench, Elsewhere};
use crate::distribution::Distribution;
use crate::quota::Enforcement;
use crate::rng::Seed;
use crate::scenario::Scenario;
use crate::units::Rate;

/// By how much the load is off.
const LOADS: [f64; 2] = [0.8, 1.2];

/// By how much longer the long answers are: every length above the median has its distance from it multiplied.
const HEAVIER: f64 = 1.5;

/// How many times as long the service takes.
const SLOWER: f64 = 1.5;

/// What makes a world of a scenario.
type Change = Box<dyn Fn(&mut Scenario)>;

/// How `chosen` and the scenario as it is fare in each.
pub(super) fn elsewhere(
    bench: &Bench<'_>,
    chosen: &Scenario,
    present: &Scenario,
    seeds: &[Seed],
) -> Vec<Elsewhere> {
    let own = chosen.service.meters.enforcement;
    let others = Enforcement::ALL
        .into_iter()
        .filter(|enforcement| *enforcement != own);
    let mut worlds: Vec<(String, Change)> = Vec::new();
    for enforcement in others {
        worlds.push((
            format!("counted as {enforcement}"),
            Box::new(move |scenario| scenario.service.meters.enforcement = enforcement),
        ));
    }
    for load in LOADS {
        worlds.push((
            format!("{:+.0} % load", (load - 1.0) * 100.0),
            Box::new(move |scenario| scenario.arrivals = scenario.arrivals.scaled(load)),
        ));
    }
    // A recording has its own lengths.
    if chosen.prompts.iter().any(|prompt| prompt.output.is_some()) {
        worlds.push(("longer long answers".to_owned(), Box::new(heavier_tails)));
    }
    worlds.push(("a slower service".to_owned(), Box::new(slower)));
    worlds
        .into_iter()
        .map(|(world, change)| {
            let there = |scenario: &Scenario| {
                let mut changed = scenario.clone();
                change(&mut changed);
                bench.summary(&changed, seeds)
            };
            Elsewhere {
                world,
                chosen: there(chosen),
                present: there(present),
            }
        })
        .collect()
}

fn heavier_tails(scenario: &mut Scenario) {
    for prompt in &mut scenario.prompts {
        prompt.output = prompt.output.as_ref().map(heavier);
    }
}

fn heavier(lengths: &Distribution) -> Distribution {
    let stretched = |value: f64, median: f64| median + (value - median).max(0.0) * HEAVIER;
    match lengths {
        // The same length always has no tail: now one in twenty is half as long again or more.
        Distribution::Constant(value) => Distribution::Lognormal {
            median: (*value).max(1) as f64,
            p95: (*value).max(1) as f64 * HEAVIER,
        },
        Distribution::Uniform { min, max } => Distribution::Uniform {
            min: *min,
            max: (*max).saturating_add((max - min) / 4),
        },
        Distribution::Normal { mean, sd } => Distribution::Normal {
            mean: *mean,
            sd: sd * HEAVIER,
        },
        Distribution::Lognormal { median, p95 } => Distribution::Lognormal {
            median: *median,
            p95: stretched(*p95, *median),
        },
        Distribution::Empirical(values) => {
            let median = lengths.quantile(0.5) as f64;
            let longer = values.iter().map(|&value| {
                if value as f64 > median {
                    stretched(value as f64, median) as u64
                } else {
                    value
                }
            });
            Distribution::Empirical(longer.collect())
        }
    }
}

fn slower(scenario: &mut Scenario) {
    let longer = |value: f64| value * SLOWER;
    let service = &mut scenario.service;
    service.first_token = match &service.first_token {
        Distribution::Constant(value) => Distribution::Constant(longer(*value as f64) as u64),
        Distribution::Uniform { min, max } => Distribution::Uniform {
            min: longer(*min as f64) as u64,
            max: longer(*max as f64) as u64,
        },
        Distribution::Normal { mean, sd } => Distribution::Normal {
            mean: longer(*mean),
            sd: longer(*sd),
        },
        Distribution::Lognormal { median, p95 } => Distribution::Lognormal {
            median: longer(*median),
            p95: longer(*p95),
        },
        Distribution::Empirical(values) => Distribution::Empirical(
            values
                .iter()
                .map(|&value| longer(value as f64) as u64)
                .collect(),
        ),
    };
    service.output_rate = Rate {
        events: service.output_rate.events,
        period_nanos: longer(service.output_rate.period_nanos as f64) as u64,
    };
}

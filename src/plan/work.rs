//! The simulations behind a plan: which there are, and on how many threads.
//!
//! Promises: each is a function of its own setting and seed, so that threads change nothing.

use std::collections::BTreeMap;

use super::demand::{Demand, demand};
use super::levers::Client;
use super::scenario::{Variation, vary};
use super::search::{Criteria, Question};
use super::stats::{Estimate, mean_estimate};
use super::{Lengths, PlanOptions, closed_form};
use crate::drive::simulated;
use crate::forecast::calls;
use crate::limiter::LimiterSettings;
use crate::outcome::ModelIndex;
use crate::parallel;
use crate::quota::{Dimension, Enforcement, Quota};
use crate::rng::Seed;
use crate::scenario::Scenario;

/// What is looked for by simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Search {
    /// The largest load that the quota holds.
    Load(Way),
    /// The same with more of one quota.
    Raised(Dimension),
    /// The smallest quota that the load needs.
    Quota(Way, Dimension),
}

/// A way to count, by its place in [`Enforcement::ALL`].
type Way = usize;

/// What was found: by search, then by seed, then by model.
pub(super) struct Found {
    /// Demand at today's load, by model.
    pub today: Vec<Demand>,
    /// Demand at the load that needs are for.
    pub target: Vec<Demand>,
    /// How other clients fare, by model.
    pub clients: Vec<Vec<Client>>,
    values: BTreeMap<Search, Vec<Vec<Option<f64>>>>,
    enforcement: Enforcement,
}

impl Found {
    fn of(&self, search: Search, model: usize) -> Vec<f64> {
        let seeds = self.values.get(&search).into_iter().flatten();
        seeds.filter_map(|models| models[model]).collect()
    }

    /// The smallest quota that is enough; none where none is.
    pub(super) fn need(
        &self,
        enforcement: Enforcement,
        dimension: Dimension,
        model: usize,
    ) -> Option<Estimate> {
        let values = self.of(Search::Quota(way(enforcement), dimension), model);
        (!values.is_empty()).then(|| mean_estimate(&values))
    }

    /// The most that any seed needed. An interval's end would do as well, but not grow with the load: a
    /// larger load may happen to agree better with itself.
    pub(super) fn need_at_most(
        &self,
        enforcement: Enforcement,
        dimension: Dimension,
        model: usize,
    ) -> f64 {
        let values = self.of(Search::Quota(way(enforcement), dimension), model);
        values.into_iter().fold(0.0, f64::max)
    }

    /// The largest load that fits, which is no more than `most`.
    pub(super) fn fit(
        &self,
        enforcement: Enforcement,
        model: usize,
        most: f64,
    ) -> Option<Estimate> {
        let mut values = self.of(Search::Load(way(enforcement)), model);
        values.iter_mut().for_each(|value| *value = value.min(most));
        (!values.is_empty() && values.iter().all(|value| value.is_finite()))
            .then(|| mean_estimate(&values))
    }

    /// What 10 % more of a quota adds to the load that fits, as a part of it.
    pub(super) fn shadow(&self, dimension: Dimension, model: usize) -> Option<Estimate> {
        let now = self.of(Search::Load(way(self.enforcement)), model);
        let more = self.of(Search::Raised(dimension), model);
        let pairs = now.iter().zip(&more).filter(|(now, _)| **now > 0.0);
        let gains: Vec<f64> = pairs.map(|(now, more)| more / now - 1.0).collect();
        (!gains.is_empty() && gains.iter().all(|gain| gain.is_finite()))
            .then(|| mean_estimate(&gains))
    }
}

fn way(enforcement: Enforcement) -> Way {
    let mut all = Enforcement::ALL.iter();
    all.position(|one| *one == enforcement).unwrap_or_default()
}

/// 10 % more of one quota.
pub(super) fn raised(mut quota: Quota, dimension: Dimension) -> Quota {
    let limit = match dimension {
        Dimension::Rpm => &mut quota.rpm,
        Dimension::Tpm => &mut quota.tpm,
        Dimension::Tpd => &mut quota.tpd,
        Dimension::InputTpm => &mut quota.input_tpm,
        Dimension::OutputTpm => &mut quota.output_tpm,
    };
    *limit = limit.map(|limit| limit.saturating_add(limit / 10));
    quota
}

/// Does it all.
pub(super) fn find(
    scenario: &Scenario,
    options: &PlanOptions,
    criteria: &Criteria,
    lengths: &Lengths,
    target_load: f64,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Found {
    let at = |load: f64| {
        let loaded = vary(
            scenario,
            &Variation {
                load: Some(load),
                ..Variation::default()
            },
        );
        let demand = demand(&loaded, scenario.seed, lengths.demand, options.percentile);
        (loaded, demand)
    };
    let (today_scenario, today) = at(options.load);
    let (loaded, target) = at(target_load);
    let inquiry = Inquiry {
        scenario,
        loaded: &loaded,
        target: &target,
        rates: today
            .iter()
            .map(|demand| demand.requests_mean / options.load)
            .collect(),
        criteria: *criteria,
        lengths,
    };
    let jobs = inquiry.jobs(options.seeds.max(1));
    let results = parallel::map(
        &jobs,
        options.threads,
        |(search, seed)| inquiry.find(*search, *seed),
        |done| progress(done, jobs.len()),
    );
    // By search, then by seed.
    let found: BTreeMap<(Search, u64), _> = jobs.iter().copied().zip(results).collect();
    let mut values: BTreeMap<Search, Vec<Vec<Option<f64>>>> = BTreeMap::new();
    for ((search, _), found) in found {
        values.entry(search).or_default().push(found);
    }
    Found {
        clients: clients(&today_scenario),
        today,
        target,
        values,
        enforcement: scenario.service.meters.enforcement,
    }
}

/// What searches need to know.
struct Inquiry<'a> {
    scenario: &'a Scenario,
    /// The scenario with the load that needs are for.
    loaded: &'a Scenario,
    target: &'a [Demand],
    /// Requests per minute of the scenario as it is, by model.
    rates: Vec<f64>,
    criteria: Criteria,
    lengths: &'a Lengths,
}

impl Inquiry<'_> {
    fn jobs(&self, seeds: u32) -> Vec<(Search, u64)> {
        let mut searches = Vec::new();
        let open = self.scenario.arrivals.closed_loop().is_none();
        let quotas = || self.scenario.models.iter().map(|model| model.quota);
        let limited = quotas().any(|quota| quota != Quota::default());
        for way in 0..Enforcement::ALL.len() {
            if limited {
                searches.push(Search::Load(way));
            }
            if open {
                searches.push(Search::Quota(way, Dimension::Tpm));
                searches.push(Search::Quota(way, Dimension::Rpm));
            }
        }
        for dimension in Dimension::ALL {
            if dimension != Dimension::Tpd && quotas().any(|quota| quota.get(dimension).is_some()) {
                searches.push(Search::Raised(dimension));
            }
        }
        // A trace's arrivals are the same whatever the seed; what differs is how long answers take.
        let first = self.scenario.seed.0;
        let seeds = (0..u64::from(seeds)).map(move |seed| first.wrapping_add(seed));
        seeds
            .flat_map(|seed| searches.iter().map(move |search| (*search, seed)))
            .collect()
    }

    fn find(&self, search: Search, seed: u64) -> Vec<Option<f64>> {
        let own = self.scenario.service.meters.enforcement;
        let enforcement = match search {
            Search::Load(way) | Search::Quota(way, _) => Enforcement::ALL[way],
            Search::Raised(_) => own,
        };
        let scenario = match search {
            Search::Load(_) | Search::Raised(_) => self.scenario,
            Search::Quota(..) => self.loaded,
        };
        let question = Question {
            scenario,
            enforcement,
            seed: Seed(seed),
            length: self.lengths.trial,
            criteria: self.criteria,
        };
        let quotas = self.scenario.models.iter().map(|model| model.quota);
        match search {
            Search::Load(_) => self.largest(&question, quotas.collect()),
            Search::Raised(dimension) => self.largest(
                &question,
                quotas.map(|quota| raised(quota, dimension)).collect(),
            ),
            Search::Quota(way, dimension) => {
                let needed = self.target.iter().map(|demand| match dimension {
                    Dimension::Rpm => demand.requests_mean,
                    _ => demand.tokens_mean.max(demand.tokens_per_minute[way].p50),
                });
                let found = question.smallest_quota(dimension, &needed.collect::<Vec<f64>>());
                found
                    .into_iter()
                    .map(|limit| limit.map(|limit| limit as f64))
                    .collect()
            }
        }
    }

    fn largest(&self, question: &Question<'_>, quotas: Vec<Quota>) -> Vec<Option<f64>> {
        let guesses: Vec<f64> = (0_u16..)
            .zip(&quotas)
            .map(|(index, quota)| {
                let calls = calls(self.scenario, ModelIndex(index));
                let minute = Quota {
                    tpd: None,
                    ..*quota
                };
                let closed = closed_form(
                    self.scenario,
                    ModelIndex(index),
                    &calls,
                    minute,
                    question.enforcement,
                );
                let rate = self.rates[usize::from(index)].max(1e-12);
                closed.map_or(1.0, |(_, sustained)| sustained / rate)
            })
            .collect();
        let found = question.largest_load(&quotas, &guesses);
        found.into_iter().map(Some).collect()
    }
}

/// How kinds of clients fare with this load and quota, by model; nothing where no quota is.
fn clients(scenario: &Scenario) -> Vec<Vec<Client>> {
    let mut by_model = vec![Vec::new(); scenario.models.len()];
    if scenario
        .models
        .iter()
        .all(|model| model.quota == Quota::default())
    {
        return by_model;
    }
    let with = |attempts: u32, limiter: bool| {
        let mut varied = scenario.clone();
        varied.retry.max_attempts = attempts;
        for model in &mut varied.models {
            model.limiter = limiter.then(|| {
                let own = model.limiter.take();
                own.unwrap_or_else(|| LimiterSettings {
                    meters: scenario.service.meters,
                    ..LimiterSettings::new(model.quota, model.counting)
                })
            });
        }
        varied
    };
    for (client, attempts, limiter) in [
        ("sends at once, never again", 1, false),
        ("sends at once, 3 attempts", 3, false),
        ("a limiter, then sends once", 1, true),
    ] {
        let measured = simulated::measure(&with(attempts, limiter)).measured;
        for (place, group) in measured.models.iter().enumerate() {
            let counts = group.counts;
            by_model[place].push(Client {
                client: client.to_owned(),
                answered: counts.completed as f64 / counts.intended.max(1) as f64,
                throttled: group.attempts.throttle_share().unwrap_or(0.0),
                attempts: group.attempts.amplification().unwrap_or(0.0),
            });
        }
    }
    by_model
}

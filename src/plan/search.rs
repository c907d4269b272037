//! How much fits, and how little is enough: found by simulation.
//!
//! Promises: every setting is tried with the same seeds, so that two settings differ by what they are and
//! not by chance; the answer lies on a grid of one per cent, and is the largest (or smallest) that passes
//! next to one that does not.
//!
//! Deliberately not: quotas of a day. A simulation would have to last for days; the closed form stands in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::scenario::{Variation, is_stationary, vary};
use crate::drive::{self, Observer, Wish, simulated};
use crate::engine::Engine;
use crate::outcome::{Event, Outcome, RequestRecord};
use crate::quota::{Dimension, Enforcement, Quota};
use crate::rng::Seed;
use crate::scenario::Scenario;
use crate::time::{Instant, nanos};

/// One step of the grid.
const STEP: f64 = 1.01;

/// The grid's ends: from a thousandth to a thousandfold.
const STEPS_MAX: i32 = 694;

/// The part of a trial at its beginning that does not count, where it has no shape of its own.
const WARM_UP: f64 = 0.25;

/// What a client may ask of a quota.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Criteria {
    /// The largest share of attempts that is throttled, and of requests that are dropped.
    pub refused_max: f64,
    /// The longest 99th percentile of the wait before the limiter.
    pub wait_max: Duration,
}

/// What is tried, but for what varies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub scenario: &'a Scenario,
    pub enforcement: Enforcement,
    pub seed: Seed,
    pub length: Duration,
    pub criteria: Criteria,
}

/// How the models of a trial fared.
#[derive(Clone, Debug, Default)]
struct Fared {
    attempts: u64,
    throttled: u64,
    due: u64,
    refused: u64,
    waits: Vec<u64>,
}

impl Fared {
    fn meets(&mut self, criteria: &Criteria) -> bool {
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        if share(self.throttled, self.attempts) > criteria.refused_max
            || share(self.refused, self.due) > criteria.refused_max
        {
            return false;
        }
        // What was refused waited for ever.
        let rank = (0.99 * self.due as f64).ceil() as usize;
        if rank == 0 {
            return true;
        }
        if rank > self.waits.len() {
            return criteria.refused_max > 0.01;
        }
        let (_, p99, _) = self.waits.select_nth_unstable(rank - 1);
        *p99 <= nanos(criteria.wait_max)
    }
}

struct Trial {
    from: Instant,
    models: Vec<Fared>,
    /// By prompt class.
    model_of: Vec<usize>,
}

impl Observer for Trial {
    fn event(&mut self, event: &Event) {
        match event {
            &Event::Ended {
                at, class, failure, ..
            } if at >= self.from => {
                let fared = &mut self.models[self.model_of[usize::from(class.0)]];
                fared.attempts += 1;
                fared.throttled +=
                    u64::from(failure.is_some_and(crate::outcome::Failure::is_throttle));
            }
            Event::Finished(record) if record.due >= self.from => self.finished(record),
            _ => {}
        }
    }

    fn tick(&mut self, _: Instant, _: &Engine) -> Wish {
        Wish::GoOn
    }
}

impl Trial {
    fn finished(&mut self, record: &RequestRecord) {
        let fared = &mut self.models[usize::from(record.model.0)];
        fared.due += 1;
        match record.admitted {
            // Faults of the service are no want of quota.
            Some(admitted) if !is_refusal(record.outcome) => {
                fared.waits.push(nanos(admitted - record.due));
            }
            _ => fared.refused += 1,
        }
    }
}

fn is_refusal(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Failed(failure) => failure.is_throttle(),
        Outcome::Dropped(_) | Outcome::Cancelled => true,
        Outcome::Completed => false,
    }
}

impl Question<'_> {
    /// Whether each model meets the criteria with this load and these quotas.
    fn try_with(&self, load: f64, quotas: Vec<Quota>) -> Vec<bool> {
        let stationary = is_stationary(&self.scenario.arrivals);
        let varied = vary(
            self.scenario,
            &Variation {
                load: Some(load),
                enforcement: Some(self.enforcement),
                quotas: Some(quotas),
                length: Some(self.length),
                empty: stationary,
                seed: Some(self.seed),
                unlimited: false,
            },
        );
        let from = if stationary {
            Instant::ZERO + varied.run.duration.mul_f64(WARM_UP)
        } else {
            Instant::ZERO
        };
        let mut trial = Trial {
            from,
            models: vec![Fared::default(); varied.models.len()],
            model_of: varied
                .prompts
                .iter()
                .map(|prompt| usize::from(prompt.model.0))
                .collect(),
        };
        let mut engine = drive::engine(&varied);
        simulated::run(&varied, &mut engine, &mut trial);
        let models = trial.models.iter_mut();
        models.map(|fared| fared.meets(&self.criteria)).collect()
    }

    /// The largest factor of the load that each model's quota still meets. `guesses` are where to begin.
    pub(super) fn largest_load(&self, quotas: &[Quota], guesses: &[f64]) -> Vec<f64> {
        let quotas: Vec<Quota> = quotas.iter().map(without_day).collect();
        let mut tried: BTreeMap<i32, Vec<bool>> = BTreeMap::new();
        let mut found = Vec::with_capacity(guesses.len());
        for (model, guess) in guesses.iter().enumerate() {
            if quotas[model] == Quota::default() {
                found.push(f64::INFINITY);
                continue;
            }
            let meets = |step: i32| {
                let tried = tried
                    .entry(step)
                    .or_insert_with(|| self.try_with(factor(step), quotas.clone()));
                tried[model]
            };
            found.push(last_good(step_of(*guess), meets).map_or(0.0, factor));
        }
        found
    }

    /// The smallest quota in `dimension` at which each model meets the criteria, were nothing else
    /// limited. `guesses` are where to begin; none where a model is asked for nothing.
    pub(super) fn smallest_quota(&self, dimension: Dimension, guesses: &[f64]) -> Vec<Option<u64>> {
        let mut tried: BTreeMap<i32, Vec<bool>> = BTreeMap::new();
        let limit =
            // What is whole but for the last bits of its computation is whole.
            |step: i32, model: usize| ((guesses[model] * factor(step) * (1.0 - 1e-12)).ceil() as u64).max(1);
        let quotas = |step: i32| {
            let models = 0..guesses.len();
            models
                .map(|model| only(dimension, limit(step, model)))
                .collect::<Vec<Quota>>()
        };
        let mut found = Vec::with_capacity(guesses.len());
        for model in 0..guesses.len() {
            if guesses[model] <= 0.0 {
                found.push(None);
                continue;
            }
            // More quota is less load: the same search, looked at from the other side.
            let meets = |step: i32| {
                let tried = tried
                    .entry(step)
                    .or_insert_with(|| self.try_with(1.0, quotas(-step)));
                tried[model]
            };
            found.push(last_good(0, meets).map(|step| limit(-step, model)));
        }
        found
    }
}

/// A quota of one dimension alone.
fn only(dimension: Dimension, limit: u64) -> Quota {
    let mut quota = Quota::default();
    match dimension {
        Dimension::Rpm => quota.rpm = Some(limit),
        Dimension::Tpm => quota.tpm = Some(limit),
        Dimension::Tpd => quota.tpd = Some(limit),
        Dimension::InputTpm => quota.input_tpm = Some(limit),
        Dimension::OutputTpm => quota.output_tpm = Some(limit),
    }
    quota
}

fn without_day(quota: &Quota) -> Quota {
    Quota {
        tpd: None,
        ..*quota
    }
}

fn factor(step: i32) -> f64 {
    STEP.powi(step)
}

fn step_of(factor: f64) -> i32 {
    if factor <= 0.0 || !factor.is_finite() {
        return 0;
    }
    ((factor.ln() / STEP.ln()).floor() as i32).clamp(-STEPS_MAX, STEPS_MAX)
}

/// The last step of the grid that is good, from a guess on: steps away that double until one is good and
/// one is not, and then halves. None if none is good.
fn last_good(guess: i32, mut good: impl FnMut(i32) -> bool) -> Option<i32> {
    let guess = guess.clamp(-STEPS_MAX, STEPS_MAX);
    let (mut low, mut high) = (guess, guess);
    let mut stride = 1;
    if good(guess) {
        loop {
            if low == STEPS_MAX {
                return Some(low);
            }
            high = (low + stride).min(STEPS_MAX);
            if !good(high) {
                break;
            }
            low = high;
            stride *= 2;
        }
    } else {
        loop {
            if high == -STEPS_MAX {
                return None;
            }
            low = (high - stride).max(-STEPS_MAX);
            if good(low) {
                break;
            }
            high = low;
            stride *= 2;
        }
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if good(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_good_step_is_found_from_anywhere(guess in -600..600, edge in -600..600) {
            prop_assert_eq!(last_good(guess, |step| step <= edge), Some(edge));
        }

        #[test]
        fn a_step_is_the_last_below_its_factor(factor_ in 0.002..500.0f64) {
            let step = step_of(factor_);
            prop_assert!(factor(step) <= factor_ * 1.000_001 && factor(step + 1) >= factor_ * 0.999_999);
        }
    }

    #[test]
    fn nothing_good_is_none() {
        assert_eq!(last_good(0, |_| false), None);
        assert_eq!(step_of(0.0), 0);
    }
}

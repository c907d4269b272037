//! A scenario, changed as a plan needs it: more load, another quota, another way to count.
//!
//! Promises: the limiter goes with the service. If it counted as the service did, it still does; if its
//! limits were the quota, they are the new one.

use std::time::Duration;

use crate::arrivals::{ArrivalProcess, Profile};
use crate::quota::{Enforcement, Quota};
use crate::rng::Seed;
use crate::scenario::Scenario;
use crate::units::Share;

/// What is changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Variation {
    /// How many times the load.
    pub load: Option<f64>,
    /// How the service counts, and the limiter if it counted as the service did.
    pub enforcement: Option<Enforcement>,
    /// The models' quotas.
    pub quotas: Option<Vec<Quota>>,
    /// No quota, no limiter, no retries, no bounds: what is asked for, and nothing else.
    pub unlimited: bool,
    /// How long requests become due, where the arrivals have no length of their own.
    pub length: Option<Duration>,
    /// Begin with nothing left, so that a long run's rate shows at once.
    pub empty: bool,
    /// Another seed.
    pub seed: Option<Seed>,
}

/// The scenario with that changed.
pub(super) fn vary(scenario: &Scenario, variation: &Variation) -> Scenario {
    let mut varied = scenario.clone();
    if let Some(seed) = variation.seed {
        varied.seed = seed;
    }
    if let Some(load) = variation.load {
        varied.arrivals = varied.arrivals.scaled(load);
    }
    varied.run.max_requests = None;
    varied.run.max_cost = None;
    varied.run.max_total_tokens = None;
    if let Some(length) = variation.length
        && is_stationary(&varied.arrivals)
    {
        varied.run.duration = length;
    }
    let served = varied.service.meters.enforcement;
    if variation.empty {
        varied.service.meters.initial_fill = Share::ZERO;
    }
    if let Some(enforcement) = variation.enforcement {
        varied.service.meters.enforcement = enforcement;
    }
    for (place, model) in varied.models.iter_mut().enumerate() {
        let had = model.quota;
        if let Some(quotas) = &variation.quotas {
            model.quota = quotas[place];
        }
        let Some(limiter) = &mut model.limiter else {
            continue;
        };
        if limiter.quota == had {
            limiter.quota = model.quota;
        }
        if variation.empty {
            limiter.meters.initial_fill = Share::ZERO;
        }
        if let Some(enforcement) = variation.enforcement
            && limiter.meters.enforcement == served
        {
            // A bucket may be smaller than the service's; a window or slots are as large as they are.
            if enforcement != Enforcement::Bucket {
                limiter.meters.burst = varied.service.meters.burst;
            }
            limiter.meters.enforcement = enforcement;
        }
    }
    if variation.unlimited {
        varied.service.faults.clear();
        varied.retry.max_attempts = 1;
        varied.run.max_in_flight = u32::MAX;
        for model in &mut varied.models {
            model.quota = Quota::default();
            model.limiter = None;
        }
    }
    varied
}

/// Whether arrivals go on alike for as long as one likes: they have no shape of their own.
pub(super) fn is_stationary(arrivals: &ArrivalProcess) -> bool {
    matches!(
        arrivals,
        ArrivalProcess::Open {
            profile: Profile::Constant(_),
            ..
        } | ArrivalProcess::ClosedLoop { .. }
    )
}

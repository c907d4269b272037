//! `[service]`: how the stub and the simulator behave, and how quotas are taken to be counted.

use std::time::Duration;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw::RawService;
use super::super::value::Placed;
use super::distribution::distribution;
use super::faults;
use super::settings::share;
use crate::distribution::Distribution;
use crate::quota::{Counting, MeterSettings};
use crate::service::ServiceSettings;
use crate::units::{Rate, Share};

/// The table as read.
pub(super) struct Service {
    /// How the service behaves.
    pub settings: ServiceSettings,
    /// How it counts the tokens of a model whose burndown is 1.
    counting: Counting,
}

impl Service {
    /// How it counts the tokens of a model.
    pub const fn counting(&self, burndown: u32) -> Counting {
        Counting {
            burndown,
            ..self.counting
        }
    }
}

/// Reads the table; what it does not say is as Bedrock is documented or, where it is not, as has
/// been measured most often.
pub(super) fn service(
    raw: Option<Placed<RawService>>,
    models: &[String],
    problems: &mut Problems,
) -> Service {
    let raw = raw.map(|raw| raw.value).unwrap_or_default();
    let first_token = raw.first_token.and_then(|raw| distribution(raw, problems));
    let network = raw.network.and_then(|raw| distribution(raw, problems));
    let output_rate = problems.read(raw.output_rate);
    if let Some(rate) = output_rate.as_ref().filter(|rate| rate.value.events == 0) {
        let problem = Diagnostic::error("zero-rate", "`output_rate` is zero: no answer would end");
        problems.push(
            problem
                .at(rate.span.clone(), "")
                .help("write a rate above zero"),
        );
    }
    let capacity = problems.read(raw.quota_capacity);
    problems.above_zero("quota_capacity", capacity.as_ref());
    let default = MeterSettings::default();
    let meters = MeterSettings {
        enforcement: problems.get(raw.enforcement).unwrap_or_default(),
        burst: capacity.map_or(default.burst, |length| length.value),
        initial_fill: share(
            problems,
            raw.quota_initial_fill,
            "quota_initial_fill",
            default.initial_fill,
        ),
        clock_offset: problems
            .get(raw.clock_offset)
            .unwrap_or(default.clock_offset),
        headroom: Share::ZERO,
        clock_margin: Duration::ZERO,
    };
    Service {
        settings: ServiceSettings {
            // Of the order of public measurements of Claude models on Bedrock; illustrative.
            first_token: first_token.map_or(
                Distribution::Lognormal {
                    median: 0.7e9,
                    p95: 1.4e9,
                },
                |placed| placed.value,
            ),
            output_rate: output_rate.map_or(
                Rate {
                    events: 60,
                    period_nanos: 1_000_000_000,
                },
                |rate| rate.value,
            ),
            refusal: problems
                .get(raw.refusal)
                .unwrap_or(Duration::from_millis(15)),
            meters,
            adjustment: problems.get(raw.adjustment).unwrap_or_default(),
            network: network.map(|placed| placed.value),
            faults: faults::faults(raw.fault, models, problems),
        },
        counting: Counting {
            burndown: 1,
            reserves_cache_reads: problems.get(raw.reserves_cache_reads).unwrap_or(false),
            reserves_burndown: problems.get(raw.reserves_burndown).unwrap_or(false),
            throttles_cost_requests: problems.get(raw.throttles_cost_requests).unwrap_or(false),
            failures_keep_reservation: problems.get(raw.failures_keep_reservation).unwrap_or(false),
        },
    }
}

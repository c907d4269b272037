//! `[limiter]`: the client's own limits, once for the file and then for each model.

use std::ops::Range;
use std::time::Duration;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw::RawLimiter;
use super::super::value::Placed;
use super::settings::share;
use crate::limiter::LimiterSettings;
use crate::quota::{Dimension, Quota};
use crate::units::{Share, grouped};

/// The limiter as the file states it, before any model's quota.
pub(super) struct Limiter {
    /// Its table.
    pub span: Range<usize>,
    settings: LimiterSettings,
    stated: [Option<Placed<u64>>; 3],
}

/// Reads the table; none where it is absent or not enabled.
pub(super) fn limiter(raw: Option<Placed<RawLimiter>>, problems: &mut Problems) -> Option<Limiter> {
    let Placed { span, value: raw } = raw?;
    let enabled = problems.get(raw.enabled).unwrap_or(true);
    let stated = [("rpm", raw.rpm), ("tpm", raw.tpm), ("tpd", raw.tpd)].map(|(key, field)| {
        let limit = problems.read(field);
        problems.above_zero(key, limit.as_ref());
        limit
    });
    let burst = problems.read(raw.burst);
    problems.above_zero("burst", burst.as_ref());
    let headroom = problems.read(raw.headroom);
    if let Some(headroom) = headroom
        .as_ref()
        .filter(|share| share.value >= Share::percent(100))
    {
        let problem = Diagnostic::error("no-headroom-left", "`headroom` leaves nothing to use");
        problems.push(
            problem
                .at(headroom.span.clone(), "")
                .help("write less than `\"100%\"`"),
        );
    }
    let initial_fill = share(
        problems,
        raw.initial_fill,
        "initial_fill",
        Share::percent(100),
    );
    let max_in_flight = problems.read(raw.max_in_flight);
    problems.above_zero("max_in_flight", max_in_flight.as_ref());
    let settings = LimiterSettings {
        quota: Quota::default(),
        burst: burst.map_or(Duration::from_secs(10), |burst| burst.value),
        headroom: headroom.map_or(Share::ZERO, |headroom| headroom.value),
        initial_fill,
        wait_for_quota: problems.get(raw.wait_for_quota).unwrap_or(true),
        quota_timeout: problems
            .get(raw.quota_timeout)
            .unwrap_or(Duration::from_secs(30)),
        max_in_flight: max_in_flight.map(|attempts| attempts.value),
    };
    enabled.then_some(Limiter {
        span,
        settings,
        stated,
    })
}

impl Limiter {
    /// The limits for a model with this quota; what is not stated is the quota's.
    pub fn for_quota(&self, quota: Quota) -> LimiterSettings {
        let [rpm, tpm, tpd] = &self.stated;
        let stated = |limit: &Option<Placed<u64>>| limit.as_ref().map(|limit| limit.value);
        LimiterSettings {
            quota: Quota {
                rpm: stated(rpm).or(quota.rpm),
                tpm: stated(tpm).or(quota.tpm),
                tpd: stated(tpd).or(quota.tpd),
            },
            ..self.settings.clone()
        }
    }

    /// Warns of limits that let more through than the quota of the model has.
    pub fn compare(&self, name: &str, quota: Quota, problems: &mut Problems) {
        for (dimension, limit) in Dimension::ALL.into_iter().zip(&self.stated) {
            let (Some(limit), Some(quota)) = (limit, quota.get(dimension)) else {
                continue;
            };
            let kept = 1_000_000 - u128::from(self.settings.headroom.ppm.min(1_000_000));
            if u128::from(limit.value) * kept > u128::from(quota) * 1_000_000 {
                let key = dimension.name();
                let title = format!(
                    "the limiter lets {} {key} through, but `{name}` has a quota of {}",
                    grouped(limit.value.cast_signed()),
                    grouped(quota.cast_signed()),
                );
                let help = format!("lower `{key}`, or leave it out to take the quota's");
                let problem = Diagnostic::warning("limiter-above-quota", title);
                problems.push(problem.at(limit.span.clone(), "above the quota").help(help));
            }
        }
    }
}

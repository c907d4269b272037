//! `[limiter]`: the client's own limits, once for the file and then for each model.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::super::TargetSettings;
use super::super::choice::ReservationName;
use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw::{RawBackoff, RawLimiter};
use super::super::value::{Field, Placed};
use super::limits::{Limits, limits};
use super::service::Service;
use super::settings::share;
use super::strategy;
use crate::limiter::{LimiterSettings, Reaction, Reservation, Strategy};
use crate::quota::{Counting, Enforcement, MeterSettings, Quota};
use crate::units::{Share, Tokens, grouped};

const WHOLE: Share = Share::percent(100);

/// What a clock that is kept by NTP, and the way to the service, are off by at most: loose, since it
/// costs little.
const CLOCK_MARGIN: Duration = Duration::from_millis(250);

/// More classes of priority would not fit a request's mark.
const MOST_PRIORITIES: usize = 255;

/// The limiter as the file states it, before any model's quota.
pub(super) struct Limiter {
    /// Its table.
    pub span: Range<usize>,
    /// The names of its classes of priority, in the order of their weights in the settings.
    pub priorities: Vec<String>,
    settings: LimiterSettings,
    stated: Limits,
}

/// Reads the table; none where it is absent or not enabled.
pub(super) fn limiter(
    raw: Option<Placed<RawLimiter>>,
    service: &Service,
    target: &TargetSettings,
    problems: &mut Problems,
) -> Option<Limiter> {
    let Placed {
        span,
        value: mut raw,
    } = raw?;
    let enabled = problems.get(raw.enabled.take()).unwrap_or(true);
    let strategy = problems.get(raw.strategy.take()).unwrap_or_default();
    strategy::ignored(&raw, strategy, problems);
    let estimate = problems.read(raw.estimate.take());
    problems.above_zero("estimate", estimate.as_ref());
    let fields = [
        raw.rpm.take(),
        raw.tpm.take(),
        raw.tpd.take(),
        raw.input_tpm.take(),
        raw.output_tpm.take(),
    ];
    let stated = limits(fields, problems);
    let meters = meters(&mut raw, strategy, service, target, problems);
    let reservation = reservation(&mut raw, strategy, problems);
    let (priorities, weights) = priorities(raw.priorities, problems);
    let max_in_flight = problems.read(raw.max_in_flight);
    problems.above_zero("max_in_flight", max_in_flight.as_ref());
    let default = LimiterSettings::new(Quota::default(), Counting::documented(1));
    let settings = LimiterSettings {
        strategy,
        estimate: estimate.map_or(default.estimate, |estimate| Tokens(estimate.value)),
        meters,
        reservation,
        oversize: problems.get(raw.oversize).unwrap_or(default.oversize),
        priorities: weights,
        wait_for_quota: problems
            .get(raw.wait_for_quota)
            .unwrap_or(default.wait_for_quota),
        quota_timeout: problems
            .get(raw.quota_timeout)
            .unwrap_or(default.quota_timeout),
        max_in_flight: max_in_flight.map(|attempts| attempts.value),
        reaction: raw.backoff.map(|raw| reaction(raw.value, problems)),
        ..default
    };
    enabled.then_some(Limiter {
        span,
        priorities,
        settings,
        stated,
    })
}

/// How the limits are counted: as the service counts its own, unless the file says otherwise.
fn meters(
    raw: &mut RawLimiter,
    strategy: Strategy,
    service: &Service,
    target: &TargetSettings,
    problems: &mut Problems,
) -> MeterSettings {
    let served = service.settings.meters;
    let stated = problems.get(raw.enforcement.take());
    let enforcement = strategy
        .enforcement()
        .or(stated)
        .unwrap_or(served.enforcement);
    let default = LimiterSettings::new(Quota::default(), Counting::documented(1)).meters;
    let burst = problems.read(raw.burst.take());
    problems.above_zero("burst", burst.as_ref());
    let headroom = problems.read(raw.headroom.take());
    if let Some(headroom) = headroom.as_ref().filter(|share| share.value >= WHOLE) {
        let problem = Diagnostic::error("no-headroom-left", "`headroom` leaves nothing to use");
        problems.push(
            problem
                .at(headroom.span.clone(), "")
                .help("write less than `\"100%\"`"),
        );
    }
    let initial_fill = share(problems, raw.initial_fill.take(), "initial_fill", WHOLE);
    let offset = problems.read(raw.clock_offset.take());
    let margin = problems.read(raw.clock_margin.take());
    let clocked = matches!(enforcement, Enforcement::Rolling | Enforcement::Fixed);
    let ours = strategy == Strategy::Bedload;
    if ours || strategy == Strategy::ChargeAfter {
        // Of a margin that another strategy ignores it has been said.
        let margin = margin.as_ref().filter(|_| ours);
        unused_clock(offset.as_ref(), margin, enforcement, target, problems);
    }
    let burst = burst
        .map(|burst| burst.value)
        .or(strategy.burst())
        .unwrap_or(match enforcement {
            Enforcement::Bucket => default.burst,
            _ => served.burst,
        });
    if let Some(margin) = margin.as_ref().filter(|margin| {
        ours && enforcement == Enforcement::Fixed && margin.value.saturating_mul(2) >= burst
    }) {
        let title = "`clock_margin` leaves nothing of a window: it is kept clear at both ends";
        let problem = Diagnostic::error("no-window-left", title);
        problems.push(
            problem
                .at(margin.span.clone(), "")
                .help("write less than half of `burst`"),
        );
    }
    let margin = margin.map_or(CLOCK_MARGIN.min(burst / 4), |margin| margin.value);
    MeterSettings {
        enforcement,
        burst,
        headroom: headroom.map_or(Share::ZERO, |headroom| headroom.value),
        initial_fill,
        clock_offset: offset.map_or(served.clock_offset, |offset| offset.value),
        clock_margin: if clocked { margin } else { Duration::ZERO },
    }
}

/// Warns of clocks that nothing looks at.
fn unused_clock(
    offset: Option<&Placed<Duration>>,
    margin: Option<&Placed<Duration>>,
    enforcement: Enforcement,
    target: &TargetSettings,
    problems: &mut Problems,
) {
    let real = matches!(target, TargetSettings::Bedrock { .. });
    let mut unused = |place: &Placed<Duration>, title: String, help: &str| {
        let problem = Diagnostic::warning("unused-key", title);
        problems.push(problem.at(place.span.clone(), "").help(help));
    };
    if let Some(offset) = offset {
        if real {
            let title = "`clock_offset` does nothing: against Bedrock it is the clock's";
            unused(offset, title.to_owned(), "leave it out");
        } else if enforcement != Enforcement::Fixed {
            let title = format!("`clock_offset` does nothing with enforcement `{enforcement}`");
            unused(offset, title, "leave it out, or set `enforcement`");
        }
    }
    if let Some(margin) = margin
        && !matches!(enforcement, Enforcement::Rolling | Enforcement::Fixed)
    {
        let title = format!("`clock_margin` does nothing with enforcement `{enforcement}`");
        unused(margin, title, "leave it out, or set `enforcement`");
    }
}

fn reservation(raw: &mut RawLimiter, strategy: Strategy, problems: &mut Problems) -> Reservation {
    let name = problems
        .get(raw.reservation.take())
        .unwrap_or(ReservationName::MaxTokens);
    let given = problems.read(raw.output_quantile.take());
    if let Some(given) = &given {
        if given.value == Share::ZERO || given.value > WHOLE {
            let title = "`output_quantile` is not above 0% and at most 100%";
            let problem = Diagnostic::error("out-of-range", title).at(given.span.clone(), "");
            problems.push(problem.help("write a share such as `\"90%\"`"));
        } else if name == ReservationName::MaxTokens && strategy == Strategy::Bedload {
            let title = "`output_quantile` does nothing with reservation `max-tokens`";
            let problem = Diagnostic::warning("unused-key", title).at(given.span.clone(), "");
            problems.push(problem.help("set `reservation` to `\"expected\"` or `\"mirror\"`"));
        }
    }
    let quantile = given.map_or(Share::percent(90), |given| given.value);
    match name {
        ReservationName::MaxTokens => Reservation::MaxTokens,
        ReservationName::Expected => Reservation::Expected { quantile },
        ReservationName::Mirror => Reservation::Mirror { quantile },
    }
}

/// The names and the weights, in order of the names.
fn priorities(
    raw: Option<Placed<BTreeMap<String, Field<u32>>>>,
    problems: &mut Problems,
) -> (Vec<String>, Vec<u32>) {
    let Some(Placed { span, value }) = raw else {
        return (Vec::new(), Vec::new());
    };
    if value.len() > MOST_PRIORITIES {
        let title = format!("there are more than {MOST_PRIORITIES} classes of priority");
        let problem = Diagnostic::error("too-many-priorities", title).at(span, "");
        problems.push(problem.help("keep those that differ"));
        return (Vec::new(), Vec::new());
    }
    value
        .into_iter()
        .map(|(name, field)| {
            let weight = problems.read(Some(field));
            problems.above_zero(&name, weight.as_ref());
            (name, weight.map_or(1, |weight| weight.value))
        })
        .unzip()
}

fn reaction(raw: RawBackoff, problems: &mut Problems) -> Reaction {
    let default = Reaction::default();
    let decrease = problems.read(raw.decrease);
    if let Some(decrease) = decrease.as_ref().filter(|share| share.value >= WHOLE) {
        let problem = Diagnostic::error("no-decrease", "`decrease` leaves the limits as they are");
        problems.push(
            problem
                .at(decrease.span.clone(), "")
                .help("write less than `\"100%\"`"),
        );
    }
    let increase = problems.read(raw.increase);
    problems.above_zero("increase", increase.as_ref());
    let interval = problems.read(raw.interval);
    problems.above_zero("interval", interval.as_ref());
    let floor = problems.read(raw.floor);
    problems.above_zero("floor", floor.as_ref());
    if let Some(floor) = floor.as_ref().filter(|share| share.value > WHOLE) {
        let problem = Diagnostic::error("above-whole", "`floor` is above 100%");
        problems.push(
            problem
                .at(floor.span.clone(), "")
                .help("write a share of at most `\"100%\"`"),
        );
    }
    Reaction {
        decrease: decrease.map_or(default.decrease, |share| share.value),
        increase: increase.map_or(default.increase, |share| share.value),
        interval: interval.map_or(default.interval, |length| length.value),
        floor: floor.map_or(default.floor, |share| share.value),
    }
}

impl Limiter {
    /// The limits for a model with this quota, whose tokens are counted so; what is not stated is
    /// the quota's.
    pub fn for_model(&self, quota: Quota, counting: Counting) -> LimiterSettings {
        LimiterSettings {
            quota: self.stated.or(quota),
            counting,
            ..self.settings.clone()
        }
    }

    /// Warns of limits that let more through than the quota of the model has.
    pub fn compare(&self, name: &str, quota: Quota, problems: &mut Problems) {
        if !self.settings.strategy.counts_quota() {
            return;
        }
        for (dimension, limit) in self.stated.stated() {
            let Some(quota) = quota.get(dimension) else {
                continue;
            };
            let kept = 1_000_000 - u128::from(self.settings.meters.headroom.ppm.min(1_000_000));
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

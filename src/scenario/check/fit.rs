//! Whether a prompt's reservation fits into the limits at all, asked of the meters themselves.
//!
//! Promises: an error only where no request of the prompt, or next to none, can ever be admitted;
//! where only the longest cannot, a warning says so.

use std::ops::Range;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use crate::limiter::Strategy;
use crate::quota::{Cost, Dimension, Enforcement, MeterSettings, Meters, Misfit, Quota};
use crate::time::nanos;
use crate::units::{Share, grouped};

const ADMITTED: &str = "never be admitted";
const PASSES: &str = "never pass without a throttle";

/// Limits that a prompt has to fit into.
pub(super) struct Container<'a> {
    /// Whose they are.
    pub owner: Owner,
    /// The limits.
    pub quota: Quota,
    /// How they are counted.
    pub meters: MeterSettings,
    /// Their table, where they have one.
    pub table: Option<&'a Range<usize>>,
}

/// Whose limits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The client's, who decides so.
    Limiter(Strategy),
    /// The stub's and the simulator's.
    Service,
}

/// What one prompt reserves.
pub(super) struct Reservation<'a> {
    /// The prompt's name.
    pub prompt: &'a str,
    /// Where it says so.
    pub span: &'a Range<usize>,
    /// With the shortest input, or that which all but one in a thousand exceed.
    pub least: Cost,
    /// With the longest, or that which one in a thousand exceeds.
    pub most: Cost,
}

/// Reports a reservation that does not fit.
pub(super) fn check(
    reservation: &Reservation<'_>,
    container: &Container<'_>,
    problems: &mut Problems,
) {
    let settings = &container.meters;
    let empty = container.quota.limited().any(|(_, limit)| limit == 0)
        || settings.burst.is_zero()
        || settings.headroom >= Share::percent(100);
    if empty {
        // That nothing fits into such limits is an echo of what has been reported about them.
        return;
    }
    let meters = Meters::new(container.quota, settings);
    if let Some(found) = meters.never_holds(reservation.least) {
        problems.push(misfit(reservation, container, found, true));
    } else if let Some(found) = meters.never_holds(reservation.most) {
        problems.push(misfit(reservation, container, found, false));
    }
}

fn misfit(
    reservation: &Reservation<'_>,
    container: &Container<'_>,
    found: Misfit,
    always: bool,
) -> Diagnostic {
    let (code, key, fate) = match (container.owner, always) {
        (Owner::Limiter(_), true) => ("never-admitted", "limiter.burst", ADMITTED),
        (Owner::Limiter(_), false) => ("sometimes-never-admitted", "limiter.burst", ADMITTED),
        (Owner::Service, true) => ("always-throttled", "service.quota_capacity", PASSES),
        (Owner::Service, false) => (
            "sometimes-always-throttled",
            "service.quota_capacity",
            PASSES,
        ),
    };
    let some = if always {
        "prompt"
    } else {
        "some requests of prompt"
    };
    let why = too_much(container, found, always);
    let title = format!("{some} `{}` can {fate}: {why}", reservation.prompt);
    let lower = match (container.owner, found.dimension) {
        (_, Dimension::Rpm) => "",
        (_, Dimension::InputTpm) => "shorten the input, or ",
        (Owner::Limiter(Strategy::FixedEstimate), _) => "lower `limiter.estimate`, or ",
        _ => "lower `max_tokens`, or ",
    };
    let raise = match container.owner {
        Owner::Limiter(strategy) if strategy.fixes_burst() => {
            format!(
                "choose another `limiter.strategy` than `{strategy}`, whose window stays as it is"
            )
        }
        _ => {
            let limit = container.quota.get(found.dimension).unwrap_or_default();
            let enough = enough(found.needs, limit, &container.meters);
            format!("raise `{key}` to at least `\"{enough}s\"`")
        }
    };
    let new = if always {
        Diagnostic::error
    } else {
        Diagnostic::warning
    };
    let problem = new(code, title)
        .at(reservation.span.clone(), "")
        .help(format!("{lower}{raise}"));
    match container.table {
        Some(table) => problem.context(table.clone(), "holds too little"),
        None => problem,
    }
}

/// What is asked of a limit, and what it holds when nothing is used.
fn too_much(container: &Container<'_>, found: Misfit, always: bool) -> String {
    let name = found.dimension.name();
    let whose = match container.owner {
        Owner::Limiter(_) => "limiter's",
        Owner::Service => "service's",
    };
    let what = match container.meters.enforcement {
        Enforcement::Bucket | Enforcement::Ledger => "bucket",
        Enforcement::Rolling | Enforcement::Fixed => "window",
    };
    if found.dimension == Dimension::Rpm {
        return format!("the {whose} `{name}` {what} never holds a whole request");
    }
    let up_to = if always { "" } else { "up to " };
    let needs = grouped(found.needs.cast_signed());
    let holds = grouped(found.holds.cast_signed());
    format!("it reserves {up_to}{needs} tokens, the {whose} `{name}` {what} holds {holds}")
}

/// The whole seconds of the full rate that make up for an amount.
fn enough(amount: u64, limit: u64, settings: &MeterSettings) -> u128 {
    let kept = 1_000_000 - u128::from(settings.headroom.ppm.min(999_999));
    let per_minute = (u128::from(limit) * kept).max(1);
    let already = u128::from(nanos(settings.burst)).div_ceil(1_000_000_000);
    (u128::from(amount) * 60 * 1_000_000)
        .div_ceil(per_minute)
        .max(already)
}

//! Whether a prompt's reservation fits into a bucket at all, asked of the buckets themselves.
//!
//! Promises: an error only where no request of the prompt, or next to none, can ever be admitted;
//! where only the longest cannot, a warning says so.

use std::ops::Range;
use std::time::Duration;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use crate::quota::{Buckets, Cost, Dimension, Quota};
use crate::time::nanos;
use crate::units::{Share, Tokens, grouped};

/// A bucket that a prompt has to fit into.
pub(super) struct Container<'a> {
    /// Whose it is.
    pub owner: Owner,
    /// What it gains.
    pub quota: Quota,
    /// The share that is left alone.
    pub headroom: Share,
    /// How much it holds, as time at the full rate.
    pub burst: Duration,
    /// Its table, where it has one.
    pub table: Option<&'a Range<usize>>,
}

/// Whose a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The client's.
    Limiter,
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
    pub least: Tokens,
    /// With the longest, or that which one in a thousand exceeds.
    pub most: Tokens,
}

/// Reports a reservation that does not fit.
pub(super) fn check(
    reservation: &Reservation<'_>,
    container: &Container<'_>,
    problems: &mut Problems,
) {
    let empty = container.quota.limited().any(|(_, limit)| limit == 0)
        || container.burst.is_zero()
        || container.headroom >= Share::percent(100);
    if empty {
        // That nothing fits into such a bucket is an echo of what has been reported about it.
        return;
    }
    let full = Share::percent(100);
    let buckets = Buckets::new(container.quota, container.headroom, container.burst, full);
    let least = Cost::call(reservation.least);
    let most = Cost::call(reservation.most);
    if let Some(dimension) = buckets.never_holds(least) {
        problems.push(misfit(reservation, container, &buckets, dimension, true));
    } else if let Some(dimension) = buckets.never_holds(most) {
        problems.push(misfit(reservation, container, &buckets, dimension, false));
    }
}

fn misfit(
    reservation: &Reservation<'_>,
    container: &Container<'_>,
    buckets: &Buckets,
    dimension: Dimension,
    always: bool,
) -> Diagnostic {
    let held = buckets.get(dimension).map_or(0, |bucket| bucket.capacity());
    let tokens = if always {
        reservation.least
    } else {
        reservation.most
    };
    let (key, whose, fate) = match container.owner {
        Owner::Limiter => ("limiter.burst", "limiter's", "never be admitted"),
        Owner::Service => (
            "service.quota_capacity",
            "service's",
            "never pass without a throttle",
        ),
    };
    let (amount, why) = match dimension {
        Dimension::Rpm => (
            1,
            format!("the {whose} `rpm` bucket never holds a whole request"),
        ),
        Dimension::Tpm | Dimension::Tpd => {
            let up_to = if always { "" } else { "up to " };
            let reserved = grouped(tokens.0.cast_signed());
            let held = grouped(held.cast_signed());
            let name = dimension.name();
            let why = format!(
                "it reserves {up_to}{reserved} tokens, the {whose} `{name}` bucket holds {held}"
            );
            (tokens.0, why)
        }
    };
    let some = if always {
        "prompt"
    } else {
        "some requests of prompt"
    };
    let title = format!("{some} `{}` can {fate}: {why}", reservation.prompt);
    let code = match (container.owner, always) {
        (Owner::Limiter, true) => "never-admitted",
        (Owner::Limiter, false) => "sometimes-never-admitted",
        (Owner::Service, true) => "always-throttled",
        (Owner::Service, false) => "sometimes-always-throttled",
    };
    let enough = enough(
        amount,
        container.quota.get(dimension).unwrap_or_default(),
        container,
    );
    let help = match dimension {
        Dimension::Rpm => format!("raise `{key}` to at least `\"{enough}s\"`"),
        Dimension::Tpm | Dimension::Tpd => {
            format!("lower `max_tokens`, or raise `{key}` to at least `\"{enough}s\"`")
        }
    };
    let severity = if always {
        Diagnostic::error
    } else {
        Diagnostic::warning
    };
    let problem = severity(code, title)
        .at(reservation.span.clone(), "")
        .help(help);
    match container.table {
        Some(table) => problem.context(table.clone(), "holds too little"),
        None => problem,
    }
}

/// The whole seconds of the full rate that make up for an amount.
fn enough(amount: u64, limit: u64, container: &Container<'_>) -> u128 {
    let kept = 1_000_000 - u128::from(container.headroom.ppm.min(999_999));
    let per_minute = (u128::from(limit) * kept).max(1);
    let already = u128::from(nanos(container.burst)).div_ceil(1_000_000_000);
    (u128::from(amount) * 60 * 1_000_000)
        .div_ceil(per_minute)
        .max(already)
}

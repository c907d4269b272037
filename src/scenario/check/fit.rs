//! Whether a prompt's reservation fits into a bucket at all, asked of the buckets themselves.
//!
//! Promises: an error only where no request of the prompt, or next to none, can ever be admitted;
//! where only the longest cannot, a warning says so.

use std::ops::Range;
use std::time::Duration;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use crate::quota::{Bucket, Buckets, Cost, Dimension, Quota};
use crate::time::nanos;
use crate::units::{Share, Tokens, grouped};

const ADMITTED: &str = "never be admitted";
const PASSES: &str = "never pass without a throttle";

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
    let (code, key, fate) = match (container.owner, always) {
        (Owner::Limiter, true) => ("never-admitted", "limiter.burst", ADMITTED),
        (Owner::Limiter, false) => ("sometimes-never-admitted", "limiter.burst", ADMITTED),
        (Owner::Service, true) => ("always-throttled", "service.quota_capacity", PASSES),
        (Owner::Service, false) => (
            "sometimes-always-throttled",
            "service.quota_capacity",
            PASSES,
        ),
    };
    let (some, tokens) = if always {
        ("prompt", reservation.least)
    } else {
        ("some requests of prompt", reservation.most)
    };
    let held = buckets.get(dimension).map_or(0, Bucket::capacity);
    let why = too_much(container.owner, dimension, tokens, held, always);
    let title = format!("{some} `{}` can {fate}: {why}", reservation.prompt);
    let (amount, lower) = match dimension {
        Dimension::Rpm => (1, ""),
        Dimension::Tpm | Dimension::Tpd => (tokens.0, "lower `max_tokens`, or "),
    };
    let limit = container.quota.get(dimension).unwrap_or_default();
    let enough = enough(amount, limit, container);
    let new = if always {
        Diagnostic::error
    } else {
        Diagnostic::warning
    };
    let problem = new(code, title)
        .at(reservation.span.clone(), "")
        .help(format!("{lower}raise `{key}` to at least `\"{enough}s\"`"));
    match container.table {
        Some(table) => problem.context(table.clone(), "holds too little"),
        None => problem,
    }
}

/// What is asked of a bucket, and what it holds when it is full.
fn too_much(owner: Owner, dimension: Dimension, tokens: Tokens, held: u64, always: bool) -> String {
    let name = dimension.name();
    let whose = match owner {
        Owner::Limiter => "limiter's",
        Owner::Service => "service's",
    };
    if dimension == Dimension::Rpm {
        return format!("the {whose} `{name}` bucket never holds a whole request");
    }
    let up_to = if always { "" } else { "up to " };
    let (tokens, held) = (grouped(tokens.0.cast_signed()), grouped(held.cast_signed()));
    format!("it reserves {up_to}{tokens} tokens, the {whose} `{name}` bucket holds {held}")
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

//! Keys of `[limiter]` that the strategy named there takes no notice of.
//!
//! Promises: each is warned of once, where it stands; no key of our own strategy is.

use std::ops::Range;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw::RawLimiter;
use super::super::value::Placed;
use crate::limiter::Strategy;

/// Warns of keys that do nothing with this strategy.
pub(super) fn ignored(raw: &RawLimiter, strategy: Strategy, problems: &mut Problems) {
    for (key, span) in stated(raw) {
        let Some(span) = span.filter(|_| !heeds(strategy, key)) else {
            continue;
        };
        let title = format!("`{key}` does nothing with strategy `{strategy}`");
        let help = match key {
            "estimate" => "leave it out, or set `strategy` to `\"fixed-estimate\"`",
            _ => "leave it out, or choose another `strategy`",
        };
        let problem = Diagnostic::warning("unused-key", title).at(span.clone(), "");
        problems.push(problem.help(help));
    }
}

/// The keys of which some strategy takes no notice, each with its place if it is stated.
fn stated(raw: &RawLimiter) -> [(&'static str, Option<&Range<usize>>); 20] {
    fn place<T>(field: &Option<Placed<T>>) -> Option<&Range<usize>> {
        field.as_ref().map(|field| &field.span)
    }
    [
        ("estimate", place(&raw.estimate)),
        ("rpm", place(&raw.rpm)),
        ("tpm", place(&raw.tpm)),
        ("tpd", place(&raw.tpd)),
        ("input_tpm", place(&raw.input_tpm)),
        ("output_tpm", place(&raw.output_tpm)),
        ("enforcement", place(&raw.enforcement)),
        ("burst", place(&raw.burst)),
        ("headroom", place(&raw.headroom)),
        ("initial_fill", place(&raw.initial_fill)),
        ("clock_offset", place(&raw.clock_offset)),
        ("clock_margin", place(&raw.clock_margin)),
        ("reservation", place(&raw.reservation)),
        ("output_quantile", place(&raw.output_quantile)),
        ("oversize", place(&raw.oversize)),
        ("priorities", place(&raw.priorities)),
        ("backoff", place(&raw.backoff)),
        ("wait_for_quota", place(&raw.wait_for_quota)),
        ("quota_timeout", place(&raw.quota_timeout)),
        ("max_in_flight", place(&raw.max_in_flight)),
    ]
}

/// Whether a key makes a difference to this strategy.
fn heeds(strategy: Strategy, key: &str) -> bool {
    match key {
        "estimate" => strategy == Strategy::FixedEstimate,
        "enforcement" | "clock_margin" | "reservation" | "output_quantile" | "backoff" => {
            strategy == Strategy::Bedload
        }
        "clock_offset" => matches!(strategy, Strategy::Bedload | Strategy::ChargeAfter),
        "burst" => strategy.counts_quota() && !strategy.fixes_burst(),
        // The others know no request that is too large for them.
        "oversize" => matches!(
            strategy,
            Strategy::Bedload | Strategy::FixedWindow | Strategy::Gcra | Strategy::FixedEstimate
        ),
        "priorities" | "wait_for_quota" | "quota_timeout" | "max_in_flight" => {
            strategy != Strategy::Unlimited
        }
        _ => strategy.counts_quota(),
    }
}

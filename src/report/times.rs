//! The tables of times: of the whole run, and by prompt class and model.

use super::table::{Table, name};
use super::words::{count, length};
use crate::recorder::measured::{Group, Inflated, Measured, Quantile, Spread};
use crate::units::significant;

/// What stands for a quantile that the sample cannot carry.
const TOO_FEW: &str = "too few";
/// What stands for a number of nothing.
const NONE: &str = "–";

/// Each length of time with its two ends and its quantiles.
pub(super) fn of_the_run(total: &Group) -> Table {
    let mut table = Table::new(
        2,
        ["Time", "from → to", "p50", "p90", "p99", "max", "samples"],
    );
    let mut row = |metric: &str, ends: &str, cells: [String; 5]| {
        let [p50, p90, p99, max, samples] = cells;
        table.row([
            metric.to_owned(),
            ends.to_owned(),
            p50,
            p90,
            p99,
            max,
            samples,
        ]);
    };
    row("latency", "due → finished", spread(&total.latency));
    if total.inflated_latency.infinite > 0 {
        row(
            "  failures as ∞",
            "due → finished",
            inflated(&total.inflated_latency),
        );
    }
    row(
        "limiter wait",
        "due → admitted",
        spread(&total.limiter_wait),
    );
    row(
        "service time",
        "sent → finished",
        spread(&total.service_time),
    );
    if let Some(ttft) = &total.ttft {
        row("time to first token", "sent → first token", spread(ttft));
    }
    if let Some(itl) = &total.itl {
        row("between tokens", "token → next token", spread(itl));
    }
    if let Some(tpot) = &total.tpot {
        row("time per token", "first → finished, each", spread(tpot));
    }
    row(
        "dispatch lag",
        "admitted → sent",
        spread(&total.dispatch_lag),
    );
    table
}

/// Prompt classes and models, each where there are several.
pub(super) fn by_group(measured: &Measured) -> Vec<Table> {
    [("Prompt", &measured.classes), ("Model", &measured.models)]
        .into_iter()
        .filter(|(_, groups)| groups.len() > 1)
        .flat_map(|(heading, groups)| {
            let streams = groups.iter().any(|group| group.ttft.is_some());
            let times = groups_table(heading, groups);
            [Some(times), streams.then(|| tokens_table(heading, groups))]
        })
        .flatten()
        .collect()
}

/// How fast the tokens of each group came.
fn tokens_table(heading: &str, groups: &[Group]) -> Table {
    let heading = [
        heading,
        "first token p50",
        "p99",
        "between tokens p50",
        "p99",
        "tokens/s p50",
        "output tokens/s",
    ];
    let mut table = Table::new(1, heading);
    let none = Spread::default();
    for group in groups {
        let [ttft_p50, _, ttft_p99, ..] = spread(group.ttft.as_ref().unwrap_or(&none));
        let [itl_p50, _, itl_p99, ..] = spread(group.itl.as_ref().unwrap_or(&none));
        let [tpot, ..] = spread(group.tpot.as_ref().unwrap_or(&none));
        let speed = group
            .tpot
            .and_then(|tpot| tpot.p50_ns)
            .filter(|&nanos| nanos > 0);
        table.row([
            name(&group.name),
            ttft_p50,
            ttft_p99,
            itl_p50,
            itl_p99,
            speed.map_or(tpot, |nanos| significant(1e9 / nanos as f64)),
            significant(group.output_tokens_per_second),
        ]);
    }
    table
}

fn groups_table(heading: &str, groups: &[Group]) -> Table {
    let heading = [
        heading,
        "requests",
        "answered",
        "throttles",
        "latency p50",
        "p90",
        "p99",
        "max",
    ];
    let mut table = Table::new(1, heading);
    for group in groups {
        let [p50, p90, p99, max, _] = spread(&group.latency);
        table.row([
            name(&group.name),
            count(group.counts.intended),
            count(group.counts.completed),
            count(group.attempts.throttled.total()),
            p50,
            p90,
            p99,
            max,
        ]);
    }
    table
}

fn spread(spread: &Spread) -> [String; 5] {
    let cell = |nanos: Option<u64>| match nanos {
        Some(nanos) => length(nanos),
        None if spread.count == 0 => NONE.to_owned(),
        None => TOO_FEW.to_owned(),
    };
    [
        cell(spread.p50_ns),
        cell(spread.p90_ns),
        cell(spread.p99_ns),
        cell(spread.max_ns),
        count(spread.count),
    ]
}

fn inflated(inflated: &Inflated) -> [String; 5] {
    let cell = |quantile: Quantile| match quantile {
        Quantile::Ns(nanos) => length(nanos),
        Quantile::Infinite => "∞".to_owned(),
        Quantile::TooFew => TOO_FEW.to_owned(),
    };
    [
        cell(inflated.p50),
        cell(inflated.p90),
        cell(inflated.p99),
        cell(inflated.max),
        count(inflated.count),
    ]
}

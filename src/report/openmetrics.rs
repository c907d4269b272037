//! A finished run in the OpenMetrics format, for whatever collects metrics.
//!
//! Promises: a pure function of `run.json`; requests by prompt class and outcome add up to those that
//! became due; quantiles are given only where the run gives them; sums are count times mean.
//!
//! Deliberately not: time stamps. A run in virtual time has none, and a collector sets its own.

use std::collections::BTreeMap;

use super::exposition::{Dialect, Exposition, Kind, Labels};
use crate::recorder::measured::{Group, Measured, QuotaUse, Spread};
use crate::results::RunFile;
use crate::time::NANOS_PER_SECOND;

/// One length of time: the family's name, what it is, and where it is in a group.
type TimeOf = (&'static str, &'static str, fn(&Group) -> Option<&Spread>);

const TIMES: [TimeOf; 7] = [
    (
        "bedload_latency_seconds",
        "Due to finished, of completed requests.",
        |group| Some(&group.latency),
    ),
    (
        "bedload_limiter_wait_seconds",
        "Due to first admitted by the limiter.",
        |group| Some(&group.limiter_wait),
    ),
    (
        "bedload_service_time_seconds",
        "Sent to finished, last attempt of completed requests.",
        |group| Some(&group.service_time),
    ),
    (
        "bedload_dispatch_lag_seconds",
        "Last admitted to sent: the program's own lateness.",
        |group| Some(&group.dispatch_lag),
    ),
    (
        "bedload_ttft_seconds",
        "Sent to first token, of completed requests.",
        |group| group.ttft.as_ref(),
    ),
    (
        "bedload_itl_seconds",
        "Token event to next token event, of completed requests.",
        |group| group.itl.as_ref(),
    ),
    (
        "bedload_tpot_seconds",
        "First token to finished over output tokens, of completed requests.",
        |group| group.tpot.as_ref(),
    ),
];

/// The whole file, of a run in whatever state it is.
#[must_use]
pub fn openmetrics(file: &RunFile) -> String {
    let mut out = Exposition::new(Dialect::OpenMetrics);
    out.family("bedload_run", Kind::Info, "What was run.");
    out.info(&[
        ("scenario", &file.scenario.name),
        ("target", file.target.name()),
        ("state", file.state.name()),
        ("seed", &file.seed.to_string()),
        ("version", &file.tool.version),
    ]);
    if let Some(measured) = &file.measured {
        run(&mut out, file, measured);
        let classes = Classes::of(file, measured);
        requests(&mut out, &classes);
        attempts(&mut out, &classes);
        tokens(&mut out, &classes);
        times(&mut out, &classes);
        quotas(&mut out, &measured.quota_use);
    }
    out.finish()
}

/// The prompt classes with their models' names.
struct Classes<'a>(Vec<(&'a Group, &'a str)>);

impl<'a> Classes<'a> {
    fn of(file: &'a RunFile, measured: &'a Measured) -> Self {
        let settings = &file.settings;
        let models = settings.classes.iter().map(|class| {
            let model = settings.models.get(usize::from(class.model));
            model.map_or("", |model| model.name.as_str())
        });
        Self(measured.classes.iter().zip(models).collect())
    }

    /// A sample for each class and name of what `numbers` gives.
    fn by(
        &self,
        out: &mut Exposition,
        label: &str,
        numbers: impl Fn(&Group) -> Vec<(String, u64)>,
    ) {
        for (group, model) in &self.0 {
            for (name, number) in numbers(group) {
                out.count(
                    &[("class", &group.name), ("model", model), (label, &name)],
                    number,
                );
            }
        }
    }
}

fn run(out: &mut Exposition, file: &RunFile, measured: &Measured) {
    let seconds = |ns: u64| ns as f64 / NANOS_PER_SECOND as f64;
    out.family(
        "bedload_window_seconds",
        Kind::Gauge,
        "How long requests became due.",
    );
    out.value(&[], seconds(measured.window_ns));
    out.family(
        "bedload_elapsed_seconds",
        Kind::Gauge,
        "From the start to the last event.",
    );
    out.value(&[], seconds(measured.elapsed_ns));
    out.family(
        "bedload_paused_seconds",
        Kind::Counter,
        "How long admission was paused.",
    );
    out.value(&[], seconds(measured.paused_ns));
    out.family(
        "bedload_pass_mark",
        Kind::Gauge,
        "Pass marks: 1 if met, 0 if missed.",
    );
    // Two marks may name the same metric, so each has its number.
    for (number, verdict) in file.verdicts.iter().enumerate() {
        let labels = [("mark", &*number.to_string()), ("metric", &*verdict.metric)];
        out.count(&labels, u64::from(verdict.passed));
    }
}

fn requests(out: &mut Exposition, classes: &Classes<'_>) {
    out.family(
        "bedload_requests_due",
        Kind::Counter,
        "Requests that became due.",
    );
    for (group, model) in &classes.0 {
        out.count(
            &[("class", &group.name), ("model", model)],
            group.counts.intended,
        );
    }
    out.family(
        "bedload_requests",
        Kind::Counter,
        "Requests by how they ended.",
    );
    classes.by(out, "outcome", |group| {
        let counts = group.counts;
        let named = [
            ("completed", counts.completed),
            ("failed", counts.failed),
            ("dropped", counts.dropped),
            ("cancelled", counts.cancelled),
        ];
        named
            .map(|(name, number)| (name.to_owned(), number))
            .to_vec()
    });
    let all = |numbers: &BTreeMap<String, u64>| {
        numbers
            .iter()
            .map(|(name, number)| (name.clone(), *number))
            .collect()
    };
    out.family(
        "bedload_requests_failed",
        Kind::Counter,
        "Failed requests by their last failure.",
    );
    classes.by(out, "failure", |group| all(&group.failures));
    out.family(
        "bedload_requests_dropped",
        Kind::Counter,
        "Requests never sent, by reason.",
    );
    classes.by(out, "reason", |group| all(&group.drops));
}

fn attempts(out: &mut Exposition, classes: &Classes<'_>) {
    out.family(
        "bedload_attempts_sent",
        Kind::Counter,
        "Attempts that were sent.",
    );
    for (group, model) in &classes.0 {
        out.count(
            &[("class", &group.name), ("model", model)],
            group.attempts.sent,
        );
    }
    out.family(
        "bedload_attempts",
        Kind::Counter,
        "Attempts by how they ended.",
    );
    classes.by(out, "outcome", |group| {
        let attempts = &group.attempts;
        let throttled = attempts.throttled;
        let mut named = vec![
            ("answered".to_owned(), attempts.answered),
            ("throttled_requests".to_owned(), throttled.requests),
            ("throttled_tokens".to_owned(), throttled.tokens),
            (
                "throttled_tokens_per_day".to_owned(),
                throttled.tokens_per_day,
            ),
            ("throttled_other".to_owned(), throttled.other),
            ("unfinished".to_owned(), attempts.unfinished),
        ];
        named.extend(
            attempts
                .failed
                .iter()
                .map(|(name, number)| (name.clone(), *number)),
        );
        named
    });
}

fn tokens(out: &mut Exposition, classes: &Classes<'_>) {
    out.family(
        "bedload_tokens",
        Kind::Counter,
        "Tokens by the service's count.",
    );
    classes.by(out, "kind", |group| {
        let usage = group.usage;
        let named = [
            ("input", usage.input),
            ("output", usage.output),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
        ];
        named
            .map(|(name, tokens)| (name.to_owned(), tokens.0))
            .to_vec()
    });
    out.family(
        "bedload_quota_tokens",
        Kind::Counter,
        "Tokens against the tokens-per-minute quota.",
    );
    classes.by(out, "stage", |group| {
        let named = [
            ("reserved", group.reserved),
            ("settled", group.settled),
            ("wasted", group.wasted),
        ];
        named
            .map(|(name, tokens)| (name.to_owned(), tokens.0))
            .to_vec()
    });
    out.family(
        "bedload_cost_dollars",
        Kind::Counter,
        "The list price of the tokens, where known.",
    );
    for (group, model) in &classes.0 {
        if let Some(cost) = group.cost {
            out.value(&[("class", &group.name), ("model", model)], cost.dollars());
        }
    }
}

fn times(out: &mut Exposition, classes: &Classes<'_>) {
    for (name, help, of) in TIMES {
        let measured = classes
            .0
            .iter()
            .filter_map(|(group, model)| Some((group, model, of(group)?)));
        let measured: Vec<_> = measured.collect();
        if !measured.is_empty() {
            out.family(name, Kind::Summary, help);
        }
        for (group, model, spread) in measured {
            summary(out, &[("class", &group.name), ("model", model)], spread);
        }
    }
}

fn summary(out: &mut Exposition, labels: Labels<'_>, spread: &Spread) {
    let quantiles = [
        (0.5, spread.p50_ns),
        (0.9, spread.p90_ns),
        (0.99, spread.p99_ns),
        (0.999, spread.p999_ns),
    ];
    let known = quantiles
        .into_iter()
        .filter_map(|(quantile, ns)| Some((quantile, ns? as f64 / 1e9)));
    let sum = spread.count as f64 * spread.mean_ns.unwrap_or(0) as f64 / 1e9;
    out.summary(labels, known, spread.count, sum);
}

fn quotas(out: &mut Exposition, models: &[QuotaUse]) {
    let dimensions = |model: &QuotaUse| [("rpm", model.requests), ("tpm", model.tokens)];
    out.family(
        "bedload_quota_per_minute",
        Kind::Gauge,
        "The quota, in requests or tokens a minute.",
    );
    for model in models {
        for (dimension, used) in dimensions(model) {
            if let Some(quota) = used.quota {
                out.count(&[("model", &model.model), ("dimension", dimension)], quota);
            }
        }
    }
    out.family(
        "bedload_quota_use_per_minute",
        Kind::Gauge,
        "Use of the quota, in requests or settled tokens a minute: mean, steady mean, and the greatest \
         minute of the clock and of any sixty seconds.",
    );
    for model in models {
        for (dimension, used) in dimensions(model) {
            let statistics = [
                ("mean", Some(used.mean)),
                ("steady", used.steady),
                ("peak_clock_minute", Some(used.peak_clock_minute as f64)),
                ("peak_sliding_minute", Some(used.peak_sliding_minute as f64)),
            ];
            for (statistic, value) in statistics {
                if let Some(value) = value {
                    let labels = [
                        ("model", model.model.as_str()),
                        ("dimension", dimension),
                        ("statistic", statistic),
                    ];
                    out.value(&labels, value);
                }
            }
        }
    }
}

//! A run that goes on, as metrics.

use bedload::outcome::Failure;
use bedload::report::{Dialect, Exposition, Kind};
use bedload::time::Instant;

use super::super::pulse::{BOUNDS, Buckets, ClassPulse, ModelPulse, Pulse};

/// One length of time: the family's name, what it is, and where it is.
type TimeOf = (&'static str, &'static str, fn(&ClassPulse) -> &Buckets);

/// The text that Prometheus reads. Names are those of `--openmetrics`, where both have a metric.
pub fn exposition(pulse: &Pulse) -> String {
    let mut out = Exposition::new(Dialect::Prometheus);
    run(&mut out, pulse);
    requests(&mut out, pulse);
    attempts(&mut out, pulse);
    quotas(&mut out, pulse);
    let times: [TimeOf; 3] = [
        (
            "bedload_latency_seconds",
            "Due to finished, of completed requests.",
            |class| &class.latency,
        ),
        (
            "bedload_limiter_wait_seconds",
            "Due to first admitted by the limiter.",
            |class| &class.limiter_wait,
        ),
        (
            "bedload_dispatch_lag_seconds",
            "Last admitted to sent: the program's own lateness.",
            |class| &class.dispatch_lag,
        ),
    ];
    for (name, help, of) in times {
        out.family(name, Kind::Histogram, help);
        for class in &pulse.classes {
            histogram(&mut out, &class_labels(pulse, class), of(class));
        }
    }
    out.finish()
}

fn class_labels<'a>(pulse: &'a Pulse, class: &'a ClassPulse) -> [(&'a str, &'a str); 2] {
    let model = &pulse.models[usize::from(class.model.0)];
    [("class", &class.name), ("model", &model.name)]
}

fn run(out: &mut Exposition, pulse: &Pulse) {
    out.family("bedload_run", Kind::Info, "What is run.");
    out.info(&[
        ("scenario", &pulse.scenario),
        ("target", pulse.target),
        ("version", env!("CARGO_PKG_VERSION")),
    ]);
    out.family(
        "bedload_window_seconds",
        Kind::Gauge,
        "How long requests become due.",
    );
    out.value(&[], pulse.duration.as_secs_f64());
    out.family(
        "bedload_elapsed_seconds",
        Kind::Gauge,
        "How long the run has been going on.",
    );
    out.value(&[], pulse.now.since(Instant::ZERO).as_secs_f64());
    out.family(
        "bedload_paused",
        Kind::Gauge,
        "1 while admission is paused.",
    );
    out.count(&[], u64::from(pulse.paused_since.is_some()));
    out.family(
        "bedload_paused_seconds",
        Kind::Counter,
        "How long admission was paused.",
    );
    out.value(&[], pulse.paused_for(pulse.now).as_secs_f64());
    out.family(
        "bedload_spent_dollars",
        Kind::Counter,
        "The list price of the tokens, where known.",
    );
    out.value(&[], pulse.spent.dollars());
}

fn requests(out: &mut Exposition, pulse: &Pulse) {
    out.family(
        "bedload_requests_due",
        Kind::Counter,
        "Requests that became due.",
    );
    for class in &pulse.classes {
        out.count(&class_labels(pulse, class), class.due);
    }
    out.family(
        "bedload_requests",
        Kind::Counter,
        "Requests by how they ended.",
    );
    for class in &pulse.classes {
        let [name, model] = class_labels(pulse, class);
        let outcomes = [
            ("completed", class.completed),
            ("failed", class.failed),
            ("dropped", class.dropped),
            ("cancelled", class.cancelled),
        ];
        for (outcome, number) in outcomes {
            out.count(&[name, model, ("outcome", outcome)], number);
        }
    }
    out.family(
        "bedload_requests_open",
        Kind::Gauge,
        "Requests that have not ended, by where they are: waiting to be admitted, under way, or waiting to be \
         tried again.",
    );
    let stages = [
        ("waiting", pulse.waiting),
        ("under_way", pulse.under_way),
        ("retrying", pulse.retrying),
    ];
    for (stage, number) in stages {
        out.count(&[("stage", stage)], number);
    }
}

fn attempts(out: &mut Exposition, pulse: &Pulse) {
    out.family(
        "bedload_attempts_sent",
        Kind::Counter,
        "Attempts that were sent.",
    );
    for model in &pulse.models {
        out.count(&[("model", &model.name)], model.sent);
    }
    out.family(
        "bedload_attempts",
        Kind::Counter,
        "Attempts by how they ended.",
    );
    for model in &pulse.models {
        out.count(
            &[("model", &model.name), ("outcome", "answered")],
            model.answered,
        );
        for (failure, &number) in Failure::ALL.iter().zip(&model.failed) {
            // Throttles are always there, so that an alarm on them has something to look at.
            if number > 0 || failure.is_throttle() {
                out.count(
                    &[("model", &model.name), ("outcome", failure.name())],
                    number,
                );
            }
        }
    }
    out.family(
        "bedload_tokens",
        Kind::Counter,
        "Tokens by the service's count.",
    );
    for model in &pulse.models {
        let usage = model.usage;
        let kinds = [
            ("input", usage.input),
            ("output", usage.output),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
        ];
        for (kind, tokens) in kinds {
            out.count(&[("model", &model.name), ("kind", kind)], tokens.0);
        }
    }
    out.family(
        "bedload_quota_tokens_settled",
        Kind::Counter,
        "Tokens settled against the quota.",
    );
    for model in &pulse.models {
        out.count(&[("model", &model.name)], model.settled.0);
    }
}

fn quotas(out: &mut Exposition, pulse: &Pulse) {
    out.family(
        "bedload_quota_tokens_reserved",
        Kind::Gauge,
        "Tokens that calls under way reserve.",
    );
    for model in &pulse.models {
        out.count(&[("model", &model.name)], model.reserved.0);
    }
    out.family(
        "bedload_quota_per_period",
        Kind::Gauge,
        "The quota, by minute or, for tpd, by day.",
    );
    for model in &pulse.models {
        for (dimension, limit) in model.quota.limited() {
            out.count(
                &[("model", &model.name), ("dimension", dimension.name())],
                limit,
            );
        }
    }
    out.family(
        "bedload_quota_used_last_minute",
        Kind::Gauge,
        "Requests and settled tokens of calls that ended in the last sixty seconds, the throttled left out.",
    );
    for model in &pulse.models {
        let used = [
            ("rpm", model.minute.requests()),
            ("tpm", model.minute.tokens().0),
        ];
        for (dimension, number) in used {
            out.count(&[("model", &model.name), ("dimension", dimension)], number);
        }
    }
    gauges(
        out,
        pulse,
        "bedload_quota_level",
        "What our limiter has left; below zero in debt.",
        |gauge| gauge.level as f64,
    );
    gauges(
        out,
        pulse,
        "bedload_quota_capacity",
        "The most that our limiter can have left.",
        |gauge| gauge.capacity as f64,
    );
}

fn gauges(
    out: &mut Exposition,
    pulse: &Pulse,
    name: &str,
    help: &str,
    of: impl Fn(&bedload::quota::Gauge) -> f64,
) {
    let limited = |model: &&ModelPulse| !model.gauges.is_empty();
    if !pulse.models.iter().any(|model| limited(&model)) {
        return;
    }
    out.family(name, Kind::Gauge, help);
    for model in pulse.models.iter().filter(limited) {
        for gauge in &model.gauges {
            let labels = [
                ("model", model.name.as_str()),
                ("dimension", gauge.dimension.name()),
            ];
            out.value(&labels, of(gauge));
        }
    }
}

fn histogram(out: &mut Exposition, labels: &[(&str, &str)], buckets: &Buckets) {
    let cumulative: Vec<u64> = buckets.cumulative().collect();
    let count = cumulative.last().copied().unwrap_or(0);
    let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1e9);
    out.histogram(labels, bounds.zip(cumulative), count, buckets.seconds());
}

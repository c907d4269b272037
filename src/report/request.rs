//! The quota request: what AWS's form asks for.
//!
//! Promises: every figure is the plan's; what is not known is left as a gap to be filled in.
//!
//! Source: the questions are those of AWS's form for Amazon Bedrock quota increases, as users report
//! them: steady (p50) and peak (p90) requests and tokens per minute, mean input and output tokens, the
//! share of requests with more than 25,000 input tokens, and the use case.

use super::page::{Block, Page};
use super::plan::{own_need, percentile};
use super::words::{count, percent};
use crate::catalogue::QuotaLine;
use crate::plan::{ModelPlan, Plan};
use crate::quota::{Dimension, Enforcement};
use crate::units::significant;

/// Adds the request for one model.
pub(super) fn request(page: &mut Page, plan: &Plan, model: &ModelPlan) {
    page.title(format!(
        "Quota increase for {} on Amazon Bedrock",
        model.title
    ));
    let region = plan
        .region
        .as_deref()
        .unwrap_or("(the Region that is called)");
    page.push(Block::List(vec![
        "Service: Amazon Bedrock (service code bedrock)".to_owned(),
        format!("Region: {region}"),
        format!("Model or inference profile: {}", model.id),
    ]));
    page.heading("Quotas");
    page.push(Block::List(quotas(plan, model)));
    page.heading("Traffic");
    page.push(Block::List(traffic(plan, model)));
    page.heading("Why");
    page.text(reasons(plan, model));
    page.heading("Evidence");
    let mut evidence = plan.evidence.clone();
    evidence.push(format!(
        "Simulated with {} seeds; percentiles over {} minutes and {} calls.",
        plan.seeds,
        count(model.demand.minutes),
        count(model.demand.calls)
    ));
    page.push(Block::List(evidence));
}

fn quotas(plan: &Plan, model: &ModelPlan) -> Vec<String> {
    let Some(need) = own_need(plan, model) else {
        return Vec::new();
    };
    let mut asked = Vec::new();
    for (dimension, wanted) in [
        (Dimension::Rpm, need.rpm_wanted),
        (Dimension::Tpm, need.tpm_wanted),
        (Dimension::Tpd, model.tokens_per_day.ceil() as u64),
    ] {
        let line = model.lines.iter().find(|line| line.dimension == dimension);
        let has = model.quota.get(dimension);
        match line {
            Some(line) => asked.push(asked_for(line, has, wanted)),
            None if dimension == Dimension::Rpm => asked.push(
                "Requests per minute: no such quota of this model is known; AWS publishes none for its newest \
                 models"
                    .to_owned(),
            ),
            None if dimension == Dimension::Tpm => {
                asked.push(format!("Tokens per minute: {} (quota name and code not known)", count(wanted)));
            }
            None => asked.push(format!(
                "Tokens per day: {}, if the planned load goes on all day (AWS's default across models is \
                 700,000,000)",
                count(wanted)
            )),
        }
    }
    asked
}

fn asked_for(line: &QuotaLine, has: Option<u64>, wanted: u64) -> String {
    let code = line.code.as_deref().unwrap_or("code not known");
    let now = match (has, line.default) {
        (Some(has), _) => format!("now {}", count(has)),
        (None, Some(default)) => format!("AWS's default is {}", count(default)),
        (None, None) => "present value not known".to_owned(),
    };
    let enough = has.or(line.default).is_some_and(|has| has >= wanted);
    let enough = if enough { "; enough as it is" } else { "" };
    format!("{} ({code}): {} ({now}{enough})", line.name, count(wanted))
}

fn traffic(plan: &Plan, model: &ModelPlan) -> Vec<String> {
    let demand = &model.demand;
    let way = Enforcement::ALL
        .iter()
        .position(|way| *way == plan.enforcement);
    let tokens = way.and_then(|way| demand.tokens_per_minute.get(way));
    let requests = &demand.requests_per_minute;
    let tpm = |value: fn(&crate::plan::Peaks) -> f64| {
        tokens.map_or_else(|| "–".to_owned(), |peaks| significant(value(peaks)))
    };
    let mut lines = vec![
        format!(
            "Steady-state requests per minute (p50): {}",
            significant(requests.p50)
        ),
        format!(
            "Peak requests per minute (p90): {}",
            significant(requests.p90)
        ),
        format!(
            "Steady-state tokens per minute (p50): {}",
            tpm(|peaks| peaks.p50)
        ),
        format!("Peak tokens per minute (p90): {}", tpm(|peaks| peaks.p90)),
        format!(
            "Mean input tokens per request: {}",
            significant(demand.input_mean)
        ),
        format!(
            "Mean output tokens per request: {}",
            significant(demand.output_mean)
        ),
        format!(
            "Requests with more than 25,000 input tokens: {}",
            percent(demand.inputs_above_25k)
        ),
    ];
    if plan.growth > 0.0 {
        lines.push(format!(
            "Expected growth: {} a month, {} times today's load in {} months",
            percent(plan.growth),
            significant(plan.target_load / plan.load),
            plan.months
        ));
    }
    lines
}

fn reasons(plan: &Plan, model: &ModelPlan) -> String {
    let about = plan.about.as_deref().map(|about| {
        let about = about.trim_end_matches('.');
        format!("The workload: {about}. ")
    });
    let need = own_need(plan, model);
    let asked = need.map(|need| {
        format!(
            "The {} of minutes reaches {} tokens per minute, {} times the mean, since load comes in bursts. ",
            percentile(plan.percentile),
            significant(need.tpm.value),
            significant(need.tpm.value * plan.load / plan.target_load / model.demand.tokens_mean.max(1e-9)),
        )
    });
    let left = model.headroom.map(|headroom| {
        if headroom < 0.0 {
            format!(
                "With the present quota only {} of today's requests can be served within {} throttles. ",
                percent(1.0 + headroom),
                percent(plan.throttled_max)
            )
        } else {
            format!("The present quota leaves {} headroom today. ", percent(headroom))
        }
    });
    let care = "The client limits itself to the quota, counts the reservation of max_tokens, and retries with \
                exponential back-off and jitter.";
    let parts = [about, asked, left].into_iter().flatten();
    parts.collect::<String>() + care
}

//! A plan, for people: what is needed, what fits, what would help; and the quota request.
//!
//! Promises: the first sentences answer the questions; each table says what it is from and what it
//! supposes; what nobody knows is said.

use super::page::{Block, Page};
use super::plan_charts;
use super::style::Style;
use super::table::{Table, name};
use super::words::{count, length, percent};
use crate::plan::{Estimate, Fit, ModelPlan, Need, Plan};
use crate::quota::Enforcement;
use crate::units::significant;

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Text(Style),
    /// As Markdown.
    Markdown,
}

/// The whole plan.
#[must_use]
pub fn plan(plan: &Plan, form: Form) -> String {
    render(&page(plan), form)
}

/// The whole plan for a browser, with charts.
#[must_use]
pub fn plan_page(plan: &Plan) -> String {
    page(plan).to_html("plan")
}

fn page(plan: &Plan) -> Page {
    let mut page = Page::default();
    page.title(format!("Plan for {}", plan.scenario));
    page.push(Block::List(answers(plan)));
    for model in &plan.models {
        demand(&mut page, plan, model);
        needs(&mut page, plan, model);
        page.push_figure(plan_charts::needs(plan, model));
        fits(&mut page, plan, model);
        page.push_figure(plan_charts::fits(plan, model));
        curve(&mut page, plan, model);
        page.push_figure(plan_charts::curve(plan, model));
        levers(&mut page, plan, model);
        clients(&mut page, model);
    }
    page.heading("What this supposes");
    page.push(Block::List(plan.assumptions.clone()));
    page
}

/// What AWS asks for before it raises a quota, ready to paste.
#[must_use]
pub fn quota_request(plan: &Plan, form: Form) -> String {
    let mut page = Page::default();
    for model in &plan.models {
        super::request::request(&mut page, plan, model);
    }
    render(&page, form)
}

fn render(page: &Page, form: Form) -> String {
    match form {
        Form::Text(style) => page.to_text(style),
        Form::Markdown => page.to_markdown(),
    }
}

/// The need for the scenario's own way to count.
pub(super) fn own_need<'a>(plan: &Plan, model: &'a ModelPlan) -> Option<&'a Need> {
    model
        .needs
        .iter()
        .find(|need| need.enforcement == plan.enforcement)
}

fn own_fit<'a>(plan: &Plan, model: &'a ModelPlan) -> Option<&'a Fit> {
    model
        .fits
        .iter()
        .find(|fit| fit.enforcement == plan.enforcement)
}

fn answers(plan: &Plan) -> Vec<String> {
    plan.models
        .iter()
        .flat_map(|model| model_answers(plan, model))
        .collect()
}

fn model_answers(plan: &Plan, model: &ModelPlan) -> Vec<String> {
    let mut answers = Vec::new();
    let of = name(&model.name);
    if let Some(need) = own_need(plan, model).filter(|_| !plan.closed_loop) {
        let mean = model.demand.tokens_mean / at_target(plan);
        let why = if model.demand.minutes < 2 {
            format!(
                "there are {} s to look at, with a mean of {} TPM",
                plan.trial_s,
                significant(mean)
            )
        } else {
            format!(
                "{} TPM is the {} of minutes, {} times the mean of {}",
                significant(need.tpm.value),
                percentile(plan.percentile),
                significant(need.tpm.value / mean.max(1e-9)),
                significant(mean),
            )
        };
        answers.push(format!(
            "{of} needs {} TPM and {} RPM for {}: {why}.",
            count(need.tpm_wanted),
            count(need.rpm_wanted),
            load_words(plan),
        ));
    }
    if let Some(fit) = own_fit(plan, model) {
        answers.push(format!(
            "{} requests/min fit into its quota{}; {} binds.",
            interval(&fit.simulated),
            model.headroom.map_or_else(String::new, headroom_words),
            model.binding.unwrap_or(fit.binding).name().to_uppercase(),
        ));
    }
    if let Some(months) = model.months_left {
        answers.push(if months > 0.0 {
            format!(
                "At {} a month that is used up in {} months.",
                percent(plan.growth),
                significant(months)
            )
        } else {
            "It is used up already.".to_owned()
        });
    }
    if let Some(curve) = &model.curve
        && let Some(present) = curve.candidates.iter().find(|candidate| candidate.present)
        && present.max_tokens > curve.recommended
    {
        answers.push(format!(
            "max_tokens of {} would do instead of {}: it cuts off {} of answers.",
            count(curve.recommended),
            count(present.max_tokens),
            percent(
                curve
                    .candidates
                    .iter()
                    .find(|candidate| candidate.max_tokens == curve.recommended)
                    .map_or(0.0, |candidate| candidate.cut_off)
            ),
        ));
    }
    answers
}

fn at_target(plan: &Plan) -> f64 {
    plan.load / plan.target_load
}

fn headroom_words(headroom: f64) -> String {
    if headroom >= 0.0 {
        format!(", {} more than come today", percent(headroom))
    } else {
        format!(", {} fewer than come today", percent(-headroom))
    }
}

fn load_words(plan: &Plan) -> String {
    let times = |load: f64| match load {
        1.0 => "this load".to_owned(),
        load => format!("{} times this load", significant(load)),
    };
    if plan.growth == 0.0 {
        return times(plan.load);
    }
    format!(
        "{} ({} months of {} growth)",
        times(plan.target_load),
        plan.months,
        percent(plan.growth)
    )
}

/// `99th percentile`.
pub(super) fn percentile(share: f64) -> String {
    let text = significant(share * 100.0);
    let ending = match text.as_bytes() {
        [.., b'1', b'1' | b'2' | b'3'] => "th",
        [.., b'1'] => "st",
        [.., b'2'] => "nd",
        [.., b'3'] => "rd",
        _ => "th",
    };
    format!("{text}{ending} percentile")
}

pub(super) fn interval(estimate: &Estimate) -> String {
    let value = significant(estimate.value);
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => {
            format!("{value} ({} to {})", significant(low), significant(high))
        }
        _ => value,
    }
}

/// A mean over seeds, with half of its interval as a part of it: `255,572 ±2.7 %`.
fn plus_minus(estimate: Option<&Estimate>) -> String {
    let Some(estimate) = estimate else {
        return "–".to_owned();
    };
    let value = significant(estimate.value);
    match estimate.high {
        Some(high) if high > estimate.value => {
            let half = (high / estimate.value - 1.0) * 100.0;
            format!("{value} ±{half:.1} %")
        }
        _ => value,
    }
}

fn demand(page: &mut Page, plan: &Plan, model: &ModelPlan) {
    let demand = &model.demand;
    page.heading(format!("{}: what it is asked for today", name(&model.name)));
    page.text(format!(
        "{} ({}), burndown {}. A call reserves {} and settles {} tokens, and takes {}. {} calls in {} \
         were looked at.",
        model.title,
        model.id,
        model.burndown,
        significant(model.reserved),
        significant(model.settled),
        length((model.held_s * 1e9) as u64),
        count(demand.calls),
        if demand.minutes < 2 {
            format!("{} s", plan.trial_s)
        } else {
            format!("{} minutes", count(demand.minutes))
        },
    ));
    let asked = format!("p{}", significant(plan.percentile * 100.0));
    let heading = ["As a rate per minute", "mean", &asked, "most"];
    let mut table = Table::new(1, heading);
    for peak in &demand.peaks {
        let window = format!("in {} s", peak.seconds);
        table.row([
            format!("requests {window}"),
            significant(demand.requests_mean),
            significant(peak.requests_asked),
            significant(peak.requests_max),
        ]);
        table.row([
            format!("tokens settled {window}"),
            significant(demand.tokens_mean),
            significant(peak.tokens_asked),
            significant(peak.tokens_max),
        ]);
    }
    for (what, level) in [
        ("calls under way", &demand.in_flight),
        ("tokens they reserve", &demand.tokens_in_flight),
    ] {
        table.row([
            what.to_owned(),
            significant(level.mean),
            significant(level.asked),
            significant(level.max),
        ]);
    }
    page.table(table);
    let dollars = model.dollars_per_month.map_or_else(
        || "no price of it is known".to_owned(),
        |dollars| format!("list price ${} a month", significant(dollars)),
    );
    page.note(format!(
        "{} tokens a day if this goes on all day; {dollars}.",
        significant(demand.tokens_mean * 1_440.0)
    ));
    if plan.closed_loop {
        page.note(
            "In a closed loop the load is what answers allow: there is no target to plan for.",
        );
    }
}

fn needs(page: &mut Page, plan: &Plan, model: &ModelPlan) {
    if plan.closed_loop {
        return;
    }
    page.heading(format!(
        "{}: what {} needs",
        name(&model.name),
        load_words(plan)
    ));
    let asked = format!("p{} of minutes", significant(plan.percentile * 100.0));
    let heading = [
        "If counted as".to_owned(),
        format!("TPM, {asked}"),
        "TPM, simulated".to_owned(),
        "ask for TPM".to_owned(),
        "RPM, simulated".to_owned(),
        "ask for RPM".to_owned(),
    ];
    let mut table = Table::with_heading(1, heading.to_vec());
    for need in &model.needs {
        table.row([
            counted_as(plan, need.enforcement),
            interval(&need.tpm),
            plus_minus(need.tpm_simulated.as_ref()),
            count(need.tpm_wanted),
            plus_minus(need.rpm_simulated.as_ref()),
            count(need.rpm_wanted),
        ]);
    }
    page.table(table);
    page.note(format!(
        "Ask for: the larger of the percentile and the simulation (its largest seed), with {} headroom, \
         rounded up. Simulated: the smallest quota with throttles and drops of at most {} and a 99th \
         percentile of waits of at most {}. Tokens a day, if this goes on all day: {}.",
        percent(plan.headroom),
        percent(plan.throttled_max),
        length((plan.wait_max_s * 1e9) as u64),
        significant(model.tokens_per_day),
    ));
}

pub(super) fn counted_as(plan: &Plan, enforcement: Enforcement) -> String {
    if enforcement == plan.enforcement {
        format!("{enforcement} *")
    } else {
        enforcement.to_string()
    }
}

fn fits(page: &mut Page, plan: &Plan, model: &ModelPlan) {
    if model.fits.is_empty() {
        return;
    }
    let quota = model
        .quota
        .limited()
        .map(|(dimension, limit)| format!("{} {}", count(limit), dimension.name().to_uppercase()));
    let quota: Vec<String> = quota.collect();
    page.heading(format!(
        "{}: what fits into {}",
        name(&model.name),
        quota.join(" and ")
    ));
    let mut table = Table::new(
        1,
        [
            "If counted as",
            "requests/min",
            "of today's load",
            "always waiting",
            "binds then",
        ],
    );
    for fit in &model.fits {
        table.row([
            counted_as(plan, fit.enforcement),
            interval(&fit.simulated),
            percent(fit.load.value / plan.load),
            significant(fit.closed),
            fit.binding.name().to_uppercase(),
        ]);
    }
    page.table(table);
    page.note(
        "requests/min: as this traffic comes, within the bounds above, by simulation. Always waiting: the \
         most that the quota lets through of any traffic of this mix, in closed form.",
    );
    let gains = model.shadow_prices.iter().map(|price| {
        format!(
            "10 % more {} lets {} more requests through ({} in closed form).",
            price.dimension.name().to_uppercase(),
            percent_interval(&price.simulated),
            percent(price.closed),
        )
    });
    page.push(Block::List(gains.collect()));
}

fn percent_interval(estimate: &Estimate) -> String {
    let shown = |value: f64| significant((value * 1e4).round() / 100.0);
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) if high - low > 1e-4 => {
            format!(
                "{} % ({} to {})",
                shown(estimate.value),
                shown(low),
                shown(high)
            )
        }
        _ => format!("{} %", shown(estimate.value)),
    }
}

fn curve(page: &mut Page, plan: &Plan, model: &ModelPlan) {
    let Some(curve) = &model.curve else { return };
    page.heading(format!("{}: what each max_tokens costs", name(&model.name)));
    let ways = Enforcement::ALL.map(|way| counted_as(plan, way));
    let mut heading = vec![
        "max_tokens".to_owned(),
        "reserves".to_owned(),
        "at once".to_owned(),
    ];
    heading.extend(ways);
    heading.push("cuts off".to_owned());
    let mut table = Table::with_heading(1, heading);
    for candidate in &curve.candidates {
        let mark = match (candidate.present, candidate.max_tokens == curve.recommended) {
            (true, true) => " now, and enough",
            (true, false) => " now",
            (false, true) => " enough",
            (false, false) => "",
        };
        let mut cells = vec![
            format!("{}{mark}", count(candidate.max_tokens)),
            significant(candidate.reserved),
            count(candidate.burst),
        ];
        cells.extend(candidate.sustained.iter().map(|rate| significant(*rate)));
        cells.push(percent(candidate.cut_off));
        table.push(cells);
    }
    page.table(table);
    page.note(format!(
        "Requests/min that are sustained while some always wait, in closed form. Enough: the smallest that \
         cuts off at most {} of answers, as long as they are here.",
        percent(curve.cut_off_max)
    ));
}

fn levers(page: &mut Page, plan: &Plan, model: &ModelPlan) {
    page.heading(format!("{}: what would help", name(&model.name)));
    let mut table = Table::new(1, ["Change", "sustains/min", "tokens/min", "$ a month"]);
    for lever in &model.levers {
        table.row([
            lever.change.clone(),
            lever.sustained.map_or_else(|| "–".to_owned(), significant),
            significant(lever.tokens_per_minute),
            lever
                .dollars_per_month
                .map_or_else(|| "–".to_owned(), significant),
        ]);
    }
    page.table(table);
    page.note(format!(
        "In closed form, each alone, counted as {}; tokens and dollars at today's load.",
        plan.enforcement
    ));
    let supposed = model
        .levers
        .iter()
        .filter(|lever| !lever.supposes.is_empty());
    let supposed = supposed.map(|lever| format!("{}: {}", lever.change, lever.supposes));
    page.push(Block::List(supposed.collect()));
}

fn clients(page: &mut Page, model: &ModelPlan) {
    if model.clients.is_empty() {
        return;
    }
    page.heading(format!("{}: how clients fare today", name(&model.name)));
    let mut table = Table::new(1, ["Client", "answered", "throttled", "attempts"]);
    for client in &model.clients {
        table.row([
            client.client.clone(),
            percent(client.answered),
            percent(client.throttled),
            significant(client.attempts),
        ]);
    }
    page.table(table);
    page.note("One simulation each, of the scenario's own length.");
}

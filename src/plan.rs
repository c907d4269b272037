//! Which quota does this traffic need, how much fits into the one there is, and what would help.
//!
//! ```text
//! Scenario ─┬─► demand: what each minute asks for ──────────► needs, quota request
//!           ├─► search: trials in virtual time, many seeds ─► needs, fits, shadow prices
//!           └─► sustained: closed forms ────────────────────► fits, max_tokens curve, levers
//! ```
//!
//! Promises: a pure function of the scenario and the options, the same on any number of threads; what is
//! simulated has an interval, and what is a closed form is told beside it; no figure without what it
//! supposes. Deliberately not: words and tables (`report`), or the choice of a client's limiter settings.

mod assumptions;
mod curve;
mod demand;
mod levers;
mod scenario;
mod search;
mod stats;
mod work;

use std::time::Duration;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

pub use self::curve::{Candidate, Curve};
pub use self::demand::{Demand, Level, Peaks, WindowPeak};
pub use self::levers::{Client, Lever};
use self::scenario::is_stationary;
use self::search::Criteria;
pub use self::stats::Estimate;
use self::work::Found;
use crate::catalogue::{self, QuotaLine, QuotaScope};
use crate::forecast::{Forecast, calls};
use crate::outcome::ModelIndex;
use crate::quota::{Dimension, Enforcement, Quota};
use crate::scenario::Scenario;
use crate::sustained::{Calls, per_minute};
use crate::units::Share;

/// The version of the plan's JSON.
pub const SCHEMA_VERSION: u32 = 1;

/// Minutes in a month of 730 hours, as price lists count.
const MINUTES_PER_MONTH: f64 = 730.0 * 60.0;

/// Requests in one trial of the search, at most, unless its shortest length has more.
const TRIAL_REQUESTS: f64 = 20_000.0;

/// Requests that demand is looked at for, at most, unless an hour has more.
const DEMAND_REQUESTS: f64 = 1_000_000.0;

/// What is asked of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanOptions {
    /// How many times the scenario's load; above zero.
    pub load: f64,
    /// By how much the load grows in a month: 0.1 is 10 %.
    pub growth: f64,
    /// How many months ahead the quota has to last.
    pub months: u32,
    /// The part of all minutes that the quota holds: 0.99 is the 99th percentile.
    pub percentile: f64,
    /// The part of a quota that is left alone.
    pub headroom: Share,
    /// The largest part of attempts that may be throttled, and of requests that may be dropped; the
    /// scenario's own where none.
    pub throttled_max: Option<Share>,
    /// The longest 99th percentile of the wait before the limiter.
    pub wait_max: Duration,
    /// How many seeds each simulated figure is from; at least one.
    pub seeds: u32,
    /// The part of answers that `max_tokens` may cut off.
    pub cut_off: f64,
    /// The part of all input that a prompt cache would hold.
    pub cached: f64,
    /// The part of all requests that could wait for a batch job.
    pub batch: f64,
    /// Threads to simulate on; at least one. They do not change the plan.
    pub threads: usize,
    /// What the traffic is known from, for the quota request.
    pub evidence: Vec<String>,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            load: 1.0,
            growth: 0.0,
            months: 12,
            percentile: 0.99,
            headroom: Share::percent(10),
            throttled_max: None,
            wait_max: Duration::from_secs(5),
            seeds: 5,
            cut_off: 0.01,
            cached: 0.5,
            batch: 0.2,
            threads: 1,
            evidence: Vec::new(),
        }
    }
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// What the scenario is about.
    pub about: Option<String>,
    /// Where its calls go, if it says so.
    pub region: Option<String>,
    /// How many times the scenario's load is planned for today.
    pub load: f64,
    /// Growth in a month; 0.1 is 10 %.
    pub growth: f64,
    /// Months ahead that needs are for.
    pub months: u32,
    /// How many times the scenario's load that makes.
    pub target_load: f64,
    /// The part of all minutes that needs hold.
    pub percentile: f64,
    /// The part of a quota that is left alone.
    pub headroom: f64,
    /// The largest part of attempts throttled, and of requests dropped.
    pub throttled_max: f64,
    /// The longest 99th percentile of the wait before the limiter, in seconds.
    pub wait_max_s: f64,
    /// How the service is taken to count, by the scenario.
    pub enforcement: Enforcement,
    /// Seeds that simulated figures are from.
    pub seeds: u32,
    /// How long each trial is, in seconds of virtual time.
    pub trial_s: u64,
    /// Whether arrivals are a recording, of which there is only one.
    pub recorded: bool,
    /// Whether arrivals are a closed loop, in which load is workers.
    pub closed_loop: bool,
    /// What the traffic is known from.
    pub evidence: Vec<String>,
    /// What the figures rest on.
    pub assumptions: Vec<String>,
    /// The models.
    pub models: Vec<ModelPlan>,
}

/// The plan for one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelPlan {
    /// Its name in the scenario.
    pub name: String,
    /// The id that requests carry.
    pub id: String,
    /// Its name as people say it.
    pub title: String,
    /// Tokens of quota for one output token.
    pub burndown: u32,
    /// The scope that its calls count in; none where only the account could tell.
    pub scope: Option<QuotaScope>,
    /// What the account has.
    pub quota: Quota,
    /// What is asked for at today's load.
    pub demand: Demand,
    /// Mean tokens that a call reserves.
    pub reserved: f64,
    /// Mean tokens that a call settles.
    pub settled: f64,
    /// Mean seconds that a call is under way.
    pub held_s: f64,
    /// What the target load needs, by way to count.
    pub needs: Vec<Need>,
    /// Tokens a day, if the target load goes on all day.
    pub tokens_per_day: f64,
    /// How much fits into the quota, by way to count; empty without a quota.
    pub fits: Vec<Fit>,
    /// What 10 % more of each quota buys, for the scenario's way to count.
    pub shadow_prices: Vec<ShadowPrice>,
    /// The quota that binds for this traffic, by simulation: the one of which 10 % more buys most or, where
    /// that buys nothing, the one that is shortest of what is needed. None without a quota.
    pub binding: Option<Dimension>,
    /// What is left before the quota is used up, as part of today's load; below zero if too little is.
    pub headroom: Option<f64>,
    /// Months until growth has used that up; none without growth or quota.
    pub months_left: Option<f64>,
    /// What each `max_tokens` costs; none without a token quota.
    pub curve: Option<Curve>,
    /// What would help, and what it costs.
    pub levers: Vec<Lever>,
    /// How other clients would fare with today's load and quota; empty without a quota.
    pub clients: Vec<Client>,
    /// Dollars a month at today's load, if the price is known.
    pub dollars_per_month: Option<f64>,
    /// The quotas of Service Quotas that count its calls.
    pub lines: Vec<QuotaLine>,
}

/// The quota that a load needs, if it is counted in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Need {
    /// The way to count.
    pub enforcement: Enforcement,
    /// Requests per minute that the asked percentile of minutes reaches.
    pub rpm: Estimate,
    /// Tokens per minute that the asked percentile of minutes reaches.
    pub tpm: Estimate,
    /// The smallest RPM quota at which throttles and waits stay within bounds, by simulation.
    pub rpm_simulated: Option<Estimate>,
    /// The smallest TPM quota at which throttles and waits stay within bounds, by simulation.
    pub tpm_simulated: Option<Estimate>,
    /// The RPM to ask for: the percentile, or what the most demanding seed needed if that is more, with
    /// headroom, rounded up.
    pub rpm_wanted: u64,
    /// The TPM to ask for, in the same way.
    pub tpm_wanted: u64,
}

/// How much fits into a quota, if it is counted in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fit {
    /// The way to count.
    pub enforcement: Enforcement,
    /// Requests per minute while some always wait, in closed form.
    pub closed: f64,
    /// What binds there.
    pub binding: Dimension,
    /// Requests per minute of this traffic at which throttles and waits stay within bounds, by
    /// simulation; a day's quota in closed form.
    pub simulated: Estimate,
    /// The same, as a factor of the scenario's load.
    pub load: Estimate,
}

/// What more of a quota buys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShadowPrice {
    /// The quota.
    pub dimension: Dimension,
    /// The gain in requests per minute, as a part of what fits now, in closed form.
    pub closed: f64,
    /// The same, by simulation.
    pub simulated: Estimate,
}

/// The JSON schema of a plan.
#[must_use]
pub fn json_schema() -> String {
    let schema = schema_for!(Plan);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

impl Plan {
    /// The plan for `scenario`. `progress` is told how many of how many simulations are done, from
    /// whichever thread.
    #[must_use]
    pub fn of(
        scenario: &Scenario,
        options: &PlanOptions,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Self {
        let throttled_max = options.throttled_max.unwrap_or(scenario.run.max_throttled);
        let criteria = Criteria {
            refused_max: throttled_max.fraction(),
            wait_max: options.wait_max,
        };
        let target_load = options.load
            * (1.0 + options.growth).powi(options.months.try_into().unwrap_or(i32::MAX));
        let target_load = if options.growth == 0.0 {
            options.load
        } else {
            target_load
        };
        let lengths = Lengths::of(scenario, target_load);
        let found = work::find(
            scenario,
            options,
            &criteria,
            &lengths,
            target_load,
            progress,
        );
        let models = (0_u16..)
            .zip(&scenario.models)
            .map(|(index, _)| model_plan(scenario, ModelIndex(index), options, &found))
            .collect();
        let mut plan = Self {
            schema_version: SCHEMA_VERSION,
            scenario: scenario.name.clone(),
            about: scenario.about.clone(),
            region: region(scenario),
            load: options.load,
            growth: options.growth,
            months: options.months,
            target_load,
            percentile: options.percentile,
            headroom: options.headroom.fraction(),
            throttled_max: throttled_max.fraction(),
            wait_max_s: options.wait_max.as_secs_f64(),
            enforcement: scenario.service.meters.enforcement,
            seeds: options.seeds.max(1),
            trial_s: lengths.trial.as_secs(),
            recorded: matches!(
                scenario.arrivals,
                crate::arrivals::ArrivalProcess::Trace { .. }
            ),
            closed_loop: scenario.arrivals.closed_loop().is_some(),
            evidence: options.evidence.clone(),
            assumptions: Vec::new(),
            models,
        };
        plan.assumptions = assumptions::assumptions(&plan);
        plan
    }
}

fn region(scenario: &Scenario) -> Option<String> {
    match &scenario.target {
        crate::scenario::TargetSettings::Bedrock { region, .. } => region.clone(),
        _ => None,
    }
}

/// How long simulations are.
struct Lengths {
    /// Of the search.
    trial: Duration,
    /// Of what demand is looked at for.
    demand: Duration,
}

impl Lengths {
    /// Arrivals with a shape of their own have a length of their own. Others go on for long enough to
    /// tell percentiles of minutes, and for a bucket's fill at the start to matter no more.
    fn of(scenario: &Scenario, load: f64) -> Self {
        if !is_stationary(&scenario.arrivals) {
            return Self {
                trial: scenario.run.duration,
                demand: scenario.run.duration,
            };
        }
        let per_minute = Forecast::of(scenario)
            .requests
            .map(|requests| requests * 60.0 / scenario.run.duration.as_secs_f64());
        let minutes = |requests: f64, least: f64, most: f64| {
            let minutes = per_minute.map_or(least, |rate| requests / (rate * load).max(1e-9));
            Duration::from_secs(minutes.clamp(least, most) as u64 * 60)
        };
        Self {
            trial: minutes(TRIAL_REQUESTS, 20.0, 120.0),
            demand: minutes(DEMAND_REQUESTS, 60.0, 300.0),
        }
    }
}

fn model_plan(
    scenario: &Scenario,
    index: ModelIndex,
    options: &PlanOptions,
    found: &Found,
) -> ModelPlan {
    let place = usize::from(index.0);
    let model = &scenario.models[place];
    let calls = calls(scenario, index);
    let take = calls.take(Dimension::Tpm, &model.counting, &scenario.service.meters);
    let demand = found.today[place].clone();
    let base_rate = demand.requests_mean / options.load;
    let fits = fits(scenario, index, &calls, base_rate, found);
    let own = |fit: &&Fit| fit.enforcement == scenario.service.meters.enforcement;
    let factor = fits.iter().find(own).map(|fit| fit.load.value);
    let headroom = factor.map(|factor| factor / options.load - 1.0);
    let shadow_prices = shadow_prices(scenario, index, &calls, found);
    let scope = catalogue::scope(&model.id).map(catalogue::Scope::quota_scope);
    let target = &found.target[place];
    let rate = demand.requests_mean;
    let needs = needs(options, place, found);
    ModelPlan {
        name: model.name.clone(),
        id: model.id.clone(),
        title: model.facts.name.clone(),
        burndown: model.counting.burndown,
        scope,
        quota: model.quota,
        reserved: take.reserved,
        settled: take.settled,
        held_s: take.held,
        tokens_per_day: target.tokens_mean * 1_440.0,
        binding: binding(&shadow_prices).or_else(|| most_wanted(&needs, scenario, model.quota)),
        needs,
        shadow_prices,
        headroom,
        months_left: headroom
            .filter(|_| options.growth > 0.0)
            .map(|left| (1.0 + left).max(1e-9).ln().max(0.0) / options.growth.ln_1p()),
        curve: curve::curve(scenario, index, &calls, options.cut_off),
        levers: levers::levers(scenario, index, &calls, options, rate),
        clients: found.clients.get(place).cloned().unwrap_or_default(),
        dollars_per_month: levers::dollars(model.facts.price, &calls)
            .map(|each| each * rate * MINUTES_PER_MONTH),
        lines: {
            let lines = model.facts.quotas.iter();
            lines
                .filter(|line| Some(line.scope) == scope)
                .cloned()
                .collect()
        },
        fits,
        demand,
    }
}

fn needs(options: &PlanOptions, place: usize, found: &Found) -> Vec<Need> {
    let target = &found.target[place];
    let wanted = |asked: &Estimate, enforcement, dimension| {
        let simulated = found.need_at_most(enforcement, dimension, place);
        // A recording of less than a minute has no minute; its traffic may go on all the same.
        let mean = match dimension {
            Dimension::Rpm => target.requests_mean,
            _ => target.tokens_mean,
        };
        let needed = asked.value.max(simulated).max(mean) / (1.0 - options.headroom.fraction());
        rounded_up(needed)
    };
    (0..)
        .zip(Enforcement::ALL)
        .map(|(way, enforcement)| {
            let rpm = target.requests_per_minute.asked;
            let tpm = target.tokens_per_minute[way].asked;
            let rpm_simulated = found.need(enforcement, Dimension::Rpm, place);
            let tpm_simulated = found.need(enforcement, Dimension::Tpm, place);
            Need {
                enforcement,
                rpm_wanted: wanted(&rpm, enforcement, Dimension::Rpm),
                tpm_wanted: wanted(&tpm, enforcement, Dimension::Tpm),
                rpm,
                tpm,
                rpm_simulated,
                tpm_simulated,
            }
        })
        .collect()
}

/// The next number with two significant digits.
fn rounded_up(value: f64) -> u64 {
    if value <= 0.0 {
        return 0;
    }
    let unit = 10_f64.powf(value.log10().floor() - 1.0).max(1.0);
    // What is a round number but for the last bits of its computation stays one.
    ((value / unit - 1e-9).ceil() * unit).round() as u64
}

fn fits(
    scenario: &Scenario,
    index: ModelIndex,
    calls: &Calls,
    base_rate: f64,
    found: &Found,
) -> Vec<Fit> {
    let place = usize::from(index.0);
    let model = &scenario.models[place];
    Enforcement::ALL
        .into_iter()
        .filter_map(|enforcement| {
            let (binding, closed) = closed_form(scenario, index, calls, model.quota, enforcement)?;
            let day = closed_form(scenario, index, calls, day_only(model.quota), enforcement);
            let most = day.map_or(f64::INFINITY, |(_, rate)| rate / base_rate.max(1e-12));
            let load = found.fit(enforcement, place, most)?;
            Some(Fit {
                enforcement,
                closed,
                binding,
                simulated: load.scaled(base_rate),
                load,
            })
        })
        .collect()
}

fn day_only(quota: Quota) -> Quota {
    Quota {
        tpd: quota.tpd,
        ..Quota::default()
    }
}

/// What a quota sustains in closed form, and what binds; none without a quota.
fn closed_form(
    scenario: &Scenario,
    index: ModelIndex,
    calls: &Calls,
    quota: Quota,
    enforcement: Enforcement,
) -> Option<(Dimension, f64)> {
    let mut meters = scenario.service.meters;
    meters.enforcement = enforcement;
    let counting = &scenario.models[usize::from(index.0)].counting;
    quota
        .limited()
        .map(|(dimension, limit)| {
            let take = calls.take(dimension, counting, &meters);
            (dimension, per_minute(dimension, limit, &meters, &take))
        })
        .min_by(|one, other| one.1.total_cmp(&other.1))
}

/// Gains below this are the grid's.
const LEAST_GAIN: f64 = 0.005;

fn binding(prices: &[ShadowPrice]) -> Option<Dimension> {
    let gain = |price: &&ShadowPrice| price.simulated.value;
    let most = prices
        .iter()
        .max_by(|one, other| gain(one).total_cmp(&gain(other)));
    most.filter(|price| gain(price) > LEAST_GAIN)
        .map(|price| price.dimension)
}

/// The quota that is shortest of what is needed. It may bind although 10 % more of it buys nothing: a
/// bucket of three reservations holds three and three tenths no better.
fn most_wanted(needs: &[Need], scenario: &Scenario, quota: Quota) -> Option<Dimension> {
    let enforcement = scenario.service.meters.enforcement;
    let need = needs.iter().find(|need| need.enforcement == enforcement)?;
    let short = |needed: Option<Estimate>, limit: Option<u64>| {
        Some(needed?.value / limit.filter(|limit| *limit > 0)? as f64)
    };
    let of = [
        (Dimension::Rpm, short(need.rpm_simulated, quota.rpm)),
        (Dimension::Tpm, short(need.tpm_simulated, quota.tpm)),
    ];
    let known = of
        .into_iter()
        .filter_map(|(dimension, short)| Some((dimension, short?)));
    known
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .map(|(dimension, _)| dimension)
}

fn shadow_prices(
    scenario: &Scenario,
    index: ModelIndex,
    calls: &Calls,
    found: &Found,
) -> Vec<ShadowPrice> {
    let place = usize::from(index.0);
    let quota = scenario.models[place].quota;
    let enforcement = scenario.service.meters.enforcement;
    let closed = |quota| closed_form(scenario, index, calls, quota, enforcement);
    let Some((_, now)) = closed(quota) else {
        return Vec::new();
    };
    quota
        .limited()
        .filter_map(|(dimension, _)| {
            let (_, more) = closed(work::raised(quota, dimension))?;
            Some(ShadowPrice {
                dimension,
                closed: more / now - 1.0,
                simulated: found.shadow(dimension, place)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_asked_for_in_round_numbers() {
        for (needed, asked) in [
            (0.0, 0),
            (7.2, 8),
            (99.0, 99),
            (101.0, 110),
            (123_456.0, 130_000),
            (1_000_000.000_000_1, 1_000_000),
        ] {
            assert_eq!(rounded_up(needed), asked, "{needed}");
        }
    }
}

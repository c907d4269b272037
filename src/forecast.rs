//! What a scenario will do, before it does it: how many requests, which share of each quota, which
//! quota binds, and what it may cost at worst.
//!
//! Promises: closed forms only, nothing is simulated. Demand is the mean number of requests, times the
//! mean reservation R or settlement S of the mix. What is sustained depends on how the quota is
//! counted (`sustained`).
//!
//! Deliberately not: a plan. Means say nothing about peaks; a bursty scenario is throttled below its
//! mean demand, and only a run shows by how much.

mod sustained;

use std::fmt;

use self::sustained::{Take, sustained_per_minute};
use crate::arrivals::ArrivalProcess;
use crate::distribution::Distribution;
use crate::outcome::ModelIndex;
use crate::quota::{Counting, Dimension, Enforcement, Quota};
use crate::scenario::{Prompt, Scenario, ScenarioModel};
use crate::service::ServiceSettings;
use crate::units::{TokenUsage, Tokens, Usd, grouped, significant};

/// Points at which a distribution's quantiles are read to average over it.
const QUANTILES: u32 = 2000;

/// Demand that is above what is sustained by no more than this is the same.
const ROUNDING: f64 = 1e-9;

/// What a scenario is expected to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Requests that become due; none for a closed loop, where the service decides.
    pub requests: Option<f64>,
    /// How long requests go on becoming due, in minutes.
    pub minutes: f64,
    /// Each model's share of it.
    pub models: Vec<ModelForecast>,
    /// What the run costs if every answer is as long as `max_tokens` allows and every retry is used;
    /// none where a price or the number of requests is not known.
    pub worst_cost: Option<Usd>,
    /// The tokens that this is for.
    pub worst_tokens: Option<TokenUsage>,
}

/// What one model is expected to be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelForecast {
    /// The model's name in the scenario.
    pub name: String,
    /// Mean requests per minute; none for a closed loop.
    pub requests_per_minute: Option<f64>,
    /// Mean tokens that one request reserves.
    pub reserved: f64,
    /// Mean tokens that one request costs in the end.
    pub settled: f64,
    /// Mean input tokens of one request.
    pub input: f64,
    /// Mean output tokens of one request.
    pub output: f64,
    /// What the account may use.
    pub quota: Quota,
    /// The dimension that gives way first as load grows; none without quota.
    pub binding: Option<Dimension>,
    /// The highest rate that the quota sustains, in requests per minute; none without quota.
    pub sustainable_per_minute: Option<f64>,
    /// How the quota is counted, or taken to be.
    pub enforcement: Enforcement,
}

impl ModelForecast {
    /// Mean demand in one dimension, in requests or tokens per period.
    #[must_use]
    pub fn demand(&self, dimension: Dimension) -> Option<f64> {
        let per_minute = self.requests_per_minute?;
        Some(match dimension {
            Dimension::Rpm => per_minute,
            Dimension::Tpm => per_minute * self.settled,
            Dimension::Tpd => per_minute * 1440.0 * self.settled,
            Dimension::InputTpm => per_minute * self.input,
            Dimension::OutputTpm => per_minute * self.output,
        })
    }
}

impl Forecast {
    /// How long requests go on becoming due, in the unit that suits it.
    fn length(&self) -> String {
        match self.minutes {
            short if short < 1.0 => format!("{} s", significant(short * 60.0)),
            long if long >= 120.0 => format!("{} h", significant(long / 60.0)),
            minutes => format!("{} min", significant(minutes)),
        }
    }

    /// What `scenario` is expected to do.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let requests = scenario
            .arrivals
            .expected(scenario.run.duration)
            .map(|expected| {
                scenario
                    .run
                    .max_requests
                    .map_or(expected, |most| expected.min(most as f64))
            });
        let minutes = scenario.run.duration.as_secs_f64() / 60.0;
        let weights: f64 = scenario.prompts.iter().map(|prompt| prompt.weight).sum();
        let classes: Vec<Class> = scenario
            .prompts
            .iter()
            .map(|prompt| Class::of(prompt, scenario, prompt.weight / weights))
            .collect();
        let models = (0_u16..)
            .zip(&scenario.models)
            .map(|(index, model)| {
                let rate = requests.map(|requests| requests / minutes);
                forecast_model(ModelIndex(index), model, &classes, rate, &scenario.service)
            })
            .collect();
        let worst_tokens =
            requests.map(|requests| worst_tokens(&classes, requests, scenario.retry.max_attempts));
        let worst_cost = requests.and_then(|requests| worst_cost(scenario, &classes, requests));
        Self {
            requests,
            minutes,
            models,
            worst_cost,
            worst_tokens,
        }
    }
}

/// Means of one prompt class.
struct Class {
    model: ModelIndex,
    share: f64,
    input: f64,
    output: f64,
    reserved_output: f64,
    counting: Counting,
    /// Seconds from its start to its settlement.
    held: f64,
}

impl Class {
    fn of(prompt: &Prompt, scenario: &Scenario, share: f64) -> Self {
        let cap = prompt.reserved_output;
        let (traced_input, traced_output) = trace_means(&scenario.arrivals, cap);
        let output = prompt
            .output
            .as_ref()
            .map_or(traced_output, |output| mean_up_to(output, cap));
        let service = &scenario.service;
        let first_token = service.first_token.mean() / 1e9;
        Self {
            model: prompt.model,
            share,
            input: prompt
                .input
                .as_ref()
                .map_or(traced_input, Distribution::mean),
            output,
            reserved_output: cap.0 as f64,
            counting: scenario.models[usize::from(prompt.model.0)].counting,
            held: first_token + output / service.output_rate.per_second(),
        }
    }

    fn take(&self, dimension: Dimension) -> Take {
        let burndown = f64::from(self.counting.burndown);
        let reserved_burndown = if self.counting.reserves_burndown {
            burndown
        } else {
            1.0
        };
        let (reserved, settled) = match dimension {
            Dimension::Rpm => (1.0, 1.0),
            Dimension::Tpm | Dimension::Tpd => (
                self.input + self.reserved_output * reserved_burndown,
                self.input + self.output * burndown,
            ),
            Dimension::InputTpm => (self.input, self.input),
            Dimension::OutputTpm => (self.reserved_output, self.output),
        };
        Take {
            reserved,
            settled,
            held: self.held,
        }
    }
}

fn forecast_model(
    index: ModelIndex,
    model: &ScenarioModel,
    classes: &[Class],
    requests_per_minute: Option<f64>,
    service: &ServiceSettings,
) -> ModelForecast {
    let mine = || classes.iter().filter(|class| class.model == index);
    let share: f64 = mine().map(|class| class.share).sum();
    let mean = |value: &dyn Fn(&Class) -> f64| {
        let sum: f64 = mine().map(|class| class.share * value(class)).sum();
        if share > 0.0 { sum / share } else { 0.0 }
    };
    let take = |dimension| Take {
        reserved: mean(&|class| class.take(dimension).reserved),
        settled: mean(&|class| class.take(dimension).settled),
        held: mean(&|class| class.held),
    };
    let sustained = model.quota.limited().map(|(dimension, limit)| {
        let take = take(dimension);
        let per_minute = sustained_per_minute(dimension, limit, &service.meters, take);
        (dimension, per_minute)
    });
    let binding = sustained.min_by(|one, other| one.1.total_cmp(&other.1));
    let tokens = take(Dimension::Tpm);
    ModelForecast {
        name: model.name.clone(),
        requests_per_minute: requests_per_minute.map(|rate| rate * share),
        reserved: tokens.reserved,
        settled: tokens.settled,
        input: mean(&|class| class.input),
        output: mean(&|class| class.output),
        quota: model.quota,
        binding: binding.map(|(dimension, _)| dimension),
        sustainable_per_minute: binding.map(|(_, per_minute)| per_minute),
        enforcement: service.meters.enforcement,
    }
}

fn worst_tokens(classes: &[Class], requests: f64, attempts: u32) -> TokenUsage {
    let calls = requests * f64::from(attempts);
    let total = |value: fn(&Class) -> f64| {
        let mean: f64 = classes.iter().map(|class| class.share * value(class)).sum();
        Tokens((calls * mean).ceil() as u64)
    };
    TokenUsage {
        input: total(|class| class.input),
        output: total(|class| class.reserved_output),
        ..TokenUsage::default()
    }
}

fn worst_cost(scenario: &Scenario, classes: &[Class], requests: f64) -> Option<Usd> {
    let mut sum = Usd::ZERO;
    for class in classes {
        let price = scenario.models[usize::from(class.model.0)].facts.price?;
        let calls = requests * class.share * f64::from(scenario.retry.max_attempts);
        let usage = TokenUsage {
            input: Tokens((calls * class.input).ceil() as u64),
            output: Tokens((calls * class.reserved_output).ceil() as u64),
            ..TokenUsage::default()
        };
        sum += price.of(usage);
    }
    Some(sum)
}

/// The mean of a distribution whose larger values are cut down to `cap`.
fn mean_up_to(distribution: &Distribution, cap: Tokens) -> f64 {
    let sum: f64 = (0..QUANTILES)
        .map(|point| (f64::from(point) + 0.5) / f64::from(QUANTILES))
        .map(|q| distribution.quantile(q).min(cap.0) as f64)
        .sum();
    sum / f64::from(QUANTILES)
}

/// Mean input and (cut down) output of a trace; zero without one.
fn trace_means(arrivals: &ArrivalProcess, cap: Tokens) -> (f64, f64) {
    let ArrivalProcess::Trace { points, .. } = arrivals else {
        return (0.0, 0.0);
    };
    let count = points.len().max(1) as f64;
    let input: u64 = points.iter().map(|point| point.input.0).sum();
    let output: u64 = points.iter().map(|point| point.output.min(cap).0).sum();
    (input as f64 / count, output as f64 / count)
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.requests {
            Some(requests) => writeln!(
                f,
                "  about {} requests in {} ({}/min on average)",
                grouped(requests.round() as i64),
                self.length(),
                significant(requests / self.minutes)
            )?,
            None => writeln!(
                f,
                "  a closed loop for {}: how many requests depends on the service",
                self.length()
            )?,
        }
        for model in &self.models {
            write!(f, "{model}")?;
        }
        match (self.worst_tokens, self.worst_cost) {
            (Some(tokens), Some(cost)) => writeln!(
                f,
                "  at worst {} input and {} output tokens, {cost} on Bedrock",
                grouped(tokens.input.0 as i64),
                grouped(tokens.output.0 as i64),
            ),
            (Some(_), None) => writeln!(f, "  cost on Bedrock: no price is known for every model"),
            (None, _) => writeln!(f, "  cost on Bedrock: not known ahead for a closed loop"),
        }
    }
}

impl fmt::Display for ModelForecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {}: a request reserves {} and settles {} tokens on average",
            self.name,
            significant(self.reserved),
            significant(self.settled)
        )?;
        for (dimension, limit) in self.quota.limited() {
            let name = dimension.name().to_uppercase();
            write!(
                f,
                "    {name:<4}{:>14}",
                grouped(i64::try_from(limit).unwrap_or(i64::MAX))
            )?;
            if let Some(demand) = self.demand(dimension) {
                let share = demand * 100.0 / limit as f64;
                write!(f, "  demand {:>14} = {share:>5.1} %", significant(demand))?;
            }
            if let (Dimension::Tpm, Some(per_minute)) = (dimension, self.requests_per_minute) {
                write!(
                    f,
                    "  (reserved {})",
                    significant(per_minute * self.reserved)
                )?;
            }
            writeln!(
                f,
                "{}",
                if self.binding == Some(dimension) {
                    "  <- binds"
                } else {
                    ""
                }
            )?;
        }
        match self.sustainable_per_minute {
            Some(sustainable) => {
                let at_most = match self.enforcement {
                    Enforcement::Fixed => "at most ",
                    _ => "",
                };
                let rate = significant(sustainable);
                write!(f, "    sustains {at_most}{rate} requests/min")?;
                if self.enforcement != Enforcement::Bucket {
                    write!(f, " if counted as {}", self.enforcement)?;
                }
                if self
                    .requests_per_minute
                    .is_some_and(|demand| demand > sustainable * (1.0 + ROUNDING))
                {
                    write!(f, ": this scenario asks for more")?;
                }
                writeln!(f)
            }
            None => writeln!(f, "    no quota: nothing binds"),
        }
    }
}

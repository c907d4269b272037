//! What a scenario will do, before it does it: how many requests, which share of each quota, which
//! quota binds, and what it may cost at worst.
//!
//! Promises: closed forms only, nothing is simulated. Demand is the mean number of requests, times the
//! mean reservation R or settlement S of the mix. What is sustained depends on how the quota is
//! counted ([`crate::sustained`]).
//!
//! Deliberately not: a plan. Means say nothing about peaks; a bursty scenario is throttled below its
//! mean demand, and only a run shows by how much.

use std::fmt;

use crate::arrivals::{ArrivalProcess, TracePoint};
use crate::distribution::Distribution;
use crate::outcome::ModelIndex;
use crate::quota::{Dimension, Enforcement, Quota};
use crate::scenario::{Scenario, ScenarioModel};
use crate::sustained::{Calls, Shape, per_minute, points};
use crate::units::{TokenUsage, Tokens, Usd, grouped, significant};

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
    fn expected_usage(&self, minutes: f64) -> Option<TokenUsage> {
        let requests = self.requests_per_minute? * minutes;
        let tokens = |each: f64| Tokens((requests * each).round() as u64);
        Some(TokenUsage {
            input: tokens(self.input),
            output: tokens(self.output),
            ..TokenUsage::default()
        })
    }

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

    /// The tokens of all requests, each answered once and as long as is usual; none for a closed loop.
    #[must_use]
    pub fn expected_usage(&self) -> Option<TokenUsage> {
        let mut sum = TokenUsage::default();
        for model in &self.models {
            sum += model.expected_usage(self.minutes)?;
        }
        Some(sum)
    }

    /// What they cost; none where a price is not known.
    #[must_use]
    pub fn expected_cost(&self, scenario: &Scenario) -> Option<Usd> {
        let mut sum = Usd::ZERO;
        for (forecast, model) in self.models.iter().zip(&scenario.models) {
            sum += model
                .facts
                .price?
                .of(forecast.expected_usage(self.minutes)?);
        }
        Some(sum)
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
        let models = (0_u16..)
            .zip(&scenario.models)
            .map(|(index, model)| {
                let rate = requests.map(|requests| requests / minutes);
                forecast_model(ModelIndex(index), model, scenario, rate)
            })
            .collect();
        let worst: Option<Vec<TokenUsage>> = requests.map(|requests| {
            let models = (0_u16..).zip(&scenario.models);
            models
                .map(|(index, _)| {
                    worst_tokens(&calls(scenario, ModelIndex(index)), scenario, requests)
                })
                .collect()
        });
        let worst_tokens = worst.as_ref().map(|models| {
            models.iter().fold(TokenUsage::default(), |mut sum, usage| {
                sum += *usage;
                sum
            })
        });
        let worst_cost = worst.and_then(|models| worst_cost(scenario, &models));
        Self {
            requests,
            minutes,
            models,
            worst_cost,
            worst_tokens,
        }
    }
}

/// The calls that `scenario` makes to one of its models; their weights are shares of all requests.
#[must_use]
pub fn calls(scenario: &Scenario, model: ModelIndex) -> Calls {
    let weights: f64 = scenario.prompts.iter().map(|prompt| prompt.weight).sum();
    let mut shapes = Vec::new();
    for (class, prompt) in (0_u16..).zip(&scenario.prompts) {
        if prompt.model != model {
            continue;
        }
        let lengths: Vec<(f64, f64)> = match (&prompt.input, &prompt.output) {
            (Some(input), Some(output)) => points(input, output),
            (input, output) => {
                // What the trace gives, with the class's own length in the place of either.
                let own = |length: &Option<_>| length.as_ref().map(Distribution::mean);
                let (input, output) = (own(input), own(output));
                let is_own =
                    |point: &&TracePoint| point.class.is_none_or(|recorded| recorded.0 == class);
                let recorded = recorded(&scenario.arrivals).iter();
                recorded
                    .filter(is_own)
                    .map(|point| {
                        let input = input.unwrap_or(point.input.0 as f64);
                        (input, output.unwrap_or(point.output.0 as f64))
                    })
                    .collect()
            }
        };
        let weight = prompt.weight / weights / lengths.len().max(1) as f64;
        shapes.extend(lengths.into_iter().map(|(input, output)| Shape {
            input,
            output,
            cap: prompt.reserved_output.0 as f64,
            weight,
        }));
    }
    Calls {
        shapes,
        first_token: scenario.service.first_token.mean() / 1e9,
        output_rate: scenario.service.output_rate.per_second(),
    }
}

fn recorded(arrivals: &ArrivalProcess) -> &[TracePoint] {
    match arrivals {
        ArrivalProcess::Trace { points, .. } => points,
        _ => &[],
    }
}

fn forecast_model(
    index: ModelIndex,
    model: &ScenarioModel,
    scenario: &Scenario,
    requests_per_minute: Option<f64>,
) -> ModelForecast {
    let calls = calls(scenario, index);
    let meters = &scenario.service.meters;
    let take = |dimension| calls.take(dimension, &model.counting, meters);
    let sustained = model.quota.limited().map(|(dimension, limit)| {
        (
            dimension,
            per_minute(dimension, limit, meters, &take(dimension)),
        )
    });
    let binding = sustained.min_by(|one, other| one.1.total_cmp(&other.1));
    let tokens = take(Dimension::Tpm);
    ModelForecast {
        name: model.name.clone(),
        requests_per_minute: requests_per_minute.map(|rate| rate * calls.weight()),
        reserved: tokens.reserved,
        settled: tokens.settled,
        input: calls.mean(|shape| shape.input),
        output: calls.mean(|shape| shape.output.min(shape.cap)),
        quota: model.quota,
        binding: binding.map(|(dimension, _)| dimension),
        sustainable_per_minute: binding.map(|(_, per_minute)| per_minute),
        enforcement: meters.enforcement,
    }
}

/// What a model is asked for if every answer is as long as it may be and every retry is used.
fn worst_tokens(calls: &Calls, scenario: &Scenario, requests: f64) -> TokenUsage {
    let attempts = requests * f64::from(scenario.retry.max_attempts) * calls.weight();
    let total = |value: fn(&Shape) -> f64| Tokens((attempts * calls.mean(value)).ceil() as u64);
    TokenUsage {
        input: total(|shape| shape.input),
        output: total(|shape| shape.cap),
        ..TokenUsage::default()
    }
}

fn worst_cost(scenario: &Scenario, usages: &[TokenUsage]) -> Option<Usd> {
    let mut sum = Usd::ZERO;
    for (model, usage) in scenario.models.iter().zip(usages) {
        sum += model.facts.price?.of(*usage);
    }
    Some(sum)
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
                let rate = significant(sustainable);
                write!(f, "    sustains {rate} requests/min")?;
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

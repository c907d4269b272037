//! Text → [`Scenario`], or every problem in it with its place in the file.
//!
//! Two passes: serde with places turns the text into raw tables in which nothing has a default, and
//! a check turns those into a [`Scenario`]. Neither changes what it looks at, and neither stops at
//! the first problem: [`Scenario::parse`] reports them all, before the first request.
//!
//! Promises: a [`Scenario`] can be run as it is, the prompts' lengths fit their models, and no text
//! panics. Deliberately not: drawing problems (they are plain [`Diagnostic`]s), or the settings'
//! types, which belong to the modules that they set.

mod check;
mod choice;
mod diagnostic;
mod knob;
mod load;
mod notation;
mod problems;
mod raw;
mod raw_distribution;
mod schema;
mod structure;
mod suggest;
mod trace;
mod value;

use std::time::Duration;

pub use self::diagnostic::{Diagnostic, Label, Report, Severity, line_column};
pub(crate) use self::knob::duration_text;
pub use self::knob::{Knob, Per, Scale, UNSET};
pub use self::load::{LARGEST_FILE, LoadError, read_text};
pub use self::notation::{duration as read_duration, share as read_share};
pub use self::schema::json_schema;
use crate::arrivals::ArrivalProcess;
use crate::catalogue::{Family, Model};
use crate::distribution::Distribution;
use crate::expect::Expectation;
use crate::gate::GateSettings;
use crate::goal::TuneSettings;
use crate::limiter::LimiterSettings;
use crate::outcome::ModelIndex;
use crate::quota::{Counting, Quota};
use crate::retry::RetryPolicy;
use crate::rng::Seed;
use crate::service::ServiceSettings;
use crate::units::{Share, Tokens, Usd};

/// A scenario that can be run, and what to think about before.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The scenario.
    pub scenario: Scenario,
    /// Problems that do not keep it from being run, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

/// A scenario that has been checked: everything a run needs to know.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name; names its folder of results.
    pub name: String,
    /// What it is about.
    pub about: Option<String>,
    /// What its randomness is made from.
    pub seed: Seed,
    /// Where its requests go.
    pub target: TargetSettings,
    /// How long and how much.
    pub run: RunSettings,
    /// When requests are due.
    pub arrivals: ArrivalProcess,
    /// The models that it names, in order of their names.
    pub models: Vec<ScenarioModel>,
    /// The prompt classes, in the order of the file.
    pub prompts: Vec<Prompt>,
    /// When to try again.
    pub retry: RetryPolicy,
    /// How the stub and the simulator behave.
    pub service: ServiceSettings,
    /// Pass marks.
    pub expect: Vec<Expectation>,
    /// By what its runs are compared.
    pub gate: Option<GateSettings>,
    /// What a tuner looks for, and what it may turn.
    pub tune: Option<TuneSettings>,
    /// The text that it was read from.
    pub text: String,
}

impl Scenario {
    /// Whether any of its models streams its answers.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.models.iter().any(|model| model.api.streams())
    }

    /// What the file says in `[limiter]` for one of its models, by the name it has there; none if
    /// there is no such model, or no limiter. An application can be given it as it is.
    #[must_use]
    pub fn limiter_of(&self, model: &str) -> Option<&LimiterSettings> {
        let found = self.models.iter().find(|found| found.name == model);
        found?.limiter.as_ref()
    }

    /// The same, with limiters that take the run to begin so far into a minute of the service's clock.
    #[must_use]
    pub fn begun_at(mut self, clock_offset: Duration) -> Self {
        for limiter in self
            .models
            .iter_mut()
            .filter_map(|model| model.limiter.as_mut())
        {
            limiter.meters.clock_offset = clock_offset;
        }
        self
    }
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetSettings {
    /// The simulator, in virtual time.
    Sim,
    /// The local stub.
    Stub,
    /// Amazon Bedrock.
    Bedrock {
        /// The AWS Region; the SDK's default where it is not given.
        region: Option<String>,
        /// The profile in the AWS configuration; the SDK's default where it is not given.
        profile: Option<String>,
        /// Another address for the service, such as a VPC endpoint.
        endpoint_url: Option<String>,
    },
}

/// How long a run goes on, and its bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSettings {
    /// How long requests go on becoming due.
    pub duration: Duration,
    /// Requests that are due earlier than this do not count in pass marks; zero if all do.
    pub warm_up: Duration,
    /// How long the run waits afterwards for what is queued or under way.
    pub drain: Duration,
    /// The longest wait for one answer.
    pub request_timeout: Duration,
    /// The most requests that become due.
    pub max_requests: Option<u64>,
    /// The most requests under way at a time; more are dropped.
    pub max_in_flight: u32,
    /// The most requests waiting for quota at a time; more are dropped.
    pub max_queue: u32,
    /// The most money to be spent; a run against Bedrock needs it or `--yes`.
    pub max_cost: Option<Usd>,
    /// The most tokens to be used, input and output together.
    pub max_total_tokens: Option<Tokens>,
    /// The largest share of attempts that may be throttled for the run to pass.
    pub max_throttled: Share,
    /// Whether a row is written for each request.
    pub request_rows: bool,
}

/// Which operation of Bedrock is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `InvokeModel`.
    InvokeModel,
    /// `InvokeModelWithResponseStream`.
    InvokeModelStream,
    /// `Converse`.
    Converse,
    /// `ConverseStream`.
    ConverseStream,
}

impl Api {
    /// Its name in scenarios and results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvokeModel => "invoke-model",
            Self::InvokeModelStream => "invoke-model-stream",
            Self::Converse => "converse",
            Self::ConverseStream => "converse-stream",
        }
    }

    /// Whether answers come token by token.
    #[must_use]
    pub const fn streams(self) -> bool {
        matches!(self, Self::InvokeModelStream | Self::ConverseStream)
    }

    /// Whether bodies have the shape of the model's family, and not `Converse`'s.
    #[must_use]
    pub const fn is_native(self) -> bool {
        matches!(self, Self::InvokeModel | Self::InvokeModelStream)
    }

    /// The same operation with answers that come token by token.
    #[must_use]
    pub const fn streamed(self) -> Self {
        if self.is_native() {
            Self::InvokeModelStream
        } else {
            Self::ConverseStream
        }
    }

    /// The same operation with answers that come whole.
    #[must_use]
    pub const fn whole(self) -> Self {
        if self.is_native() {
            Self::InvokeModel
        } else {
            Self::Converse
        }
    }

    /// What stands in for `max_tokens` where a request has none, for a model of this family; none
    /// where that is the model's own maximum.
    #[must_use]
    pub const fn default_max_tokens(self, family: Family) -> Option<Tokens> {
        if self.is_native() {
            family.default_max_tokens()
        } else {
            None
        }
    }
}

/// A model as a scenario names it.
#[derive(Clone, Debug)]
pub struct ScenarioModel {
    /// The name given to it in the scenario.
    pub name: String,
    /// The id that requests carry: a model, a profile or an ARN.
    pub id: String,
    /// What is known about it, with the scenario's own values where it gives any.
    pub facts: Model,
    /// The operation.
    pub api: Api,
    /// What the account may use of it.
    pub quota: Quota,
    /// How the service counts its tokens.
    pub counting: Counting,
    /// The client's own limits; none sends without asking.
    pub limiter: Option<LimiterSettings>,
}

/// A class of prompts.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// Its name.
    pub name: String,
    /// How often it is chosen, against the sum of all weights.
    pub weight: f64,
    /// Its model.
    pub model: ModelIndex,
    /// Its words; none where text is made up to the length of `input`.
    pub text: Option<String>,
    /// The system prompt.
    pub system: Option<String>,
    /// Input tokens: the estimate for `text`, the length of made-up text, or none for the trace's.
    pub input: Option<Distribution>,
    /// Output tokens that the stub and the simulator generate; none for the trace's.
    pub output: Option<Distribution>,
    /// `max_tokens` as sent; none leaves it to Bedrock.
    pub max_tokens: Option<Tokens>,
    /// What the service reserves for output: `max_tokens`, or the default that stands in for it.
    pub reserved_output: Tokens,
    /// Its class of priority before the limiter.
    pub priority: u8,
    /// Sampling temperature, 0 to 1.
    pub temperature: Option<f32>,
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<f32>,
    /// Where to stop.
    pub stop: Vec<String>,
}

#[cfg(test)]
mod tests;

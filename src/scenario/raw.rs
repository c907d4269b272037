//! The shape of a scenario file: which tables and keys there are, before anything is known of sense.
//!
//! Promises: every value keeps its place; the tables *are* the tags (`[arrivals.poisson]`), since
//! tags inside a table would lose places; and the JSON schema is derived from these structs, so
//! that editors, the check for unknown keys and the reader cannot drift apart. The comments here
//! are what an editor shows.
//!
//! Deliberately not: defaults and rules. Whatever may be left out is an `Option`, also where
//! `check` then asks for it, so that one missing key hides no other problem.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::choice::{DamageName, ReservationName, ResetName, SpacingName};
use super::raw_distribution::{Count, RawDistribution, Time};
use super::value::{Bound, Field, List, Placed};
use crate::catalogue::Family;
use crate::expect::Metric;
use crate::gate::Gauge;
use crate::limiter::{Oversize, Strategy};
use crate::outcome::Failure;
use crate::quota::Enforcement;
use crate::service::Adjustment;
use crate::units::{Rate, Share, Usd};

/// A load test or a plan for Amazon Bedrock.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "bedload scenario")]
pub(super) struct RawScenario {
    /// Names the folder of results: letters, digits, `-`, `_` and `.`.
    #[schemars(required)]
    pub name: Option<Field<String>>,
    /// What the scenario is about, in a sentence.
    pub about: Option<Field<String>>,
    /// What all randomness is made from; 1 unless given.
    pub seed: Option<Field<u64>>,
    /// A TOML file of your own with facts about models, from here: `[[model]]` tables that correct or
    /// add to what is shipped.
    pub catalogue: Option<Field<String>>,
    /// Where requests go; the local stub unless given.
    pub target: Option<Placed<RawTarget>>,
    /// How long and how much.
    pub run: Option<Placed<RawRun>>,
    /// When requests are due: exactly one process.
    #[schemars(required)]
    pub arrivals: Option<Placed<RawArrivals>>,
    /// The models, each under a name that prompts refer to.
    #[schemars(required)]
    pub model: Option<Placed<BTreeMap<String, Placed<RawModel>>>>,
    /// What this client does about the quota; without this table it does nothing.
    pub limiter: Option<Placed<RawLimiter>>,
    /// When failed attempts are followed by others; never unless given.
    pub retry: Option<Placed<RawRetry>>,
    /// The prompt classes that requests are drawn from.
    #[schemars(required)]
    pub prompt: Option<List<Placed<RawPrompt>>>,
    /// How the stub and the simulator behave.
    pub service: Option<Placed<RawService>>,
    /// Pass marks; a run that misses one exits 1.
    pub expect: Option<List<Placed<RawExpect>>>,
    /// By what `bedload compare` judges its runs.
    pub gate: Option<Placed<RawGate>>,
    /// What `bedload tune` looks for, and what it may turn.
    pub tune: Option<Placed<RawTune>>,
}

/// Where requests go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RawTarget {
    /// The simulator, in virtual time.
    Sim {},
    /// The local look-alike of Bedrock.
    Stub {},
    /// Amazon Bedrock itself.
    Bedrock(Box<Placed<RawBedrock>>),
}

/// How Amazon Bedrock is reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBedrock {
    /// The AWS Region; the SDK's default unless given.
    pub region: Option<Field<String>>,
    /// The profile in the AWS configuration; the SDK's default unless given.
    pub profile: Option<Field<String>>,
    /// Another address for the service, such as a VPC endpoint.
    pub endpoint_url: Option<Field<String>>,
}

/// How long and how much.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRun {
    /// How long requests go on becoming due; a trace's own length and a second unless given.
    pub duration: Option<Field<Duration>>,
    /// Requests that are due earlier than this do not count in pass marks; all count unless given.
    pub warm_up: Option<Field<Duration>>,
    /// How long the run waits afterwards for what is queued or under way; "30s" unless given.
    pub drain: Option<Field<Duration>>,
    /// The longest wait for one answer; "60s" unless given.
    pub request_timeout: Option<Field<Duration>>,
    /// The most requests that become due.
    pub max_requests: Option<Field<u64>>,
    /// The most requests under way at a time; 10,000 unless given.
    pub max_in_flight: Option<Field<u32>>,
    /// The most requests waiting for quota at a time; 100,000 unless given.
    pub max_queue: Option<Field<u32>>,
    /// The most money to be spent; a run against Bedrock needs it or `--yes`.
    pub max_cost: Option<Field<Usd>>,
    /// The most tokens to be used, input and output together; a call under way counts at its worst.
    pub max_total_tokens: Option<Field<u64>>,
    /// The largest share of attempts that may be throttled for the run to pass; "1%" unless given.
    pub max_throttled: Option<Field<Share>>,
    /// Whether a row is written for each request; true unless given.
    pub request_rows: Option<Field<bool>>,
}

/// When requests are due.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RawArrivals {
    /// Evenly.
    Constant(Placed<RawConstant>),
    /// As in a Poisson process.
    Poisson(Placed<RawPoisson>),
    /// With gamma-distributed gaps: bursts.
    Gamma(Placed<RawGamma>),
    /// From one rate to another in a straight line.
    Ramp(Placed<RawRamp>),
    /// One rate after another.
    Steps(Placed<RawSteps>),
    /// A rate that swings about its mean.
    Sine(Placed<RawSine>),
    /// Workers that wait for their answers.
    ClosedLoop(Placed<RawClosedLoop>),
    /// As recorded.
    Trace(Placed<RawTrace>),
}

/// Evenly spaced requests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConstant {
    /// Requests per second, minute or hour.
    #[schemars(required)]
    pub rate: Option<Field<Rate>>,
}

/// Requests that come independently of one another.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPoisson {
    /// Requests per second, minute or hour, on average.
    #[schemars(required)]
    pub rate: Option<Field<Rate>>,
}

/// Requests that come in bursts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGamma {
    /// Requests per second, minute or hour, on average.
    #[schemars(required)]
    pub rate: Option<Field<Rate>>,
    /// Standard deviation of the gaps over their mean: 1 is Poisson, 4 is bursty.
    #[schemars(required)]
    pub cv: Option<Field<f64>>,
}

/// A rate that changes in a straight line.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRamp {
    /// The rate at the start.
    #[schemars(required)]
    pub from: Option<Field<Rate>>,
    /// The rate at the end.
    #[schemars(required)]
    pub to: Option<Field<Rate>>,
    /// How long it takes.
    #[schemars(required)]
    pub over: Option<Field<Duration>>,
    /// How requests lie between one another; "even" unless given.
    pub spacing: Option<Field<SpacingName>>,
    /// For spacing "gamma": standard deviation of the gaps over their mean; 1 is Poisson, 4 is bursty.
    pub cv: Option<Field<f64>>,
}

/// One rate after another.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSteps {
    /// The rates; the last one goes on.
    #[schemars(required)]
    pub steps: Option<List<Placed<RawStep>>>,
    /// How requests lie between one another; "even" unless given.
    pub spacing: Option<Field<SpacingName>>,
    /// For spacing "gamma": standard deviation of the gaps over their mean; 1 is Poisson, 4 is bursty.
    pub cv: Option<Field<f64>>,
}

/// One rate for some time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    /// Requests per second, minute or hour.
    #[schemars(required)]
    pub rate: Option<Field<Rate>>,
    /// How long it lasts.
    #[schemars(required)]
    pub lasts: Option<Field<Duration>>,
}

/// A rate that swings about its mean.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSine {
    /// The mean rate.
    #[schemars(required)]
    pub mean: Option<Field<Rate>>,
    /// How far it swings to either side; not above the mean.
    #[schemars(required)]
    pub amplitude: Option<Field<Rate>>,
    /// The time of one swing.
    #[schemars(required)]
    pub period: Option<Field<Duration>>,
    /// How requests lie between one another; "even" unless given.
    pub spacing: Option<Field<SpacingName>>,
    /// For spacing "gamma": standard deviation of the gaps over their mean; 1 is Poisson, 4 is bursty.
    pub cv: Option<Field<f64>>,
}

/// Workers that wait for their answers: how much they send depends on how fast those come.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClosedLoop {
    /// How many there are.
    #[schemars(required)]
    pub workers: Option<Field<u32>>,
    /// How long each waits between an answer and its next request; "0s" unless given.
    pub think: Option<Placed<RawDistribution<Time>>>,
}

/// A recording.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrace {
    /// A CSV file with the columns `TIMESTAMP,ContextTokens,GeneratedTokens`, from here. A fourth,
    /// `Prompt`, may name each request's prompt class; weights then count for nothing.
    #[schemars(required)]
    pub path: Option<Field<String>>,
    /// How many times faster than recorded; 1 unless given.
    pub speed: Option<Field<f64>>,
}

/// A model and what the account may use of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawModel {
    /// The id of a model or an inference profile, or its ARN.
    #[schemars(required)]
    pub id: Option<Field<String>>,
    /// The operation that is called; "invoke-model" unless given.
    pub api: Option<Field<Api>>,
    /// The shape of its `InvokeModel` bodies, where the catalogue does not know it.
    pub family: Option<Field<Family>>,
    /// How many tokens of quota one output token costs, where the catalogue does not know it.
    pub burndown: Option<Field<u32>>,
    /// The largest context in tokens, where the catalogue does not know it.
    pub context: Option<Field<u64>>,
    /// The largest `max_tokens`, where the catalogue does not know it.
    pub max_output: Option<Field<u64>>,
    /// What the account has: the stub enforces it, the plan plans for it.
    pub quota: Option<Placed<RawQuota>>,
}

/// An account's quota of one model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuota {
    /// Requests per minute.
    pub rpm: Option<Field<u64>>,
    /// Tokens per minute, input and output together.
    pub tpm: Option<Field<u64>>,
    /// Tokens per day.
    pub tpd: Option<Field<u64>>,
    /// Input tokens per minute, where they are counted apart.
    pub input_tpm: Option<Field<u64>>,
    /// Output tokens per minute, where they are counted apart.
    pub output_tpm: Option<Field<u64>>,
}

impl RawQuota {
    /// Whether no limit is given.
    pub const fn is_empty(&self) -> bool {
        self.rpm.is_none()
            && self.tpm.is_none()
            && self.tpd.is_none()
            && self.input_tpm.is_none()
            && self.output_tpm.is_none()
    }
}

/// What this client does about the quota.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimiter {
    /// Whether it does anything; true unless given.
    pub enabled: Option<Field<bool>>,
    /// How it decides: as this program does ("bedload") unless given, or as others are published to,
    /// for comparison; these ignore some keys.
    pub strategy: Option<Field<Strategy>>,
    /// The tokens that strategy "fixed-estimate" takes each request for; 4,096 unless given.
    pub estimate: Option<Field<u64>>,
    /// Requests per minute; each model's quota unless given.
    pub rpm: Option<Field<u64>>,
    /// Tokens per minute; each model's quota unless given.
    pub tpm: Option<Field<u64>>,
    /// Tokens per day; each model's quota unless given.
    pub tpd: Option<Field<u64>>,
    /// Input tokens per minute; each model's quota unless given.
    pub input_tpm: Option<Field<u64>>,
    /// Output tokens per minute; each model's quota unless given.
    pub output_tpm: Option<Field<u64>>,
    /// How the limits are counted; as `[service]` counts its quotas unless given.
    pub enforcement: Option<Field<Enforcement>>,
    /// How much may be spent at once, as time at the full rate: a bucket's size or a window's length;
    /// "10s" for a bucket and the service's `quota_capacity` for the others unless given; "60s" for
    /// strategies "gcra" and "fixed-estimate".
    pub burst: Option<Field<Duration>>,
    /// The share of the quota that is left alone; "0%" unless given.
    pub headroom: Option<Field<Share>>,
    /// How much is unused at the start; "100%" unless given.
    pub initial_fill: Option<Field<Share>>,
    /// How far into its clock's minute the service is taken to be when the run begins, for
    /// enforcement "fixed"; the service's own `clock_offset` unless given.
    pub clock_offset: Option<Field<Duration>>,
    /// How far that clock and the way to the service may be off, for enforcement "rolling" and
    /// "fixed"; "250ms" unless given.
    pub clock_margin: Option<Field<Duration>>,
    /// What is set aside for a call until it ends; "max-tokens" unless given.
    pub reservation: Option<Field<ReservationName>>,
    /// The share of answers that are no longer than what reservations "expected" and "mirror" expect;
    /// "90%" unless given.
    pub output_quantile: Option<Field<Share>>,
    /// What is done with a request that costs more than the limits ever hold; "refuse" unless given.
    pub oversize: Option<Field<Oversize>>,
    /// Classes of priority and their weights; prompts name theirs. One line for all unless given.
    pub priorities: Option<Placed<BTreeMap<String, Field<u32>>>>,
    /// How throttles cut the limits, and how these recover; throttles change nothing unless given.
    pub backoff: Option<Placed<RawBackoff>>,
    /// Whether requests wait for quota (true, unless given) or are dropped at once.
    pub wait_for_quota: Option<Field<bool>>,
    /// The longest a request waits for quota; "30s" unless given.
    pub quota_timeout: Option<Field<Duration>>,
    /// The most attempts under way at a time; not bounded unless given.
    pub max_in_flight: Option<Field<u32>>,
}

/// Additive increase, multiplicative decrease.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBackoff {
    /// What a throttle leaves of the limits; "70%" unless given.
    pub decrease: Option<Field<Share>>,
    /// What each interval gives back of the full limits; "5%" unless given.
    pub increase: Option<Field<Share>>,
    /// How long an interval is; "1s" unless given.
    pub interval: Option<Field<Duration>>,
    /// The limits are never cut below this share; "10%" unless given.
    pub floor: Option<Field<Share>>,
}

/// When failed attempts are followed by others.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRetry {
    /// Attempts for each request, the first included; 1 unless given, which never retries.
    pub max_attempts: Option<Field<u32>>,
    /// The longest wait before the second attempt, doubled for each after it; "500ms" unless given.
    pub base: Option<Field<Duration>>,
    /// The longest wait before any attempt; "20s" unless given.
    pub cap: Option<Field<Duration>>,
    /// Whether waits are drawn evenly from zero to their bound; true unless given.
    pub jitter: Option<Field<bool>>,
    /// Failures that are tried again; all that may pass, such as throttles, unless given.
    pub on: Option<List<Field<Failure>>>,
}

/// A class of prompts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPrompt {
    /// Its name in reports: letters, digits, `-`, `_` and `.`.
    #[schemars(required)]
    pub name: Option<Field<String>>,
    /// How often it is chosen, against the sum of all weights; 1 unless given.
    pub weight: Option<Field<f64>>,
    /// The name of its model; needed where there are several.
    pub model: Option<Field<String>>,
    /// Its class of priority, one of `limiter.priorities`; needed where there are any.
    pub priority: Option<Field<String>>,
    /// Its words. Either these or `input_tokens`.
    pub text: Option<Field<String>>,
    /// The length of made-up words, everything included. Either this or `text`.
    pub input_tokens: Option<Placed<RawDistribution<Count>>>,
    /// The system prompt.
    pub system: Option<Field<String>>,
    /// The most output tokens; they are reserved from the quota when the request starts.
    pub max_tokens: Option<Field<u64>>,
    /// Sampling temperature, 0 to 1.
    pub temperature: Option<Field<f64>>,
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<Field<f64>>,
    /// Texts that end the answer.
    pub stop: Option<List<Field<String>>>,
    /// The output tokens that stub and simulator generate; 200, or `max_tokens` if less, unless given.
    pub output_tokens: Option<Placed<RawDistribution<Count>>>,
}

/// How the stub and the simulator behave.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawService {
    /// From a request's arrival to its first token; median 700 ms and p95 1.4 s unless given.
    pub first_token: Option<Placed<RawDistribution<Time>>>,
    /// Output tokens generated per second; "60/s" unless given.
    pub output_rate: Option<Field<Rate>>,
    /// How long a refusal takes to answer; "15ms" unless given.
    pub refusal: Option<Field<Duration>>,
    /// How quotas are counted, which AWS does not say; "bucket" unless given.
    pub enforcement: Option<Field<Enforcement>>,
    /// How much quota can be spent at once, as time at the full rate: a bucket's size or a window's
    /// length; "60s" unless given.
    pub quota_capacity: Option<Field<Duration>>,
    /// How much of the quota is unused at the start; "100%" unless given.
    pub quota_initial_fill: Option<Field<Share>>,
    /// When a reservation gives way to what is really used; "at_end" unless given.
    pub adjustment: Option<Field<Adjustment>>,
    /// How far into its clock's minute the service is when the run begins, for enforcement "fixed";
    /// "0s" unless given.
    pub clock_offset: Option<Field<Duration>>,
    /// How long a call is under way to the service, and its answer back; no time unless given.
    pub network: Option<Placed<RawDistribution<Time>>>,
    /// Whether cache reads are reserved, too; false unless given.
    pub reserves_cache_reads: Option<Field<bool>>,
    /// Whether burndown multiplies `max_tokens` in the reservation; false unless given.
    pub reserves_burndown: Option<Field<bool>>,
    /// Whether a throttled call costs a request all the same; false unless given.
    pub throttles_cost_requests: Option<Field<bool>>,
    /// Whether a call that fails costs all that it had reserved; false unless given.
    pub failures_keep_reservation: Option<Field<bool>>,
    /// What goes wrong on purpose.
    pub fault: Option<List<Placed<RawFault>>>,
}

/// Something that goes wrong with some calls: one of `refuse`, `exception`, `delay`, `stall`,
/// `reset` and `damage`, with those calls for which all else that is given holds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFault {
    /// The call is refused with this error of the service.
    pub refuse: Option<Field<Failure>>,
    /// This error of the service comes in the middle of the answer: in a frame of a stream, or as a
    /// late refusal.
    pub exception: Option<Field<Failure>>,
    /// The first token, or the refusal, comes so much later.
    pub delay: Option<Field<Duration>>,
    /// The answer pauses so long in its middle.
    pub stall: Option<Field<Duration>>,
    /// The connection is reset.
    pub reset: Option<Field<ResetName>>,
    /// The answer is damaged.
    pub damage: Option<Field<DamageName>>,
    /// Only calls to this model.
    pub model: Option<Field<String>>,
    /// So many of the calls, by chance.
    pub share: Option<Field<Share>>,
    /// Only these calls, counted from 1 as they arrive; retries count, calls to other models than
    /// `model` do not.
    pub calls: Option<List<Field<u64>>>,
    /// Only calls that arrive in this time.
    pub during: Option<Placed<RawDuring>>,
}

/// A length of time since the run began.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDuring {
    /// When it begins; "0s" unless given.
    pub from: Option<Field<Duration>>,
    /// When it ends.
    #[schemars(required)]
    pub to: Option<Field<Duration>>,
    /// How long after its beginning it begins again; it does not unless given.
    pub every: Option<Field<Duration>>,
}

/// A pass mark.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpect {
    /// What is looked at, such as `latency.p99` or `throttle_share`.
    #[schemars(required)]
    pub metric: Option<Field<Metric>>,
    /// Only requests of this prompt class count.
    pub class: Option<Field<String>>,
    /// Only requests to this model count.
    pub model: Option<Field<String>>,
    /// The largest value that passes.
    pub at_most: Option<Field<Bound>>,
    /// The smallest value that passes.
    pub at_least: Option<Field<Bound>>,
    /// The smallest and the largest value that pass, in place of the two above.
    pub between: Option<List<Field<Bound>>>,
    /// Whether the whole 95 % confidence interval must lie between the bounds, and not the value alone;
    /// false unless given.
    pub sure: Option<Field<bool>>,
    /// Whether the run stops sending as soon as it is clear that the mark is missed; false unless given.
    pub abort_on_fail: Option<Field<bool>>,
}

/// By what `bedload compare` judges runs of this scenario. What is typed there takes precedence.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGate {
    /// The metrics that get a verdict; all that can get worse unless given.
    pub metrics: Option<List<Field<Gauge>>>,
    /// The largest change for the worse that passes, as a part of the base; "5%" unless given.
    pub margin: Option<Field<Share>>,
    /// Smaller changes of a time pass, whatever part they are; "5ms" unless given.
    pub margin_time: Option<Field<Duration>>,
    /// Smaller changes of a share pass; "0.5%" (half a percentage point) unless given.
    pub margin_share: Option<Field<Share>>,
    /// Margins of single metrics by their names, such as `"latency.p99" = "10%"`; nothing else counts then.
    pub margins: Option<Placed<BTreeMap<String, Field<Share>>>>,
    /// Whether what the runs cannot tell is a no; false unless given.
    pub strict: Option<Field<bool>>,
}

/// What `bedload tune` looks for, and what it may turn. What is typed there takes precedence.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTune {
    /// The largest share of attempts that may be throttled; "0.1%" unless given.
    pub throttle_share: Option<Field<Share>>,
    /// The longest 99th percentile of the wait for quota; any unless given.
    pub wait_p99: Option<Field<Duration>>,
    /// The share of runs in which both have to hold; "95%" unless given.
    pub runs_share: Option<Field<Share>>,
    /// A weighted mix in the place of goodput alone.
    pub weights: Option<Placed<RawWeights>>,
    /// Keys of the scenario and their values: a list such as `"1s, 5s, 10s"`, or a range such as `"1s..60s"`
    /// or `"0%..10%/5"`, whose last number is how many values are tried at first. The value `unset` takes the
    /// key out.
    pub knobs: Option<Placed<BTreeMap<String, Field<String>>>>,
}

/// What counts for how much.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWeights {
    /// For the share of offered requests that is answered; 1 unless given.
    pub goodput: Option<Field<f64>>,
    /// Against the share of attempts that is throttled; 0 unless given.
    pub throttle_share: Option<Field<f64>>,
    /// Against each second of the 99th percentile of the wait for quota; 0 unless given.
    pub wait_p99: Option<Field<f64>>,
    /// Against the share of settled tokens that came to nothing; 0 unless given.
    pub wasted_share: Option<Field<f64>>,
}

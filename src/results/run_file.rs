//! `run.json`: what was run, and what it came to.
//!
//! Promises: the same run writes the same bytes; a run in virtual time holds no date; a reader
//! takes files with fields that it does not know and refuses those of a later schema version; the
//! file says what the run was compared with and judged by, so that it can be read without the
//! scenario. `schema/run.json` describes it.
//!
//! Deliberately not stored: command lines, environment variables, host or user names, credentials.

use std::fmt::Write as _;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::error::ResultsError;
use super::file;
use crate::gate::GateSettings;
use crate::limiter::{LimiterSettings, Oversize, Reaction, Reservation, Strategy};
use crate::price::Price;
use crate::quota::{Enforcement, Quota};
use crate::recorder::measured::Measured;
use crate::recorder::verdict::Verdict;
use crate::time::nanos;
use crate::units::{Share, Tokens};

/// The name of the file in its directory.
pub const RUN_FILE: &str = "run.json";

/// The schema version that is written, and the latest that can be read. It grows when a field
/// changes its meaning or goes away; a new field leaves it alone.
pub const SCHEMA_VERSION: u32 = 1;

/// One run: what was run, how far it came, what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunFile {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// What wrote the file.
    pub tool: Tool,
    /// How far the run came.
    pub state: RunState,
    /// Where its requests went.
    pub target: Target,
    /// What was run.
    pub scenario: ScenarioSummary,
    /// What the run's randomness was made from.
    pub seed: u64,
    /// When it began, by RFC 3339; none in virtual time.
    pub started: Option<String>,
    /// The settings that give the numbers their meaning.
    pub settings: Settings,
    /// What was measured; none while the run goes on, and after it was killed.
    pub measured: Option<Measured>,
    /// What was measured of the requests that were due after the warm-up, which is what pass marks look
    /// at; rates are over the time since, and use of a quota is what was used since, whoever used it.
    /// None without a warm-up.
    #[serde(default)]
    pub measured_after_warm_up: Option<Measured>,
    /// The scenario's pass marks against what was measured.
    pub verdicts: Vec<Verdict>,
    /// Why the run could not be completed, or why its files are not whole.
    pub error: Option<String>,
}

/// The program that wrote a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It goes on, or it was killed.
    Running,
    /// It came to its planned end.
    Complete,
    /// It was stopped early, and says what it had measured.
    Interrupted,
    /// It could not go on; `error` says why.
    Failed,
}

/// Where requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The simulator, in virtual time.
    Sim,
    /// The local stub.
    Stub,
    /// Amazon Bedrock.
    Bedrock,
}

/// The scenario that was run; its whole text lies beside the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioSummary {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its text, in hexadecimal.
    pub digest: String,
    /// What it is about.
    pub about: Option<String>,
}

/// The settings that give a run's numbers their meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// How long requests went on becoming due, in nanoseconds.
    pub duration_ns: u64,
    /// How far into a minute of the wall clock the run began, in nanoseconds.
    pub clock_offset_ns: u64,
    /// Requests that were due earlier than this do not count in pass marks, in nanoseconds; zero if all
    /// do.
    #[serde(default)]
    pub warm_up_ns: u64,
    /// How stub and simulator count quota, such as `bucket`; none against Bedrock.
    pub enforcement: Option<String>,
    /// When stub and simulator adjust a reservation to what is really used, such as `at_end`; none
    /// against Bedrock.
    #[serde(default)]
    pub adjustment: Option<String>,
    /// Whether answers were streamed.
    pub streaming: bool,
    /// Whether `requests.csv` is written.
    pub request_rows: bool,
    /// The models, in the scenario's order.
    pub models: Vec<ModelSettings>,
    /// The prompt classes, in the scenario's order.
    pub classes: Vec<ClassSettings>,
    /// By what the scenario wants its runs compared, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateSettings>,
}

/// A model, as the run used it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelSettings {
    /// Its name in the scenario.
    pub name: String,
    /// The id that requests carried.
    pub id: String,
    /// The operation, such as `invoke-model`.
    pub api: String,
    /// What the account may use of it.
    pub quota: Quota,
    /// How many tokens of quota one output token costs.
    pub burndown: u32,
    /// Its price, where known.
    pub price: Option<Price>,
    /// The client's own limits; none if it sent without asking.
    pub limiter: Option<LimiterSummary>,
}

/// A client's own limits for one model, as its strategy takes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimiterSummary {
    /// How it decides.
    #[serde(default)]
    pub strategy: Strategy,
    /// The tokens that it takes each request for, where its strategy does so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Tokens>,
    /// The rates to stay within, before `headroom` is taken off.
    pub quota: Quota,
    /// How they are counted.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// How much may be spent at once, as nanoseconds at the full rate: a bucket's size or a window's
    /// length.
    pub burst_ns: u64,
    /// The share of the quota that is left alone, in parts per million.
    pub headroom: Share,
    /// How much is unused at the start, in parts per million.
    pub initial_fill: Share,
    /// How far the service's clock is taken to be off, in nanoseconds.
    #[serde(default)]
    pub clock_margin_ns: u64,
    /// What is set aside for a call until it ends.
    #[serde(default = "max_tokens")]
    pub reservation: Reservation,
    /// What is done with a request that costs more than the limits ever hold.
    #[serde(default = "refuse")]
    pub oversize: Oversize,
    /// The weights of its classes of priority; none where everybody queues in one line.
    #[serde(default)]
    pub priorities: Vec<u32>,
    /// What a throttle does to the limits; nothing if none.
    #[serde(default)]
    pub backoff: Option<Reaction>,
    /// Whether requests wait for quota (true) or are dropped at once.
    pub wait_for_quota: bool,
    /// The longest a request waits for quota, in nanoseconds.
    pub quota_timeout_ns: u64,
    /// The most attempts under way at a time, if bounded.
    pub max_in_flight: Option<u32>,
}

/// A prompt class, as the run used it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClassSettings {
    /// Its name.
    pub name: String,
    /// Its model, by position in `models`.
    pub model: u16,
}

impl RunFile {
    /// Reads a file and checks its version before anything else in it.
    pub fn read(path: &Path) -> Result<Self, ResultsError> {
        let text = file::read(path)?;
        let malformed = |error: serde_json::Error| ResultsError::Malformed {
            path: path.to_owned(),
            line: error.line() as u64,
            problem: error.to_string(),
        };
        let version: Version = serde_json::from_slice(&text).map_err(malformed)?;
        if version.schema_version > SCHEMA_VERSION {
            return Err(ResultsError::Newer {
                path: path.to_owned(),
                found: version.schema_version,
                supported: SCHEMA_VERSION,
            });
        }
        serde_json::from_slice(&text).map_err(malformed)
    }

    /// Puts the file into a directory of results, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<(), ResultsError> {
        file::replace(&dir.join(RUN_FILE), self.to_json().as_bytes())
    }

    /// The file's text: indented, with a newline at its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("the file is made of structs, strings and numbers, which all have a JSON form");
        text.push('\n');
        text
    }
}

impl RunState {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

impl Target {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Stub => "stub",
            Self::Bedrock => "bedrock",
        }
    }
}

impl From<&LimiterSettings> for LimiterSummary {
    fn from(settings: &LimiterSettings) -> Self {
        let settings = settings.in_force();
        let estimates = settings.strategy == Strategy::FixedEstimate;
        Self {
            strategy: settings.strategy,
            estimate: estimates.then_some(settings.estimate),
            quota: settings.quota,
            enforcement: settings.meters.enforcement,
            burst_ns: nanos(settings.meters.burst),
            headroom: settings.meters.headroom,
            initial_fill: settings.meters.initial_fill,
            clock_margin_ns: nanos(settings.meters.clock_margin),
            reservation: settings.reservation,
            oversize: settings.oversize,
            priorities: settings.priorities.clone(),
            backoff: settings.reaction,
            wait_for_quota: settings.wait_for_quota,
            quota_timeout_ns: nanos(settings.quota_timeout),
            max_in_flight: settings.max_in_flight,
        }
    }
}

/// What files say that were written before there was a choice.
const fn max_tokens() -> Reservation {
    Reservation::MaxTokens
}

/// What files say that were written before there was a choice.
const fn refuse() -> Oversize {
    Oversize::Refuse
}

/// The JSON schema of `run.json`, as checked in at `schema/run.json`.
#[must_use]
pub fn json_schema() -> String {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(RunFile))
        .expect("a schema is a JSON value");
    text.push('\n');
    text
}

/// The SHA-256 of a text, in hexadecimal.
#[must_use]
pub fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes everything");
            hex
        })
}

/// The one field that every version of the format has.
#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

//! What a prompt is checked against: the rest of the scenario.

use super::limiter::Limiter;
use super::models::Candidate;
use crate::service::ServiceSettings;

/// What stands around the prompts.
pub(super) struct Surroundings<'a> {
    /// The models, in order of their names.
    pub models: &'a [Candidate],
    /// The client's limiter.
    pub limiter: Option<&'a Limiter>,
    /// The stub's or the simulator's own settings, unless requests go to Bedrock itself.
    pub service: Option<&'a ServiceSettings>,
    /// Whether lengths may come from a trace.
    pub recorded: bool,
    /// The shortest and the longest input of the trace, where it could be read.
    pub trace_input: Option<(u64, u64)>,
}

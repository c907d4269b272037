//! What Bedrock counts. WIP

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an account may use of one model; any subset of the dimensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quota {
    /// Requests per minute.
    pub rpm: Option<u64>,
    /// Tokens per minute, input and output together.
    pub tpm: Option<u64>,
    /// Tokens per day.
    pub tpd: Option<u64>,
}

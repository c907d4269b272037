//! A line of Service Quotas: what one asks AWS for when a quota is too small.
//!
//! Promises: a code or a default that is not known is absent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scope;
use crate::quota::Dimension;

/// Which calls a line counts. AWS counts geographic profiles together, and apart from the global one.
///
/// Source: AWS documentation, "Increase throughput with cross-Region inference"; quotas are those of
/// the Region that is called.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaScope {
    /// The plain model id.
    OnDemand,
    /// A geographic profile, such as `us.`.
    CrossRegion,
    /// The `global.` profile.
    Global,
}

impl QuotaScope {
    /// Every one, in the order in which tables list them.
    pub const ALL: [Self; 3] = [Self::OnDemand, Self::CrossRegion, Self::Global];

    /// Its name in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::CrossRegion => "cross-region",
            Self::Global => "global",
        }
    }
}

impl Scope {
    /// The quotas that count calls in this scope.
    #[must_use]
    pub const fn quota_scope(self) -> QuotaScope {
        match self {
            Self::Base => QuotaScope::OnDemand,
            Self::Global => QuotaScope::Global,
            _ => QuotaScope::CrossRegion,
        }
    }
}

/// One quota of one model, as Service Quotas lists it under the service code `bedrock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaLine {
    /// Which calls it counts.
    pub scope: QuotaScope,
    /// What it counts.
    pub dimension: Dimension,
    /// Its code, such as `L-F4DDD3EB`.
    pub code: Option<String>,
    /// What AWS publishes for an account, in requests or tokens per period.
    pub default: Option<u64>,
    /// Its name.
    pub name: String,
    /// Where the default holds, and what it is elsewhere.
    #[serde(default)]
    pub note: Option<String>,
    /// The day on which this was looked up, as `YYYY-MM-DD`.
    #[serde(default)]
    pub as_of: String,
    /// Where this is from.
    #[serde(default)]
    pub source: String,
}

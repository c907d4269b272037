//! Tokens → money.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{TokenUsage, Usd};

/// Micro-dollars for a million tokens; the same number is picodollars for one token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Price {
    /// For input tokens.
    pub input: u64,
    /// For output tokens.
    pub output: u64,
    /// For input tokens read from the prompt cache.
    pub cache_read: u64,
    /// For input tokens written to the prompt cache.
    pub cache_write: u64,
}

impl Price {
    /// What these tokens cost. Billing is on tokens as they are, never on burndown.
    #[must_use]
    pub const fn of(self, usage: TokenUsage) -> Usd {
        let pico = self
            .input
            .saturating_mul(usage.input.0)
            .saturating_add(self.output.saturating_mul(usage.output.0))
            .saturating_add(self.cache_read.saturating_mul(usage.cache_read.0))
            .saturating_add(self.cache_write.saturating_mul(usage.cache_write.0));
        Usd { pico }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Tokens;

    #[test]
    fn a_million_tokens_each_cost_the_list_price() {
        let price = Price {
            input: 3_300_000,
            output: 16_500_000,
            cache_read: 330_000,
            cache_write: 4_125_000,
        };
        let million = Tokens(1_000_000);
        let usage = TokenUsage {
            input: million,
            output: million,
            cache_read: million,
            cache_write: million,
        };
        assert_eq!(price.of(usage).to_string(), "$24.25");
    }
}

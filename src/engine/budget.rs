//! What a run may use up: money and tokens.
//!
//! Promises: calls under way count at their worst, so that neither is ever overdrawn by more than a service
//! that answers with more than it was asked for.

use super::StopCause;
use super::plan::{Bounds, ModelPlan};
use crate::units::{TokenUsage, Tokens, Usd};

/// What something costs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    money: Usd,
    tokens: Tokens,
}

impl Cost {
    /// The cost of tokens of a model; what has no price costs no money.
    pub fn of(model: &ModelPlan, usage: TokenUsage) -> Self {
        Self {
            money: model.price.map_or(Usd::ZERO, |price| price.of(usage)),
            tokens: usage.input + usage.output + usage.cache_read + usage.cache_write,
        }
    }
}

/// What has been used, and what may be.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    max_cost: Option<Usd>,
    max_tokens: Option<Tokens>,
    spent: Cost,
    at_risk: Cost,
}

impl Budget {
    pub const fn new(bounds: &Bounds) -> Self {
        Self {
            max_cost: bounds.max_cost,
            max_tokens: bounds.max_total_tokens,
            spent: Cost {
                money: Usd::ZERO,
                tokens: Tokens(0),
            },
            at_risk: Cost {
                money: Usd::ZERO,
                tokens: Tokens(0),
            },
        }
    }

    /// What has been spent by calls that have ended.
    pub const fn spent(&self) -> Usd {
        self.spent.money
    }

    /// Why a call that costs `worst` at worst may not be sent; none if it may.
    pub fn forbids(&self, worst: Cost) -> Option<StopCause> {
        let money = [self.spent.money, self.at_risk.money, worst.money];
        let money = money
            .iter()
            .fold(0, |sum: u64, part| sum.saturating_add(part.pico));
        if self.max_cost.is_some_and(|most| money > most.pico) {
            return Some(StopCause::Cost);
        }
        let tokens = [self.spent.tokens, self.at_risk.tokens, worst.tokens];
        let tokens = tokens
            .iter()
            .fold(0, |sum: u64, part| sum.saturating_add(part.0));
        let over = self.max_tokens.is_some_and(|most| tokens > most.0);
        over.then_some(StopCause::Tokens)
    }

    /// A call is sent.
    pub fn risk(&mut self, worst: Cost) {
        self.at_risk.money += worst.money;
        self.at_risk.tokens = Tokens(self.at_risk.tokens.0.saturating_add(worst.tokens.0));
    }

    /// A call has ended.
    pub fn spend(&mut self, worst: Cost, cost: Cost) {
        let at_risk = &mut self.at_risk;
        at_risk.money.pico = at_risk.money.pico.saturating_sub(worst.money.pico);
        at_risk.tokens = Tokens(at_risk.tokens.0.saturating_sub(worst.tokens.0));
        self.spent.money += cost.money;
        self.spent.tokens = Tokens(self.spent.tokens.0.saturating_add(cost.tokens.0));
    }
}

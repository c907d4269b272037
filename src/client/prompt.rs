//! What a model is asked.

use serde::Serialize;

use crate::limiter::Ask;
use crate::quota::Demand;
use crate::text::estimate_tokens;
use crate::units::Tokens;
use crate::wire;

/// One question to a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Prompt {
    text: String,
    system: Option<String>,
    max_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    stop: Vec<String>,
    /// Who asks, to a limiter; no part of what is asked.
    #[serde(skip)]
    class: u16,
    #[serde(skip)]
    priority: u8,
}

impl Prompt {
    /// What the user says.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// What the operator says first.
    #[must_use]
    pub fn system(mut self, system: impl Into<String>) -> Self {
        self.system = Some(system.into());
        self
    }

    /// The most output tokens. Bedrock takes them from the quota when the call starts, so set it to
    /// what answers need.
    #[must_use]
    pub const fn max_tokens(mut self, max_tokens: u32) -> Self {
        self.max_tokens = Some(max_tokens);
        self
    }

    /// Randomness, from 0; the upper end depends on the family. Must be finite.
    #[must_use]
    pub const fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// The share of likely candidates to choose from, 0 to 1.
    #[must_use]
    pub const fn top_p(mut self, top_p: f32) -> Self {
        self.top_p = Some(top_p);
        self
    }

    /// A text that ends the answer. May be called several times.
    #[must_use]
    pub fn stop(mut self, stop: impl Into<String>) -> Self {
        self.stop.push(stop.into());
        self
    }

    /// Prompts of one class have answers of like length; reservations that learn, learn by class.
    #[must_use]
    pub const fn class(mut self, class: u16) -> Self {
        self.class = class;
        self
    }

    /// The class of priority before the limiter: which of
    /// [`LimiterSettings::priorities`](crate::limiter::LimiterSettings::priorities) is its weight.
    #[must_use]
    pub const fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    pub(super) const fn has_max_tokens(&self) -> bool {
        self.max_tokens.is_some()
    }

    pub(super) fn on_the_wire(&self) -> wire::Prompt<'_> {
        wire::Prompt {
            text: &self.text,
            system: self.system.as_deref(),
            max_tokens: self.max_tokens.map(u64::from),
            temperature: self.temperature,
            top_p: self.top_p,
            stop: &self.stop,
        }
    }

    /// What a limiter is asked. The input is a guess until the service has counted it.
    pub(super) fn ask(&self, default_max_tokens: Tokens) -> Ask {
        let system = self.system.as_deref().unwrap_or_default();
        let characters = self.text.chars().count() + system.chars().count();
        let max_tokens = self.max_tokens.map(u64::from).map(Tokens);
        Ask {
            demand: Demand {
                input: estimate_tokens(characters as u64),
                max_tokens: max_tokens.unwrap_or(default_max_tokens),
                ..Demand::default()
            },
            class: self.class,
            priority: self.priority,
        }
    }
}

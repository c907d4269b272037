//! Which request it is: a weighted choice of prompt classes, and how long each one's text is.

use crate::distribution::Distribution;
use crate::outcome::{ClassIndex, ModelIndex};
use crate::units::Tokens;

/// One class of prompts, as the mix sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct MixClass {
    /// How often it is chosen, against the sum of all weights; not negative.
    pub weight: f64,
    /// The model that it is sent to.
    pub model: ModelIndex,
    /// Input tokens; none where they come from the trace.
    pub input: Option<Distribution>,
    /// Output tokens; none where they come from the trace.
    pub output: Option<Distribution>,
}

/// One request drawn from the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Its class.
    pub class: ClassIndex,
    /// The model that it is sent to.
    pub model: ModelIndex,
    /// Its input tokens, as the client expects them.
    pub input: Tokens,
    /// The output tokens that the stub and the simulator generate, were there no `max_tokens`.
    pub output: Tokens,
}

//! The shape of a model's `InvokeModel` bodies, and what follows from the shape alone.
//!
//! Promises: the names in files are fixed. Deliberately not: the bodies themselves (that is `wire`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Tokens;

/// Which body an `InvokeModel` call of this model carries.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Anthropic Claude, Messages API.
    Claude,
    /// Meta Llama 2, 3 and 4.
    Llama,
    /// Amazon Titan Text.
    Titan,
    /// Amazon Nova.
    Nova,
    /// Cohere Command and Command Light.
    Command,
    /// Cohere Command R and R+.
    CommandR,
    /// AI21 Jamba.
    Jamba,
    /// AI21 Jurassic-2.
    Jurassic,
    /// Mistral AI, `prompt` in and `outputs` out.
    Mistral,
    /// Mistral AI's newer models, `messages` in and `choices` out.
    MistralChat,
    /// DeepSeek, `prompt` in and `choices` out.
    #[serde(rename = "deepseek")]
    DeepSeek,
    /// OpenAI's models on Bedrock and others alike (Qwen, Gemma): `messages` in and `choices` out.
    #[serde(rename = "openai")]
    OpenAi,
}

impl Family {
    /// What `InvokeModel` takes for `max_tokens` when the body names none; `Converse` never uses it.
    ///
    /// None where the body must name one ([`Self::requires_max_tokens`]) or where no default is
    /// documented and the model's own maximum has to be assumed.
    ///
    /// Source: AWS documentation, "Inference request parameters and response fields for foundation
    /// models" (model-parameters-*), autumn 2026; Mistral's are those of Mistral 7B and Mixtral, and
    /// of Mistral Large.
    #[must_use]
    pub const fn default_max_tokens(self) -> Option<Tokens> {
        match self {
            Self::Llama | Self::Titan | Self::Mistral => Some(Tokens(512)),
            Self::MistralChat => Some(Tokens(8_192)),
            Self::Jamba => Some(Tokens(4_096)),
            Self::Jurassic => Some(Tokens(200)),
            Self::Command => Some(Tokens(20)),
            Self::Claude | Self::Nova | Self::CommandR | Self::DeepSeek | Self::OpenAi => None,
        }
    }

    /// Whether `InvokeModel` rejects a body without `max_tokens`.
    #[must_use]
    pub const fn requires_max_tokens(self) -> bool {
        matches!(self, Self::Claude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_aws_documentation() {
        let default = |family: Family| family.default_max_tokens().map(|tokens| tokens.0);
        assert_eq!(default(Family::Llama), Some(512));
        assert_eq!(default(Family::Titan), Some(512));
        assert_eq!(default(Family::Mistral), Some(512));
        assert_eq!(default(Family::MistralChat), Some(8_192));
        assert_eq!(default(Family::Jamba), Some(4_096));
        assert_eq!(default(Family::Jurassic), Some(200));
        assert_eq!(default(Family::Command), Some(20));
        assert_eq!(default(Family::Nova), None);
    }

    #[test]
    fn a_required_max_tokens_has_no_default() {
        assert!(Family::Claude.requires_max_tokens());
        assert_eq!(Family::Claude.default_max_tokens(), None);
        assert!(!Family::Llama.requires_max_tokens());
    }
}

//! What is known about each model: dated facts as data, with a source on each row.

use crate::price::Price;
use crate::units::Tokens;

/// Which body an `InvokeModel` call of this model carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// DeepSeek.
    DeepSeek,
    /// OpenAI's models on Bedrock, `messages` in and `choices` out.
    OpenAi,
}

/// One model, as `bedload` knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The foundation model's id, without a Region prefix.
    pub id: String,
    /// Its name as people say it.
    pub name: String,
    /// The shape of its `InvokeModel` bodies.
    pub family: Family,
    /// How many tokens of quota one output token costs.
    pub burndown: u32,
    /// The largest context, in tokens.
    pub context: Tokens,
    /// The largest `max_tokens`; what is reserved where `Converse` leaves it unset.
    pub max_output: Tokens,
    /// On-demand price of the id as asked for (profiles differ), where known.
    pub price: Option<Price>,
}

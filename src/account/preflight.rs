//! One small call to each model before a run, so that a run that cannot work costs nothing more.
//!
//! Promises: what stands in the way is told by what to do about it: credentials, Region, access to the
//! model, an id that only a profile answers to, a quota near zero. Words are those of the service
//! (`wire::error`); where they are not known, they are passed on.

use std::time::Duration;

use aws_sdk_bedrockruntime::Client;
use tokio::time::timeout;

use crate::exchange::stream::open;
use crate::exchange::{Endpoint, ExchangeError, Text, exchange};
use crate::outcome::{AttemptFailure, Failure};
use crate::units::{TokenUsage, Tokens};
use crate::wire;

/// What the call asks for.
const PROMPT: &str = "Say yes.";

/// Answers as short as families allow: Titan and OpenAI refuse 1.
pub const MAX_TOKENS: u64 = 16;

/// Longer than this, no small call takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What stands in the way of calls to a model, with the next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// No credentials, or none that are accepted.
    #[error(
        "no valid AWS credentials ({0}): log in (`aws sso login`, `aws configure`), or set `profile` in \
             `[target.bedrock]`"
    )]
    Credentials(String),
    /// The credentials may not invoke models.
    #[error(
        "these credentials may not invoke it ({0}): allow `bedrock:InvokeModel` (and \
             `bedrock:InvokeModelWithResponseStream` for streams) in IAM"
    )]
    NotAllowed(String),
    /// The account has no access to the model.
    #[error(
        "the account has no access to it ({0}): ask for access under \"Model access\" in the Bedrock \
             console, or subscribe to it in AWS Marketplace"
    )]
    ModelAccess(String),
    /// The id answers only to an inference profile.
    #[error(
        "it is called only through an inference profile ({0}): write the profile's id, such as \
             `us.{1}`, as `id`"
    )]
    ProfileOnly(String, String),
    /// The model is not in this Region, or there is none of this id.
    #[error(
        "it is not known in {1} ({0}): check the id with `bedload models`, and whether the model is \
             offered in this Region"
    )]
    NotHere(String, String),
    /// The model is gone.
    #[error("it is at its end of life ({0}): choose another model")]
    EndOfLife(String),
    /// Even one small call is throttled.
    #[error(
        "one small call was throttled ({0}): somebody else uses up the quota, or it is near zero, as new \
             accounts' often is; read it with `bedload quotas`, and ask AWS Support to raise it"
    )]
    NearZero(String),
    /// Nothing answered.
    #[error(
        "nothing answered ({0}): check `region` and `endpoint_url` in `[target.bedrock]`, and the network"
    )]
    Unreachable(String),
    /// Something else.
    #[error("one small call failed as {class} ({message})", class = .0.name(), message = .1)]
    Other(Failure, String),
}

/// Makes one small call.
///
/// # Errors
///
/// What stands in the way.
pub async fn preflight(
    client: &Client,
    endpoint: &Endpoint,
    region: &str,
) -> Result<TokenUsage, Obstacle> {
    let prompt = wire::Prompt {
        text: PROMPT,
        system: None,
        max_tokens: Some(MAX_TOKENS),
        temperature: None,
        top_p: None,
        stop: &[],
    };
    let call = async {
        if endpoint.api.streams() {
            let mut streamed = open(client, endpoint, &prompt, Tokens(0), None).await?;
            while streamed.next().await?.is_some() {}
            return Ok::<_, ExchangeError>(streamed.usage());
        }
        let exchanged = exchange(client, endpoint, &prompt, Text::Skip, None).await?;
        Ok(exchanged.answer.usage)
    };
    match timeout(PATIENCE, call).await {
        Ok(Ok(usage)) => Ok(usage),
        Ok(Err(error)) => Err(obstacle(error.failure, &endpoint.model_id, region)),
        Err(_elapsed) => Err(Obstacle::Unreachable(format!(
            "no answer within {PATIENCE:?}"
        ))),
    }
}

fn obstacle(failure: AttemptFailure, id: &str, region: &str) -> Obstacle {
    let words = failure.message.as_deref().unwrap_or("no words").to_owned();
    let says = |part: &str| words.to_lowercase().contains(part);
    match failure.class {
        class if class.is_throttle() => Obstacle::NearZero(words),
        Failure::AccessDenied if says("marketplace") || says("access to the model") => {
            Obstacle::ModelAccess(words)
        }
        Failure::AccessDenied if says("model access is denied") => Obstacle::ModelAccess(words),
        Failure::AccessDenied if says("not authorized to perform") => Obstacle::NotAllowed(words),
        Failure::AccessDenied => Obstacle::Credentials(words),
        Failure::Validation if says("on-demand throughput") => {
            Obstacle::ProfileOnly(words, id.to_owned())
        }
        _ if says("end of its life") => Obstacle::EndOfLife(words),
        Failure::Validation if says("model identifier is invalid") => {
            Obstacle::NotHere(words, region.to_owned())
        }
        Failure::NotFound => Obstacle::NotHere(words, region.to_owned()),
        Failure::Transport | Failure::Timeout => Obstacle::Unreachable(words),
        class => Obstacle::Other(class, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(class: Failure, words: &str) -> String {
        let failure = AttemptFailure {
            class,
            message: Some(words.into()),
            usage: TokenUsage::default(),
        };
        obstacle(failure, "amazon.nova-pro-v1:0", "eu-north-1").to_string()
    }

    #[test]
    fn each_obstacle_has_its_next_step() {
        for (class, words, step) in [
            (
                Failure::AccessDenied,
                "The security token included in the request is invalid.",
                "aws sso login",
            ),
            (
                Failure::AccessDenied,
                "User: arn:aws:iam::1:user/x is not authorized to perform: bedrock:InvokeModel",
                "in IAM",
            ),
            (
                Failure::AccessDenied,
                "You don't have access to the model with the specified model ID.",
                "Model access",
            ),
            (
                Failure::AccessDenied,
                "Model access is denied due to IAM user or service role is not authorized to perform the \
                 required AWS Marketplace actions",
                "Marketplace",
            ),
            (
                Failure::Validation,
                "Invocation of model ID amazon.nova-pro-v1:0 with on-demand throughput isn\u{2019}t supported.",
                "us.amazon.nova-pro-v1:0",
            ),
            (
                Failure::Validation,
                "The provided model identifier is invalid.",
                "eu-north-1",
            ),
            (
                Failure::ThrottledTokensPerDay,
                "Too many tokens per day, please wait before trying again.",
                "near zero",
            ),
            (Failure::Transport, "connection refused", "endpoint_url"),
            (Failure::ModelError, "oops", "model_error"),
        ] {
            let told = told(class, words);
            assert!(told.contains(step) && told.contains(words), "{told}");
        }
    }
}

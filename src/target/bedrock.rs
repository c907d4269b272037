//! Amazon Bedrock, or anything that speaks its protocol, as a target of the load driver.
//!
//! Promises: one attempt is one [`exchange`], bounded by the scenario's request timeout; retries are
//! the engine's, and counted.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_bedrockruntime::Client;
use tokio::time::timeout;

use super::Target;
use crate::clock::Clock;
use crate::exchange::{CallHeader, Endpoint, Text, exchange};
use crate::outcome::{AttemptOutcome, Dispatch, Failure};
use crate::scenario::{Prompt, Scenario};
use crate::text::made_up;
use crate::wire;

/// Calls to Bedrock, prepared from a scenario. Cheap to clone; clones share one client.
#[derive(Clone, Debug)]
pub struct BedrockTarget {
    client: Client,
    calls: Arc<Calls>,
}

/// What stays the same for every call of a run.
#[derive(Debug)]
pub struct Calls {
    clock: Clock,
    request_timeout: Duration,
    endpoints: Vec<Endpoint>,
    prompts: Vec<Prompt>,
    /// Whether calls say who they are, so that the stub can answer as the simulator would.
    identified: bool,
}

impl Calls {
    /// The calls of `scenario`. Only a stub may be told who a call is (`identified`).
    #[must_use]
    pub fn new(scenario: &Scenario, clock: Clock, identified: bool) -> Self {
        Self {
            clock,
            request_timeout: scenario.run.request_timeout,
            endpoints: scenario
                .models
                .iter()
                .map(|model| Endpoint {
                    model_id: model.id.clone(),
                    api: model.api,
                    family: model.facts.family,
                })
                .collect(),
            prompts: scenario.prompts.clone(),
            identified,
        }
    }
}

impl BedrockTarget {
    /// Calls made with `client`.
    #[must_use]
    pub const fn new(client: Client, calls: Arc<Calls>) -> Self {
        Self { client, calls }
    }

    async fn call(self, dispatch: Dispatch) -> AttemptOutcome {
        let prompt = &self.calls.prompts[usize::from(dispatch.class.0)];
        let endpoint = &self.calls.endpoints[usize::from(dispatch.model.0)];
        let header = self.calls.identified.then(|| CallHeader::new(&dispatch));
        let sent = self.calls.clock.now();
        let answer = timeout(self.calls.request_timeout, async {
            let made_up = prompt.text.is_none().then(|| made_up(dispatch.input));
            let prompt = wire::Prompt {
                text: made_up.as_deref().or(prompt.text.as_deref()).unwrap_or(""),
                system: prompt.system.as_deref(),
                max_tokens: prompt.max_tokens.map(|tokens| tokens.0),
                temperature: prompt.temperature,
                top_p: prompt.top_p,
                stop: &prompt.stop,
            };
            exchange(&self.client, endpoint, &prompt, Text::Skip, header).await
        });
        let result = match answer.await {
            Ok(Ok(exchanged)) => Ok(exchanged.answer),
            Ok(Err(error)) => Err(error.failure),
            Err(_elapsed) => Err(Failure::Timeout.into()),
        };
        let finished = self.calls.clock.now();
        AttemptOutcome {
            sent,
            first_token: None,
            finished,
            result,
        }
    }
}

impl Target for BedrockTarget {
    fn send(&self, dispatch: Dispatch) -> impl Future<Output = AttemptOutcome> + Send + 'static {
        self.clone().call(dispatch)
    }
}

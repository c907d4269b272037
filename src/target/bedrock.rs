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
use crate::exchange::stream::{Streamed, open};
use crate::exchange::{CallHeader, Endpoint, ExchangeError, Text, exchange};
use crate::outcome::{Answer, AttemptFailure, AttemptOutcome, Dispatch, Failure, Gaps};
use crate::scenario::{Prompt, Scenario};
use crate::text::made_up;
use crate::time::Instant;
use crate::units::TokenUsage;
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
        let calls = &*self.calls;
        let prompt = &calls.prompts[usize::from(dispatch.class.0)];
        let endpoint = &calls.endpoints[usize::from(dispatch.model.0)];
        let header = calls.identified.then(|| CallHeader::new(&dispatch));
        let mut listener = Listener::new(calls.clock);
        let sent = calls.clock.now();
        let answer = timeout(calls.request_timeout, async {
            let made_up = prompt.text.is_none().then(|| made_up(dispatch.input));
            let prompt = wire::Prompt {
                text: made_up.as_deref().or(prompt.text.as_deref()).unwrap_or(""),
                system: prompt.system.as_deref(),
                max_tokens: prompt.max_tokens.map(|tokens| tokens.0),
                temperature: prompt.temperature,
                top_p: prompt.top_p,
                stop: &prompt.stop,
            };
            if endpoint.api.streams() {
                let streamed = open(&self.client, endpoint, &prompt, dispatch.input, header);
                return listener.listen(streamed.await?).await;
            }
            let exchanged = exchange(&self.client, endpoint, &prompt, Text::Skip, header);
            Ok(exchanged.await?.answer)
        });
        let result = match answer.await {
            Ok(result) => result.map_err(|error| error.failure),
            Err(_elapsed) => Err(AttemptFailure {
                class: Failure::Timeout,
                message: Some(format!("no answer within {:?}", calls.request_timeout).into()),
                usage: listener.usage(),
            }),
        };
        let finished = calls.clock.now();
        AttemptOutcome {
            sent,
            first_token: listener.first_token,
            gaps: if result.is_ok() {
                listener.gaps
            } else {
                Gaps::default()
            },
            finished,
            result,
        }
    }
}

/// Notes when each token event of a stream comes.
struct Listener {
    clock: Clock,
    /// Kept here, so that what had come is known when the wait for the rest is given up.
    streamed: Option<Streamed>,
    first_token: Option<Instant>,
    last_token: Option<Instant>,
    gaps: Gaps,
}

impl Listener {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            streamed: None,
            first_token: None,
            last_token: None,
            gaps: Gaps::default(),
        }
    }

    async fn listen(&mut self, streamed: Streamed) -> Result<Answer, ExchangeError> {
        let streamed = self.streamed.insert(streamed);
        while streamed.next().await?.is_some() {
            let now = self.clock.now();
            self.first_token.get_or_insert(now);
            if let Some(last) = self.last_token.replace(now) {
                self.gaps.push(now - last, 1);
            }
        }
        let answer = streamed.answer();
        answer.ok_or_else(|| AttemptFailure::from(Failure::Interrupted).into())
    }

    fn usage(&self) -> TokenUsage {
        self.streamed
            .as_ref()
            .map(Streamed::usage)
            .unwrap_or_default()
    }
}

impl Target for BedrockTarget {
    fn send(&self, dispatch: Dispatch) -> impl Future<Output = AttemptOutcome> + Send + 'static {
        self.clone().call(dispatch)
    }
}

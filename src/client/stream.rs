//! An answer that comes piece by piece.
//!
//! Promises: quota is settled once, whatever becomes of the answer: by the service's count when it
//! is complete, and by what has come when it breaks off or is given up. No piece is waited for
//! longer than the client's `request_timeout` allows the whole answer.

use std::time::Duration;

use tokio::time::timeout;

use super::answer::Answer;
use super::bedrock::Begun;
use super::error::InvokeError;
use super::limiter::SharedPermit;
use crate::clock::Clock;
use crate::exchange::ExchangeError;
use crate::exchange::stream::Streamed;
use crate::limiter::End;
use crate::outcome::{AttemptFailure, Failure};
use crate::time::Instant;
use crate::units::TokenUsage;

/// An answer that is being streamed. To give it up, [`cancel`](Self::cancel) or drop it.
#[derive(Debug)]
#[must_use = "an answer that nobody listens to is given up"]
pub struct AnswerStream {
    streamed: Streamed,
    permit: Option<SharedPermit>,
    clock: Clock,
    sent: Instant,
    deadline: Instant,
    first_token: Option<Instant>,
    attempts: u32,
    quota_wait: Duration,
    over: bool,
}

impl AnswerStream {
    pub(super) fn new(begun: Begun<Streamed>, clock: Clock, deadline: Instant) -> Self {
        Self {
            streamed: begun.got,
            permit: begun.permit,
            clock,
            sent: begun.sent,
            deadline,
            first_token: None,
            attempts: begun.attempts,
            quota_wait: begun.quota_wait,
            over: false,
        }
    }

    /// The next piece of text; none when the answer is complete, or has broken off before.
    pub async fn next(&mut self) -> Option<Result<String, InvokeError>> {
        if self.over {
            return None;
        }
        let left = self.deadline.since(self.clock.now());
        let piece = match timeout(left, self.streamed.next()).await {
            Ok(piece) => piece,
            Err(_elapsed) => Err(ExchangeError {
                failure: AttemptFailure {
                    usage: self.streamed.usage(),
                    ..Failure::Timeout.into()
                },
                request_id: self.streamed.request_id().map(str::to_owned),
            }),
        };
        match piece {
            Ok(Some(text)) => {
                self.first_token.get_or_insert(self.clock.now());
                Some(Ok(text))
            }
            Ok(None) => {
                self.settle(End::Answered(self.streamed.usage()));
                None
            }
            Err(error) => {
                let AttemptFailure { class, usage, .. } = error.failure;
                self.settle(End::of_attempt(Some(class), usage));
                Some(Err(InvokeError::of(error, self.attempts, self.quota_wait)))
            }
        }
    }

    /// Listens to the end: the rest of the text, and what the whole answer took.
    ///
    /// # Errors
    /// Whatever breaks the answer off; see [`InvokeError`].
    pub async fn finish(mut self) -> Result<Answer, InvokeError> {
        let mut text = String::new();
        while let Some(piece) = self.next().await {
            text.push_str(&piece?);
        }
        let request_id = self.streamed.request_id().map(str::to_owned);
        let Some(answer) = self.streamed.answer() else {
            let broken = ExchangeError {
                failure: Failure::Interrupted.into(),
                request_id,
            };
            return Err(InvokeError::of(broken, self.attempts, self.quota_wait));
        };
        Ok(Answer {
            text,
            usage: answer.usage,
            stop: answer.stop,
            service_latency: answer.service_latency,
            latency: self.clock.now() - self.sent,
            first_token: self.first_token.map(|at| at - self.sent),
            attempts: self.attempts,
            quota_wait: self.quota_wait,
            request_id,
        })
    }

    /// Gives the rest up. The quota is settled with what had come: the tokens returned here.
    pub fn cancel(mut self) -> TokenUsage {
        let usage = self.streamed.usage();
        // Not `Answered`: how long answers are is learned from those that came to their end.
        self.settle(End::Failed(usage));
        usage
    }

    /// The tokens so far: the service's count once it has come, until then what the text is estimated
    /// at.
    #[must_use]
    pub fn usage(&self) -> TokenUsage {
        self.streamed.usage()
    }

    fn settle(&mut self, end: End) {
        self.over = true;
        if let Some(permit) = self.permit.take() {
            permit.end(end);
        }
    }
}

impl Drop for AnswerStream {
    fn drop(&mut self) {
        self.settle(End::Failed(self.streamed.usage()));
    }
}

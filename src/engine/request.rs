//! A request from when it is due until it ends.

use super::plan::CallPlan;
use crate::limiter::{Ask, Permit};
use crate::mix::Draw;
use crate::outcome::{AttemptFailure, EarlierAttempt, Gaps, Outcome, RequestRecord};
use crate::quota::{Cost, Counting, Demand};
use crate::time::Instant;
use crate::units::{TokenUsage, Tokens};

/// A request under way.
#[derive(Debug)]
pub(super) struct Request {
    pub id: u64,
    pub draw: Draw,
    pub call: CallPlan,
    /// What the service reserves for one attempt.
    pub reserved: Cost,
    pub due: Instant,
    pub admitted: Option<Instant>,
    pub last_admitted: Option<Instant>,
    pub sent: Option<Instant>,
    pub first_token: Option<Instant>,
    pub gaps: Gaps,
    pub permit: Option<Permit>,
    pub in_flight: bool,
    pub attempts: u32,
    pub usage: TokenUsage,
    pub settled: Tokens,
    pub earlier: Vec<EarlierAttempt>,
    pub last_failure: Option<AttemptFailure>,
}

impl Request {
    /// A request that has just become due.
    pub fn new(id: u64, draw: Draw, call: CallPlan, counting: &Counting, due: Instant) -> Self {
        Self {
            id,
            draw,
            call,
            reserved: counting.reserve(demand(&draw, call)),
            due,
            admitted: None,
            last_admitted: None,
            sent: None,
            first_token: None,
            gaps: Gaps::default(),
            permit: None,
            in_flight: false,
            attempts: 0,
            usage: TokenUsage::default(),
            settled: Tokens::ZERO,
            earlier: Vec::new(),
            last_failure: None,
        }
    }

    /// As it is brought before its limiter.
    pub fn ask(&self) -> Ask {
        Ask {
            demand: demand(&self.draw, self.call),
            class: self.draw.class.0,
            priority: self.call.priority,
        }
    }

    /// What is told of it when it has ended.
    pub fn into_record(self, outcome: Outcome, finished: Instant) -> RequestRecord {
        let message = match outcome {
            Outcome::Completed => None,
            _ => self.last_failure.and_then(|failure| failure.message),
        };
        RequestRecord {
            id: self.id,
            class: self.draw.class,
            model: self.draw.model,
            due: self.due,
            admitted: self.admitted,
            last_admitted: self.last_admitted,
            sent: self.sent,
            first_token: self.first_token,
            gaps: self.gaps,
            finished,
            outcome,
            message,
            attempts: self.attempts,
            input_estimate: self.draw.input,
            reserved: self.reserved.tokens,
            usage: self.usage,
            settled: self.settled,
            earlier: self.earlier,
        }
    }

    /// The most that a call can use: its input as expected, and output up to `max_tokens`.
    pub fn worst_case(&self) -> TokenUsage {
        TokenUsage {
            input: self.draw.input,
            output: self.call.max_tokens,
            ..TokenUsage::default()
        }
    }
}

fn demand(draw: &Draw, call: CallPlan) -> Demand {
    Demand {
        input: draw.input,
        max_tokens: call.max_tokens,
        ..Demand::default()
    }
}

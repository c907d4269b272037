//! Drives an engine in virtual time: waits for nothing, and sets the time to whatever comes next.
//!
//! Promises: deterministic to the byte. The loop is the same as in `drive::real`: time out, send,
//! ask when to wake, take the earlier of wake-up and outcome, hand the outcome back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{Observer, call, reserved_output};
use crate::engine::Engine;
use crate::outcome::{Answer, AttemptFailure, AttemptId, AttemptOutcome, Dispatch, Failure};
use crate::scenario::Scenario;
use crate::service::{Reply, Service};
use crate::time::Instant;

/// How many steps are taken between two calls of [`Observer::tick`].
const STEPS_PER_TICK: u32 = 1 << 16;

/// Runs `scenario` in virtual time until its engine is done; returns the instant at which it was.
pub fn run(scenario: &Scenario, engine: &mut Engine, observer: &mut impl Observer) -> Instant {
    let mut service = super::service(scenario);
    let reserved = reserved_output(scenario);
    drive(
        engine,
        observer,
        scenario.run.request_timeout,
        |now, dispatch| service_reply(&mut service, now, dispatch, &reserved),
    )
}

fn service_reply(
    service: &mut Service,
    now: Instant,
    dispatch: &Dispatch,
    reserved: &[crate::units::Tokens],
) -> Reply {
    service.call(now, &call(dispatch, reserved))
}

/// Drives `engine` against anything that can say at once what a call's reply will be.
pub fn drive(
    engine: &mut Engine,
    observer: &mut impl Observer,
    request_timeout: Duration,
    mut reply_to: impl FnMut(Instant, &Dispatch) -> Reply,
) -> Instant {
    let mut now = Instant::ZERO;
    let mut calls = Calls::default();
    let mut steps = 0_u32;
    loop {
        engine.handle_timeout(now);
        while let Some(dispatch) = engine.poll_send() {
            let reply = reply_to(now, &dispatch);
            calls.begin(dispatch.id, UnderWay::new(now, reply, request_timeout));
        }
        while let Some(event) = engine.poll_event() {
            observer.event(&event);
        }
        steps += 1;
        if steps.is_multiple_of(STEPS_PER_TICK) {
            observer.tick(now, engine).grant(engine, now);
        }
        let wake = engine.poll_timeout();
        let ended = calls.next_end();
        now = match (wake, ended) {
            (Some(wake), Some(ended)) => wake.min(ended),
            (Some(next), None) | (None, Some(next)) => next,
            (None, None) => return now,
        };
        while let Some((id, call)) = calls.ended(now) {
            engine.handle_outcome(now, id, call.outcome());
        }
    }
}

/// The calls under way, by when they end. The heap holds only what orders it; what is moved about
/// most is smallest.
#[derive(Debug, Default)]
struct Calls {
    ends: BinaryHeap<Reverse<(Instant, AttemptId)>>,
    /// By the engine's slot, of which a request under way has its own.
    under_way: Vec<Option<UnderWay>>,
}

impl Calls {
    fn begin(&mut self, id: AttemptId, call: UnderWay) {
        let slot = id.slot as usize;
        if slot >= self.under_way.len() {
            self.under_way.resize(slot + 1, None);
        }
        self.ends.push(Reverse((call.finished, id)));
        self.under_way[slot] = Some(call);
    }

    fn next_end(&self) -> Option<Instant> {
        self.ends.peek().map(|Reverse((at, _))| *at)
    }

    /// A call that has ended by `now`.
    fn ended(&mut self, now: Instant) -> Option<(AttemptId, UnderWay)> {
        if self.next_end()? > now {
            return None;
        }
        let Reverse((_, id)) = self.ends.pop()?;
        let call = self.under_way[id.slot as usize].take()?;
        Some((id, call))
    }
}

/// A call whose outcome is known already, and will be told when its time has come.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    finished: Instant,
    sent: Instant,
    /// None where the answer would come after the client has given up.
    reply: Option<Reply>,
}

impl UnderWay {
    fn new(sent: Instant, reply: Reply, request_timeout: Duration) -> Self {
        let deadline = sent + request_timeout;
        let in_time = reply.complete() <= deadline;
        Self {
            finished: reply.complete().min(deadline),
            sent,
            reply: in_time.then_some(reply),
        }
    }

    fn outcome(&self) -> AttemptOutcome {
        let result = match self.reply {
            Some(Reply::Answered {
                usage,
                stop,
                complete,
                ..
            }) => {
                let service_latency = Some(complete - self.sent);
                Ok(Answer {
                    usage,
                    stop,
                    service_latency,
                })
            }
            Some(Reply::Refused { failure, .. }) => Err(AttemptFailure::from(failure)),
            None => Err(AttemptFailure::from(Failure::Timeout)),
        };
        AttemptOutcome {
            sent: self.sent,
            first_token: None,
            finished: self.finished,
            result,
        }
    }
}

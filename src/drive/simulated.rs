//! Drives an engine in virtual time: waits for nothing, and sets the time to whatever comes next.
//!
//! Promises: deterministic to the byte. The loop is the same as in `drive::real`: time out, send,
//! ask when to wake, take the earlier of wake-up and outcome, hand the outcome back.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{Observer, Wish};
use crate::engine::{CallPlan, Engine};
use crate::outcome::{
    Answer, AttemptFailure, AttemptId, AttemptOutcome, Dispatch, Event, Failure, Gaps,
};
use crate::recorder::{Conclusion, Recorder};
use crate::scenario::Scenario;
use crate::service::fault::Flaw;
use crate::service::{Call, Course, Reply, Service};
use crate::time::{Instant, nanos};
use crate::units::{TokenUsage, Tokens};

/// How many steps are taken between two calls of [`Observer::tick`].
const STEPS_PER_TICK: u32 = 1 << 16;

/// Runs `scenario` in virtual time until its engine is done; returns the instant at which it was.
pub fn run(scenario: &Scenario, engine: &mut Engine, observer: &mut impl Observer) -> Instant {
    let mut answers = ServiceAnswers {
        service: super::service(scenario),
        calls: super::call_plans(scenario),
        streams: scenario
            .models
            .iter()
            .map(|model| model.api.streams())
            .collect(),
    };
    drive(engine, observer, scenario.run.request_timeout, &mut answers)
}

/// What `scenario` measures in virtual time, its pass marks not judged.
#[must_use]
pub fn measure(scenario: &Scenario) -> Conclusion {
    struct Recording(Recorder);
    impl Observer for Recording {
        fn event(&mut self, event: &Event) {
            self.0.observe(event);
            while self.0.poll_interval().is_some() {}
        }

        fn tick(&mut self, _: Instant, _: &Engine) -> Wish {
            Wish::GoOn
        }
    }
    let mut recording = Recording(super::recorder(scenario, Duration::ZERO));
    let mut engine = super::engine(scenario);
    let now = run(scenario, &mut engine, &mut recording);
    recording.0.conclude(now, &[])
}

/// Whoever answers calls and can say at once what a call's reply will be.
pub trait Answers {
    /// How long this attempt is under way before it arrives, and its answer afterwards.
    fn network(&mut self, dispatch: &Dispatch) -> (Duration, Duration);

    /// The reply to a call that arrives at `now`; arrivals are in order of time.
    fn reply(&mut self, now: Instant, dispatch: &Dispatch) -> Reply;
}

impl<F: FnMut(Instant, &Dispatch) -> Reply> Answers for F {
    fn network(&mut self, _: &Dispatch) -> (Duration, Duration) {
        (Duration::ZERO, Duration::ZERO)
    }

    fn reply(&mut self, now: Instant, dispatch: &Dispatch) -> Reply {
        self(now, dispatch)
    }
}

struct ServiceAnswers {
    service: Service,
    calls: Vec<CallPlan>,
    /// By model.
    streams: Vec<bool>,
}

impl Answers for ServiceAnswers {
    fn network(&mut self, dispatch: &Dispatch) -> (Duration, Duration) {
        self.service
            .network(dispatch.id.request, dispatch.id.attempt)
    }

    fn reply(&mut self, now: Instant, dispatch: &Dispatch) -> Reply {
        let call = Call {
            request: dispatch.id.request,
            attempt: dispatch.id.attempt,
            model: dispatch.model,
            streams: self.streams[usize::from(dispatch.model.0)],
            input: dispatch.input,
            max_tokens: self.calls[usize::from(dispatch.class.0)].max_tokens,
            output: dispatch.output,
        };
        self.service.call(now, &call)
    }
}

/// Drives `engine` against `answers`.
pub fn drive(
    engine: &mut Engine,
    observer: &mut impl Observer,
    request_timeout: Duration,
    answers: &mut impl Answers,
) -> Instant {
    let mut now = Instant::ZERO;
    let mut calls = Calls::new(request_timeout);
    let mut steps = 0_u32;
    loop {
        engine.handle_timeout(now);
        while let Some(dispatch) = engine.poll_send() {
            calls.send(now, &dispatch, answers);
        }
        super::tell(engine, observer, now);
        steps += 1;
        if steps.is_multiple_of(STEPS_PER_TICK) {
            observer.tick(now, engine).grant(engine, now);
        }
        let wake = engine.poll_timeout();
        let next = calls.next();
        now = match (wake, next) {
            (Some(wake), Some(next)) => wake.min(next),
            (Some(next), None) | (None, Some(next)) => next,
            (None, None) => {
                // What waited when the run was stopped has only just ended.
                super::tell(engine, observer, now);
                return now;
            }
        };
        calls.arrive(now, answers);
        while let Some((id, call)) = calls.ended(now) {
            engine.handle_outcome(now, id, call.outcome());
        }
    }
}

/// The calls under way, by when they arrive and when they end. The heap of ends holds only what
/// orders it; what is moved about most is smallest.
#[derive(Debug)]
struct Calls {
    request_timeout: Duration,
    travelling: BinaryHeap<Reverse<Travelling>>,
    ends: BinaryHeap<Reverse<(Instant, AttemptId)>>,
    /// By the engine's slot, of which a request under way has its own.
    under_way: Vec<Option<UnderWay>>,
}

impl Calls {
    const fn new(request_timeout: Duration) -> Self {
        Self {
            request_timeout,
            travelling: BinaryHeap::new(),
            ends: BinaryHeap::new(),
            under_way: Vec::new(),
        }
    }

    fn send(&mut self, now: Instant, dispatch: &Dispatch, answers: &mut impl Answers) {
        let (there, back) = answers.network(dispatch);
        if there.is_zero() {
            let reply = answers.reply(now, dispatch);
            self.begin(
                dispatch.id,
                UnderWay::new(now, Some((reply, back)), self.request_timeout),
            );
            return;
        }
        let heard = there <= self.request_timeout;
        if !heard {
            self.begin(dispatch.id, UnderWay::new(now, None, self.request_timeout));
        }
        self.travelling.push(Reverse(Travelling {
            arrives: now + there,
            id: dispatch.id,
            sent: now,
            back,
            heard,
            dispatch: *dispatch,
        }));
    }

    /// Calls that have reached the service by `now` get their replies.
    fn arrive(&mut self, now: Instant, answers: &mut impl Answers) {
        while let Some(Reverse(next)) = self.travelling.peek()
            && next.arrives <= now
        {
            let Some(Reverse(call)) = self.travelling.pop() else {
                return;
            };
            let reply = answers.reply(call.arrives, &call.dispatch);
            if call.heard {
                let reply = Some((reply, call.back));
                self.begin(
                    call.id,
                    UnderWay::new(call.sent, reply, self.request_timeout),
                );
            }
        }
    }

    fn begin(&mut self, id: AttemptId, call: UnderWay) {
        let slot = id.slot as usize;
        if slot >= self.under_way.len() {
            self.under_way.resize(slot + 1, None);
        }
        self.ends.push(Reverse((call.finished, id)));
        self.under_way[slot] = Some(call);
    }

    /// When a call arrives or ends next.
    fn next(&self) -> Option<Instant> {
        let arrives = self.travelling.peek().map(|Reverse(call)| call.arrives);
        let ends = self.ends.peek().map(|Reverse((at, _))| *at);
        [arrives, ends].into_iter().flatten().min()
    }

    /// A call that has ended by `now`.
    fn ended(&mut self, now: Instant) -> Option<(AttemptId, UnderWay)> {
        if self.ends.peek()?.0.0 > now {
            return None;
        }
        let Reverse((_, id)) = self.ends.pop()?;
        let call = self.under_way[id.slot as usize].take()?;
        Some((id, call))
    }
}

/// A call on its way to the service; ordered by when it gets there, then by who it is.
#[derive(Clone, Copy, Debug)]
struct Travelling {
    arrives: Instant,
    id: AttemptId,
    sent: Instant,
    back: Duration,
    /// Whether the client still waits when it gets there.
    heard: bool,
    dispatch: Dispatch,
}

impl PartialEq for Travelling {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Travelling {}

impl PartialOrd for Travelling {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Travelling {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.arrives, self.id).cmp(&(other.arrives, other.id))
    }
}

/// A call whose outcome is known already, and will be told when its time has come.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    finished: Instant,
    sent: Instant,
    /// What comes back, and how long it takes to; none where the client has given up before the call
    /// got to the service.
    reply: Option<(Reply, Duration)>,
    /// Whether all of it comes before the client gives up.
    heard: bool,
}

impl UnderWay {
    /// A call whose reply, if any will be heard, takes so long to come back.
    fn new(sent: Instant, reply: Option<(Reply, Duration)>, request_timeout: Duration) -> Self {
        let deadline = sent + request_timeout;
        let end = reply.map(|(reply, back)| match reply {
            Reply::Answered(course) => course.end().0 + back,
            Reply::Refused { at, .. } => at + back,
        });
        let heard = end.filter(|end| *end <= deadline);
        Self {
            finished: heard.unwrap_or(deadline),
            sent,
            reply,
            heard: heard.is_some(),
        }
    }

    fn outcome(&self) -> AttemptOutcome {
        let mut outcome = AttemptOutcome {
            sent: self.sent,
            first_token: None,
            gaps: Gaps::default(),
            finished: self.finished,
            result: Err(Failure::Timeout.into()),
        };
        match self.reply {
            Some((Reply::Answered(course), back)) => self.answer(course, back, &mut outcome),
            Some((Reply::Refused { failure, .. }, _)) if self.heard => {
                outcome.result = Err(failure.into());
            }
            _ => {}
        }
        outcome
    }

    /// What the client makes of an answer, as far as it hears it.
    fn answer(&self, course: Course, back: Duration, outcome: &mut AttemptOutcome) {
        let failure = if self.heard {
            course.seen_as()
        } else {
            Some(Failure::Timeout)
        };
        let Some(class) = failure else {
            outcome.gaps = course.gaps();
            if course.streams && course.usage.output > Tokens::ZERO {
                outcome.first_token = Some(course.first_token + back);
            }
            outcome.result = Ok(Answer {
                usage: course.usage,
                stop: course.stop,
                service_latency: Some(course.complete - course.arrived),
            });
            return;
        };
        let mut failure = AttemptFailure::from(class);
        // Whoever hears a stream begin knows what its tokens were until it broke off.
        let begun = course.first_token + back;
        let head = course.flaw != Some(Flaw::ResetBeforeHead);
        if course.streams && head && begun <= self.finished {
            let by_then =
                Instant::from_nanos((self.finished.as_nanos()).saturating_sub(nanos(back)));
            let (_, sent) = course.end();
            let output = sent.min(Tokens(course.tokens_by(by_then)));
            outcome.first_token = (output > Tokens::ZERO).then_some(begun);
            failure.usage = TokenUsage {
                output,
                ..course.usage
            };
        }
        outcome.result = Err(failure);
    }
}

//! The life of a load run, fully deterministic: it contains no networking code, reads no clock and
//! spawns nothing. What time it is, and what became of a call, is told to it.
//!
//! A request is *due* when the schedule says so, *admitted* when its model's limiter lets it go,
//! *sent* by a driver, perhaps *tried again*, and *done* exactly once: completed, failed, dropped or
//! cancelled. A driver is a loop over four kinds of call, in this order:
//!
//! 1. [`Engine::handle_timeout`] with the time it is, then every [`Engine::poll_send`] and
//!    [`Engine::poll_event`] until they are empty;
//! 2. [`Engine::poll_timeout`] tells when to wake;
//! 3. wait for that instant or for the outcome of a call, whichever is earlier;
//! 4. hand outcomes over with [`Engine::handle_outcome`], and begin again until
//!    [`Engine::is_done`].
//!
//! Promises:
//! - every request that became due ends in exactly one outcome;
//! - decisions carry the instant at which they became possible: however late or often the engine is
//!   called, due times, admissions and time-outs are the same;
//! - everything is bounded: queue, calls under way, duration, requests, money. What a bound refuses
//!   is counted.
//!
//! Deliberately not: a clock, a socket, a `Result`, a trait object.

mod budget;
mod pause;
mod plan;
mod request;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use slab::Slab;

use self::budget::{Budget, Cost};
use self::pause::Pause;
pub use self::plan::{Bounds, CallPlan, LoadPlan, ModelPlan};
use self::request::Request;

use crate::arrivals::{Due, Schedule, ThinkTimes};
use crate::limiter::{Admission, End, Limiter, Permit, Turn};
use crate::mix::Mix;
use crate::outcome::{
    AttemptFailure, AttemptId, AttemptOutcome, Dispatch, DropReason, EarlierAttempt, Event,
    ModelIndex, Outcome,
};
use crate::retry::RetryPolicy;
use crate::rng::{Seed, Stream};
use crate::time::Instant;
use crate::units::Usd;

/// Why the engine no longer lets requests become due or go on waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// Somebody asked for it.
    Requested,
    /// The next call might have cost more than `max_cost` leaves.
    Cost,
    /// The next call might have used more tokens than `max_total_tokens` leaves.
    Tokens,
}

/// The least that a worker of a closed loop pauses after a request that was dropped, so that time
/// passes even where think time is zero.
const PAUSE_AFTER_DROP: Duration = Duration::from_millis(1);

/// The state of a run. See the module's documentation.
#[derive(Debug)]
pub struct Engine {
    schedule: Schedule,
    next_due: Option<Due>,
    /// Closed loop only: when each idle worker sends next.
    think: Option<ThinkTimes>,
    workers: BinaryHeap<Reverse<Instant>>,
    mix: Mix,
    calls: Vec<CallPlan>,
    limiters: Vec<Option<Limiter>>,
    models: Vec<ModelPlan>,
    retry: RetryPolicy,
    seed: Seed,
    bounds: Bounds,
    requests: Slab<Request>,
    /// Requests that wait for their next attempt: when, and where they are kept.
    retries: BinaryHeap<Reverse<(Instant, u64, u32)>>,
    sends: VecDeque<Dispatch>,
    events: VecDeque<Event>,
    now: Instant,
    due_count: u64,
    in_flight: u32,
    budget: Budget,
    pause: Pause,
    stopped: Option<StopCause>,
}

impl Engine {
    /// A run at the instant zero.
    #[must_use]
    pub fn new(plan: LoadPlan, seed: Seed) -> Self {
        let mut schedule = plan.arrivals.schedule(seed, plan.bounds.duration);
        let closed = plan.arrivals.closed_loop();
        let limiters = plan
            .models
            .iter()
            .map(|model| model.limiter.as_ref().map(Limiter::new))
            .collect();
        Self {
            next_due: schedule.next(),
            schedule,
            think: closed.map(|(_, think)| ThinkTimes::new(think, seed)),
            workers: closed
                .into_iter()
                .flat_map(|(workers, _)| 0..workers)
                .map(|_| Reverse(Instant::ZERO))
                .collect(),
            mix: Mix::new(&plan.classes, seed),
            calls: plan.calls,
            limiters,
            models: plan.models,
            retry: plan.retry,
            seed,
            budget: Budget::new(&plan.bounds),
            bounds: plan.bounds,
            requests: Slab::new(),
            retries: BinaryHeap::new(),
            sends: VecDeque::new(),
            events: VecDeque::new(),
            now: Instant::ZERO,
            due_count: 0,
            in_flight: 0,
            pause: Pause::default(),
            stopped: None,
        }
    }

    /// Whether every request that became due has ended and no more will become due.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.requests.is_empty() && self.next_arrival().is_none()
    }

    /// Calls that have been sent and have not ended.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Requests that wait for quota, or for the end of a pause.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let limiters = self.limiters.iter().flatten().map(Limiter::waiting);
        limiters.sum::<usize>() + self.pause.held()
    }

    /// Requests that wait to be tried again.
    #[must_use]
    pub fn retrying(&self) -> usize {
        self.retries.len()
    }

    /// The limiter of one model, if it has one.
    #[must_use]
    pub fn limiter(&self, model: ModelIndex) -> Option<&Limiter> {
        self.limiters.get(usize::from(model.0))?.as_ref()
    }

    /// Requests that have become due so far.
    #[must_use]
    pub const fn due_count(&self) -> u64 {
        self.due_count
    }

    /// What the calls that have ended have cost.
    #[must_use]
    pub const fn spent(&self) -> Usd {
        self.budget.spent()
    }

    /// Why the run was stopped before its end, if it was.
    #[must_use]
    pub const fn stopped(&self) -> Option<StopCause> {
        self.stopped
    }

    /// It is `now`: requests become due, are admitted, time out, are tried again.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, step)) = self.next_step()
            && at <= now
        {
            self.now = self.now.max(at);
            self.take(step);
        }
        self.now = self.now.max(now);
    }

    /// An attempt has ended at `now`. An attempt that is not under way (any more) is ignored.
    pub fn handle_outcome(&mut self, now: Instant, id: AttemptId, outcome: AttemptOutcome) {
        self.handle_timeout(now);
        let current = self.requests.get(id.slot as usize).is_some_and(|request| {
            request.id == id.request && request.attempts == id.attempt && request.in_flight
        });
        if current {
            self.end_attempt(id.slot, outcome);
        }
    }

    /// Ctrl-C, or a budget that is used up: nothing more becomes due, what waits is cancelled, what
    /// is under way goes on.
    pub fn handle_stop(&mut self, now: Instant) {
        self.handle_timeout(now);
        self.stop(StopCause::Requested);
    }

    /// Gives up waiting: what is under way is cancelled as well.
    pub fn handle_abandon(&mut self, now: Instant) {
        self.handle_stop(now);
        self.sends.clear();
        for slot in self.slots() {
            self.finish(slot, Outcome::Cancelled);
        }
    }

    /// The next attempt to be sent.
    pub fn poll_send(&mut self) -> Option<Dispatch> {
        self.sends.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] has something to do next, if no outcome comes before.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.next_step().map(|(at, _)| at)
    }

    fn drain_end(&self) -> Instant {
        Instant::ZERO + self.bounds.duration + self.bounds.drain
    }

    fn next_arrival(&self) -> Option<Instant> {
        if self.stopped.is_some()
            || self
                .bounds
                .max_requests
                .is_some_and(|most| self.due_count >= most)
        {
            return None;
        }
        if self.think.is_some() {
            let end = Instant::ZERO + self.bounds.duration;
            return self
                .workers
                .peek()
                .map(|Reverse(at)| *at)
                .filter(|at| *at < end);
        }
        self.next_due.map(|due| due.at)
    }

    /// What happens next, and when. Among things of the same instant: those that wait for quota
    /// first, then retries, then new requests, then the end.
    fn next_step(&mut self) -> Option<(Instant, Step)> {
        let mut next: Option<(Instant, Step)> = None;
        let mut consider = |at: Option<Instant>, step: Step| {
            if let Some(at) = at
                && next.is_none_or(|(earliest, _)| at < earliest)
            {
                next = Some((at, step));
            }
        };
        for (model, limiter) in self.limiters.iter_mut().enumerate() {
            if let Some(limiter) = limiter {
                consider(limiter.poll_timeout(), Step::Turn(model));
            }
        }
        consider(
            self.retries.peek().map(|Reverse((at, ..))| *at),
            Step::Retry,
        );
        consider(self.next_arrival(), Step::Arrival);
        let waits = self.requests.len() > self.in_flight as usize;
        consider(
            (waits && self.stopped.is_none()).then(|| self.drain_end()),
            Step::DrainEnd,
        );
        next
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Turn(model) => self.take_turn(model),
            Step::Retry => {
                if let Some(Reverse((_, _, slot))) = self.retries.pop() {
                    self.seek_admission(slot);
                }
            }
            Step::Arrival => self.arrive(),
            Step::DrainEnd => self.cancel_waiting(),
        }
    }

    fn take_turn(&mut self, model: usize) {
        let Some(limiter) = &mut self.limiters[model] else {
            return;
        };
        match limiter.poll_turn(self.now) {
            Some(Turn::Admitted { ticket, permit, .. }) => self.send(ticket, Some(permit)),
            Some(Turn::TimedOut { ticket, .. }) => {
                self.give_up(ticket, DropReason::QuotaTimeout);
            }
            None => {}
        }
    }

    fn arrive(&mut self) {
        let due = if self.think.is_some() {
            self.workers.pop();
            None
        } else {
            let due = self.next_due.take();
            self.next_due = self.schedule.next();
            due
        };
        let lengths = due.and_then(|due| due.lengths);
        let draw = self.mix.draw(lengths, due.and_then(|due| due.class));
        let id = self.due_count;
        self.due_count += 1;
        self.events.push_back(Event::Due {
            at: self.now,
            class: draw.class,
        });
        let call = self.calls[usize::from(draw.class.0)];
        let counting = &self.models[usize::from(draw.model.0)].counting;
        let request = Request::new(id, draw, call, counting, self.now);
        let slot = self.requests.insert(request) as u32;
        if self.in_flight >= self.bounds.max_in_flight {
            self.finish(slot, Outcome::Dropped(DropReason::InFlightLimit));
        } else {
            self.seek_admission(slot);
        }
    }

    /// Brings a request, new or to be tried again, before its model's limiter.
    fn seek_admission(&mut self, slot: u32) {
        if self.is_held(slot) {
            return;
        }
        let request = &self.requests[slot as usize];
        let Some(limiter) = &mut self.limiters[usize::from(request.draw.model.0)] else {
            self.send(slot, None);
            return;
        };
        if limiter.waiting() > 0 && limiter.waiting() >= self.bounds.max_queue as usize {
            self.give_up(slot, DropReason::QueueFull);
            return;
        }
        match limiter.offer(self.now, slot, request.ask()) {
            Admission::Now(permit) => self.send(slot, Some(permit)),
            Admission::Queued(_) => {}
            Admission::Refused(_) => self.give_up(slot, DropReason::QuotaExceeded),
            Admission::Never(_) => self.give_up(slot, DropReason::NeverFits),
        }
    }

    fn send(&mut self, slot: u32, permit: Option<Permit>) {
        let request = &mut self.requests[slot as usize];
        let model = &self.models[usize::from(request.draw.model.0)];
        let worst = Cost::of(model, request.worst_case());
        if let Some(cause) = self.budget.forbids(worst) {
            if let (Some(limiter), Some(permit)) = (
                &mut self.limiters[usize::from(request.draw.model.0)],
                permit,
            ) {
                limiter.end(self.now, permit, End::Unsent);
            }
            self.finish(slot, Outcome::Cancelled);
            self.stop(cause);
            return;
        }
        self.budget.risk(worst);
        self.in_flight += 1;
        request.permit = permit;
        request.in_flight = true;
        request.attempts += 1;
        request.admitted.get_or_insert(self.now);
        request.last_admitted = Some(self.now);
        self.sends.push_back(Dispatch {
            id: AttemptId {
                request: request.id,
                attempt: request.attempts,
                slot,
            },
            class: request.draw.class,
            model: request.draw.model,
            input: request.draw.input,
            output: request.draw.output,
            due: request.due,
            admitted: self.now,
        });
        self.events.push_back(Event::Sent {
            at: self.now,
            due: request.due,
            class: request.draw.class,
            model: request.draw.model,
            reserved: request.reserved.tokens,
        });
    }

    fn end_attempt(&mut self, slot: u32, outcome: AttemptOutcome) {
        let request = &mut self.requests[slot as usize];
        let index = usize::from(request.draw.model.0);
        let model = &self.models[index];
        let (usage, failure) = match outcome.result {
            Ok(answer) => (answer.usage, None),
            Err(failure) => (failure.usage, Some(failure)),
        };
        let class = failure.as_ref().map(|failure| failure.class);
        let end = End::of_attempt(class, usage);
        let settled = end.cost(&model.counting, request.reserved).tokens;
        request.sent = Some(outcome.sent);
        request.first_token = outcome.first_token;
        request.gaps = outcome.gaps;
        request.in_flight = false;
        request.usage += usage;
        request.settled += settled;
        self.in_flight -= 1;
        let worst = Cost::of(model, request.worst_case());
        self.budget.spend(worst, Cost::of(model, usage));
        if let (Some(limiter), Some(permit)) = (&mut self.limiters[index], request.permit.take()) {
            limiter.end(self.now, permit, end);
        }
        self.events.push_back(Event::Ended {
            at: self.now,
            due: request.due,
            class: request.draw.class,
            model: request.draw.model,
            reserved: request.reserved.tokens,
            settled,
            usage,
            failure: class,
        });
        match failure {
            None => self.conclude(slot, Outcome::Completed, outcome.finished),
            Some(failure) => self.retry_or_fail(slot, outcome.sent, outcome.finished, failure),
        }
    }

    fn retry_or_fail(
        &mut self,
        slot: u32,
        sent: Instant,
        finished: Instant,
        failure: AttemptFailure,
    ) {
        let goes_on = self.stopped.is_none() && self.now < self.drain_end();
        let request = &mut self.requests[slot as usize];
        let class = failure.class;
        request.last_failure = Some(failure);
        let mut rng = self
            .seed
            .keyed(Stream::Retry, request.id, u64::from(request.attempts));
        match self.retry.delay(request.attempts, class, &mut rng) {
            Some(delay) if goes_on => {
                request.earlier.push(EarlierAttempt {
                    sent,
                    finished,
                    failure: class,
                });
                self.retries
                    .push(Reverse((self.now + delay, request.id, slot)));
            }
            _ => self.conclude(slot, Outcome::Failed(class), finished),
        }
    }

    /// A request that was never sent is dropped; one whose retry could not be sent has failed.
    fn give_up(&mut self, slot: u32, reason: DropReason) {
        let request = &mut self.requests[slot as usize];
        let outcome = match &request.last_failure {
            Some(failure) => {
                request.earlier.pop();
                Outcome::Failed(failure.class)
            }
            None => Outcome::Dropped(reason),
        };
        self.finish(slot, outcome);
    }

    fn finish(&mut self, slot: u32, outcome: Outcome) {
        self.conclude(slot, outcome, self.now);
    }

    fn conclude(&mut self, slot: u32, outcome: Outcome, finished: Instant) {
        let request = self.requests.remove(slot as usize);
        if request.in_flight {
            self.in_flight -= 1;
        }
        if let Some(think) = &self.think {
            let pause = match outcome {
                Outcome::Dropped(_) => think.after(request.id).max(PAUSE_AFTER_DROP),
                _ => think.after(request.id),
            };
            self.workers.push(Reverse(self.now + pause));
        }
        let record = request.into_record(outcome, finished);
        self.events.push_back(Event::Finished(record));
    }

    fn stop(&mut self, cause: StopCause) {
        if self.stopped.is_none() {
            self.resume();
            self.stopped = Some(cause);
            self.cancel_waiting();
        }
    }

    /// Ends every request that is not under way.
    fn cancel_waiting(&mut self) {
        for limiter in self.limiters.iter_mut().flatten() {
            limiter.drain().for_each(drop);
        }
        self.retries.clear();
        self.pause.forget();
        for slot in self.slots() {
            if !self.requests[slot as usize].in_flight {
                self.finish(slot, Outcome::Cancelled);
            }
        }
    }

    fn slots(&self) -> Vec<u32> {
        let mut slots: Vec<(u64, u32)> = self
            .requests
            .iter()
            .map(|(slot, request)| (request.id, slot as u32))
            .collect();
        slots.sort_unstable();
        slots.into_iter().map(|(_, slot)| slot).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A model's limiter has something to say.
    Turn(usize),
    Retry,
    Arrival,
    DrainEnd,
}

#[cfg(test)]
mod tests;

//! A pause of admission: somebody wants to look, and not to send meanwhile.
//!
//! The load is open, so a pause stops nothing but admission: requests go on becoming due and wait,
//! their waits run out as they would for want of quota, what is under way goes on, and the run ends
//! when it would have. What was measured holds the pause, and the recorder says so.
//!
//! Promises: nothing is sent between a pause and its end; what waits before a limiter keeps its place
//! and its `quota_timeout`; what has nothing to wait before (no limiter, or one that refuses at once)
//! is held here, at most `max_queue` of it, and goes on in its order.

use std::collections::VecDeque;
use std::mem;

use super::Engine;
use crate::limiter::Limiter;
use crate::outcome::{DropReason, Event, Outcome};
use crate::time::Instant;

/// Whether the run is paused, and what is held until it goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Pause {
    paused: bool,
    held: VecDeque<u32>,
}

impl Pause {
    /// How many requests are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Holds nothing any more.
    pub fn forget(&mut self) {
        self.held.clear();
    }
}

impl Engine {
    /// From `now` on nothing is admitted. Nothing changes if the run is paused or was stopped.
    pub fn handle_pause(&mut self, now: Instant) {
        self.handle_timeout(now);
        if !self.pause.paused && self.stopped.is_none() {
            self.pause.paused = true;
            self.tell_limiters();
            self.events.push_back(Event::Paused { at: self.now });
        }
    }

    /// Admission goes on at `now`. Nothing changes if the run is not paused.
    pub fn handle_resume(&mut self, now: Instant) {
        self.handle_timeout(now);
        self.resume();
        // A budget that is used up meanwhile takes the rest away.
        while let Some(slot) = self.pause.held.pop_front() {
            self.readmit(slot);
        }
    }

    /// Whether admission is paused.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.pause.paused
    }

    /// Ends the pause, if there is one.
    pub(super) fn resume(&mut self) {
        if mem::take(&mut self.pause.paused) {
            self.tell_limiters();
            self.events.push_back(Event::Resumed { at: self.now });
        }
    }

    /// Holds a request that has nothing to wait before; says whether it was held, or dropped because
    /// too many were.
    pub(super) fn is_held(&mut self, slot: u32) -> bool {
        let model = usize::from(self.requests[slot as usize].draw.model.0);
        let queues = self.limiters[model].as_ref().is_some_and(Limiter::waits);
        if !self.pause.paused || queues {
            return false;
        }
        if self.pause.held() >= self.bounds.max_queue as usize {
            self.give_up(slot, DropReason::QueueFull);
        } else {
            self.pause.held.push_back(slot);
        }
        true
    }

    /// Brings a request that was held before its limiter. Requests that a pause has piled up meet the
    /// same bound as those that become due.
    fn readmit(&mut self, slot: u32) {
        let is_new = self.requests[slot as usize].attempts == 0;
        if is_new && self.in_flight >= self.bounds.max_in_flight {
            self.finish(slot, Outcome::Dropped(DropReason::InFlightLimit));
        } else {
            self.seek_admission(slot);
        }
    }

    fn tell_limiters(&mut self) {
        for limiter in self.limiters.iter_mut().flatten() {
            limiter.pause(self.now, self.pause.paused);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{answered, limiter, plan};
    use super::super::{LoadPlan, ModelPlan};
    use super::*;
    use crate::limiter::LimiterSettings;
    use crate::outcome::RequestRecord;
    use crate::quota::Counting;
    use crate::rng::Seed;

    fn limited(settings: Option<LimiterSettings>) -> LoadPlan {
        LoadPlan {
            models: vec![ModelPlan {
                limiter: settings,
                counting: Counting::documented(1),
                price: None,
            }],
            ..plan(2, 10)
        }
    }

    /// Runs to the end with a pause from 2 s to 5 s and answers that take no time; says what was sent
    /// when, and how each request ended.
    fn paused(plan: LoadPlan) -> (Vec<Instant>, Vec<RequestRecord>, Vec<Event>) {
        let mut engine = Engine::new(plan, Seed(1));
        let (pause, resume) = (Instant::from_secs(2), Instant::from_secs(5));
        let mut sent = Vec::new();
        let mut events = Vec::new();
        let mut now = Instant::ZERO;
        loop {
            engine.handle_timeout(now);
            if now == pause {
                engine.handle_pause(now);
            } else if now == resume {
                engine.handle_resume(now);
            }
            while let Some(dispatch) = engine.poll_send() {
                sent.push(dispatch.admitted);
                engine.handle_outcome(now, dispatch.id, answered(now, now));
            }
            events.extend(std::iter::from_fn(|| engine.poll_event()));
            let turning = [pause, resume].into_iter().find(|at| *at > now);
            let Some(next) = [engine.poll_timeout(), turning].into_iter().flatten().min() else {
                let finished = events.iter().filter_map(|event| match event {
                    Event::Finished(record) => Some(record.clone()),
                    _ => None,
                });
                return (sent, finished.collect(), events);
            };
            now = next;
        }
    }

    #[test]
    fn while_it_is_paused_nothing_is_sent_and_requests_become_due() {
        let refusing = LimiterSettings {
            wait_for_quota: false,
            ..limiter(6_000)
        };
        for settings in [None, Some(limiter(6_000)), Some(refusing)] {
            let (sent, ended, events) = paused(limited(settings));
            assert_eq!(ended.len(), 20);
            assert!(
                ended
                    .iter()
                    .all(|record| record.outcome == Outcome::Completed)
            );
            let inside =
                |at: &&Instant| **at > Instant::from_secs(2) && **at < Instant::from_secs(5);
            assert_eq!(sent.iter().filter(inside).count(), 0);
            // Those due at 2.5 s to 4.5 s go on together, in their order.
            let waited: Vec<u64> = (ended.iter())
                .filter(|record| record.admitted == Some(Instant::from_secs(5)))
                .map(|record| record.id)
                .collect();
            assert_eq!(waited, [5, 6, 7, 8, 9, 10]);
            let turns = events.iter().filter_map(|event| match event {
                Event::Paused { at } | Event::Resumed { at } => Some(*at),
                _ => None,
            });
            assert!(turns.eq([Instant::from_secs(2), Instant::from_secs(5)]));
        }
    }

    /// What refills in a pause is no more than a limiter holds: sixty a minute, one at a time.
    #[test]
    fn a_pause_does_not_save_up_quota() {
        let (sent, ..) = paused(limited(Some(limiter(60))));
        let after: Vec<Instant> = sent
            .into_iter()
            .filter(|at| *at >= Instant::from_secs(5))
            .collect();
        let evenly = (0..).map(|number| Instant::from_secs(5 + number));
        assert!(
            after.iter().copied().eq(evenly.take(after.len())),
            "{after:?}"
        );
        assert!(after.len() > 5);
    }

    #[test]
    fn waits_run_out_in_a_pause() {
        let impatient = LimiterSettings {
            quota_timeout: Duration::from_secs(1),
            ..limiter(6_000)
        };
        let (_, ended, _) = paused(limited(Some(impatient)));
        let dropped = Outcome::Dropped(DropReason::QuotaTimeout);
        let gone: Vec<u64> = (ended.iter())
            .filter(|record| record.outcome == dropped)
            .map(|record| record.id)
            .collect();
        // Due by 4.0 s: their second was over at 5.0 s.
        assert_eq!(gone, [5, 6, 7, 8]);
    }

    #[test]
    fn what_is_held_is_bounded_and_a_stop_cancels_it() {
        let mut plan = limited(None);
        plan.bounds.max_queue = 2;
        let mut engine = Engine::new(plan, Seed(1));
        engine.handle_timeout(Instant::ZERO);
        engine.handle_pause(Instant::ZERO);
        engine.handle_timeout(Instant::from_millis(1_600));
        assert_eq!((engine.waiting(), engine.due_count()), (2, 4));
        engine.handle_stop(Instant::from_secs(2));
        assert!(!engine.is_paused());
        let outcomes: Vec<Outcome> = std::iter::from_fn(|| engine.poll_event())
            .filter_map(|event| match event {
                Event::Finished(record) => Some(record.outcome),
                _ => None,
            })
            .collect();
        let full = Outcome::Dropped(DropReason::QueueFull);
        assert_eq!(
            outcomes,
            [full, full, Outcome::Cancelled, Outcome::Cancelled]
        );
    }
}

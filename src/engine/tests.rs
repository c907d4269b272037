use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::arrivals::{ArrivalProcess, Profile, Spacing};
use crate::distribution::Distribution;
use crate::limiter::LimiterSettings;
use crate::mix::MixClass;
use crate::outcome::{Answer, ClassIndex, Failure, Gaps, ModelIndex, RequestRecord, StopReason};
use crate::price::Price;
use crate::quota::{Counting, MeterSettings, Quota};
use crate::units::{Rate, TokenUsage, Tokens};

const SECOND: u64 = 1_000_000_000;

pub(super) fn plan(per_second: u64, seconds: u64) -> LoadPlan {
    LoadPlan {
        arrivals: ArrivalProcess::Open {
            profile: Profile::Constant(Rate {
                events: per_second,
                period_nanos: SECOND,
            }),
            spacing: Spacing::Even,
        },
        classes: vec![MixClass {
            weight: 1.0,
            model: ModelIndex(0),
            input: Some(Distribution::Constant(50)),
            output: Some(Distribution::Constant(50)),
        }],
        calls: vec![CallPlan {
            max_tokens: Tokens(50),
            priority: 0,
        }],
        models: vec![ModelPlan {
            limiter: None,
            counting: Counting::documented(1),
            price: None,
        }],
        retry: RetryPolicy::default(),
        bounds: Bounds {
            duration: Duration::from_secs(seconds),
            drain: Duration::from_secs(30),
            max_requests: None,
            max_in_flight: 10_000,
            max_queue: 10_000,
            max_cost: None,
            max_total_tokens: None,
        },
    }
}

pub(super) fn limiter(rpm: u64) -> LimiterSettings {
    let quota = Quota {
        rpm: Some(rpm),
        ..Quota::default()
    };
    LimiterSettings {
        meters: bucket_of(Duration::from_secs(1)),
        quota_timeout: Duration::from_secs(20),
        ..LimiterSettings::new(quota, Counting::documented(1))
    }
}

fn bucket_of(burst: Duration) -> MeterSettings {
    MeterSettings {
        burst,
        ..MeterSettings::default()
    }
}

pub(super) fn answered(sent: Instant, finished: Instant) -> AttemptOutcome {
    let usage = TokenUsage {
        input: Tokens(50),
        output: Tokens(50),
        ..TokenUsage::default()
    };
    let result = Ok(Answer {
        usage,
        stop: StopReason::EndTurn,
        service_latency: None,
    });
    AttemptOutcome {
        sent,
        first_token: None,
        gaps: Gaps::default(),
        finished,
        result,
    }
}

fn failed(sent: Instant, finished: Instant, failure: Failure) -> AttemptOutcome {
    AttemptOutcome {
        sent,
        first_token: None,
        gaps: Gaps::default(),
        finished,
        result: Err(failure.into()),
    }
}

/// Runs to the end, each attempt lasting as long and ending as `fate` says, while also polling at
/// every multiple of `poll_step`.
fn run(
    engine: &mut Engine,
    poll_step: Option<Duration>,
    fate: impl Fn(&Dispatch) -> (Duration, Option<Failure>),
) -> Vec<Event> {
    let mut events = Vec::new();
    let mut calls: BTreeMap<(Instant, AttemptId), AttemptOutcome> = BTreeMap::new();
    let mut now = Instant::ZERO;
    loop {
        engine.handle_timeout(now);
        while let Some(dispatch) = engine.poll_send() {
            let (lasts, failure) = fate(&dispatch);
            let end = dispatch.admitted + lasts;
            let outcome = match failure {
                None => answered(dispatch.admitted, end),
                Some(failure) => failed(dispatch.admitted, end, failure),
            };
            calls.insert((end, dispatch.id), outcome);
        }
        events.extend(std::iter::from_fn(|| engine.poll_event()));
        let ended = calls.keys().next().map(|(at, _)| *at);
        let Some(next) = [engine.poll_timeout(), ended].into_iter().flatten().min() else {
            assert!(engine.is_done());
            return events;
        };
        if let Some(step) = poll_step {
            while now + step < next {
                now = now + step;
                engine.handle_timeout(now);
            }
        }
        now = now.max(next);
        while let Some(entry) = calls.first_entry()
            && entry.key().0 <= now
        {
            let ((_, id), outcome) = entry.remove_entry();
            engine.handle_outcome(now, id, outcome);
        }
    }
}

fn records(events: &[Event]) -> Vec<&RequestRecord> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Finished(record) => Some(record),
            _ => None,
        })
        .collect()
}

#[test]
fn without_a_limiter_requests_go_when_they_are_due() {
    let mut engine = Engine::new(plan(2, 5), Seed(1));
    let events = run(&mut engine, None, |_| (Duration::from_millis(700), None));
    let records = records(&events);
    assert_eq!(records.len(), 10);
    for (number, record) in (0_u64..).zip(records) {
        assert_eq!(record.due, Instant::from_millis(500 * number));
        assert_eq!(record.admitted, Some(record.due));
        assert_eq!(record.finished, record.due + Duration::from_millis(700));
        assert_eq!(record.outcome, Outcome::Completed);
        assert_eq!(record.settled, Tokens(100));
    }
}

#[test]
fn the_limiter_spaces_requests_and_drops_those_that_wait_too_long() {
    let plan = LoadPlan {
        models: vec![ModelPlan {
            limiter: Some(limiter(60)),
            counting: Counting::documented(1),
            price: None,
        }],
        ..plan(4, 10)
    };
    let mut engine = Engine::new(plan, Seed(1));
    let events = run(&mut engine, None, |_| (Duration::from_millis(100), None));
    let records = records(&events);
    let completed = records
        .iter()
        .filter(|record| record.outcome == Outcome::Completed)
        .collect::<Vec<_>>();
    // One a second, while the first request still waiting is at most 20 s old: the 26 that are due
    // by 6.25 s have gone by 25 s, and each later one has its turn only past its deadline.
    for (number, record) in (0_u64..).zip(&completed) {
        assert_eq!(record.admitted, Some(Instant::from_secs(number)));
    }
    let timed_out = records
        .iter()
        .filter(|record| record.outcome == Outcome::Dropped(DropReason::QuotaTimeout))
        .collect::<Vec<_>>();
    assert!(
        timed_out
            .iter()
            .all(|record| record.finished == record.due + Duration::from_secs(20))
    );
    assert_eq!(completed.len() + timed_out.len(), 40);
    assert_eq!(completed.len(), 30);
}

#[test]
fn a_throttled_request_is_tried_again_and_keeps_its_history() {
    let plan = LoadPlan {
        retry: RetryPolicy {
            max_attempts: 3,
            jitter: false,
            ..RetryPolicy::default()
        },
        ..plan(1, 1)
    };
    let mut engine = Engine::new(plan, Seed(1));
    let events = run(&mut engine, None, |dispatch| {
        let failure = (dispatch.id.attempt < 3).then_some(Failure::ThrottledTokens);
        (Duration::from_millis(10), failure)
    });
    let record = records(&events)[0];
    assert_eq!(record.outcome, Outcome::Completed);
    assert_eq!(record.attempts, 3);
    // 10 ms, then 500 ms of waiting, 10 ms, 1 s, 10 ms.
    assert_eq!(record.finished, Instant::from_millis(1530));
    assert_eq!(record.earlier.len(), 2);
    assert_eq!(record.admitted, Some(Instant::ZERO));
    assert_eq!(record.last_admitted, Some(Instant::from_millis(1520)));
}

#[test]
fn what_cannot_be_mended_is_not_tried_again() {
    let plan = LoadPlan {
        retry: RetryPolicy {
            max_attempts: 5,
            ..RetryPolicy::default()
        },
        ..plan(1, 1)
    };
    let mut engine = Engine::new(plan, Seed(1));
    let events = run(&mut engine, None, |_| {
        (Duration::ZERO, Some(Failure::AccessDenied))
    });
    assert_eq!(records(&events)[0].attempts, 1);
    assert_eq!(
        records(&events)[0].outcome,
        Outcome::Failed(Failure::AccessDenied)
    );
}

#[test]
fn a_closed_loop_sends_when_its_workers_are_free() {
    let plan = LoadPlan {
        arrivals: ArrivalProcess::ClosedLoop {
            workers: 2,
            think: Distribution::Constant(SECOND),
        },
        ..plan(1, 10)
    };
    let mut engine = Engine::new(plan, Seed(1));
    let events = run(&mut engine, None, |_| (Duration::from_secs(1), None));
    let due: Vec<_> = records(&events)
        .iter()
        .map(|record| record.due.as_nanos() / SECOND)
        .collect();
    assert_eq!(due, [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]);
}

#[test]
fn a_stop_cancels_what_waits_and_lets_the_rest_end() {
    let plan = LoadPlan {
        models: vec![ModelPlan {
            limiter: Some(limiter(60)),
            counting: Counting::documented(1),
            price: None,
        }],
        ..plan(4, 10)
    };
    let mut engine = Engine::new(plan, Seed(1));
    engine.handle_timeout(Instant::from_millis(2600));
    let sent: Vec<_> = std::iter::from_fn(|| engine.poll_send()).collect();
    assert_eq!(sent.len(), 3);
    engine.handle_stop(Instant::from_millis(2600));
    assert!(!engine.is_done());
    let end = Instant::from_secs(3);
    for dispatch in sent {
        engine.handle_outcome(end, dispatch.id, answered(dispatch.admitted, end));
    }
    assert!(engine.is_done());
    let events: Vec<_> = std::iter::from_fn(|| engine.poll_event()).collect();
    let outcomes: Vec<_> = records(&events)
        .iter()
        .map(|record| record.outcome)
        .collect();
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Completed)
            .count(),
        3
    );
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Cancelled)
            .count(),
        8
    );
}

#[test]
fn abandoning_ends_everything_and_late_outcomes_are_ignored() {
    let mut engine = Engine::new(plan(4, 10), Seed(1));
    engine.handle_timeout(Instant::from_secs(1));
    let dispatch = engine.poll_send().expect("one was due");
    engine.handle_abandon(Instant::from_secs(1));
    assert!(engine.is_done());
    assert_eq!(engine.in_flight(), 0);
    let late = Instant::from_secs(2);
    engine.handle_outcome(late, dispatch.id, answered(dispatch.admitted, late));
    let events: Vec<_> = std::iter::from_fn(|| engine.poll_event()).collect();
    assert!(
        records(&events)
            .iter()
            .all(|record| record.outcome == Outcome::Cancelled)
    );
}

#[test]
fn a_budget_stops_the_run_before_it_is_overdrawn() {
    let price = Price {
        input: 1_000_000,
        output: 1_000_000,
        cache_read: 0,
        cache_write: 0,
    };
    // Each request may cost 100 tokens at 1 micro-dollar; there is money for four.
    let mut plan = plan(1, 60);
    plan.models[0].price = Some(price);
    plan.bounds.max_cost = Some(Usd { pico: 450_000_000 });
    let mut engine = Engine::new(plan, Seed(1));
    let events = run(&mut engine, None, |_| (Duration::from_secs(3), None));
    let completed = records(&events)
        .iter()
        .filter(|record| record.outcome == Outcome::Completed)
        .count();
    assert_eq!(completed, 4);
    assert_eq!(engine.stopped(), Some(StopCause::Cost));
    assert_eq!(engine.spent(), Usd { pico: 400_000_000 });
}

#[test]
fn tokens_that_may_be_used_stop_the_run_before_they_are() {
    // Each request may use 100 tokens; there are 450.
    let mut plan = plan(1, 60);
    plan.bounds.max_total_tokens = Some(Tokens(450));
    let mut engine = Engine::new(plan, Seed(1));
    let events = run(&mut engine, None, |_| (Duration::from_secs(3), None));
    let records = records(&events);
    let completed = records
        .iter()
        .filter(|record| record.outcome == Outcome::Completed);
    assert_eq!(completed.count(), 4);
    assert_eq!(engine.stopped(), Some(StopCause::Tokens));
}

#[test]
fn bounds_are_counted_not_hidden() {
    let mut plan = plan(10, 1);
    plan.bounds.max_in_flight = 3;
    let mut engine = Engine::new(plan, Seed(1));
    let events = run(&mut engine, None, |_| (Duration::from_secs(5), None));
    let dropped = records(&events)
        .iter()
        .filter(|record| record.outcome == Outcome::Dropped(DropReason::InFlightLimit))
        .count();
    assert_eq!(dropped, 7);
}

/// A plan made of random parts.
fn any_plan() -> impl Strategy<Value = LoadPlan> {
    let limits = (
        1_u64..600,
        0_u64..60,
        1_u32..20,
        any::<bool>(),
        any::<bool>(),
    );
    (limits, 1_u64..30, 1_u32..4, 1_u32..40, 1_u32..40).prop_map(
        |((rpm, timeout, cap, waits, limited), per_second, attempts, in_flight, queue)| {
            let limiter = LimiterSettings {
                quota: Quota {
                    rpm: Some(rpm),
                    tpm: Some(rpm * 90),
                    ..Quota::default()
                },
                meters: bucket_of(Duration::from_secs(30)),
                wait_for_quota: waits,
                quota_timeout: Duration::from_secs(timeout),
                max_in_flight: Some(cap),
                ..limiter(rpm)
            };
            let mut plan = plan(per_second, 10);
            plan.models[0].limiter = limited.then_some(limiter);
            plan.retry = RetryPolicy {
                max_attempts: attempts,
                ..RetryPolicy::default()
            };
            plan.bounds.max_in_flight = in_flight;
            plan.bounds.max_queue = queue;
            plan.bounds.drain = Duration::from_secs(5);
            plan
        },
    )
}

/// How an attempt ends, by its number alone.
fn some_fate(dispatch: &Dispatch) -> (Duration, Option<Failure>) {
    let mixed = dispatch
        .id
        .request
        .wrapping_mul(0x9E37_79B9)
        .wrapping_add(u64::from(dispatch.id.attempt));
    let lasts = Duration::from_millis(mixed % 3000);
    let failure = match mixed % 7 {
        0 => Some(Failure::ThrottledTokens),
        1 => Some(Failure::Timeout),
        2 => Some(Failure::Validation),
        _ => None,
    };
    (lasts, failure)
}

proptest! {
    /// Whatever the plan, every request that became due ends exactly once.
    #[test]
    fn intended_is_completed_and_failed_and_dropped_and_cancelled(plan in any_plan(), seed: u64) {
        let mut engine = Engine::new(plan, Seed(seed));
        let events = run(&mut engine, None, some_fate);
        let due = events.iter().filter(|event| matches!(event, Event::Due { .. })).count();
        let mut ids: Vec<_> = records(&events).iter().map(|record| record.id).collect();
        ids.sort_unstable();
        prop_assert_eq!(ids, (0..due as u64).collect::<Vec<_>>());
        let sent = events.iter().filter(|event| matches!(event, Event::Sent { .. })).count();
        let ended = events.iter().filter(|event| matches!(event, Event::Ended { .. })).count();
        let attempts: u32 = records(&events).iter().map(|record| record.attempts).sum();
        prop_assert_eq!(sent, ended);
        prop_assert_eq!(sent, attempts as usize);
        prop_assert_eq!(engine.in_flight(), 0);
    }

    /// The engine does not depend on how often it is polled.
    #[test]
    fn polling_changes_nothing(plan in any_plan(), seed: u64, step in 1_u64..700) {
        let mut once = Engine::new(plan.clone(), Seed(seed));
        let mut often = Engine::new(plan, Seed(seed));
        let expected = run(&mut once, None, some_fate);
        let polled = run(&mut often, Some(Duration::from_millis(step)), some_fate);
        prop_assert_eq!(expected, polled);
    }

    /// Instants are in order: due, admitted, sent, finished; and events come in order of time.
    #[test]
    fn instants_are_in_order(plan in any_plan(), seed: u64) {
        let mut engine = Engine::new(plan, Seed(seed));
        let events = run(&mut engine, None, some_fate);
        for record in records(&events) {
            if let (Some(admitted), Some(last), Some(sent)) = (record.admitted, record.last_admitted, record.sent) {
                prop_assert!(record.due <= admitted && admitted <= last && last <= sent);
                prop_assert!(sent <= record.finished);
            }
            prop_assert_eq!(record.class, ClassIndex(0));
        }
    }
}

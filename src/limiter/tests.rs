use proptest::prelude::*;

use super::*;
use crate::quota::Quota;

/// How tokens are counted here: an output token costs one.
const COUNTING: Counting = Counting::documented(1);

fn quota(rpm: Option<u64>, tpm: Option<u64>) -> Quota {
    Quota {
        rpm,
        tpm,
        ..Quota::default()
    }
}

fn settings(rpm: Option<u64>, tpm: Option<u64>) -> LimiterSettings {
    LimiterSettings::new(quota(rpm, tpm), COUNTING)
}

/// A request that reserves so many tokens.
fn ask(tokens: u64) -> Ask {
    Ask {
        demand: Demand {
            max_tokens: Tokens(tokens),
            ..Demand::default()
        },
        ..Ask::default()
    }
}

fn answered(output: u64) -> End {
    End::Answered(TokenUsage {
        output: Tokens(output),
        ..TokenUsage::default()
    })
}

fn fits_at(admission: &Admission) -> Option<Instant> {
    match admission {
        Admission::Refused(Refusal::Quota(shortage)) => shortage.at,
        _ => None,
    }
}

fn turns(limiter: &mut Limiter, until: Instant) -> Vec<(u32, Instant)> {
    std::iter::from_fn(|| limiter.poll_turn(until))
        .map(|turn| match turn {
            Turn::Admitted { ticket, at, .. } | Turn::TimedOut { ticket, at } => (ticket, at),
        })
        .collect()
}

fn permit(admission: Admission) -> Permit {
    match admission {
        Admission::Now(permit) => permit,
        other => panic!("expected a permit, got {other:?}"),
    }
}

#[test]
fn a_small_request_does_not_overtake_a_large_one() {
    let mut limiter = Limiter::new(&settings(None, Some(6000)));
    let _sent = permit(limiter.offer(Instant::ZERO, 0, ask(900)));
    assert!(matches!(
        limiter.offer(Instant::ZERO, 1, ask(1000)),
        Admission::Queued(_)
    ));
    // There is room for it, but it is not its turn.
    assert!(matches!(
        limiter.offer(Instant::ZERO, 2, ask(50)),
        Admission::Queued(_)
    ));
    assert_eq!(
        turns(&mut limiter, Instant::from_secs(20)),
        [(1, Instant::from_secs(9)), (2, Instant::from_millis(9500))]
    );
}

#[test]
fn a_wait_ends_at_its_deadline() {
    let mut limiter = Limiter::new(&LimiterSettings {
        quota_timeout: Duration::from_secs(2),
        ..settings(None, Some(6000))
    });
    let held = permit(limiter.offer(Instant::ZERO, 0, ask(1000)));
    limiter.offer(Instant::ZERO, 1, ask(500));
    assert_eq!(limiter.poll_timeout(), Some(Instant::from_secs(2)));
    assert_eq!(limiter.poll_turn(Instant::from_millis(1999)), None);
    let turn = limiter.poll_turn(Instant::from_secs(2));
    assert_eq!(
        turn,
        Some(Turn::TimedOut {
            ticket: 1,
            at: Instant::from_secs(2)
        })
    );
    // A wait that timed out takes nothing, and the limit still holds afterwards.
    limiter.end(Instant::from_secs(3), held, answered(1000));
    assert_eq!(limiter.meters().level(Dimension::Tpm), Some(300));
    assert_eq!(limiter.counts().timed_out, 1);
}

#[test]
fn the_cap_on_calls_under_way_is_lifted_by_an_end() {
    let mut limiter = Limiter::new(&LimiterSettings {
        max_in_flight: Some(1),
        ..settings(None, None)
    });
    let first = permit(limiter.offer(Instant::ZERO, 0, ask(10)));
    limiter.offer(Instant::ZERO, 1, ask(10));
    assert_eq!(limiter.poll_turn(Instant::from_secs(5)), None);
    limiter.end(Instant::from_secs(7), first, answered(10));
    let turn = limiter.poll_turn(Instant::from_secs(9));
    assert!(
        matches!(turn, Some(Turn::Admitted { ticket: 1, at, .. }) if at == Instant::from_secs(7))
    );
}

#[test]
fn early_refunds_let_the_next_one_go_early() {
    let mut limiter = Limiter::new(&settings(None, Some(6000)));
    let first = permit(limiter.offer(Instant::ZERO, 0, ask(1000)));
    limiter.offer(Instant::ZERO, 1, ask(600));
    limiter.end(Instant::from_secs(1), first, answered(100));
    let turn = limiter.poll_turn(Instant::from_secs(1));
    assert!(
        matches!(turn, Some(Turn::Admitted { ticket: 1, at, .. }) if at == Instant::from_secs(1))
    );
}

#[test]
fn without_waiting_a_refusal_leaves_no_trace() {
    let mut limiter = Limiter::new(&LimiterSettings {
        wait_for_quota: false,
        ..settings(Some(6), None)
    });
    let _sent = permit(limiter.offer(Instant::ZERO, 0, ask(1)));
    for _ in 0..100 {
        let answer = limiter.offer(Instant::from_secs(9), 1, ask(1));
        assert_eq!(fits_at(&answer), Some(Instant::from_secs(10)));
    }
    let _sent = permit(limiter.offer(Instant::from_secs(10), 1, ask(1)));
}

proptest! {
    /// Envelope: in every interval (t1, t2] what is admitted is at most capacity + rate * (t2 - t1).
    #[test]
    fn the_envelope_holds_on_every_interval(
        offers in prop::collection::vec((0_u64..3_000_000_000, 1_u64..1000), 2..120),
        poll_step in 1_u64..2_000_000_000,
    ) {
        let (rate, capacity) = (6000_u64, 1000_u64);
        let mut limiter = Limiter::new(&settings(None, Some(rate)));
        let mut admitted: Vec<(Instant, u64)> = Vec::new();
        let mut permits = Vec::new();
        let costs: Vec<u64> = offers.iter().map(|(_, cost)| *cost).collect();
        let mut now = Instant::ZERO;
        for (ticket, (gap, cost)) in (0_u32..).zip(&offers) {
            let next = now + Duration::from_nanos(*gap);
            while now < next {
                now = (now + Duration::from_nanos(poll_step)).min(next);
                while let Some(turn) = limiter.poll_turn(now) {
                    if let Turn::Admitted { ticket, at, permit } = turn {
                        admitted.push((at, costs[ticket as usize]));
                        permits.push(permit);
                    }
                }
            }
            if let Admission::Now(permit) = limiter.offer(now, ticket, ask(*cost)) {
                admitted.push((now, *cost));
                permits.push(permit);
            }
        }
        for first in 0..admitted.len() {
            let mut sum = 0_u128;
            for (at, cost) in &admitted[first..] {
                sum += u128::from(*cost);
                let span = u128::from(at.as_nanos() - admitted[first].0.as_nanos());
                // Scaled by a minute of nanoseconds, so that the comparison is exact.
                let minute = 60_000_000_000_u128;
                prop_assert!(sum * minute <= u128::from(capacity) * minute + u128::from(rate) * span);
            }
        }
        prop_assert!(admitted.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }

    /// What is decided does not depend on how often the limiter is polled.
    #[test]
    fn polling_changes_nothing(
        offers in prop::collection::vec((0_u64..2_000_000_000, 1_u64..1000, 0_u64..1500, 1_u64..4_000_000_000), 1..80),
        poll_step in 1_u64..900_000_000,
    ) {
        prop_assert_eq!(decisions(&offers, None), decisions(&offers, Some(poll_step)));
    }

    /// Every permit comes back; then nothing is in flight and the levels are what refill makes them.
    #[test]
    fn permits_are_conserved(costs in prop::collection::vec((1_u64..1000, any::<bool>()), 1..60)) {
        let mut limiter = Limiter::new(&LimiterSettings { quota_timeout: Duration::from_secs(100_000), ..settings(Some(600), Some(6000)) });
        let mut out = Vec::new();
        for (ticket, (cost, _)) in (0_u32..).zip(&costs) {
            if let Admission::Now(permit) = limiter.offer(Instant::ZERO, ticket, ask(*cost)) {
                out.push(permit);
            }
        }
        let later = Instant::from_secs(90_000);
        while let Some(Turn::Admitted { permit, .. }) = limiter.poll_turn(later) {
            out.push(permit);
        }
        prop_assert_eq!(out.len(), costs.len());
        for (permit, (_, used)) in out.into_iter().zip(&costs) {
            if *used {
                let output = permit.reserved().tokens.0;
                limiter.end(later, permit, answered(output));
            } else {
                limiter.end(later, permit, End::Unsent);
            }
        }
        prop_assert_eq!(limiter.in_flight(), 0);
        let refilled = later + Duration::from_secs(10);
        prop_assert_eq!(limiter.remaining(refilled, Dimension::Tpm), Some(1000));
    }
}

/// Offers in order, each settled a while after it was admitted; returns who was admitted when.
/// With `poll_step`, the limiter is also polled at every multiple of it.
fn decisions(offers: &[(u64, u64, u64, u64)], poll_step: Option<u64>) -> Vec<(u32, Instant, bool)> {
    let mut limiter = Limiter::new(&LimiterSettings {
        quota_timeout: Duration::from_secs(3),
        max_in_flight: Some(3),
        ..settings(Some(600), Some(6000))
    });
    let mut log = Vec::new();
    let mut ends: Vec<(Instant, Permit, u64)> = Vec::new();
    let mut arrivals = (0_u32..)
        .zip(offers)
        .scan(Instant::ZERO, |at, (ticket, offer)| {
            *at = *at + Duration::from_nanos(offer.0);
            Some((*at, ticket, offer.1))
        });
    let mut next_arrival = arrivals.next();
    let mut polled = Instant::ZERO;
    loop {
        let next_end = ends.iter().map(|(at, ..)| *at).min();
        let arrival_at = next_arrival.map(|(at, ..)| at);
        let turn_at = limiter.poll_timeout();
        let Some(now) = [next_end, arrival_at, turn_at].into_iter().flatten().min() else {
            return log;
        };
        if let Some(step) = poll_step {
            while polled + Duration::from_nanos(step) < now {
                polled = polled + Duration::from_nanos(step);
                assert_eq!(limiter.poll_turn(polled), None);
            }
            polled = now;
        }
        while let Some(turn) = limiter.poll_turn(now) {
            match turn {
                Turn::Admitted { ticket, at, permit } => {
                    let (_, _, settled, lasts) = offers[ticket as usize];
                    log.push((ticket, at, true));
                    ends.push((at + Duration::from_nanos(lasts), permit, settled));
                }
                Turn::TimedOut { ticket, at } => log.push((ticket, at, false)),
            }
        }
        if let Some(index) = ends.iter().position(|(at, ..)| *at == now) {
            let (at, permit, settled) = ends.remove(index);
            limiter.end(at, permit, answered(settled));
        } else if let Some((at, ticket, cost)) = next_arrival.filter(|(at, ..)| *at == now) {
            if let Admission::Now(permit) = limiter.offer(at, ticket, ask(cost)) {
                let (_, _, settled, lasts) = offers[ticket as usize];
                log.push((ticket, at, true));
                ends.push((at + Duration::from_nanos(lasts), permit, settled));
            }
            next_arrival = arrivals.next();
        }
    }
}

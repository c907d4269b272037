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

/// Offers so many requests of one class of priority, numbered from `first`.
fn offer_all(limiter: &mut Limiter, first: u32, count: u32, tokens: u64, priority: u8) {
    for ticket in first..first + count {
        let asked = Ask {
            priority,
            ..ask(tokens)
        };
        let _queued = limiter.offer(Instant::ZERO, ticket, asked);
    }
}

#[test]
fn classes_of_priority_share_tokens_by_weight_and_starve_nobody() {
    let mut limiter = Limiter::new(&LimiterSettings {
        priorities: vec![1, 3],
        quota_timeout: Duration::from_secs(100_000),
        ..settings(None, Some(6000))
    });
    let _sent = permit(limiter.offer(Instant::ZERO, 9999, ask(1000)));
    // The light class has small requests, the heavy one large ones: shares are of tokens.
    offer_all(&mut limiter, 0, 1000, 50, 0);
    offer_all(&mut limiter, 1000, 1000, 250, 1);
    let order = turns(&mut limiter, Instant::from_secs(600));
    let tokens = |light: bool| -> u64 {
        let of = order.iter().filter(|(ticket, _)| (*ticket < 1000) == light);
        of.map(|_| if light { 50 } else { 250 }).sum()
    };
    let (light, heavy) = (tokens(true), tokens(false));
    let ratio = heavy as f64 / light as f64;
    assert!((2.9..3.1).contains(&ratio), "{heavy} to {light}");
    // Within a class: first come, first served.
    for class in [0..1000, 1000..2000] {
        let within = order.iter().filter(|(ticket, _)| class.contains(ticket));
        assert!(within.map(|(ticket, _)| ticket).is_sorted());
    }
}

#[test]
fn what_nobody_waits_for_is_not_kept_for_them() {
    let mut limiter = Limiter::new(&LimiterSettings {
        priorities: vec![1, 100],
        ..settings(None, Some(6000))
    });
    let _sent = permit(limiter.offer(Instant::ZERO, 9999, ask(1000)));
    offer_all(&mut limiter, 0, 10, 100, 0);
    // Alone in the queue, the light class has everything: 100 tokens a second.
    let order = turns(&mut limiter, Instant::from_secs(10));
    assert_eq!(order.len(), 10);
    assert_eq!(order[9], (9, Instant::from_secs(10)));
}

#[test]
fn a_place_that_is_given_up_lets_the_next_go() {
    let mut limiter = Limiter::new(&settings(None, Some(6000)));
    let _sent = permit(limiter.offer(Instant::ZERO, 0, ask(1000)));
    let Admission::Queued(place) = limiter.offer(Instant::ZERO, 1, ask(1000)) else {
        panic!("there is no room");
    };
    limiter.offer(Instant::ZERO, 2, ask(100));
    assert!(limiter.cancel(place));
    assert!(!limiter.cancel(place), "nobody gives a place up twice");
    assert_eq!(
        turns(&mut limiter, Instant::from_secs(5)),
        [(2, Instant::from_secs(1))]
    );
    assert_eq!(limiter.counts().cancelled, 1);
}

/// What is set aside for a request that may write 1,000 tokens, after 50 answers of 10 to 500.
fn held_after_learning(reservation: Reservation, burndown: u32) -> Tokens {
    let mut limiter = Limiter::new(&LimiterSettings {
        reservation,
        ..LimiterSettings::new(
            quota(None, Some(60_000_000)),
            Counting::documented(burndown),
        )
    });
    for answer in 1..=50 {
        let permit = permit(limiter.offer(Instant::ZERO, 0, ask(1000)));
        assert!(answer > 20 || permit.held().tokens == Tokens(1000));
        limiter.end(Instant::ZERO, permit, answered(answer * 10));
    }
    let permit = permit(limiter.offer(Instant::ZERO, 0, ask(1000)));
    assert_eq!(permit.reserved().tokens, Tokens(1000));
    let held = permit.held().tokens;
    limiter.end(Instant::ZERO, permit, End::Unsent);
    held
}

#[test]
fn reservations_are_as_their_strategy_says() {
    let quantile = Share::percent(50);
    let held = held_after_learning;
    assert_eq!(held(Reservation::MaxTokens, 5), Tokens(1000));
    // Half of the answers seen when it last looked, at 32, are up to 160 tokens, to two digits.
    let expected = held(Reservation::Expected { quantile }, 1).0;
    assert!((160..=162).contains(&expected), "{expected}");
    let burnt = held(Reservation::Expected { quantile }, 5).0;
    assert_eq!(burnt, expected * 5);
    // The larger of both: here what is reserved, and with burndown 15 what it will cost.
    assert_eq!(held(Reservation::Mirror { quantile }, 5), Tokens(1000));
    assert_eq!(held(Reservation::Mirror { quantile }, 15).0, expected * 15);
}

#[test]
fn what_never_fits_goes_into_debt_if_it_may() {
    let mut limiter = Limiter::new(&LimiterSettings {
        oversize: Oversize::Overdraw,
        quota_timeout: Duration::from_secs(1000),
        ..settings(None, Some(6000))
    });
    let first = permit(limiter.offer(Instant::ZERO, 0, ask(100)));
    // It waits until nothing is used, 100 tokens later, and leaves 2,000 of debt.
    limiter.offer(Instant::ZERO, 1, ask(3000));
    limiter.offer(Instant::ZERO, 2, ask(100));
    assert_eq!(
        turns(&mut limiter, Instant::from_secs(100)),
        [(1, Instant::from_secs(1)), (2, Instant::from_secs(22))]
    );
    limiter.end(Instant::from_secs(100), first, End::Unsent);
}

#[test]
fn a_cut_limit_gives_way_and_comes_back_by_itself() {
    let mut limiter = Limiter::new(&LimiterSettings {
        reaction: Some(Reaction {
            decrease: Share::percent(50),
            increase: Share::percent(10),
            interval: Duration::from_secs(1),
            floor: Share::percent(20),
        }),
        ..settings(None, Some(6000))
    });
    let share_after = |limiter: &mut Limiter, at: Instant| {
        let permit = permit(limiter.offer(at, 0, ask(1)));
        limiter.end(at, permit, End::Throttled);
        limiter.share()
    };
    let at = Instant::from_millis;
    assert_eq!(share_after(&mut limiter, at(0)), Share::percent(50));
    // The same overload does not cut twice.
    assert_eq!(share_after(&mut limiter, at(500)), Share::percent(50));
    // A second later it has regained a tenth, and loses half of that.
    assert_eq!(share_after(&mut limiter, at(1000)), Share::percent(30));
    assert_eq!(share_after(&mut limiter, at(2000)), Share::percent(20));
    assert_eq!(share_after(&mut limiter, at(3000)), Share::percent(20));
    limiter.remaining(at(10_900), Dimension::Tpm);
    assert_eq!(limiter.share(), Share::percent(90));
    limiter.remaining(at(11_000), Dimension::Tpm);
    assert_eq!(limiter.share(), Share::percent(100));
}

#[test]
fn a_request_that_waits_behind_a_cut_goes_when_it_has_recovered() {
    let mut limiter = Limiter::new(&LimiterSettings {
        reaction: Some(Reaction {
            decrease: Share::percent(50),
            ..Reaction::default()
        }),
        ..settings(None, Some(6000))
    });
    let first = permit(limiter.offer(Instant::ZERO, 0, ask(1)));
    limiter.end(Instant::ZERO, first, End::Throttled);
    // 900 tokens are more than half a bucket holds, and less than a whole one: they fit when the
    // share is 90 % again, after eight steps of a second.
    assert!(matches!(
        limiter.offer(Instant::ZERO, 1, ask(900)),
        Admission::Queued(_)
    ));
    let order = turns(&mut limiter, Instant::from_secs(29));
    assert_eq!(order.len(), 1);
    assert!(order[0].1 >= Instant::from_secs(8), "{order:?}");
    assert!(order[0].1 <= Instant::from_secs(12), "{order:?}");
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

    /// What is decided does not depend on how often the limiter is polled, and each request ends in
    /// exactly one way, whatever the strategy.
    #[test]
    fn polling_changes_nothing(
        offers in prop::collection::vec((0_u64..2_000_000_000, 1_u64..1000, 0_u64..1500, 1_u64..4_000_000_000, 0_u8..8), 1..80),
        poll_step in 1_u64..900_000_000,
    ) {
        let offers: Vec<Offer> = offers.into_iter().map(Offer::from).collect();
        for strategy in super::Strategy::ALL {
            let settings = LimiterSettings {
                quota_timeout: Duration::from_secs(3),
                max_in_flight: Some(3),
                strategy,
                estimate: Tokens(300),
                ..settings(Some(600), Some(6000))
            };
            let decided = decisions(&settings, &offers, None);
            prop_assert_eq!(&decided, &decisions(&settings, &offers, Some(poll_step)));
            let mut tickets: Vec<u32> = decided.iter().map(|(ticket, ..)| *ticket).collect();
            tickets.sort_unstable();
            prop_assert_eq!(tickets, (0..offers.len() as u32).collect::<Vec<_>>());
        }
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

/// A request, how long its call lasts and how that ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    /// Nanoseconds after the one before it.
    pub gap: u64,
    pub ask: Ask,
    /// In nanoseconds.
    pub lasts: u64,
    pub end: End,
}

impl From<(u64, u64, u64, u64, u8)> for Offer {
    fn from((gap, tokens, output, lasts, kind): (u64, u64, u64, u64, u8)) -> Self {
        let end = match kind {
            0 => End::Throttled,
            1 => End::Unknown,
            2 => End::Failed(TokenUsage::default()),
            _ => answered(output),
        };
        Self {
            gap,
            ask: ask(tokens),
            lasts,
            end,
        }
    }
}

/// Offers in order, each settled a while after it was admitted; returns who was admitted when, and
/// who was not. With `poll_step`, the limiter is also polled at every multiple of it.
pub(super) fn decisions(
    settings: &LimiterSettings,
    offers: &[Offer],
    poll_step: Option<u64>,
) -> Vec<(u32, Instant, bool)> {
    let mut limiter = Limiter::new(settings);
    let mut log = Vec::new();
    let mut ends: Vec<(Instant, Permit, End)> = Vec::new();
    let mut arrivals = (0_u32..)
        .zip(offers)
        .scan(Instant::ZERO, |at, (ticket, offer)| {
            *at = *at + Duration::from_nanos(offer.gap);
            Some((*at, ticket, offer.ask))
        });
    let mut next_arrival = arrivals.next();
    let mut polled = Instant::ZERO;
    loop {
        let next_end = ends.iter().map(|(at, ..)| *at).min();
        let arrival_at = next_arrival.map(|(at, ..)| at);
        let turn_at = limiter.poll_timeout();
        let Some(now) = [next_end, arrival_at, turn_at].into_iter().flatten().min() else {
            assert_eq!((limiter.in_flight(), limiter.waiting()), (0, 0));
            return log;
        };
        if let Some(step) = poll_step {
            while polled + Duration::from_nanos(step) < now {
                polled = polled + Duration::from_nanos(step);
                assert_eq!(limiter.poll_turn(polled), None);
            }
            polled = now;
        }
        let lasting = |ticket: u32, at: Instant, permit: Permit| {
            let offer = &offers[ticket as usize];
            (at + Duration::from_nanos(offer.lasts), permit, offer.end)
        };
        while let Some(turn) = limiter.poll_turn(now) {
            match turn {
                Turn::Admitted { ticket, at, permit } => {
                    log.push((ticket, at, true));
                    ends.push(lasting(ticket, at, permit));
                }
                Turn::TimedOut { ticket, at } => log.push((ticket, at, false)),
            }
        }
        if let Some(index) = ends.iter().position(|(at, ..)| *at == now) {
            let (at, permit, end) = ends.remove(index);
            limiter.end(at, permit, end);
        } else if let Some((at, ticket, ask)) = next_arrival.filter(|(at, ..)| *at == now) {
            match limiter.offer(at, ticket, ask) {
                Admission::Now(permit) => {
                    log.push((ticket, at, true));
                    ends.push(lasting(ticket, at, permit));
                }
                Admission::Queued(_) => {}
                Admission::Refused(_) | Admission::Never(_) => log.push((ticket, at, false)),
            }
            next_arrival = arrivals.next();
        }
    }
}

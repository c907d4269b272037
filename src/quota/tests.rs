use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::time::Instant;
use crate::units::{Share, TokenUsage};

const FULL: Share = Share::percent(100);

fn demand(input: u64, cache_read: u64, cache_write: u64, max_tokens: u64) -> Demand {
    Demand {
        input: Tokens(input),
        cache_read: Tokens(cache_read),
        cache_write: Tokens(cache_write),
        max_tokens: Tokens(max_tokens),
    }
}

fn tpm(limit: u64) -> Quota {
    Quota {
        tpm: Some(limit),
        ..Quota::default()
    }
}

fn counted_as(enforcement: Enforcement) -> MeterSettings {
    MeterSettings {
        enforcement,
        ..MeterSettings::default()
    }
}

fn call(tokens: u64) -> Cost {
    Cost::call(Tokens(tokens))
}

fn usage(input: u64, cache_read: u64, cache_write: u64, output: u64) -> TokenUsage {
    TokenUsage {
        input: Tokens(input),
        output: Tokens(output),
        cache_read: Tokens(cache_read),
        cache_write: Tokens(cache_write),
    }
}

fn per_minute(limit: u64) -> Bucket {
    Bucket::new(
        limit,
        NANOS_PER_MINUTE,
        Share::ZERO,
        Duration::from_secs(60),
        FULL,
    )
}

#[test]
fn reservations_and_settlements_of_the_aws_documentation() {
    // quotas-token-burndown, scenarios 1 and 2, and the Sonnet 4 note.
    let counting = Counting::documented(5);
    let reserved = |max_tokens| counting.reserve(demand(3000, 4000, 1000, max_tokens));
    assert_eq!(reserved(32_000).tokens, Tokens(36_000));
    assert_eq!(reserved(1250).tokens, Tokens(5250));
    let settled = |usage| counting.settle(usage).tokens;
    assert_eq!(settled(usage(3000, 4000, 1000, 1000)), Tokens(9000));
    assert_eq!(settled(usage(1000, 0, 0, 100)), Tokens(1500));
}

#[test]
fn settlements_measured_through_cloudwatch() {
    // A third party's reading of EstimatedTPMQuotaUsage for Claude Sonnet 4.6, October 2026.
    let settled = |usage| Counting::documented(5).settle(usage).tokens;
    assert_eq!(settled(usage(26, 0, 0, 1203)), Tokens(6041));
    assert_eq!(settled(usage(13, 0, 8814, 4)), Tokens(8847));
    assert_eq!(settled(usage(13, 8814, 0, 4)), Tokens(33));
    assert_eq!(settled(usage(8829, 0, 0, 4)), Tokens(8849));
}

#[test]
fn each_disagreement_is_a_switch_of_its_own() {
    let documented = Counting::documented(5);
    let call = demand(100, 1000, 10, 50);
    assert_eq!(documented.reserve(call).tokens, Tokens(160));
    let with_reads = Counting {
        reserves_cache_reads: true,
        ..documented
    };
    assert_eq!(with_reads.reserve(call).tokens, Tokens(1160));
    let with_burndown = Counting {
        reserves_burndown: true,
        ..documented
    };
    assert_eq!(with_burndown.reserve(call).tokens, Tokens(360));
    assert_eq!(documented.throttled(), Cost::ZERO);
    let costly = Counting {
        throttles_cost_requests: true,
        ..documented
    };
    assert_eq!(
        (costly.throttled().requests, costly.throttled().tokens),
        (1, Tokens::ZERO)
    );
    let reserved = documented.reserve(call);
    let some = usage(100, 1000, 10, 1);
    assert_eq!(documented.failed(reserved, some).tokens, Tokens(115));
    let strict = Counting {
        failures_keep_reservation: true,
        ..documented
    };
    assert_eq!(strict.failed(reserved, some), reserved);
}

#[test]
fn input_and_output_apart_know_no_burndown() {
    let cost = Counting::documented(5).settle(usage(300, 50, 20, 100));
    assert_eq!(cost.of(Dimension::InputTpm), 320);
    assert_eq!(cost.of(Dimension::OutputTpm), 100);
    assert_eq!(cost.of(Dimension::Tpm), 820);
    assert_eq!(cost.of(Dimension::Tpd), 820);
    assert_eq!(cost.of(Dimension::Rpm), 1);
}

#[test]
fn a_settlement_above_its_reservation_leaves_debt_that_must_be_refilled() {
    let mut meters = Meters::new(tpm(6000), &MeterSettings::default());
    meters.take(call(5250));
    meters.settle(Instant::ZERO, call(5250), call(9000));
    assert_eq!(meters.level(Dimension::Tpm), Some(-3000));
    // 3,001 tokens at 100 a second.
    let ready = Instant::from_millis(30_010);
    assert_eq!(
        meters.readiness(call(1)),
        Readiness::At(ready, Dimension::Tpm)
    );
    let shortage = Shortage {
        dimension: Dimension::Tpm,
        missing: 3001,
        at: Some(ready),
    };
    assert_eq!(meters.shortage(call(1)), Some(shortage));
}

#[test]
fn a_ledger_holds_slots_until_they_are_settled() {
    let mut meters = Meters::new(tpm(6000), &counted_as(Enforcement::Ledger));
    meters.take(call(5000));
    // A bucket would have refilled by now; what is held here does not come back with time.
    meters.advance(Instant::from_secs(60));
    assert_eq!(meters.level(Dimension::Tpm), Some(1000));
    assert_eq!(
        meters.readiness(call(1001)),
        Readiness::Blocked(Dimension::Tpm)
    );
    meters.settle(Instant::ZERO, call(5000), call(100));
    assert_eq!(meters.level(Dimension::Tpm), Some(5900));
}

#[test]
fn a_rolling_window_dates_charges_at_their_start() {
    let mut meters = Meters::new(tpm(6000), &counted_as(Enforcement::Rolling));
    meters.advance(Instant::from_secs(5));
    meters.take(call(5000));
    meters.advance(Instant::from_secs(25));
    meters.settle(Instant::from_secs(5), call(5000), call(4000));
    assert_eq!(meters.level(Dimension::Tpm), Some(2000));
    let Readiness::At(at, Dimension::Tpm) = meters.readiness(call(2001)) else {
        panic!("it waits for the first charge to leave the window");
    };
    // Sixty seconds after the start, to the millisecond in which charges are kept.
    let left = Instant::from_secs(65);
    assert!(
        at >= left && at <= left + Duration::from_millis(1),
        "{at:?}"
    );
    meters.advance(at);
    assert_eq!(meters.level(Dimension::Tpm), Some(6000));
}

#[test]
fn a_fixed_window_begins_again_with_each_minute_of_the_clock() {
    let settings = MeterSettings {
        clock_offset: Duration::from_secs(50),
        ..counted_as(Enforcement::Fixed)
    };
    let mut meters = Meters::new(tpm(6000), &settings);
    meters.advance(Instant::from_secs(9));
    meters.take(call(6000));
    assert_eq!(
        meters.readiness(call(6000)),
        Readiness::At(Instant::from_secs(10), Dimension::Tpm)
    );
    meters.advance(Instant::from_secs(10));
    meters.take(call(6000));
    // What was charged to a minute that is over changes nothing in this one.
    meters.settle(Instant::from_secs(9), call(6000), call(1));
    assert_eq!(meters.level(Dimension::Tpm), Some(0));
    assert_eq!(
        meters.readiness(call(1)),
        Readiness::At(Instant::from_secs(70), Dimension::Tpm)
    );
}

#[test]
fn headroom_is_exact_for_small_quotas() {
    // 2 % off 3 requests a minute: 2.94 a minute, so one takes 20.408163266 s, rounded up.
    let mut bucket = Bucket::new(
        3,
        NANOS_PER_MINUTE,
        Share::percent(2),
        Duration::from_secs(60),
        Share::ZERO,
    );
    assert_eq!(
        bucket.ready_at(1),
        Some(Instant::from_nanos(20_408_163_266))
    );
    bucket.advance(Instant::from_secs(50));
    assert_eq!(bucket.level(), 2);
}

#[test]
fn a_day_holds_a_day() {
    let quota = Quota {
        tpd: Some(864),
        ..Quota::default()
    };
    for enforcement in Enforcement::ALL {
        let mut meters = Meters::new(quota, &counted_as(enforcement));
        assert_eq!(meters.capacity(Dimension::Tpd), Some(864));
        meters.take(call(864));
        meters.settle(Instant::ZERO, call(864), call(864));
        let Readiness::At(at, _) = meters.readiness(call(864)) else {
            panic!("a day's quota is back after a day");
        };
        let hours = at.as_nanos() / 3_600_000_000_000;
        assert_eq!(hours, 24, "{enforcement}");
    }
}

#[test]
fn a_cost_above_the_capacity_is_never_met() {
    let quota = Quota {
        rpm: Some(10),
        ..tpm(1000)
    };
    let settings = MeterSettings {
        burst: Duration::from_secs(6),
        ..MeterSettings::default()
    };
    let meters = Meters::new(quota, &settings);
    assert_eq!(
        meters.readiness(call(101)),
        Readiness::Never(Dimension::Tpm)
    );
    let misfit = Misfit {
        dimension: Dimension::Tpm,
        needs: 101,
        holds: 100,
    };
    assert_eq!(meters.never_holds(call(101)), Some(misfit));
    assert_eq!(meters.never_holds(call(100)), None);
    assert_eq!(meters.capped(call(101)), call(100));
}

#[test]
fn an_initial_fill_is_what_is_left_at_the_start() {
    for enforcement in Enforcement::ALL {
        let settings = MeterSettings {
            initial_fill: Share::percent(25),
            ..counted_as(enforcement)
        };
        let meters = Meters::new(tpm(6000), &settings);
        assert_eq!(meters.level(Dimension::Tpm), Some(1500), "{enforcement}");
    }
}

#[test]
fn time_that_steps_back_changes_nothing() {
    let mut bucket = per_minute(60);
    bucket.take(60);
    bucket.advance(Instant::from_secs(10));
    let before = bucket.clone();
    bucket.advance(Instant::from_secs(4));
    assert_eq!(bucket, before);
}

proptest! {
    /// Not one nanosecond before the promised instant, and at it.
    #[test]
    fn a_promised_instant_is_exact(
        limit in 1_u64..200_000_000,
        headroom_ppm in 0_u32..900_000,
        drained in 0_u64..1_000_000_000,
        amount in 1_u64..1_000_000,
        start in 0_u64..10_000_000_000_000,
    ) {
        let headroom = Share { ppm: headroom_ppm };
        let burst = Duration::from_secs(60);
        let mut bucket = Bucket::new(limit, NANOS_PER_MINUTE, headroom, burst, FULL);
        bucket.advance(Instant::from_nanos(start));
        bucket.take(drained);
        if let Some(ready) = bucket.ready_at(amount) {
            if ready > Instant::from_nanos(start) {
                let mut early = bucket.clone();
                early.advance(Instant::from_nanos(ready.as_nanos() - 1));
                prop_assert!(!early.holds(amount));
            }
            bucket.advance(ready);
            prop_assert!(bucket.holds(amount));
        } else {
            prop_assert!(amount > bucket.capacity());
        }
    }

    /// Refill does not depend on how often the bucket is looked at.
    #[test]
    fn looking_often_loses_nothing(limit in 0_u64..100_000_000, steps in prop::collection::vec(0_u64..5_000_000_000, 1..50)) {
        let mut often = per_minute(limit);
        often.take(limit);
        let mut once = often.clone();
        let mut now = 0;
        for step in steps {
            now += step;
            often.advance(Instant::from_nanos(now));
        }
        once.advance(Instant::from_nanos(now));
        prop_assert_eq!(often, once);
    }

    /// What was reserved is settled; nothing is made and nothing is lost, however it is counted.
    #[test]
    fn tokens_are_conserved(
        kind in 0_usize..4,
        calls in prop::collection::vec((0_u64..50_000, 0_u64..90_000), 1..40),
    ) {
        let limit = 1_000_000_000;
        let mut meters = Meters::new(tpm(limit), &counted_as(Enforcement::ALL[kind]));
        // Start used up, so that nothing that comes back can be lost at the brim.
        meters.take(call(limit));
        meters.settle(Instant::ZERO, call(limit), call(limit));
        let mut settled_total = 0_i64;
        for (reserved, settled) in calls {
            meters.take(call(reserved));
            meters.settle(Instant::ZERO, call(reserved), call(settled));
            settled_total += i64::try_from(settled).expect("small");
        }
        prop_assert_eq!(meters.level(Dimension::Tpm), Some(-settled_total));
    }

    /// What `readiness` promises is kept, and no sooner, in every way to count; a millisecond is
    /// allowed where charges are kept in slots of that size.
    #[test]
    fn readiness_is_kept(
        kind in 0_usize..4,
        charges in prop::collection::vec((0_u64..20_000_000_000, 1_u64..3000), 1..30),
        amount in 1_u64..6000,
    ) {
        let enforcement = Enforcement::ALL[kind];
        let mut meters = Meters::new(tpm(6000), &counted_as(enforcement));
        let mut now = 0;
        for (gap, tokens) in charges {
            now += gap;
            meters.advance(Instant::from_nanos(now));
            if meters.lacks(call(tokens)).is_none() {
                meters.take(call(tokens));
                meters.settle(Instant::from_nanos(now), call(tokens), call(tokens));
            }
        }
        match meters.readiness(call(amount)) {
            Readiness::Now => prop_assert_eq!(meters.lacks(call(amount)), None),
            Readiness::At(at, _) => {
                prop_assert!(at > Instant::from_nanos(now));
                let mut early = meters.clone();
                early.advance(Instant::from_nanos(at.as_nanos() - 1));
                prop_assert!(early.lacks(call(amount)).is_some());
                meters.advance(at);
                prop_assert_eq!(meters.lacks(call(amount)), None);
            }
            other => prop_assert!(false, "6,000 always fit some time: {other:?}"),
        }
    }

    /// Under `rolling`, no sixty seconds whatsoever are charged more than the limit.
    #[test]
    fn no_sixty_seconds_hold_more_than_the_limit(
        offers in prop::collection::vec((0_u64..4_000_000_000, 1_u64..900), 1..150),
    ) {
        let mut meters = Meters::new(tpm(6000), &counted_as(Enforcement::Rolling));
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        let mut now = 0;
        for (gap, tokens) in offers {
            now += gap;
            meters.advance(Instant::from_nanos(now));
            if meters.lacks(call(tokens)).is_none() {
                meters.take(call(tokens));
                admitted.push((now, tokens));
            }
        }
        for (first, (start, _)) in admitted.iter().enumerate() {
            let within = |at: u64| at - start < NANOS_PER_MINUTE;
            let sum: u64 = admitted[first..].iter().filter(|(at, _)| within(*at)).map(|(_, tokens)| tokens).sum();
            prop_assert!(sum <= 6000);
        }
    }
}

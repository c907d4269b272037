use proptest::prelude::*;

use super::*;

fn usage(input: u64, cache_read: u64, cache_write: u64, output: u64) -> TokenUsage {
    TokenUsage {
        input: Tokens(input),
        output: Tokens(output),
        cache_read: Tokens(cache_read),
        cache_write: Tokens(cache_write),
    }
}

fn per_minute(limit: u64) -> Bucket {
    let full = Share::percent(100);
    Bucket::new(
        limit,
        NANOS_PER_MINUTE,
        Share::ZERO,
        Duration::from_secs(60),
        full,
    )
}

#[test]
fn reservations_and_settlements_of_the_aws_documentation() {
    // quotas-token-burndown, scenarios 1 and 2, and the Sonnet 4 note.
    assert_eq!(
        reservation(Tokens(3000), Tokens(1000), Tokens(32_000)),
        Tokens(36_000)
    );
    assert_eq!(settlement(usage(3000, 4000, 1000, 1000), 5), Tokens(9000));
    assert_eq!(
        reservation(Tokens(3000), Tokens(1000), Tokens(1250)),
        Tokens(5250)
    );
    assert_eq!(settlement(usage(1000, 0, 0, 100), 5), Tokens(1500));
}

#[test]
fn settlements_measured_through_cloudwatch() {
    // A third party's reading of EstimatedTPMQuotaUsage for Claude Sonnet 4.6, October 2026.
    assert_eq!(settlement(usage(26, 0, 0, 1203), 5), Tokens(6041));
    assert_eq!(settlement(usage(13, 0, 8814, 4), 5), Tokens(8847));
    assert_eq!(settlement(usage(13, 8814, 0, 4), 5), Tokens(33));
    assert_eq!(settlement(usage(8829, 0, 0, 4), 5), Tokens(8849));
}

#[test]
fn a_settlement_above_its_reservation_leaves_debt_that_must_be_refilled() {
    let quota = Quota {
        tpm: Some(6000),
        ..Quota::default()
    };
    let mut buckets = Buckets::new(
        quota,
        Share::ZERO,
        Duration::from_secs(60),
        Share::percent(100),
    );
    buckets.take(Cost::call(Tokens(5250)));
    buckets.settle(Tokens(5250), Tokens(9000));
    assert_eq!(buckets.get(Dimension::Tpm).map(Bucket::level), Some(-3000));
    // 3,001 tokens at 100 a second.
    let ready = Instant::from_millis(30_010);
    assert_eq!(
        buckets.readiness(Cost::call(Tokens(1))),
        Readiness::At(ready, Dimension::Tpm)
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
    let buckets = Buckets::new(
        quota,
        Share::ZERO,
        Duration::from_secs(60),
        Share::percent(100),
    );
    assert_eq!(buckets.get(Dimension::Tpd).map(Bucket::capacity), Some(864));
}

#[test]
fn a_cost_above_the_capacity_is_never_met() {
    let quota = Quota {
        rpm: Some(10),
        tpm: Some(1000),
        tpd: None,
    };
    let buckets = Buckets::new(
        quota,
        Share::ZERO,
        Duration::from_secs(6),
        Share::percent(100),
    );
    assert_eq!(
        buckets.readiness(Cost::call(Tokens(101))),
        Readiness::Never(Dimension::Tpm)
    );
    assert_eq!(buckets.never_holds(Cost::call(Tokens(100))), None);
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
        let mut bucket = Bucket::new(limit, NANOS_PER_MINUTE, headroom, burst, Share::percent(100));
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
            prop_assert!(!bucket.can_ever_hold(amount));
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

    /// What was reserved is settled, refunded or still out; nothing is made and nothing is lost.
    #[test]
    fn tokens_are_conserved(calls in prop::collection::vec((0_u64..50_000, 0_u64..90_000), 1..40)) {
        let limit = 1_000_000_000;
        let mut bucket = Buckets::new(
            Quota { tpm: Some(limit), ..Quota::default() },
            Share::ZERO,
            Duration::from_secs(60),
            Share::percent(100),
        );
        // Start in debt, so that no refund can be lost at the brim.
        bucket.take(Cost { requests: 0, tokens: Tokens(limit) });
        let mut settled_total = 0_i64;
        for (reserved, settled) in calls {
            bucket.take(Cost::call(Tokens(reserved)));
            bucket.settle(Tokens(reserved), Tokens(settled));
            settled_total += i64::try_from(settled).expect("small");
        }
        prop_assert_eq!(bucket.get(Dimension::Tpm).map(Bucket::level), Some(-settled_total));
    }
}

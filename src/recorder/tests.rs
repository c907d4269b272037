//! Laws of the recorder, over made-up runs.

use proptest::prelude::*;

use super::measured::{Counts, Group, Throttles};
use super::*;
use crate::outcome::{ClassIndex, DropReason, EarlierAttempt, Gaps, Outcome};
use crate::units::{TokenUsage, Tokens};

/// How one made-up request fares; times in milliseconds.
#[derive(Clone, Debug)]
struct Fate {
    class: u16,
    due: u64,
    wait: u64,
    lag: u64,
    service: u64,
    throttles: u32,
    end: Outcome,
}

const RESERVED: Tokens = Tokens(1_000);

/// Classes `a` and `c` use the model `first`, class `b` uses `second`, which has no price.
fn settings(intervals: bool) -> RecorderSettings {
    let class = |name: &str, model| (name.to_owned(), ModelIndex(model));
    let model = |name: &str, price| ModelInfo {
        name: name.to_owned(),
        quota: Quota {
            rpm: Some(60),
            tpm: Some(100_000),
            ..Quota::default()
        },
        price,
    };
    let price = Price {
        input: 3_000_000,
        output: 15_000_000,
        cache_read: 0,
        cache_write: 0,
    };
    RecorderSettings {
        classes: vec![class("a", 0), class("b", 1), class("c", 0)],
        models: vec![model("first", Some(price)), model("second", None)],
        duration: Duration::from_secs(60),
        clock_offset: Duration::ZERO,
        warm_up: Duration::ZERO,
        streaming: false,
        intervals,
    }
}

/// The events of one request in order; a throttled attempt takes 15 ms and waits as long again.
fn events_of(id: u64, fate: &Fate) -> Vec<(Instant, Event)> {
    let class = ClassIndex(fate.class);
    let due = Instant::from_millis(fate.due);
    let mut record = RequestRecord {
        id,
        class,
        model: ModelIndex(u16::from(fate.class == 1)),
        due,
        admitted: None,
        last_admitted: None,
        sent: None,
        first_token: None,
        gaps: Gaps::default(),
        finished: due + Duration::from_millis(fate.wait),
        outcome: fate.end,
        message: None,
        attempts: 0,
        input_estimate: Tokens(90),
        reserved: RESERVED,
        usage: TokenUsage::default(),
        settled: Tokens::ZERO,
        earlier: Vec::new(),
    };
    let mut events = vec![(due, Event::Due { at: due, class })];
    let last_failure = match fate.end {
        Outcome::Completed => Some(None),
        Outcome::Failed(failure) => Some(Some(failure)),
        Outcome::Dropped(_) | Outcome::Cancelled => None,
    };
    if let Some(last_failure) = last_failure {
        let throttle = Duration::from_millis(15);
        for _ in 0..fate.throttles {
            let failure = Failure::ThrottledTokens;
            events.extend(attempt(&mut record, fate.lag, throttle, Some(failure)));
            record.earlier.push(EarlierAttempt {
                sent: record.sent.expect("it was just sent"),
                finished: record.finished,
                failure,
            });
            record.finished = record.finished + throttle;
        }
        let service = Duration::from_millis(fate.service);
        events.extend(attempt(&mut record, fate.lag, service, last_failure));
    }
    events.push((record.finished, Event::Finished(record)));
    events
}

/// One attempt, admitted when `record` was last heard of: its events, and its part in the record.
fn attempt(
    record: &mut RequestRecord,
    lag: u64,
    service: Duration,
    failure: Option<Failure>,
) -> [(Instant, Event); 2] {
    let &mut RequestRecord {
        due,
        class,
        model,
        reserved,
        finished: at,
        ..
    } = record;
    let sent = at + Duration::from_millis(lag);
    let ended = sent + service;
    let usage = match failure {
        None => TokenUsage {
            input: Tokens(100),
            output: Tokens(20),
            ..Default::default()
        },
        Some(_) => TokenUsage::default(),
    };
    let settled = Tokens(usage.input.0 + 5 * usage.output.0);
    record.admitted.get_or_insert(at);
    record.attempts += 1;
    (record.last_admitted, record.sent, record.finished) = (Some(at), Some(sent), ended);
    (record.usage, record.settled) = (usage, settled);
    let end = Event::Ended {
        at: ended,
        due,
        class,
        model,
        reserved,
        settled,
        usage,
        failure,
    };
    [
        (
            at,
            Event::Sent {
                at,
                due,
                class,
                model,
                reserved,
            },
        ),
        (ended, end),
    ]
}

/// Records a made-up run to its end: what was measured, and its intervals.
fn record(fates: &[Fate], intervals: bool) -> (Measured, Vec<Interval>) {
    let concluded = conclude(fates, settings(intervals), &[]);
    (concluded.measured, concluded.intervals)
}

/// The same, with all that is known in the end.
fn conclude(fates: &[Fate], settings: RecorderSettings, marks: &[Expectation]) -> Conclusion {
    let mut events: Vec<(Instant, Event)> = (0..)
        .zip(fates)
        .flat_map(|(id, fate)| events_of(id, fate))
        .collect();
    events.sort_by_key(|(at, _)| *at);
    let mut recorder = Recorder::new(settings);
    let mut closed = Vec::new();
    for (_, event) in &events {
        recorder.observe(event);
        closed.extend(std::iter::from_fn(|| recorder.poll_interval()));
    }
    let end = events.last().map_or(Instant::ZERO, |(at, _)| *at);
    let mut concluded = recorder.conclude(end, marks);
    closed.append(&mut concluded.intervals);
    concluded.intervals = closed;
    concluded
}

/// With a warm-up of so many milliseconds.
fn warmed(intervals: bool, warm_up: u64) -> RecorderSettings {
    RecorderSettings {
        warm_up: Duration::from_millis(warm_up),
        ..settings(intervals)
    }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let end = prop_oneof![
        4 => Just(Outcome::Completed),
        1 => Just(Outcome::Failed(Failure::ThrottledRequests)),
        1 => Just(Outcome::Failed(Failure::QuotaExceeded)),
        1 => Just(Outcome::Dropped(DropReason::QuotaExceeded)),
        1 => Just(Outcome::Cancelled),
    ];
    let fate = (
        0_u16..3,
        0_u64..60_000,
        0_u64..9_000,
        0_u64..5,
        1_u64..20_000,
        0_u32..3,
        end,
    )
        .prop_map(|(class, due, wait, lag, service, throttles, end)| Fate {
            class,
            due,
            wait,
            lag,
            service,
            throttles,
            end,
        });
    prop::collection::vec(fate, 0..120)
}

fn answered(due: u64, service: u64) -> Fate {
    Fate {
        class: 0,
        due,
        wait: 0,
        lag: 0,
        service,
        throttles: 0,
        end: Outcome::Completed,
    }
}

proptest! {
    #[test]
    fn every_request_and_every_attempt_is_counted_once(fates in fates()) {
        let (measured, _) = record(&fates, true);
        prop_assert!(measured.conserved);
        prop_assert_eq!(measured.total.counts.intended, fates.len() as u64);
        for group in measured.classes.iter().chain(&measured.models).chain([&measured.total]) {
            prop_assert!(group.counts.conserved(), "{}", group.name);
            prop_assert_eq!(group.failures.values().sum::<u64>(), group.counts.failed);
            prop_assert_eq!(group.drops.values().sum::<u64>(), group.counts.dropped);
            let attempts = &group.attempts;
            let failed: u64 = attempts.failed.values().sum();
            let ended = attempts.answered + attempts.throttled.total() + failed;
            prop_assert_eq!(attempts.sent, ended + attempts.unfinished);
            prop_assert_eq!(group.latency.count, group.counts.completed);
            prop_assert_eq!(group.dispatch_lag.count, attempts.requests);
        }
        let used: u64 = measured.quota_use.iter().flat_map(|model| &model.minutes)
            .map(|minute| minute.requests + minute.refused).sum();
        prop_assert_eq!(used, measured.total.attempts.sent);
    }

    #[test]
    fn models_and_classes_each_add_up_to_the_whole(fates in fates()) {
        let (measured, _) = record(&fates, false);
        for parts in [&measured.classes, &measured.models] {
            let sum = |of: fn(&Group) -> u64| parts.iter().map(of).sum::<u64>();
            let total = &measured.total;
            prop_assert_eq!(sum(|group| group.counts.completed), total.counts.completed);
            prop_assert_eq!(sum(|group| group.settled.0), total.settled.0);
            prop_assert_eq!(sum(|group| group.usage.output.0), total.usage.output.0);
            prop_assert_eq!(sum(|group| group.attempts.sent), total.attempts.sent);
        }
    }

    #[test]
    fn intervals_follow_one_another_and_add_up_to_the_whole(fates in fates()) {
        let (measured, intervals) = record(&fates, true);
        let mut counts = Counts::default();
        let mut throttled = Throttles::default();
        let (mut sent, mut usage, mut settled) = (0, TokenUsage::default(), Tokens::ZERO);
        let mut reserved = Tokens::ZERO;
        for (position, interval) in (0_u64..).zip(&intervals) {
            prop_assert_eq!(interval.start, Instant::from_secs(position * 5));
            prop_assert!(interval.end <= interval.start + INTERVAL);
            counts.merge(interval.counts);
            throttled.requests += interval.throttled.requests;
            throttled.tokens += interval.throttled.tokens;
            sent += interval.sent;
            usage += interval.usage;
            settled += interval.settled;
            reserved += interval.reserved;
        }
        let total = &measured.total;
        prop_assert_eq!(counts, total.counts);
        prop_assert_eq!(throttled, total.attempts.throttled);
        prop_assert_eq!((sent, usage), (total.attempts.sent, total.usage));
        prop_assert_eq!((settled, reserved), (total.settled, total.reserved));
        prop_assert_eq!(intervals.last().map(|last| last.in_flight), Some(0));
        prop_assert_eq!(
            intervals.last().map(|last| last.end - Instant::ZERO),
            Some(Duration::from_nanos(measured.elapsed_ns))
        );
    }

    #[test]
    fn histograms_of_the_intervals_merge_into_those_of_the_run(fates in fates()) {
        let (measured, intervals) = record(&fates, true);
        for (class, group) in measured.classes.iter().enumerate() {
            let mut merged = Histograms::default();
            intervals.iter().for_each(|interval| merged.merge(&interval.classes[class]));
            prop_assert_eq!(spread::spread(&merged, Timing::Latency), group.latency);
            prop_assert_eq!(spread::spread(&merged, Timing::LimiterWait), group.limiter_wait);
            prop_assert_eq!(spread::spread(&merged, Timing::ServiceTime), group.service_time);
        }
        let (directly, none) = record(&fates, false);
        prop_assert_eq!(directly, measured);
        prop_assert!(none.is_empty());
    }

    /// A warm-up changes nothing of the whole, and what counts is what a run without the requests of
    /// the warm-up would have counted.
    #[test]
    fn the_warm_up_and_the_rest_add_up_to_the_whole(
        fates in fates(), warm_up in 1_u64..60_000, intervals: bool,
    ) {
        let plain = conclude(&fates, settings(intervals), &[]);
        let split = conclude(&fates, warmed(intervals, warm_up), &[]);
        prop_assert_eq!(&split.measured, &plain.measured);
        prop_assert_eq!(&split.intervals, &plain.intervals);
        prop_assert_eq!(plain.after_warm_up, None);
        let after = split.after_warm_up.expect("the run has a warm-up");
        prop_assert!(after.conserved);

        let (early, late): (Vec<Fate>, Vec<Fate>) =
            fates.into_iter().partition(|fate| fate.due < warm_up);
        let (early, late) = (record(&early, intervals).0, record(&late, intervals).0);
        let groups = |of: &Measured| -> Vec<Group> {
            let groups = of.classes.iter().chain(&of.models).chain([&of.total]);
            groups.cloned().map(|group| Group {
                // Over another length of time.
                requests_per_second: 0.0,
                input_tokens_per_second: 0.0,
                output_tokens_per_second: 0.0,
                ..group
            }).collect()
        };
        prop_assert_eq!(groups(&after), groups(&late));
        let (whole, of_warm_up) = (&split.measured.total, &early.total);
        prop_assert_eq!(
            whole.counts.intended, after.total.counts.intended + of_warm_up.counts.intended);
        prop_assert_eq!(whole.attempts.sent, after.total.attempts.sent + of_warm_up.attempts.sent);
        prop_assert_eq!(whole.settled, after.total.settled + of_warm_up.settled);
        prop_assert_eq!(whole.latency.count, after.total.latency.count + of_warm_up.latency.count);
    }

    /// Bounds as two keys or as one pair are the same, and so is a mark of the only class there is.
    #[test]
    fn the_values_of_classes_and_models_are_those_of_their_groups(fates in fates()) {
        let completed = Metric::Completed;
        let of = |of| Expectation { of, at_least: Some(1.0), ..Expectation::of_all(completed) };
        let classes = (0..3).map(|class| of(Scope::Class(ClassIndex(class))));
        let models = (0..2).map(|model| of(Scope::Model(ModelIndex(model))));
        let marks: Vec<Expectation> = classes.chain(models).chain([of(Scope::All)]).collect();
        let verdicts = conclude(&fates, settings(false), &marks).verdicts;
        let values: Vec<f64> = verdicts.iter().filter_map(|verdict| verdict.value).collect();
        let [a, b, c, first, second, all] = values[..] else {
            panic!("every one of them was counted: {verdicts:?}")
        };
        prop_assert_eq!((a + b + c, first + second), (all, all));
        prop_assert_eq!((a + c, b), (first, second));
    }

    /// An interval holds the value that it is of.
    #[test]
    fn intervals_hold_their_values(fates in fates(), warm_up in 0_u64..30_000) {
        let marks: Vec<Expectation> = Metric::all()
            .filter(|metric| metric.has_interval())
            .map(Expectation::of_all)
            .collect();
        let verdicts = conclude(&fates, warmed(true, warm_up), &marks).verdicts;
        for verdict in verdicts {
            let (Some(value), Some(ends)) = (verdict.value, verdict.interval) else { continue };
            if let ends::End::At(low) = ends.low {
                prop_assert!(low <= value, "{:?}", verdict);
            }
            if let ends::End::At(high) = ends.high {
                prop_assert!(value <= high, "{:?}", verdict);
            }
        }
    }
}

#[test]
fn each_length_of_time_runs_between_its_two_ends() {
    let retried = Fate {
        wait: 1_000,
        lag: 2,
        throttles: 1,
        ..answered(500, 3_000)
    };
    let (measured, _) = record(&[retried], true);
    let total = measured.total;
    let max_ms = |spread: measured::Spread| spread.max_ns.map(|nanos| nanos / 1_000_000);
    // Due at 500; admitted at 1,500; sent at 1,502 and throttled 15 later; admitted again after
    // another 15, at 1,532; sent at 1,534; finished at 4,534.
    assert_eq!(max_ms(total.limiter_wait), Some(1_000));
    assert_eq!(max_ms(total.dispatch_lag), Some(2));
    assert_eq!(max_ms(total.service_time), Some(3_000));
    assert_eq!(max_ms(total.latency), Some(4_034));
    assert_eq!(total.ttft, None);
    assert_eq!(total.attempts.retries(), 1);
    assert_eq!(total.attempts.amplification(), Some(2.0));
    assert_eq!(total.attempts.throttle_share(), Some(0.5));
}

#[test]
fn a_retry_that_was_cut_off_has_no_dispatch_lag() {
    let mut recorder = Recorder::new(settings(false));
    let mut events = events_of(
        0,
        &Fate {
            throttles: 1,
            ..answered(0, 10)
        },
    );
    let Some((_, Event::Finished(record))) = events.last_mut() else {
        unreachable!("a request ends with its record")
    };
    record.outcome = Outcome::Cancelled;
    record.sent = record.earlier.first().map(|attempt| attempt.sent);
    // Due, and the first attempt sent, throttled and sent again; its second end never comes.
    events.remove(4);
    events.iter().for_each(|(_, event)| recorder.observe(event));
    let (measured, _) = recorder.finish(Instant::from_secs(1));
    assert_eq!(measured.total.dispatch_lag.count, 0);
    assert_eq!(measured.total.attempts.unfinished, 1);
}

#[test]
fn a_failure_and_a_drop_of_the_same_name_are_told_apart() {
    let end = |end| Fate {
        end,
        ..answered(0, 10)
    };
    let (measured, _) = record(
        &[
            end(Outcome::Failed(Failure::QuotaExceeded)),
            end(Outcome::Dropped(DropReason::QuotaExceeded)),
            end(Outcome::Dropped(DropReason::QuotaExceeded)),
        ],
        true,
    );
    assert_eq!(measured.total.failures["quota_exceeded"], 1);
    assert_eq!(measured.total.drops["quota_exceeded"], 2);
}

#[test]
fn cost_is_known_only_where_every_price_is() {
    let (measured, _) = record(&[answered(0, 10)], true);
    // 100 input tokens at $3 and 20 output tokens at $15 a million.
    assert_eq!(measured.total.cost, Some(Usd { pico: 600_000_000 }));
    let unpriced = Fate {
        class: 1,
        ..answered(0, 10)
    };
    let (measured, _) = record(&[answered(0, 10), unpriced], true);
    assert_eq!(measured.total.cost, None);
    assert_eq!(measured.models[0].cost, Some(Usd { pico: 600_000_000 }));
    assert_eq!(measured.models[1].cost, None);
}

#[test]
fn rates_are_over_the_time_until_the_last_thing_happened() {
    let (measured, _) = record(&[answered(0, 1_000), answered(1_000, 9_000)], true);
    assert_eq!(measured.elapsed_ns, 10_000_000_000);
    assert_eq!(measured.total.requests_per_second, 0.2);
    assert_eq!(measured.total.output_tokens_per_second, 4.0);
}

#[test]
fn rates_after_a_warm_up_are_over_the_time_since() {
    let fates = [
        answered(0, 1_000),
        answered(3_000, 1_000),
        answered(4_000, 6_000),
    ];
    let mark = Expectation {
        at_least: Some(0.25),
        ..Expectation::of_all(Metric::Goodput)
    };
    let concluded = conclude(&fates, warmed(true, 2_000), &[mark]);
    assert_eq!(concluded.measured.total.requests_per_second, 0.3);
    let after = concluded.after_warm_up.expect("the run has a warm-up");
    assert_eq!(
        (after.window_ns, after.elapsed_ns),
        (58_000_000_000, 8_000_000_000)
    );
    assert_eq!(after.total.requests_per_second, 0.25);
    assert_eq!(concluded.verdicts[0].value, Some(0.25));
    assert!(concluded.verdicts[0].passed);
}

#[test]
fn a_mark_is_looked_at_where_intervals_end() {
    let refused = |due| Fate {
        class: 1,
        end: Outcome::Failed(Failure::Validation),
        ..answered(due, 10)
    };
    let mark = Expectation {
        of: Scope::Class(ClassIndex(1)),
        at_most: Some(0.01),
        abort_on_fail: true,
        ..Expectation::of_all(Metric::FailureShare)
    };
    let mut events: Vec<(Instant, Event)> = (0..300)
        .flat_map(|id| events_of(id, &refused(id * 50)))
        .collect();
    events.sort_by_key(|(at, _)| *at);
    let missed_at = |warm_up, intervals| {
        let mut recorder = Recorder::new(warmed(intervals, warm_up));
        recorder.watch(&[mark]);
        let first = events.iter().find_map(|(at, event)| {
            recorder.observe(event);
            Some((*at, recorder.missed()?))
        });
        let (at, missed) = first?;
        assert_eq!(missed.name, "failure_share of b");
        Some((at, missed.at))
    };
    // A hundred have failed when the first interval ends; the event that ends it says so.
    let five = Instant::from_secs(5);
    assert_eq!(missed_at(0, true), Some((five, five)));
    assert_eq!(missed_at(0, false), Some((five, five)));
    let ten = Instant::from_secs(10);
    assert_eq!(missed_at(5_000, true), Some((ten, ten)));
    assert_eq!(missed_at(50_000, true), None);
}

#[test]
fn quiet_stretches_have_intervals_too() {
    let (_, intervals) = record(&[answered(1_000, 1_000), answered(21_000, 1_000)], true);
    let seen: Vec<(u64, Option<u64>)> = intervals
        .iter()
        .map(|interval| {
            (
                interval.counts.completed,
                interval.latency_p50_ns.map(|ns| ns >> 20),
            )
        })
        .collect();
    let second = Some(1_000_000_000 >> 20);
    assert_eq!(
        seen,
        [(1, second), (0, None), (0, None), (0, None), (1, second)]
    );
    assert_eq!(intervals[4].end, Instant::from_secs(22));
}

#[test]
fn a_run_in_which_nothing_happened_is_measured_too() {
    let (measured, intervals) = record(&[], true);
    assert!(measured.conserved && measured.warnings.is_empty());
    assert_eq!(measured.total.requests_per_second, 0.0);
    assert_eq!(intervals.len(), 1);
}

#[test]
fn numbers_survive_the_file_that_keeps_them() {
    let fates: Vec<Fate> = (0..300).map(|id| answered(id * 97, 100 + id * 7)).collect();
    let (measured, _) = record(&fates, true);
    let text = serde_json::to_string(&measured).expect("plain data can be written");
    let read: Measured = serde_json::from_str(&text).expect("and read again");
    assert_eq!(read, measured);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "requests were lost or counted twice")]
fn a_lost_request_is_a_bug_and_says_so() {
    let mut recorder = Recorder::new(settings(false));
    recorder.observe(&Event::Due {
        at: Instant::ZERO,
        class: ClassIndex(0),
    });
    let _ = recorder.finish(Instant::from_secs(1));
}

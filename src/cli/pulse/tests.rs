use std::path::Path;

use bedload::drive::{self, Observer, Wish, simulated};
use bedload::outcome::ClassIndex;

use super::*;

const SCENARIO: &str = r#"
name = "desk"
seed = 3
target.sim = {}
run.duration = "3m"
run.drain = "1s"
arrivals.poisson.rate = "4/s"
retry = { max_attempts = 2 }

[model.nova]
id = "amazon.nova-lite-v1:0"
quota = { rpm = 100, tpm = 30_000 }

[[prompt]]
name = "chat"
input_tokens = 200
max_tokens = 300
output_tokens = 150

[service]
first_token = "3s"
output_rate = "100/s"
"#;

/// Folds what happens, and keeps what the recorder makes of it.
struct Both {
    pulse: Pulse,
    recorder: bedload::recorder::Recorder,
}

impl Observer for Both {
    fn event(&mut self, event: &Event) {
        self.pulse.event(event);
        self.recorder.observe(event);
        while let Some(interval) = self.recorder.poll_interval() {
            self.pulse.interval(&interval);
        }
    }

    fn tick(&mut self, _: Instant, _: &Engine) -> Wish {
        Wish::GoOn
    }
}

#[test]
fn at_the_end_it_agrees_with_what_was_measured() {
    let scenario = Scenario::parse(SCENARIO, Path::new("."))
        .expect("it is sound")
        .scenario;
    let mut both = Both {
        pulse: Pulse::new(&scenario, "sim"),
        recorder: drive::recorder(&scenario, Duration::ZERO),
    };
    let mut engine = drive::engine(&scenario);
    let now = simulated::run(&scenario, &mut engine, &mut both);
    let Both {
        mut pulse,
        recorder,
    } = both;
    pulse.sample(now, &engine);
    let (measured, _) = recorder.finish(now);
    let (class, total) = (&pulse.classes[0], &measured.total);
    assert!(total.counts.failed > 0 && total.counts.completed > 0);
    assert_eq!(class.due, total.counts.intended);
    assert_eq!(class.completed, total.counts.completed);
    assert_eq!(class.failed, total.counts.failed);
    assert_eq!(class.cancelled, total.counts.cancelled);
    assert_eq!(pulse.throttled(), total.attempts.throttled.total());
    let model = &pulse.models[0];
    assert_eq!(
        (model.sent, model.answered),
        (total.attempts.sent, total.attempts.answered)
    );
    assert_eq!((model.usage, model.settled), (total.usage, total.settled));
    // Nothing is left under way.
    assert_eq!((model.under_way, model.reserved), (0, Tokens::ZERO));
    assert_eq!((pulse.waiting, pulse.under_way, pulse.retrying), (0, 0, 0));
    let latency: Vec<u64> = class.latency.cumulative().collect();
    assert_eq!(latency.last(), Some(&total.latency.count));
}

#[test]
fn seconds_are_closed_in_order_and_bounded() {
    let mut seconds = Seconds::default();
    seconds.complete(Instant::from_millis(200), 5_000_000);
    seconds.complete(Instant::from_millis(900), 7_000_000);
    seconds.advance(Instant::from_secs(3));
    let counts: Vec<u64> = seconds.iter().map(|second| second.completed).collect();
    assert_eq!(counts, [2, 0, 0]);
    assert!(
        seconds
            .iter()
            .next()
            .is_some_and(|second| second.p99_ns >= 7_000_000)
    );
    seconds.advance(Instant::from_secs(100_000));
    assert_eq!(seconds.iter().len(), 300);
    assert!(seconds.rate().abs() < f64::EPSILON);
}

#[test]
fn a_minute_forgets_what_is_older() {
    let mut minute = Minute::default();
    minute.add(Instant::from_secs(1), Tokens(100));
    minute.add(Instant::from_secs(30), Tokens(10));
    // Late news: the clock does not go back.
    minute.add(Instant::from_secs(29), Tokens(1));
    assert_eq!((minute.requests(), minute.tokens()), (3, Tokens(111)));
    minute.advance(Instant::from_secs(61));
    assert_eq!((minute.requests(), minute.tokens()), (2, Tokens(11)));
    minute.advance(Instant::from_secs(1_000_000));
    assert_eq!((minute.requests(), minute.tokens()), (0, Tokens::ZERO));
}

#[test]
fn mishaps_are_kept_once_for_each_kind_and_hold_nothing_that_a_terminal_obeys() {
    let mut mishaps = Mishaps::default();
    for second in 0..500 {
        mishaps.add(Instant::from_secs(second), (second % 50) as u16, "timeout");
    }
    assert_eq!(mishaps.iter().count(), 32);
    // What was pushed out of the list is counted from one again.
    mishaps.add(Instant::from_secs(501), 49, "timeout");
    mishaps.explain(49, "timeout", Some("no \x1b[2Janswer\n"));
    let first = mishaps.iter().next().expect("there is one");
    assert_eq!(
        (first.at, first.class, first.times),
        (Instant::from_secs(501), 49, 2)
    );
    assert_eq!(first.message.as_deref(), Some("no [2Janswer"));
}

#[test]
fn pauses_add_up() {
    let scenario = Scenario::parse(SCENARIO, Path::new("."))
        .expect("it is sound")
        .scenario;
    let mut pulse = Pulse::new(&scenario, "sim");
    let seconds = Instant::from_secs;
    pulse.event(&Event::Due {
        at: seconds(1),
        class: ClassIndex(0),
    });
    for (from, to) in [(2, 5), (10, 11)] {
        pulse.event(&Event::Paused { at: seconds(from) });
        assert_eq!(pulse.paused_since, Some(seconds(from)));
        pulse.event(&Event::Resumed { at: seconds(to) });
    }
    assert_eq!(pulse.paused_for(seconds(20)), Duration::from_secs(4));
    pulse.event(&Event::Paused { at: seconds(30) });
    assert_eq!(pulse.paused_for(seconds(32)), Duration::from_secs(6));
}

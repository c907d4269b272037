//! What theory says of a token bucket and a queue, against the simulator.
//!
//! Each test names its formula; tolerances are what chance explains at the sample sizes used, and
//! exact where nothing is random.

use std::time::Duration;

use bedload::arrivals::{ArrivalProcess, Profile, Spacing};
use bedload::distribution::Distribution;
use bedload::drive::{Observer, Wish, simulated};
use bedload::engine::{Bounds, Engine, LoadPlan, ModelPlan};
use bedload::limiter::LimiterSettings;
use bedload::mix::MixClass;
use bedload::outcome::{Event, Failure, ModelIndex, Outcome, RequestRecord};
use bedload::quota::Quota;
use bedload::retry::RetryPolicy;
use bedload::rng::Seed;
use bedload::service::{Call, ServedModel, Service, ServiceSettings, tokens_per_second};
use bedload::time::Instant;
use bedload::units::{Rate, Share, Tokens};

const NANOS: u64 = 1_000_000_000;

/// One class of requests to one model.
#[derive(Clone)]
struct Setup {
    arrivals: ArrivalProcess,
    input: u64,
    output: u64,
    max_tokens: u64,
    burndown: u32,
    quota: Quota,
    limiter: Option<LimiterSettings>,
    first_token: Duration,
    duration: Duration,
}

impl Setup {
    /// `per_minute` requests, evenly spaced, of 100 tokens that are reserved and settled alike.
    fn even(per_minute: u64, duration: Duration) -> Self {
        Self {
            arrivals: open(per_minute, Spacing::Even),
            input: 50,
            output: 50,
            max_tokens: 50,
            burndown: 1,
            quota: Quota::default(),
            limiter: None,
            first_token: Duration::from_millis(500),
            duration,
        }
    }

    fn run(&self) -> Watched {
        let plan = LoadPlan {
            arrivals: self.arrivals.clone(),
            classes: vec![MixClass {
                weight: 1.0,
                model: ModelIndex(0),
                input: Some(Distribution::Constant(self.input)),
                output: Some(Distribution::Constant(self.output)),
            }],
            reserved_output: vec![Tokens(self.max_tokens)],
            models: vec![ModelPlan {
                limiter: self.limiter.clone(),
                burndown: self.burndown,
                price: None,
            }],
            retry: RetryPolicy::default(),
            bounds: Bounds {
                duration: self.duration,
                drain: Duration::ZERO,
                max_requests: None,
                max_in_flight: u32::MAX,
                max_queue: u32::MAX,
                max_cost: None,
            },
        };
        let settings = ServiceSettings {
            first_token: Distribution::Constant(self.first_token.as_nanos() as u64),
            output_rate: tokens_per_second(1_000_000_000),
            refusal: Duration::from_millis(1),
            quota_capacity: Duration::from_secs(60),
            quota_initial_fill: Share::percent(100),
        };
        let served = ServedModel {
            quota: self.quota,
            burndown: self.burndown,
        };
        let mut service = Service::new(&settings, &[served], Seed(11));
        let mut engine = Engine::new(plan, Seed(11));
        let mut watched = Watched::default();
        let timeout = Duration::from_secs(3600);
        simulated::drive(&mut engine, &mut watched, timeout, |now, dispatch| {
            let call = Call {
                request: dispatch.id.request,
                attempt: dispatch.id.attempt,
                model: dispatch.model,
                input: dispatch.input,
                max_tokens: Tokens(self.max_tokens),
                output: dispatch.output,
            };
            service.call(now, &call)
        });
        watched
    }
}

fn open(per_minute: u64, spacing: Spacing) -> ArrivalProcess {
    let rate = Rate {
        events: per_minute,
        period_nanos: 60 * NANOS,
    };
    ArrivalProcess::Open {
        profile: Profile::Constant(rate),
        spacing,
    }
}

fn tpm(tokens: u64) -> Quota {
    Quota {
        tpm: Some(tokens),
        ..Quota::default()
    }
}

/// A limiter that is set to the quota as the service has it.
fn same_limiter(quota: Quota) -> LimiterSettings {
    LimiterSettings {
        quota,
        burst: Duration::from_secs(60),
        headroom: Share::ZERO,
        initial_fill: Share::percent(100),
        wait_for_quota: true,
        quota_timeout: Duration::from_secs(100_000),
        max_in_flight: None,
    }
}

#[derive(Default)]
struct Watched {
    records: Vec<RequestRecord>,
    /// Tokens-nanoseconds and calls-nanoseconds under way, up to the last event.
    call_nanos: u128,
    token_nanos: u128,
    calls: u64,
    tokens: u64,
    last: Instant,
}

impl Watched {
    fn pass(&mut self, now: Instant) {
        let span = u128::from((now - self.last).as_nanos() as u64);
        self.call_nanos += span * u128::from(self.calls);
        self.token_nanos += span * u128::from(self.tokens);
        self.last = now;
    }

    fn throttled(&self) -> impl Iterator<Item = &RequestRecord> {
        self.records.iter().filter(|record| {
            matches!(record.outcome, Outcome::Failed(failure) if Failure::is_throttle(failure))
        })
    }

    fn completed(&self) -> impl Iterator<Item = &RequestRecord> {
        self.records
            .iter()
            .filter(|record| record.outcome == Outcome::Completed)
    }

    /// Completed requests per minute among those admitted in `from..to`.
    fn rate_between(&self, from: Instant, to: Instant) -> f64 {
        let count = self
            .completed()
            .filter(|record| record.admitted.is_some_and(|at| (from..to).contains(&at)))
            .count();
        count as f64 * 60.0 / (to - from).as_secs_f64()
    }
}

impl Observer for Watched {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Sent { at, reserved, .. } => {
                self.pass(*at);
                self.calls += 1;
                self.tokens += reserved.0;
            }
            Event::Ended { at, reserved, .. } => {
                self.pass(*at);
                self.calls -= 1;
                self.tokens -= reserved.0;
            }
            Event::Finished(record) => self.records.push(record.clone()),
            Event::Due { .. } => {}
        }
    }

    fn tick(&mut self, _now: Instant, _engine: &Engine) -> Wish {
        Wish::GoOn
    }
}

fn close(measured: f64, expected: f64, tolerance: f64) {
    let off = (measured - expected).abs() / expected;
    assert!(
        off <= tolerance,
        "measured {measured}, expected {expected}: off by {off:.4}"
    );
}

/// From a full bucket of one minute, an overload of ρ is first refused after 60 / (ρ - 1) seconds.
#[test]
fn first_throttle_under_constant_overload() {
    for (overload, seconds) in [(2, 60.0), (3, 30.0)] {
        let mut setup = Setup::even(600 * overload, Duration::from_secs(120));
        setup.quota = tpm(60_000);
        let watched = setup.run();
        let first = watched
            .throttled()
            .next()
            .expect("an overload is throttled");
        // The request that is refused is the first for which the bucket holds less than its 100
        // tokens, which is up to one gap between requests early.
        let gap = 60.0 / (600.0 * overload as f64);
        let at = first.due.as_secs_f64();
        assert!(
            (seconds - 2.0 * gap..=seconds + gap).contains(&at),
            "{overload}x: first at {at} s"
        );
    }
}

/// In the long run the share refused at overload ρ is 1 - 1/ρ.
#[test]
fn long_run_refusals() {
    for overload in [2, 3, 5] {
        let mut setup = Setup::even(600 * overload, Duration::from_secs(3 * 3600));
        setup.quota = tpm(60_000);
        let watched = setup.run();
        let late = |record: &&RequestRecord| record.due >= Instant::from_secs(120);
        let due = watched.records.iter().filter(late).count();
        let refused = watched.throttled().filter(late).count();
        close(
            refused as f64 / due as f64,
            1.0 - 1.0 / overload as f64,
            0.005,
        );
    }
}

/// RPM binds as TPM does: the sustained rate is the quota's.
#[test]
fn requests_per_minute_bind_alone() {
    let mut setup = Setup::even(300, Duration::from_secs(3600));
    setup.quota = Quota {
        rpm: Some(60),
        ..tpm(60_000)
    };
    let watched = setup.run();
    close(
        watched.rate_between(Instant::from_secs(60), Instant::from_secs(3600)),
        60.0,
        0.005,
    );
    assert!(
        watched
            .throttled()
            .all(|record| { record.outcome == Outcome::Failed(Failure::ThrottledRequests) })
    );
}

/// The chat mix of a real trace (1,155 tokens in, 211 out, burndown 5, answers in 3.5 s, 3 M tokens a
/// minute, max_tokens 64,000) is sustained at Q / S = 1,357 requests a minute, although each request
/// reserves 65,155 tokens: what it does not use comes back. With a limiter set like the service,
/// nothing is throttled on the way.
#[test]
fn sustainable_rate_is_set_by_the_settlement() {
    let quota = tpm(3_000_000);
    let setup = Setup {
        arrivals: open(4000, Spacing::Poisson),
        input: 1155,
        output: 211,
        max_tokens: 64_000,
        burndown: 5,
        quota,
        limiter: Some(same_limiter(quota)),
        first_token: Duration::from_millis(3500),
        duration: Duration::from_secs(3600),
    };
    let watched = setup.run();
    // The start is slow: its time constant is W R / S = 103 s.
    let rate = watched.rate_between(Instant::from_secs(900), Instant::from_secs(3600));
    close(rate, 1357.0, 0.02);
    assert_eq!(watched.throttled().count(), 0);
}

/// Envelope: in every interval (t1, t2] the service admits at most capacity + rate (t2 - t1).
#[test]
fn the_service_keeps_its_envelope() {
    let mut setup = Setup::even(0, Duration::from_secs(1800));
    setup.arrivals = open(1500, Spacing::Gamma { cv: 4.0 });
    setup.quota = tpm(60_000);
    let watched = setup.run();
    let mut admitted: Vec<u64> = watched
        .completed()
        .filter_map(|record| record.sent)
        .map(Instant::as_nanos)
        .collect();
    admitted.sort_unstable();
    assert!(admitted.len() > 10_000);
    // With A(t) the cost admitted by t, the bound holds for all pairs exactly if A(t2) - rate t2 never
    // rises more than the capacity above the lowest A(t1) - rate t1 before it. Scaled to nanoseconds
    // of a minute, so that it is exact: 100 tokens each, 60,000 tokens a minute.
    let minute = i128::from(60 * NANOS);
    let mut sum = 0_i128;
    let mut lowest = i128::MAX;
    let mut most = 0_i128;
    for at in admitted {
        let refilled = 60_000 * i128::from(at);
        lowest = lowest.min(sum - refilled);
        sum += 100 * minute;
        most = most.max(sum - refilled - lowest);
    }
    assert!(
        most <= 60_000 * minute,
        "{most} against {}",
        60_000 * minute
    );
    // And it is used to the full at some time, or this test would prove little.
    assert!(most > 59_000 * minute);
}

/// Little: calls under way = λ W, and tokens reserved = λ W R.
#[test]
fn calls_under_way_follow_littles_law() {
    let mut setup = Setup::even(0, Duration::from_secs(2 * 3600));
    setup.arrivals = open(1200, Spacing::Poisson);
    setup.first_token = Duration::from_secs(4);
    let watched = setup.run();
    let seconds = watched.last.as_secs_f64();
    let calls = watched.call_nanos as f64 / 1e9 / seconds;
    let tokens = watched.token_nanos as f64 / 1e9 / seconds;
    // 20 a second for 4 s; 144,000 arrivals, so that λ itself is known to 0.3 %.
    close(calls, 80.0, 0.01);
    close(tokens, 8000.0, 0.01);
}

/// A limiter that lets one request go each D is the server of an M/D/1 queue: the mean wait is
/// D ρ / (2 (1 - ρ)).
#[test]
fn waits_for_quota_are_those_of_a_queue_with_one_server() {
    for (per_minute, wait_in_d, tolerance) in [(30, 0.5, 0.03), (48, 2.0, 0.05), (54, 4.5, 0.08)] {
        let quota = Quota {
            rpm: Some(60),
            ..Quota::default()
        };
        let mut setup = Setup::even(0, Duration::from_secs(200 * 3600));
        setup.arrivals = open(per_minute, Spacing::Poisson);
        setup.limiter = Some(LimiterSettings {
            burst: Duration::from_secs(1),
            ..same_limiter(quota)
        });
        let watched = setup.run();
        let waits: Vec<f64> = watched
            .completed()
            .filter_map(|record| Some((record.admitted? - record.due).as_secs_f64()))
            .collect();
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        close(mean, wait_in_d, tolerance);
    }
}

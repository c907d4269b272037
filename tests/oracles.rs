//! What theory says of a token bucket and a queue, against the simulator.
//!
//! Each test names its formula; tolerances are what chance explains at the sample sizes used, and
//! exact where nothing is random.

use std::time::Duration;

use bedload::arrivals::{ArrivalProcess, Profile, Spacing};
use bedload::distribution::Distribution;
use bedload::drive::simulated::{self, Answers};
use bedload::drive::{Observer, Wish};
use bedload::engine::{Bounds, CallPlan, Engine, LoadPlan, ModelPlan};
use bedload::limiter::LimiterSettings;
use bedload::mix::MixClass;
use bedload::outcome::{Dispatch, Event, Failure, ModelIndex, Outcome, RequestRecord};
use bedload::quota::{Counting, Enforcement, MeterSettings, Quota};
use bedload::retry::RetryPolicy;
use bedload::rng::Seed;
use bedload::service::{
    Adjustment, Call, Reply, ServedModel, Service, ServiceSettings, tokens_per_second,
};
use bedload::time::Instant;
use bedload::units::{Rate, Tokens};

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
    meters: MeterSettings,
    adjustment: Adjustment,
    network: Option<Distribution>,
    limiter: Option<LimiterSettings>,
    first_token: Distribution,
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
            meters: MeterSettings::default(),
            adjustment: Adjustment::AtEnd,
            network: None,
            limiter: None,
            first_token: Distribution::Constant(NANOS / 2),
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
            calls: vec![CallPlan {
                max_tokens: Tokens(self.max_tokens),
                priority: 0,
            }],
            models: vec![ModelPlan {
                limiter: self.limiter.clone(),
                counting: Counting::documented(self.burndown),
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
                max_total_tokens: None,
            },
        };
        let settings = ServiceSettings {
            first_token: self.first_token.clone(),
            output_rate: tokens_per_second(1_000_000_000),
            refusal: Duration::from_millis(1),
            meters: self.meters,
            adjustment: self.adjustment,
            network: self.network.clone(),
            faults: Vec::new(),
        };
        let served = ServedModel {
            quota: self.quota,
            counting: Counting::documented(self.burndown),
        };
        let mut answers = Answering {
            service: Service::new(&settings, &[served], Seed(11)),
            max_tokens: Tokens(self.max_tokens),
        };
        let mut engine = Engine::new(plan, Seed(11));
        let mut watched = Watched::default();
        let timeout = Duration::from_secs(3600);
        simulated::drive(&mut engine, &mut watched, timeout, &mut answers);
        watched
    }
}

/// The service, and what every call to it says.
struct Answering {
    service: Service,
    max_tokens: Tokens,
}

impl Answers for Answering {
    fn network(&mut self, dispatch: &Dispatch) -> (Duration, Duration) {
        self.service
            .network(dispatch.id.request, dispatch.id.attempt)
    }

    fn reply(&mut self, now: Instant, dispatch: &Dispatch) -> Reply {
        let call = Call {
            request: dispatch.id.request,
            attempt: dispatch.id.attempt,
            model: dispatch.model,
            streams: false,
            input: dispatch.input,
            max_tokens: self.max_tokens,
            output: dispatch.output,
        };
        self.service.call(now, &call)
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
        meters: MeterSettings::default(),
        quota_timeout: Duration::from_secs(100_000),
        ..LimiterSettings::new(quota, Counting::documented(5))
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
            Event::Due { .. } | Event::Paused { .. } | Event::Resumed { .. } => {}
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
    setup.first_token = Distribution::Constant(4 * NANOS);
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
            meters: MeterSettings {
                burst: Duration::from_secs(1),
                ..MeterSettings::default()
            },
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

/// The chat mix of a real trace: 1,155 tokens in, 211 out at burndown 5, answers in 3.5 s, 3 M tokens
/// a minute, and `max_tokens` of 64,000, so that a request reserves 65,155 tokens and settles 2,210.
/// Requests are always waiting.
fn chat_mix(enforcement: Enforcement) -> Setup {
    let meters = MeterSettings {
        enforcement,
        ..MeterSettings::default()
    };
    let quota = tpm(3_000_000);
    Setup {
        arrivals: open(4000, Spacing::Poisson),
        input: 1155,
        output: 211,
        max_tokens: 64_000,
        burndown: 5,
        quota,
        meters,
        limiter: Some(LimiterSettings {
            meters,
            ..same_limiter(quota)
        }),
        first_token: Distribution::Constant(7 * NANOS / 2),
        ..Setup::even(0, Duration::from_secs(3600))
    }
}

/// The first start in a bucket is slow (its time constant is W R / S = 103 s), so rates are read
/// after a while.
fn settled_rate(watched: &Watched) -> f64 {
    watched.rate_between(Instant::from_secs(900), Instant::from_secs(3600))
}

/// Bucket: Q / S. Ledger: the slots bind, ⌊C / R⌋ / W. Rolling: Q / (W R + (60 - W) S). With a limiter
/// that counts as the service does, at least 98 % of that is used and nothing is throttled.
#[test]
fn sustainable_rates_of_the_chat_mix() {
    let expected = [
        (Enforcement::Bucket, 1357.0),
        (Enforcement::Ledger, 789.0),
        (Enforcement::Rolling, 510.0),
    ];
    for (enforcement, per_minute) in expected {
        let watched = chat_mix(enforcement).run();
        let rate = settled_rate(&watched);
        println!("{enforcement}: {rate:.1} requests/min, expected {per_minute}");
        close(rate, per_minute, 0.02);
        assert_eq!(watched.throttled().count(), 0, "{enforcement}");
    }
}

/// No formula is known for `fixed`, only its bounds: each minute starts as a ledger of slots, and no
/// minute settles more than the quota.
#[test]
fn a_fixed_window_lies_between_its_bounds() {
    let watched = chat_mix(Enforcement::Fixed).run();
    let rate = settled_rate(&watched);
    println!("fixed: {rate:.1} requests/min");
    assert!(rate > 46.0 && rate <= 1357.0, "{rate}");
    assert_eq!(watched.throttled().count(), 0);
}

/// Erlang B: with c slots and an offered load of a, the share refused does not depend on how long
/// calls take beyond their mean. B(10, 8) = 0.121661.
#[test]
fn refusals_of_a_ledger_follow_erlang_b() {
    let services = [
        ("deterministic", Distribution::Constant(8 * NANOS)),
        ("exponential", exponential(8.0)),
        ("lognormal", lognormal_with_mean(8.0, 0.8)),
    ];
    for (name, first_token) in services {
        let setup = Setup {
            arrivals: open(60, Spacing::Poisson),
            // Ten slots of 100,000 tokens; what they cost in the end never binds.
            input: 0,
            output: 1,
            max_tokens: 100_000,
            quota: tpm(1_000_000),
            meters: MeterSettings {
                enforcement: Enforcement::Ledger,
                ..MeterSettings::default()
            },
            first_token,
            ..Setup::even(0, Duration::from_secs(150 * 3600))
        };
        let watched = setup.run();
        let refused = watched.throttled().count() as f64 / watched.records.len() as f64;
        println!("{name}: {refused:.4} refused, expected 0.1217");
        assert!((refused - 0.121_661).abs() <= 0.005, "{name}: {refused}");
    }
}

/// Ten thousand quantiles of an exponential distribution.
fn exponential(mean_seconds: f64) -> Distribution {
    let quantile = |point: u32| -(1.0 - (f64::from(point) + 0.5) / 1e4).ln();
    let values = (0..10_000).map(|point| (quantile(point) * mean_seconds * 1e9) as u64);
    Distribution::Empirical(values.collect())
}

fn lognormal_with_mean(mean_seconds: f64, sigma: f64) -> Distribution {
    let median = mean_seconds * 1e9 / (sigma * sigma / 2.0).exp();
    // 1.644854 standard deviations are the 95th percentile of a normal distribution.
    let p95 = median * (1.644_854 * sigma).exp();
    Distribution::Lognormal { median, p95 }
}

/// Erlang C: a limiter of c calls at a time is a queue with c servers, and the share that waits is
/// C(10, 8) = 0.40918; the mean wait of all is C W / (c - a).
#[test]
fn waits_for_a_place_in_flight_follow_erlang_c() {
    for (servers, offered, share_waiting) in [(10_u32, 8.0, 0.409_18), (50, 45.0, 0.363_864)] {
        let mut setup = Setup::even(0, Duration::from_secs(300 * 3600));
        setup.arrivals = open((offered * 60.0) as u64, Spacing::Poisson);
        setup.first_token = exponential(1.0);
        setup.limiter = Some(LimiterSettings {
            max_in_flight: Some(servers),
            ..same_limiter(Quota::default())
        });
        // 300 h of ten servers, and less of fifty: as many requests.
        setup.duration = setup.duration.mul_f64(8.0 / offered / 4.0);
        let watched = setup.run();
        let waits: Vec<f64> = watched
            .completed()
            .filter_map(|record| Some((record.admitted? - record.due).as_secs_f64()))
            .collect();
        let waited = waits.iter().filter(|wait| **wait > 0.0).count() as f64 / waits.len() as f64;
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        println!("M/M/{servers}: {waited:.4} wait, {mean:.4} s on average");
        close(waited, share_waiting, 0.02);
        close(mean, share_waiting / (f64::from(servers) - offered), 0.05);
    }
}

/// Slow start: from an empty bucket, what is under way shrinks its distance to the steady rate by
/// e^(-1) each W R / S.
#[test]
fn the_start_is_as_slow_as_its_time_constant() {
    let setup = Setup {
        duration: Duration::from_secs(1200),
        ..chat_mix(Enforcement::Bucket)
    };
    let watched = setup.run();
    let constant = 3.5 * 65_155.0 / 2210.0;
    // The first burst of a full bucket comes back every 3.5 s, so rates are read over whole multiples
    // of that, and compared one time constant apart.
    let rate = |around: f64| {
        let half = 5.0 * 3.5;
        watched.rate_between(seconds(around - half), seconds(around + half))
    };
    let steady = 3e6 / 2210.0;
    let ratio = (steady - rate(60.0 + constant)) / (steady - rate(60.0));
    println!("after one time constant of {constant:.1} s {ratio:.3} of the distance is left");
    assert!((ratio - (-1.0_f64).exp()).abs() < 0.05, "{ratio}");
}

fn seconds(seconds: f64) -> Instant {
    Instant::from_nanos((seconds * 1e9) as u64)
}

//! What the pure core costs: limiter decisions, sampling, recording, and whole simulated requests.
//!
//! `cargo bench --bench core` prints times per operation; for `simulated_requests`, requests a second.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use bedload::arrivals::{ArrivalProcess, Profile, Spacing};
use bedload::distribution::Distribution;
use bedload::drive::{Observer, Wish, simulated};
use bedload::engine::{Bounds, CallPlan, Engine, LoadPlan, ModelPlan};
use bedload::limiter::{Admission, Ask, End, Limiter, LimiterSettings};
use bedload::mix::{Mix, MixClass};
use bedload::outcome::{Dispatch, Event, ModelIndex};
use bedload::quota::{Counting, Demand, Enforcement, MeterSettings, Quota};
use bedload::recorder::{ModelInfo, Recorder, RecorderSettings};
use bedload::retry::RetryPolicy;
use bedload::rng::{Seed, Stream};
use bedload::service::{
    Adjustment, Call, ServedModel, Service, ServiceSettings, tokens_per_second,
};
use bedload::time::Instant;
use bedload::units::{Rate, TokenUsage, Tokens};
use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};

const SIMULATED: u64 = 200_000;

/// So much that nothing waits.
const QUOTA: Quota = Quota {
    rpm: Some(1_000_000_000),
    tpm: Some(1_000_000_000_000),
    tpd: None,
    input_tpm: None,
    output_tpm: None,
};

const ALL_DIMENSIONS: Quota = Quota {
    tpd: QUOTA.tpm,
    input_tpm: QUOTA.tpm,
    output_tpm: QUOTA.tpm,
    ..QUOTA
};

fn limiter_settings(quota: Quota) -> LimiterSettings {
    LimiterSettings::new(quota, Counting::documented(5))
}

fn limiter(c: &mut Criterion) {
    let mut group = c.benchmark_group("limiter");
    let reserve_and_settle = |b: &mut Bencher<'_>, quota, enforcement| {
        let mut settings = limiter_settings(quota);
        settings.meters.enforcement = enforcement;
        let mut limiter = Limiter::new(&settings);
        let mut now = Instant::ZERO;
        let ask = Ask {
            demand: Demand {
                input: Tokens(300),
                max_tokens: Tokens(1200),
                ..Demand::default()
            },
            ..Ask::default()
        };
        let usage = TokenUsage {
            input: Tokens(300),
            output: Tokens(180),
            ..TokenUsage::default()
        };
        b.iter(|| {
            now = now + Duration::from_micros(1);
            match limiter.offer(now, 0, black_box(ask)) {
                Admission::Now(permit) => limiter.end(now, permit, End::Answered(usage)),
                other => panic!("quota is ample: {other:?}"),
            }
        });
    };
    for enforcement in Enforcement::ALL {
        group.bench_function(format!("reserve_and_settle_rpm_tpm/{enforcement}"), |b| {
            reserve_and_settle(b, QUOTA, enforcement);
        });
    }
    group.bench_function("reserve_and_settle_all_dimensions/bucket", |b| {
        reserve_and_settle(b, ALL_DIMENSIONS, Enforcement::Bucket);
    });
    // For scale: one dimension, one clock reading, nothing to settle.
    group.bench_function("governor_check", |b| {
        let most = NonZeroU32::new(1_000_000_000).expect("not zero");
        let limiter = governor::RateLimiter::direct(governor::Quota::per_second(most));
        b.iter(|| black_box(&limiter).check().is_ok());
    });
    group.finish();
}

fn classes() -> Vec<MixClass> {
    let lognormal = |median, p95| Some(Distribution::Lognormal { median, p95 });
    vec![
        MixClass {
            weight: 4.0,
            model: ModelIndex(0),
            input: lognormal(300.0, 1200.0),
            output: lognormal(180.0, 420.0),
        },
        MixClass {
            weight: 1.0,
            model: ModelIndex(0),
            input: lognormal(1800.0, 6000.0),
            output: Some(Distribution::Constant(240)),
        },
    ]
}

fn sampling(c: &mut Criterion) {
    let mut group = c.benchmark_group("sampling");
    group.bench_function("lognormal", |b| {
        let sampler = Distribution::Lognormal {
            median: 180.0,
            p95: 420.0,
        }
        .sampler();
        let mut rng = Seed(1).stream(Stream::Mix);
        b.iter(|| sampler.sample(&mut rng));
    });
    group.bench_function("mix_of_two_classes", |b| {
        let mut mix = Mix::new(&classes(), Seed(1));
        b.iter(|| mix.draw(None, None));
    });
    group.bench_function("poisson_due_time", |b| {
        let rate = Rate {
            events: 1000,
            period_nanos: 1_000_000_000,
        };
        let arrivals = ArrivalProcess::Open {
            profile: Profile::Constant(rate),
            spacing: Spacing::Poisson,
        };
        let mut schedule = arrivals.schedule(Seed(1), Duration::from_secs(1_000_000_000));
        b.iter(|| schedule.next());
    });
    group.finish();
}

fn plan(requests: u64, classes: Vec<MixClass>, limiter: Option<LimiterSettings>) -> LoadPlan {
    LoadPlan {
        arrivals: ArrivalProcess::Open {
            profile: Profile::Constant(Rate {
                events: 1000,
                period_nanos: 1_000_000_000,
            }),
            spacing: Spacing::Poisson,
        },
        calls: vec![
            CallPlan {
                max_tokens: Tokens(800),
                priority: 0,
            };
            classes.len()
        ],
        classes,
        models: vec![ModelPlan {
            limiter,
            counting: Counting::documented(5),
            price: None,
        }],
        retry: RetryPolicy::default(),
        bounds: Bounds {
            duration: Duration::from_secs(1_000_000),
            drain: Duration::from_secs(30),
            max_requests: Some(requests),
            max_in_flight: u32::MAX,
            max_queue: u32::MAX,
            max_cost: None,
            max_total_tokens: None,
        },
    }
}

fn service() -> Service {
    let settings = ServiceSettings {
        first_token: Distribution::Lognormal {
            median: 3e8,
            p95: 6e8,
        },
        output_rate: tokens_per_second(300),
        refusal: Duration::from_millis(15),
        meters: MeterSettings::default(),
        adjustment: Adjustment::AtEnd,
        network: None,
        faults: Vec::new(),
    };
    let served = ServedModel {
        quota: QUOTA,
        counting: Counting::documented(5),
    };
    Service::new(&settings, &[served], Seed(1))
}

fn recorder(classes: usize) -> Recorder {
    Recorder::new(RecorderSettings {
        classes: (0..classes)
            .map(|class| (format!("class-{class}"), ModelIndex(0)))
            .collect(),
        models: vec![ModelInfo {
            name: "model".to_owned(),
            quota: Quota::default(),
            price: None,
        }],
        duration: Duration::from_secs(3600),
        clock_offset: Duration::ZERO,
        warm_up: Duration::ZERO,
        streaming: false,
        intervals: true,
    })
}

/// Records, or looks away.
enum Watch {
    Nothing,
    Recorder(Box<Recorder>),
    Events(Vec<Event>),
}

impl Observer for Watch {
    fn event(&mut self, event: &Event) {
        match self {
            Self::Nothing => {}
            Self::Recorder(recorder) => {
                recorder.observe(event);
                while let Some(interval) = recorder.poll_interval() {
                    black_box(interval);
                }
            }
            Self::Events(events) => events.push(event.clone()),
        }
    }

    fn tick(&mut self, _now: Instant, _engine: &Engine) -> Wish {
        Wish::GoOn
    }
}

fn simulate(plan: LoadPlan, watch: &mut Watch) -> u64 {
    let mut engine = Engine::new(plan, Seed(1));
    let mut service = service();
    simulated::drive(
        &mut engine,
        watch,
        Duration::from_secs(60),
        &mut |now, dispatch: &Dispatch| {
            let call = Call {
                request: dispatch.id.request,
                attempt: dispatch.id.attempt,
                model: dispatch.model,
                streams: false,
                input: dispatch.input,
                max_tokens: Tokens(800),
                output: dispatch.output,
            };
            service.call(now, &call)
        },
    );
    engine.due_count()
}

fn simulation(c: &mut Criterion) {
    let constant = vec![MixClass {
        weight: 1.0,
        model: ModelIndex(0),
        input: Some(Distribution::Constant(300)),
        output: Some(Distribution::Constant(200)),
    }];
    let mut group = c.benchmark_group("simulated_requests");
    group
        .throughput(Throughput::Elements(SIMULATED))
        .sample_size(10);
    group.bench_function("plain_engine_and_service", |b| {
        b.iter(|| simulate(plan(SIMULATED, constant.clone(), None), &mut Watch::Nothing));
    });
    group.bench_function("plain_recorded", |b| {
        b.iter(|| {
            let mut watch = Watch::Recorder(Box::new(recorder(1)));
            simulate(plan(SIMULATED, constant.clone(), None), &mut watch)
        });
    });
    group.bench_function("mix_with_limiter_recorded", |b| {
        b.iter(|| {
            let mut watch = Watch::Recorder(Box::new(recorder(2)));
            simulate(
                plan(SIMULATED, classes(), Some(limiter_settings(QUOTA))),
                &mut watch,
            )
        });
    });
    group.finish();
}

fn recording(c: &mut Criterion) {
    let mut watch = Watch::Events(Vec::new());
    let requests = simulate(plan(20_000, classes(), None), &mut watch);
    let Watch::Events(events) = watch else {
        unreachable!("made above")
    };
    let mut group = c.benchmark_group("recorder");
    group
        .throughput(Throughput::Elements(requests))
        .sample_size(20);
    group.bench_function("all_events_of_a_request", |b| {
        b.iter(|| {
            let mut recorder = recorder(2);
            for event in &events {
                recorder.observe(event);
            }
            while let Some(interval) = recorder.poll_interval() {
                black_box(interval);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, limiter, sampling, recording, simulation);
criterion_main!(benches);

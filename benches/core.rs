//! What the pure core costs: limiter decisions, sampling, recording, and whole simulated requests.
//!
//! `cargo bench --bench core` prints times per operation; for `simulated_requests`, requests a second.

use std::hint::black_box;
use std::time::Duration;

use bedload::arrivals::{ArrivalProcess, Profile, Spacing};
use bedload::distribution::Distribution;
use bedload::drive::{Observer, Wish, simulated};
use bedload::engine::{Bounds, Engine, LoadPlan, ModelPlan};
use bedload::limiter::{Admission, Limiter, LimiterSettings};
use bedload::mix::{Mix, MixClass};
use bedload::outcome::{Dispatch, Event, ModelIndex};
use bedload::quota::{Cost, Quota};
use bedload::recorder::{ModelInfo, Recorder, RecorderSettings};
use bedload::retry::RetryPolicy;
use bedload::rng::{Seed, Stream};
use bedload::service::{Call, ServedModel, Service, ServiceSettings, tokens_per_second};
use bedload::time::Instant;
use bedload::units::{Rate, Share, Tokens};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SIMULATED: u64 = 200_000;

fn limiter_settings() -> LimiterSettings {
    LimiterSettings {
        quota: Quota {
            rpm: Some(1_000_000_000),
            tpm: Some(1_000_000_000_000),
            ..Quota::default()
        },
        burst: Duration::from_secs(10),
        headroom: Share::ZERO,
        initial_fill: Share::percent(100),
        wait_for_quota: true,
        quota_timeout: Duration::from_secs(30),
        max_in_flight: None,
    }
}

fn limiter(c: &mut Criterion) {
    let mut group = c.benchmark_group("limiter");
    group.bench_function("reserve_and_settle_rpm_tpm", |b| {
        let mut limiter = Limiter::new(&limiter_settings());
        let mut now = Instant::ZERO;
        b.iter(|| {
            now = now + Duration::from_micros(1);
            match limiter.offer(now, 0, black_box(Cost::call(Tokens(1500)))) {
                Admission::Now(permit) => limiter.settle(now, permit, Tokens(1200)),
                other => panic!("quota is ample: {other:?}"),
            }
        });
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
        b.iter(|| mix.draw(None));
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
        reserved_output: vec![Tokens(800); classes.len()],
        classes,
        models: vec![ModelPlan {
            limiter,
            burndown: 5,
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
        quota_capacity: Duration::from_secs(60),
        quota_initial_fill: Share::percent(100),
    };
    let quota = Quota {
        rpm: Some(1_000_000_000),
        tpm: Some(1_000_000_000_000),
        ..Quota::default()
    };
    Service::new(&settings, &[ServedModel { quota, burndown: 5 }], Seed(1))
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
        |now, dispatch: &Dispatch| {
            let call = Call {
                request: dispatch.id.request,
                attempt: dispatch.id.attempt,
                model: dispatch.model,
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
                plan(SIMULATED, classes(), Some(limiter_settings())),
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

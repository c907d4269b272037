//! One limiter, ten thousand tasks: nobody waits for ever, nobody passes out of turn, and every permit
//! comes back, also when a third of the tasks gives up at a random point.
#![cfg(feature = "stub")]

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bedload::client::{BedrockClient, Prompt, QuotaAwareClient, SharedLimiter};
use bedload::clock::Clock;
use bedload::limiter::{Ask, End, LimiterSettings};
use bedload::quota::{Counting, Demand, Dimension, MeterSettings, Quota};
use bedload::scenario::Scenario;
use bedload::target::stub::StubTarget;
use bedload::units::{TokenUsage, Tokens};
use tokio::time::timeout;

const TASKS: u32 = 10_000;

/// A number that looks random, for each task its own.
fn mixed(task: u32) -> u64 {
    let mixed = u64::from(task)
        .wrapping_add(1)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

fn gives_up(task: u32) -> bool {
    mixed(task).is_multiple_of(3)
}

/// How long a task goes on that gives up, in milliseconds.
fn patience(task: u32) -> Duration {
    Duration::from_millis((mixed(task) >> 8) % 4000)
}

const SERVICE: &str = r#"
name = "sharing"
[arrivals.constant]
rate = "1/s"
[run]
duration = "1s"
[model.nova]
id = "us.amazon.nova-lite-v1:0"
[model.nova.quota]
rpm = 120_000
[[prompt]]
name = "reply"
input_tokens = 10
max_tokens = 20
output_tokens = 5
[service]
first_token = "20ms"
output_rate = "1000/s"
"#;

#[test]
fn ten_thousand_tasks_share_a_client_over_the_stub() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let checked = Scenario::parse(SERVICE, Path::new("")).expect("a scenario");
        let stub = StubTarget::start(&checked.scenario, Clock::start())
            .await
            .expect("a stub");
        let bedrock = BedrockClient::builder("us.amazon.nova-lite-v1:0")
            .build(&stub.sdk_config())
            .expect("a client");
        // 2,000 a second with a burst of 200: ten thousand take about five seconds.
        let client = QuotaAwareClient::builder(bedrock)
            .max_rpm(120_000)
            .max_in_flight(400)
            .burst(Duration::from_millis(100))
            .quota_timeout(Duration::from_secs(120))
            .build()
            .expect("limits");
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let client = client.clone();
                tokio::spawn(async move {
                    let prompt = Prompt::new("Hello").max_tokens(20);
                    let answer = client.invoke(&prompt);
                    if gives_up(task) {
                        timeout(patience(task), answer).await.ok()
                    } else {
                        Some(answer.await)
                    }
                })
            })
            .collect();
        let (mut answered, mut failed, mut gave_up) = (0, 0, 0);
        for task in tasks {
            let ended = timeout(Duration::from_secs(120), task);
            match ended
                .await
                .expect("nobody waits for ever")
                .expect("no panic")
            {
                Some(Ok(_)) => answered += 1,
                Some(Err(error)) => {
                    println!("{error}");
                    failed += 1;
                }
                None => gave_up += 1,
            }
        }
        let metrics = client.metrics();
        println!("{answered} answered, {failed} failed, {gave_up} gave up; {metrics:?}");
        assert_eq!(answered + failed + gave_up, TASKS);
        assert!(gave_up > 1000, "{gave_up} of a third gave up");
        assert_eq!((metrics.waiting, metrics.in_flight), (0, 0));
        let counts = metrics.counts;
        assert_eq!((counts.timed_out, counts.refused), (0, 0));
        // Whoever asked was admitted once for each attempt, or stopped waiting; whoever was admitted
        // was answered, failed, or dropped the permit.
        let asked = u64::from(TASKS) + metrics.retries;
        assert!(counts.admitted + counts.cancelled <= asked);
        let ended = u64::from(answered + failed) + metrics.retries;
        let open = counts.admitted - counts.abandoned - counts.unsent;
        assert_eq!(open, ended);
        assert_eq!(failed, 0, "the quota of client and stub is the same");
    });
}

/// On one thread tasks ask in the order in which they were spawned, whenever they then get to know
/// that their turn has come.
#[test]
fn nobody_passes_out_of_turn() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let quota = Quota {
            tpm: Some(600_000_000),
            ..Quota::default()
        };
        let limiter = SharedLimiter::new(&LimiterSettings {
            meters: MeterSettings {
                burst: Duration::from_millis(10),
                ..MeterSettings::default()
            },
            max_in_flight: Some(100),
            quota_timeout: Duration::from_secs(120),
            ..LimiterSettings::new(quota, Counting::documented(1))
        });
        let order = Arc::new(Mutex::new(Vec::new()));
        let dropped = Arc::new(AtomicU32::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (limiter, order) = (limiter.clone(), Arc::clone(&order));
                let dropped = Arc::clone(&dropped);
                tokio::spawn(async move {
                    // Small and large ones: a small one must not slip past a large one.
                    let tokens = Tokens(1 + mixed(task) % 5000);
                    let ask = Ask {
                        demand: Demand {
                            max_tokens: tokens,
                            ..Demand::default()
                        },
                        ..Ask::default()
                    };
                    let permit = limiter.acquire(ask);
                    let permit = if gives_up(task) {
                        timeout(patience(task) / 2, permit).await.ok()
                    } else {
                        Some(permit.await)
                    };
                    let Some(permit) = permit else {
                        return;
                    };
                    let permit = permit.expect("there is time enough");
                    order
                        .lock()
                        .expect("no panic")
                        .push((task, permit.number()));
                    tokio::task::yield_now().await;
                    if mixed(task).is_multiple_of(7) {
                        dropped.fetch_add(1, Ordering::Relaxed);
                        drop(permit);
                    } else {
                        permit.end(End::Answered(TokenUsage {
                            output: tokens,
                            ..TokenUsage::default()
                        }));
                    }
                })
            })
            .collect();
        for task in tasks {
            let ended = timeout(Duration::from_secs(120), task);
            ended
                .await
                .expect("nobody waits for ever")
                .expect("no panic");
        }
        let mut order = order.lock().expect("no panic").clone();
        order.sort_unstable();
        let in_turn = order.windows(2).all(|pair| pair[0].1 < pair[1].1);
        assert!(in_turn, "somebody passed out of turn");
        let counts = limiter.counts();
        assert_eq!(counts.admitted - counts.unsent, order.len() as u64);
        assert_eq!(
            counts.admitted - counts.unsent + counts.cancelled + counts.unsent,
            u64::from(TASKS)
        );
        assert!(counts.cancelled > 500, "{counts:?}");
        assert_eq!(counts.abandoned, u64::from(dropped.load(Ordering::Relaxed)));
        assert_eq!((limiter.waiting(), limiter.in_flight()), (0, 0));
        let remaining = limiter.remaining();
        assert_eq!(remaining.len(), 1);
        assert_eq!(remaining[0].0, Dimension::Tpm);
    });
}

/// The task that kept the time may go with its runtime; whoever asks next starts another.
#[test]
fn a_waiter_outlives_the_runtime_that_kept_the_time() {
    let quota = Quota {
        rpm: Some(600),
        ..Quota::default()
    };
    let limiter = SharedLimiter::new(&LimiterSettings {
        meters: MeterSettings {
            burst: Duration::from_millis(100),
            ..MeterSettings::default()
        },
        quota_timeout: Duration::from_millis(500),
        ..LimiterSettings::new(quota, Counting::documented(1))
    });
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    };
    // The first runtime starts the timer, and takes it along when it goes.
    runtime().block_on(async {
        for _ in 0..2 {
            let permit = limiter.acquire(Ask::default()).await.expect("its turn");
            permit.end(End::Answered(TokenUsage::default()));
        }
    });
    runtime().block_on(async {
        for _ in 0..3 {
            let permit = timeout(Duration::from_secs(5), limiter.acquire(Ask::default()));
            let permit = permit.await.expect("it is told").expect("its turn");
            permit.end(End::Answered(TokenUsage::default()));
        }
    });
}

//! Every fault, on answers that come whole and on those that are streamed, with retries and without:
//! what the driver makes of it on the stub, and that the simulator says the same.
//!
//! One worker sends four requests, one after the other, and the fault strikes the second and the
//! third call. Without retries that is the second and the third request; with up to three attempts
//! it is the first two attempts of the second request, which its third attempt mends, if the failure
//! is one that may pass. The limiter lets one call go at a time: a permit that was not given back, or
//! given back twice, would show in what the others do.

#![cfg(feature = "stub")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bedload::clock::Clock;
use bedload::drive::{self, Observer, Wish, real, simulated};
use bedload::engine::Engine;
use bedload::outcome::{Event, Failure, Outcome, RequestRecord};
use bedload::recorder::Recorder;
use bedload::recorder::measured::Group;
use bedload::scenario::Scenario;
use bedload::target::stub::StubTarget;
use bedload::time::Instant;
use bedload::wire::error;

/// Threads that play scenarios, most of which wait.
const PLAYERS: usize = 8;

const UNARY: [&str; 2] = ["converse", "invoke-model"];
const STREAMS: [&str; 2] = ["converse-stream", "invoke-model-stream"];

/// A fault as a scenario writes it, and what whoever asked is to see: of an answer that comes whole,
/// and of one that is streamed. None is an answer.
struct Case {
    fault: String,
    whole: Option<Failure>,
    streamed: Option<Failure>,
}

fn cases() -> Vec<Case> {
    let both = |fault: String, seen: Option<Failure>| Case {
        fault,
        whole: seen,
        streamed: seen,
    };
    let mut cases: Vec<Case> = Failure::ALL
        .iter()
        .filter(|&&failure| error::for_failure(failure).is_some())
        .flat_map(|&failure| {
            let name = failure.name();
            [
                both(format!("refuse = \"{name}\""), Some(failure)),
                both(format!("exception = \"{name}\""), Some(failure)),
            ]
        })
        .collect();
    for way in ["delay", "stall"] {
        cases.push(both(format!("{way} = \"50ms\""), None));
        cases.push(both(format!("{way} = \"5s\""), Some(Failure::Timeout)));
    }
    use Failure::{Interrupted, Transport, Unreadable};
    for (fault, whole, streamed) in [
        ("reset = \"before-head\"", Some(Transport), Some(Transport)),
        ("reset = \"after-head\"", Some(Transport), Some(Interrupted)),
        ("reset = \"mid-body\"", Some(Transport), Some(Interrupted)),
        (
            "damage = \"truncated-chunk\"",
            Some(Transport),
            Some(Interrupted),
        ),
        ("damage = \"corrupt\"", Some(Unreadable), Some(Unreadable)),
        (
            "damage = \"early-end\"",
            Some(Unreadable),
            Some(Interrupted),
        ),
        (
            "damage = \"content-type\"",
            Some(Unreadable),
            Some(Unreadable),
        ),
        (
            "damage = \"empty-body\"",
            Some(Unreadable),
            Some(Interrupted),
        ),
        ("damage = \"large-body\"", None, None),
    ] {
        cases.push(Case {
            fault: fault.to_owned(),
            whole,
            streamed,
        });
    }
    cases
}

/// By chance, in an open loop: the simulator and the stub strike the same attempts, retries included.
#[test]
fn chance_strikes_the_same_calls_in_both() {
    let faults = [
        "refuse = \"throttled_tokens\"",
        "refuse = \"unavailable\"",
        "exception = \"model_stream_error\"",
        "reset = \"mid-body\"",
        "damage = \"early-end\"",
        "damage = \"content-type\"",
    ];
    let text = format!(
        r#"
name = "chance"
target.stub = {{}}
run = {{ duration = "2s", max_throttled = "100%" }}
arrivals.poisson.rate = "150/s"
retry = {{ max_attempts = 3, base = "5ms" }}

[model.nova]
id = "amazon.nova-lite-v1:0"
api = "invoke-model-stream"
quota = {{ rpm = 100_000, tpm = 100_000_000 }}

[[prompt]]
name = "short"
input_tokens = 40
max_tokens = 40
output_tokens.uniform = {{ min = 1, max = 30 }}

[service]
first_token = "5ms"
output_rate = "1000/s"

[[service.fault]]
share = "5%"
{}
"#,
        faults.join("\n\n[[service.fault]]\nshare = \"5%\"\n")
    );
    let checked = Scenario::parse(&text, std::path::Path::new("")).expect("a good scenario");
    let (stub, _) = on_the_stub(&checked.scenario);
    let (simulated, _) = on_the_simulator(&checked.scenario);
    assert!(stub.attempts.throttled.tokens > 0 && stub.attempts.failed.len() == 4);
    assert_eq!(stub.counts, simulated.counts);
    assert_eq!(stub.attempts, simulated.attempts);
    assert_eq!(stub.failures, simulated.failures);
    assert_eq!(stub.usage, simulated.usage);
    assert_eq!(stub.settled, simulated.settled);
}

fn scenario(api: &str, fault: &str, retries: bool) -> Scenario {
    let attempts = if retries { 3 } else { 1 };
    let text = format!(
        r#"
name = "faults"
target.stub = {{}}
run = {{ max_requests = 4, request_timeout = "400ms", duration = "60s" }}
arrivals.closed_loop.workers = 1

[model.titan] # its streams begin with the first token
id = "amazon.titan-text-express-v1"
api = "{api}"
quota = {{ rpm = 1_000, tpm = 1_000_000 }}

[limiter]
max_in_flight = 1
quota_timeout = "5s"

[retry]
max_attempts = {attempts}
base = "1ms"

[[prompt]]
name = "short"
input_tokens = 40
max_tokens = 20
output_tokens = 10

[service]
first_token = "5ms"
output_rate = "1000/s"
refusal = "1ms"

[[service.fault]]
{fault}
calls = [2, 3]
"#
    );
    Scenario::parse(&text, std::path::Path::new(""))
        .expect("a good scenario")
        .scenario
}

/// What happened in a run.
struct Seen {
    recorder: Recorder,
    records: Vec<RequestRecord>,
}

impl Observer for Seen {
    fn event(&mut self, event: &Event) {
        self.recorder.observe(event);
        if let Event::Finished(record) = event {
            self.records.push(record.clone());
        }
    }

    fn tick(&mut self, _: Instant, _: &Engine) -> Wish {
        Wish::GoOn
    }
}

impl Seen {
    fn new(scenario: &Scenario) -> Self {
        Self {
            recorder: drive::recorder(scenario, std::time::Duration::ZERO),
            records: Vec::new(),
        }
    }

    fn end(self, now: Instant) -> (Group, Vec<RequestRecord>) {
        let (measured, _) = self.recorder.finish(now);
        assert!(measured.conserved);
        (measured.total, self.records)
    }
}

fn on_the_simulator(scenario: &Scenario) -> (Group, Vec<RequestRecord>) {
    let mut seen = Seen::new(scenario);
    let now = simulated::run(scenario, &mut drive::engine(scenario), &mut seen);
    seen.end(now)
}

fn on_the_stub(scenario: &Scenario) -> (Group, Vec<RequestRecord>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let clock = Clock::start();
        let stub = StubTarget::start(scenario, clock).await.expect("a stub");
        let mut seen = Seen::new(scenario);
        let mut engine = drive::engine(scenario);
        let driven = real::drive(&mut engine, &stub, &clock, &mut seen);
        driven.await.expect("a timer");
        assert_eq!(engine.in_flight(), 0);
        seen.end(clock.now())
    })
}

/// What is wrong with one cell of the matrix; nothing, if all is well.
fn judge(api: &str, case: &Case, retries: bool) -> Result<(), String> {
    let streams = STREAMS.contains(&api);
    let expected = if streams { case.streamed } else { case.whole };
    let scenario = scenario(api, &case.fault, retries);
    let (stub, records) = on_the_stub(&scenario);
    let (simulated, _) = on_the_simulator(&scenario);
    let retried = retries && expected.is_some_and(Failure::may_pass);
    let failed = match expected {
        Some(_) if !retried => 2,
        _ => 0,
    };
    let sent = if retried { 6 } else { 4 };
    for (who, group) in [("the stub", &stub), ("the simulator", &simulated)] {
        let counts = group.counts;
        let found = (
            counts.intended,
            counts.completed,
            counts.failed,
            group.attempts.sent,
        );
        if found != (4, 4 - failed, failed, sent) {
            return Err(format!("{who}: {found:?}, {:?}", group.failures));
        }
        let class = expected.map_or("", Failure::name);
        if group.failures.get(class).copied().unwrap_or(0) != failed {
            return Err(format!("{who}: {:?}", group.failures));
        }
    }
    if (&stub.attempts, &stub.failures) != (&simulated.attempts, &simulated.failures) {
        return Err(format!("{:?} but {:?}", stub.attempts, simulated.attempts));
    }
    // What had come when time ran out depends on the machine.
    let timed_out = expected == Some(Failure::Timeout);
    if !timed_out && (stub.usage, stub.settled) != (simulated.usage, simulated.settled) {
        return Err(format!("{:?} but {:?}", stub.usage, simulated.usage));
    }
    let silent = records
        .iter()
        .find(|record| record.outcome != Outcome::Completed && record.message.is_none());
    match silent {
        Some(record) => Err(format!("no message: {:?}", record.outcome)),
        None => Ok(()),
    }
}

#[test]
fn every_fault_has_one_class_and_the_simulator_agrees() {
    let cases = cases();
    let cells: Vec<(&str, &Case, bool)> = cases
        .iter()
        .enumerate()
        .flat_map(|(place, case)| {
            let apis = [UNARY[place % 2], STREAMS[place % 2]];
            apis.into_iter()
                .flat_map(move |api| [false, true].map(|retries| (api, case, retries)))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                while let Some((api, case, retries)) =
                    cells.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    if let Err(what) = judge(api, case, *retries) {
                        let cell = format!("{api}, {}, retries {retries}: {what}", case.fault);
                        wrong.lock().expect("no panic").push(cell);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    eprintln!("{} cells", cells.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

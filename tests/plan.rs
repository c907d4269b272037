//! The planner: its closed forms against the simulator, and its promises against runs.

use std::time::Duration;

use bedload::drive::{self, Observer, Wish, simulated};
use bedload::engine::Engine;
use bedload::forecast::Forecast;
use bedload::outcome::{Event, Outcome};
use bedload::quota::Enforcement;
use bedload::scenario::Scenario;
use bedload::time::Instant;

fn scenario(text: &str) -> Scenario {
    match Scenario::parse(text, std::path::Path::new("")) {
        Ok(checked) => checked.scenario,
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// A mix: tokens a minute, burndown, and its prompts as (weight, input, output, max_tokens).
struct Mix {
    name: &'static str,
    tpm: u64,
    burndown: u32,
    prompts: &'static [(u32, &'static str, &'static str, u64)],
    first_token: &'static str,
    output_rate: &'static str,
}

/// Ten kinds of traffic, from calls that settle a thirtieth of what they reserve to calls that settle
/// five times as much.
const MIXES: &[Mix] = &[
    Mix {
        name: "chat, max_tokens 64,000",
        tpm: 3_000_000,
        burndown: 5,
        prompts: &[(1, "1155", "211", 64_000)],
        first_token: "\"1s\"",
        output_rate: "84/s",
    },
    Mix {
        name: "chat, max_tokens 4,096",
        tpm: 1_000_000,
        burndown: 5,
        prompts: &[(1, "1155", "211", 4_096)],
        first_token: "\"1s\"",
        output_rate: "84/s",
    },
    Mix {
        name: "chat of all lengths",
        tpm: 1_000_000,
        burndown: 5,
        prompts: &[(
            1,
            "{ lognormal = { median = 800, p95 = 3_000 } }",
            "{ lognormal = { median = 180, p95 = 600 } }",
            2_000,
        )],
        first_token: "{ lognormal = { median = \"700ms\", p95 = \"1.4s\" } }",
        output_rate: "60/s",
    },
    Mix {
        name: "reserved and settled alike",
        tpm: 400_000,
        burndown: 1,
        prompts: &[(1, "500", "500", 500)],
        first_token: "\"500ms\"",
        output_rate: "100/s",
    },
    Mix {
        name: "settles five times its reservation's output",
        tpm: 500_000,
        burndown: 5,
        prompts: &[(1, "100", "800", 800)],
        first_token: "\"500ms\"",
        output_rate: "80/s",
    },
    Mix {
        name: "burndown 15",
        tpm: 1_000_000,
        burndown: 15,
        prompts: &[(1, "2000", "{ uniform = { min = 50, max = 400 } }", 1_000)],
        first_token: "\"2s\"",
        output_rate: "45/s",
    },
    Mix {
        name: "long prompts, short answers",
        tpm: 2_000_000,
        burndown: 1,
        prompts: &[(
            1,
            "{ lognormal = { median = 6_000, p95 = 20_000 } }",
            "{ lognormal = { median = 20, p95 = 80 } }",
            256,
        )],
        first_token: "\"400ms\"",
        output_rate: "150/s",
    },
    Mix {
        name: "chat and summaries",
        tpm: 1_000_000,
        burndown: 5,
        prompts: &[
            (4, "300", "{ lognormal = { median = 180, p95 = 420 } }", 500),
            (
                1,
                "{ lognormal = { median = 1_800, p95 = 6_000 } }",
                "240",
                800,
            ),
        ],
        first_token: "{ lognormal = { median = \"700ms\", p95 = \"1.4s\" } }",
        output_rate: "60/s",
    },
    Mix {
        name: "an agent among chats",
        tpm: 4_000_000,
        burndown: 5,
        prompts: &[
            (9, "600", "150", 1_000),
            (
                1,
                "12_000",
                "{ lognormal = { median = 1_500, p95 = 4_000 } }",
                32_000,
            ),
        ],
        first_token: "\"1s\"",
        output_rate: "60/s",
    },
    Mix {
        name: "answers of half a minute",
        tpm: 2_000_000,
        burndown: 1,
        prompts: &[(
            1,
            "500",
            "{ uniform = { min = 1_000, max = 3_000 } }",
            8_000,
        )],
        first_token: "\"1s\"",
        output_rate: "66/s",
    },
];

impl Mix {
    /// Workers that always have something to ask, before a limiter that counts as the service does.
    fn scenario(&self, enforcement: Enforcement, minutes: u64) -> Scenario {
        let prompts: String = self
            .prompts
            .iter()
            .enumerate()
            .map(|(place, (weight, input, output, max_tokens))| {
                format!(
                    "[[prompt]]\nname = \"p{place}\"\nweight = {weight}\ninput_tokens = {input}\n\
                     output_tokens = {output}\nmax_tokens = {max_tokens}\n"
                )
            })
            .collect();
        scenario(&format!(
            r#"
name = "mix"
target.sim = {{}}
[run]
duration = "{minutes}m"
request_timeout = "10m"
drain = "10m"
[arrivals.closed_loop]
workers = 3000
[model.m]
id = "acme.m"
family = "openai"
burndown = {}
context = 1_000_000
max_output = 128_000
quota = {{ tpm = {} }}
[limiter]
burst = "60s"
initial_fill = "0%"
clock_margin = "0s"
quota_timeout = "30m"
[service]
first_token = {}
output_rate = "{}"
enforcement = "{enforcement}"
quota_initial_fill = "0%"
{prompts}"#,
            self.burndown, self.tpm, self.first_token, self.output_rate
        ))
    }
}

/// Counts what was answered after a warm-up.
struct Answered {
    from: Instant,
    to: Instant,
    count: u64,
    throttled: u64,
}

impl Observer for Answered {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Finished(record)
                if record.outcome == Outcome::Completed
                    && (self.from..self.to).contains(&record.finished) =>
            {
                self.count += 1;
            }
            Event::Ended {
                failure: Some(failure),
                ..
            } if failure.is_throttle() => self.throttled += 1,
            _ => {}
        }
    }

    fn tick(&mut self, _: Instant, _: &Engine) -> Wish {
        Wish::GoOn
    }
}

/// What the simulator sustains, in answers per minute.
fn simulated_per_minute(scenario: &Scenario, minutes: u64, warm_up: u64) -> f64 {
    let mut answered = Answered {
        from: Instant::ZERO + Duration::from_secs(warm_up * 60),
        to: Instant::ZERO + Duration::from_secs(minutes * 60),
        count: 0,
        throttled: 0,
    };
    let mut engine = drive::engine(scenario);
    simulated::run(scenario, &mut engine, &mut answered);
    let throttled = answered.throttled as f64 / (answered.count + answered.throttled) as f64;
    assert!(
        throttled < 0.01,
        "the limiter counts as the service does: {throttled}"
    );
    answered.count as f64 / (minutes - warm_up) as f64
}

/// How far a closed form may be from the simulator.
const WITHIN: f64 = 0.03;

#[test]
fn closed_forms_are_what_the_simulator_sustains() {
    let (minutes, warm_up) = (90, 30);
    let mut wrong = Vec::new();
    for mix in MIXES {
        for enforcement in Enforcement::ALL {
            let scenario = mix.scenario(enforcement, minutes);
            let closed = Forecast::of(&scenario).models[0].sustainable_per_minute;
            let closed = closed.expect("there is a quota");
            let measured = simulated_per_minute(&scenario, minutes, warm_up);
            let off = closed / measured - 1.0;
            println!(
                "{:45} {:8} closed {closed:8.1} simulated {measured:8.1} {:+.2} %",
                mix.name,
                enforcement.name(),
                off * 100.0
            );
            if off.abs() > WITHIN {
                wrong.push(format!(
                    "{}, {enforcement}: {:+.1} %",
                    mix.name,
                    off * 100.0
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! Client and service at a distance: other clocks, a network between them, and calls that cost more
//! than they reserve. How much headroom keeps throttles below one in a thousand? `--nocapture` prints
//! what each case needs.

use std::path::Path;

use bedload::drive::{Observer, Wish, simulated};
use bedload::engine::Engine;
use bedload::outcome::{Event, Failure};
use bedload::scenario::Scenario;
use bedload::time::Instant;

/// Always backlogged, for a quarter of an hour.
const SCENARIO: &str = r#"
name = "distance"
[target.sim]
[run]
duration = "15m"
drain = "0s"
max_throttled = "100%"
max_queue = 1_000_000
[arrivals.poisson]
rate = "40/s"
[model.haiku]
id = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
[model.haiku.quota]
rpm = 1_500
tpm = 3_000_000
[limiter]
quota_timeout = "1h"
[[prompt]]
name = "chat"
input_tokens.lognormal = { median = 900, p95 = 3000 }
output_tokens.lognormal = { median = 180, p95 = 500 }
[service]
first_token.lognormal = { median = "700ms", p95 = "1.4s" }
output_rate = "80/s"
"#;

#[derive(Default)]
struct Attempts {
    sent: u64,
    throttled: u64,
}

impl Observer for Attempts {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Sent { .. } => self.sent += 1,
            Event::Ended {
                failure: Some(failure),
                ..
            } if Failure::is_throttle(*failure) => self.throttled += 1,
            _ => {}
        }
    }

    fn tick(&mut self, _now: Instant, _engine: &Engine) -> Wish {
        Wish::GoOn
    }
}

/// The share of attempts that are throttled, and how many there are.
fn throttled(settings: &[(&str, &str, &str)]) -> (f64, u64) {
    let mut document: toml::Table = SCENARIO.parse().expect("TOML");
    for (table, key, value) in settings {
        let value: toml::Table = format!("value = {value}").parse().expect("TOML");
        let place = match *table {
            "prompt" => document["prompt"][0].as_table_mut(),
            table => document[table].as_table_mut(),
        };
        place
            .expect("a table")
            .insert((*key).to_owned(), value["value"].clone());
    }
    let text = toml::to_string(&document).expect("TOML");
    let checked = Scenario::parse(&text, Path::new(""))
        .unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"));
    let mut engine = bedload::drive::engine(&checked.scenario);
    let mut attempts = Attempts::default();
    simulated::run(&checked.scenario, &mut engine, &mut attempts);
    (
        attempts.throttled as f64 / attempts.sent as f64,
        attempts.sent,
    )
}

const NETWORKS: [(&str, &str); 3] = [
    ("none", "\"0ms\""),
    ("200 ms", "\"200ms\""),
    (
        "0-200 ms",
        "{ uniform = { min = \"0ms\", max = \"200ms\" } }",
    ),
];

#[test]
fn two_per_cent_of_headroom_bridge_the_distance() {
    // Reserved far more than used; and used more than reserved, where the limiter has to mirror what
    // the service will find in the end.
    let mixes = [
        ("R > S", "4_000", "\"max-tokens\""),
        ("S > R", "1_000", "\"mirror\""),
    ];
    println!(
        "| counted | mix | network | clock off by | throttled at 2 % | headroom needed | at 2 % without a clock margin |"
    );
    let mut worst_without_margin = 0.0_f64;
    for enforcement in ["bucket", "ledger", "rolling", "fixed"] {
        for (mix, max_tokens, reservation) in mixes {
            for (network, distribution) in NETWORKS {
                let offsets: &[&str] = if enforcement == "fixed" {
                    &["0ms", "100ms", "59900ms"]
                } else {
                    &["0ms"]
                };
                for offset in offsets {
                    let quoted = format!("\"{enforcement}\"");
                    let offset_quoted = format!("\"{offset}\"");
                    let at = |headroom: &str, margin: Option<&str>| {
                        let headroom = format!("\"{headroom}\"");
                        let mut settings = vec![
                            ("service", "enforcement", quoted.as_str()),
                            ("service", "network", distribution),
                            ("service", "clock_offset", offset_quoted.as_str()),
                            ("limiter", "headroom", headroom.as_str()),
                            // As much at once as the service allows: no slack but the headroom.
                            ("limiter", "burst", "\"60s\""),
                            ("limiter", "reservation", reservation),
                            ("prompt", "max_tokens", max_tokens),
                        ];
                        if enforcement == "fixed" {
                            // The client takes the run to begin with a minute.
                            settings.push(("limiter", "clock_offset", "\"0ms\""));
                        }
                        if let Some(margin) = margin {
                            settings.push(("limiter", "clock_margin", margin));
                        }
                        throttled(&settings)
                    };
                    let (share, sent) = at("2%", None);
                    let needed = ["0%", "0.5%", "1%", "2%", "5%", "10%"]
                        .into_iter()
                        .find(|headroom| at(headroom, None).0 < 0.001);
                    let clocked = ["rolling", "fixed"].contains(&enforcement);
                    let bare = clocked.then(|| at("2%", Some("\"0ms\"")).0);
                    if let Some(bare) = bare {
                        worst_without_margin = worst_without_margin.max(bare);
                    }
                    println!(
                        "| {enforcement} | {mix} | {network} | {offset} | {:.3} % of {sent} | {} | {} |",
                        share * 100.0,
                        needed.unwrap_or("more than 10%"),
                        bare.map_or("–".to_owned(), |bare| format!("{:.3} %", bare * 100.0)),
                    );
                    assert!(
                        share < 0.001,
                        "{enforcement} {mix} {network} {offset}: {share}"
                    );
                }
            }
        }
    }
    // What headroom cannot mend, the margin does: without it this test would fail.
    assert!(worst_without_margin > 0.001, "{worst_without_margin}");
}

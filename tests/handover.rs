//! The limiter that was tuned in a scenario is the limiter that an application gets: both admit the
//! same schedule.

use std::path::Path;

use bedload::drive::{Observer, Wish, simulated};
use bedload::engine::Engine;
use bedload::limiter::{Admission, Ask, End, Limiter, Permit, Turn};
use bedload::outcome::{Event, Outcome, RequestRecord};
use bedload::quota::Demand;
use bedload::scenario::Scenario;
use bedload::time::Instant;

const SCENARIO: &str = r#"
name = "handover"
seed = 5
[target.sim]
[run]
duration = "120s"
max_throttled = "100%"
[arrivals.gamma]
rate = "4/s"
cv = 3.0
[model.haiku]
id = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
[model.haiku.quota]
rpm = 200
tpm = 200_000
[limiter]
headroom = "2%"
quota_timeout = "20s"
max_in_flight = 12
EXTRA
[[prompt]]
name = "chat"
input_tokens.normal = { mean = 300, sd = 60 }
max_tokens = 400
output_tokens.normal = { mean = 150, sd = 40 }
[service]
first_token.lognormal = { median = "500ms", p95 = "900ms" }
"#;

#[derive(Default)]
struct Records(Vec<RequestRecord>);

impl Observer for Records {
    fn event(&mut self, event: &Event) {
        if let Event::Finished(record) = event {
            self.0.push(record.clone());
        }
    }

    fn tick(&mut self, _now: Instant, _engine: &Engine) -> Wish {
        Wish::GoOn
    }
}

#[test]
fn the_same_schedule_is_admitted() {
    for extra in [
        "",
        "enforcement = \"ledger\"",
        "enforcement = \"rolling\"",
        "enforcement = \"fixed\"",
        "reservation = \"expected\"",
        "reservation = \"mirror\"\noutput_quantile = \"80%\"",
        "strategy = \"gcra\"",
        "strategy = \"fixed-window\"",
        "strategy = \"fixed-estimate\"",
        "strategy = \"charge-after\"",
        "strategy = \"previous-total\"",
        "strategy = \"adaptive\"",
    ] {
        let text = SCENARIO.replace("EXTRA", extra);
        let checked = Scenario::parse(&text, Path::new("")).expect("a scenario");
        let scenario = checked.scenario;
        let mut engine = bedload::drive::engine(&scenario);
        let mut driven = Records::default();
        simulated::run(&scenario, &mut engine, &mut driven);
        let mut records = driven.0;
        records.sort_by_key(|record| record.id);
        assert!(records.len() > 300);
        let waited = records
            .iter()
            .filter(|record| record.admitted > Some(record.due));
        assert!(
            waited.count() > 50,
            "a schedule without waits proves little"
        );

        let settings = scenario
            .limiter_of("haiku")
            .expect("the file has a limiter");
        let replayed = replay(&mut Limiter::new(settings), &records);
        for (place, record) in records.iter().enumerate() {
            assert_eq!(replayed[place], record.admitted, "{extra}: request {place}");
        }
    }
}

/// Brings the same requests to a limiter of its own, and ends each call when it ended.
fn replay(limiter: &mut Limiter, records: &[RequestRecord]) -> Vec<Option<Instant>> {
    let mut admitted = vec![None; records.len()];
    let mut ends: Vec<(Instant, usize, Permit)> = Vec::new();
    let mut due = 0;
    loop {
        let next_end = ends.iter().map(|(at, place, _)| (*at, *place)).min();
        let next_due = records.get(due).map(|record| record.due);
        let times = [next_end.map(|(at, _)| at), next_due, limiter.poll_timeout()];
        let Some(now) = times.into_iter().flatten().min() else {
            return admitted;
        };
        // At one instant the engine takes ends before turns, and turns before arrivals.
        if let Some((at, place)) = next_end.filter(|(at, _)| *at == now) {
            let index = ends.iter().position(|(_, other, _)| *other == place);
            let (_, _, permit) = ends.swap_remove(index.expect("it was found"));
            limiter.end(at, permit, end_of(&records[place]));
            continue;
        }
        if let Some(turn) = limiter.poll_turn(now) {
            if let Turn::Admitted { ticket, at, permit } = turn {
                let place = ticket as usize;
                admitted[place] = Some(at);
                ends.push((records[place].finished, place, permit));
            }
            continue;
        }
        if next_due == Some(now) {
            let record = &records[due];
            let ask = Ask {
                demand: Demand {
                    input: record.input_estimate,
                    max_tokens: bedload::units::Tokens(400),
                    ..Demand::default()
                },
                ..Ask::default()
            };
            if let Admission::Now(permit) = limiter.offer(now, due as u32, ask) {
                admitted[due] = Some(now);
                ends.push((record.finished, due, permit));
            }
            due += 1;
        }
    }
}

fn end_of(record: &RequestRecord) -> End {
    match record.outcome {
        Outcome::Failed(failure) => End::of_attempt(Some(failure), record.usage),
        _ => End::Answered(record.usage),
    }
}

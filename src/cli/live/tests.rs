//! What the view shows, at four sizes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bedload::drive;
use bedload::outcome::{
    Answer, AttemptFailure, AttemptId, AttemptOutcome, Dispatch, Failure, Gaps, StopReason,
};
use bedload::scenario::Scenario;
use bedload::time::Instant;
use bedload::units::TokenUsage;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::Pulse;
use super::draw::{Look, bar, draw};

/// Two models, one with a tight quota.
const DESK: &str = r#"
name = "desk"
seed = 3
target.sim = {}
run.duration = "2m"
arrivals.poisson.rate = "3/s"
retry = { max_attempts = 2 }
LIMITER

[model.nova]
id = "amazon.nova-lite-v1:0"
quota = { rpm = 60, tpm = 30_000 }

[model.sonnet]
id = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
quota = { rpm = 200, tpm = 200_000 }

[[prompt]]
name = "chat"
model = "nova"
input_tokens = 200
max_tokens = 300
output_tokens = 150

[[prompt]]
name = "summary"
model = "sonnet"
weight = 2
input_tokens = 900
max_tokens = 400
output_tokens = 200
"#;

const LIMITED: &str = "limiter = { burst = \"10s\", quota_timeout = \"20s\" }";

/// What became of a call: most are answered after a second or two, some are throttled at once, few
/// break off.
fn fate(dispatch: &Dispatch) -> AttemptOutcome {
    let number = dispatch.id.request;
    let sent = dispatch.admitted;
    let failed = |class, message: &str| {
        Err(AttemptFailure {
            message: Some(message.into()),
            ..AttemptFailure::from(class)
        })
    };
    let (lasts, result) = match number % 17 {
        3 => (
            50,
            failed(
                Failure::ThrottledTokens,
                "Too many tokens, please wait before trying again.",
            ),
        ),
        11 => (400, failed(Failure::Transport, "connection \x1b[31mreset")),
        _ => {
            let usage = TokenUsage {
                input: dispatch.input,
                output: dispatch.output,
                ..TokenUsage::default()
            };
            let answer = Answer {
                usage,
                stop: StopReason::EndTurn,
                service_latency: None,
            };
            (1_000 + 37 * (number % 29), Ok(answer))
        }
    };
    AttemptOutcome {
        sent,
        first_token: None,
        gaps: Gaps::default(),
        finished: sent + Duration::from_millis(lasts),
        result,
    }
}

/// What is to be seen of the run at an instant.
fn pulse_at(limiter: &str, at: Instant, pause: Option<Instant>) -> Pulse {
    let text = DESK.replace("LIMITER", limiter);
    let scenario = Scenario::parse(&text, Path::new("."))
        .expect("it is sound")
        .scenario;
    let mut engine = drive::engine(&scenario);
    let mut recorder = drive::recorder(&scenario, Duration::ZERO);
    let mut pulse = Pulse::new(&scenario, "sim");
    let mut calls: BTreeMap<(Instant, AttemptId), AttemptOutcome> = BTreeMap::new();
    let mut now = Instant::ZERO;
    loop {
        engine.handle_timeout(now);
        if pause == Some(now) {
            engine.handle_pause(now);
        }
        while let Some(dispatch) = engine.poll_send() {
            let outcome = fate(&dispatch);
            calls.insert((outcome.finished, dispatch.id), outcome);
        }
        while let Some(event) = engine.poll_event() {
            recorder.observe(&event);
            pulse.event(&event);
        }
        while let Some(interval) = recorder.poll_interval() {
            pulse.interval(&interval);
        }
        if now == at {
            pulse.sample(now, &engine);
            return pulse;
        }
        let ended = calls.keys().next().map(|(ends, _)| *ends);
        let turn = pause.filter(|turn| *turn > now);
        let next = [engine.poll_timeout(), ended, turn].into_iter().flatten();
        now = next.min().unwrap_or(at).min(at);
        while let Some(call) = calls.first_entry()
            && call.key().0 <= now
        {
            let ((_, id), outcome) = call.remove_entry();
            engine.handle_outcome(now, id, outcome);
        }
    }
}

fn picture(pulse: &Pulse, look: Look, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it is in memory");
    terminal
        .draw(|frame| draw(frame, pulse, look))
        .expect("it is in memory");
    let buffer = terminal.backend().buffer();
    let lines = buffer.content().chunks(usize::from(width)).map(|line| {
        let text: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_usual_terminal() {
    let pulse = pulse_at(LIMITED, Instant::from_secs(47), None);
    insta::assert_snapshot!(picture(&pulse, Look::default(), 80, 24));
}

#[test]
fn a_wide_terminal() {
    let pulse = pulse_at(LIMITED, Instant::from_secs(100), None);
    insta::assert_snapshot!(picture(&pulse, Look::default(), 200, 50));
}

#[test]
fn a_narrow_terminal_while_the_run_is_paused() {
    let pulse = pulse_at(
        LIMITED,
        Instant::from_secs(47),
        Some(Instant::from_secs(40)),
    );
    let look = Look {
        pauses: true,
        ..Look::default()
    };
    insta::assert_snapshot!(picture(&pulse, look, 40, 10));
}

#[test]
fn hardly_a_terminal() {
    let pulse = pulse_at(LIMITED, Instant::from_secs(47), None);
    insta::assert_snapshot!(picture(&pulse, Look::default(), 20, 5));
}

#[test]
fn without_a_limiter_the_last_minute_is_shown() {
    let pulse = pulse_at("", Instant::from_secs(70), None);
    insta::assert_snapshot!(picture(&pulse, Look::default(), 80, 14));
}

#[test]
fn help_takes_the_place_of_the_panels() {
    let pulse = pulse_at("", Instant::from_secs(1), None);
    let look = Look {
        help: true,
        stopping: true,
        ..Look::default()
    };
    insta::assert_snapshot!(picture(&pulse, look, 80, 16));
}

/// Whatever the size, nothing panics, and what the terminal would obey is not drawn.
#[test]
fn every_size_can_be_drawn() {
    let pulse = pulse_at(LIMITED, Instant::from_secs(47), None);
    let begun = pulse_at(LIMITED, Instant::ZERO, None);
    for width in (1..=12).chain([40, 61, 79, 131]) {
        for height in (1..=20).chain([33]) {
            for (pulse, help) in [(&pulse, false), (&pulse, true), (&begun, false)] {
                let look = Look {
                    color: true,
                    help,
                    pauses: !help,
                    stopping: help,
                };
                let shown = picture(pulse, look, width, height);
                assert!(!shown.contains('\x1b'), "{shown:?}");
            }
        }
    }
}

#[test]
fn without_colours_nothing_is_coloured() {
    let pulse = pulse_at(LIMITED, Instant::from_secs(47), None);
    let colours = |color| {
        let look = Look {
            color,
            ..Look::default()
        };
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("it is in memory");
        terminal
            .draw(|frame| draw(frame, &pulse, look))
            .expect("it is in memory");
        let cells = terminal.backend().buffer().content().iter();
        cells
            .filter(|cell| cell.fg != ratatui::style::Color::Reset)
            .count()
    };
    assert_eq!(colours(false), 0);
    assert!(colours(true) > 0);
}

#[test]
fn a_bar_is_as_wide_as_it_is_asked_to_be() {
    for width in [0, 1, 7, 30] {
        for filled in [-1.0, 0.0, 0.03, 0.5, 0.999, 1.0, 7.0] {
            assert_eq!(
                bar(width, filled).chars().count(),
                usize::from(width),
                "{filled}"
            );
        }
    }
    assert_eq!(bar(4, 0.5), "██░░");
    assert_eq!(bar(4, 0.625), "██▌░");
}

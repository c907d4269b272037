//! Pass marks of a class or a model, after a warm-up, with intervals, and as the end of a run.

use std::path::Path;

use bedload::drive::{self, Observer, Wish, simulated};
use bedload::engine::{Engine, StopCause};
use bedload::outcome::Event;
use bedload::recorder::early::Missed;
use bedload::recorder::ends::End;
use bedload::recorder::{Conclusion, Recorder};
use bedload::scenario::{Checked, Scenario};
use bedload::time::Instant;

/// Two classes on two models, of which `slow` has a quota of a third of its load and no limiter.
fn text(run: &str, marks: &str) -> String {
    format!(
        "name = \"expect\"\nseed = 5\ntarget.sim = {{}}\n[run]\n{run}\n\
         [arrivals.poisson]\nrate = \"4/s\"\n\
         [model.fine]\nid = \"amazon.nova-lite-v1:0\"\nquota = {{ rpm = 10_000, tpm = 10_000_000 }}\n\
         [model.tight]\nid = \"amazon.nova-pro-v1:0\"\nquota = {{ rpm = 40, tpm = 10_000_000 }}\n\
         [[prompt]]\nname = \"quick\"\nmodel = \"fine\"\ninput_tokens = 100\nmax_tokens = 50\n\
         output_tokens = 20\n\
         [[prompt]]\nname = \"slow\"\nmodel = \"tight\"\ninput_tokens = 100\nmax_tokens = 400\n\
         output_tokens = 300\n\
         {marks}"
    )
}

fn checked(run: &str, marks: &str) -> Checked {
    Scenario::parse(&text(run, marks), Path::new("")).unwrap_or_else(|problems| {
        panic!("{problems:#?}");
    })
}

/// Records a run, and ends it when a mark is clearly missed.
struct Watch {
    recorder: Recorder,
}

impl Observer for Watch {
    fn event(&mut self, event: &Event) {
        self.recorder.observe(event);
        while self.recorder.poll_interval().is_some() {}
    }

    fn tick(&mut self, _: Instant, _: &Engine) -> Wish {
        Wish::GoOn
    }

    fn wish(&self) -> Wish {
        match self.recorder.missed() {
            Some(_) => Wish::Stop,
            None => Wish::GoOn,
        }
    }
}

struct Ran {
    concluded: Conclusion,
    missed: Option<Missed>,
    stopped: Option<StopCause>,
}

fn simulate(run: &str, marks: &str) -> Ran {
    let scenario = checked(run, marks).scenario;
    let mut recorder = drive::recorder(&scenario, std::time::Duration::ZERO);
    recorder.watch(&scenario.expect);
    let mut watch = Watch { recorder };
    let mut engine = drive::engine(&scenario);
    let now = simulated::run(&scenario, &mut engine, &mut watch);
    Ran {
        missed: watch.recorder.missed(),
        concluded: watch.recorder.conclude(now, &scenario.expect),
        stopped: engine.stopped(),
    }
}

fn mark(keys: &str) -> String {
    format!("[[expect]]\n{keys}\n")
}

#[test]
fn a_class_and_a_model_have_marks_of_their_own() {
    let marks = [
        "metric = \"throttle_share\"\nat_most = \"0%\"",
        "metric = \"throttle_share\"\nclass = \"quick\"\nat_most = \"0%\"",
        "metric = \"throttle_share\"\nmodel = \"tight\"\nat_most = \"0%\"",
        "metric = \"latency.p50\"\nclass = \"slow\"\nat_least = \"0s\"",
        "metric = \"quota_use.peak_rpm\"\nmodel = \"fine\"\nat_most = \"10%\"",
        "metric = \"quota_use.peak_rpm\"\nat_least = \"90%\"",
    ]
    .map(mark);
    let ran = simulate("duration = \"5m\"", &marks.concat());
    let seen: Vec<(String, bool)> = (ran.concluded.verdicts.iter())
        .map(|verdict| (verdict.name(), verdict.passed))
        .collect();
    let named = |name: &str, passed| (name.to_owned(), passed);
    assert_eq!(
        seen,
        [
            named("throttle_share", false),
            named("throttle_share of quick", true),
            named("throttle_share of tight", false),
            // Two of three are refused: the median is infinite, and at least anything.
            named("latency.p50 of slow", true),
            named("quota_use.peak_rpm of fine", true),
            named("quota_use.peak_rpm", true),
        ]
    );
}

#[test]
fn between_is_both_bounds_at_once() {
    let of = |bounds: &str| {
        let marks = ["goodput", "latency.p90", "throttle_share", "quota_use.rpm"]
            .map(|metric| {
                mark(&format!(
                    "metric = \"{metric}\"\nclass = \"quick\"\n{bounds}"
                ))
            })
            .into_iter()
            .filter(|mark| !mark.contains("quota_use"))
            .collect::<String>();
        simulate("duration = \"1m\"", &marks).concluded.verdicts
    };
    for (low, high) in [(0.0, 0.5), (0.5, 3.0), (1.9, 2.1), (3.0, 3.0)] {
        let between = of(&format!("between = [{low:?}, {high:?}]"));
        assert_eq!(
            between,
            of(&format!("at_least = {low:?}\nat_most = {high:?}"))
        );
        let [least, most] = [
            of(&format!("at_least = {low:?}")),
            of(&format!("at_most = {high:?}")),
        ];
        let both = least.iter().zip(&most);
        for (verdict, (least, most)) in between.iter().zip(both) {
            assert_eq!(verdict.passed, least.passed && most.passed, "{verdict:?}");
        }
    }
}

#[test]
fn intervals_hold_the_truth_of_a_longer_run_and_sure_asks_for_all_of_them() {
    let marks = "metric = \"service_time.p90\"\nclass = \"quick\"\nat_most = \"10s\"";
    let long = simulate("duration = \"2h\"", &mark(marks))
        .concluded
        .verdicts;
    let truth = long[0].value.expect("measured");
    let short = simulate("duration = \"2m\"", &mark(marks))
        .concluded
        .verdicts;
    let ends = short[0].interval.expect("a quantile of many samples");
    let (End::At(low), End::At(high)) = (ends.low, ends.high) else {
        panic!("{ends:?}")
    };
    assert!(low < truth && truth < high, "{low} {truth} {high}");
    let value = short[0].value.expect("measured");
    // A bound between the value and the upper end is met by the value alone.
    let bound = (value + high) / 2.0;
    let judged = |sure| {
        let marks = format!(
            "metric = \"service_time.p90\"\nclass = \"quick\"\nat_most = {bound}\nsure = {sure}"
        );
        let verdict = simulate("duration = \"2m\"", &mark(&marks))
            .concluded
            .verdicts
            .remove(0);
        (verdict.passed, verdict.is_close())
    };
    assert_eq!(judged(false), (true, true));
    assert_eq!(judged(true), (false, false));
}

#[test]
fn what_was_due_in_the_warm_up_is_measured_but_not_judged() {
    // The service begins with a minute of quota: the first forty requests of `slow` are answered.
    let marks = "metric = \"completed\"\nmodel = \"tight\"\nat_least = 1";
    let ran = simulate("duration = \"3m\"\nwarm_up = \"1m\"", &mark(marks));
    let after = ran.concluded.after_warm_up.expect("there is a warm-up");
    let whole = &ran.concluded.measured;
    assert!(whole.conserved && after.conserved);
    assert!(after.total.counts.intended < whole.total.counts.intended * 3 / 4);
    let tight = &after.models[1];
    assert_eq!(
        ran.concluded.verdicts[0].value,
        Some(tight.counts.completed as f64)
    );
    let share = |measured: &bedload::recorder::measured::Measured| {
        measured.models[1]
            .attempts
            .throttle_share()
            .expect("attempts")
    };
    assert!(
        share(&after) > share(whole),
        "the quota of the beginning is gone"
    );
    let plain = simulate("duration = \"3m\"", &mark(marks)).concluded;
    assert_eq!(&plain.measured, whole);
    assert_eq!(plain.after_warm_up, None);
}

#[test]
fn a_mark_that_is_clearly_missed_ends_the_run_at_the_same_instant_every_time() {
    let marks = "metric = \"throttle_share\"\nclass = \"slow\"\nat_most = \"20%\"\n";
    let with = format!("{marks}abort_on_fail = true");
    let ran = simulate("duration = \"1h\"", &mark(&with));
    let missed = ran.missed.expect("two of three are refused");
    assert_eq!(missed.name, "throttle_share of slow");
    assert_eq!(ran.stopped, Some(StopCause::Requested));
    let after = (missed.at - Instant::ZERO).as_secs();
    assert!(after.is_multiple_of(5) && after <= 300, "{after}");
    let verdict = &ran.concluded.verdicts[0];
    assert!(!verdict.passed && verdict.value.is_some_and(|value| value > 0.2));
    assert!(ran.concluded.measured.conserved);
    let again = simulate("duration = \"1h\"", &mark(&with));
    assert_eq!(again.concluded, ran.concluded);
    assert_eq!(again.missed, Some(missed));
    // Without the key the run goes on, and what it measures begins the same.
    let whole = simulate("duration = \"1h\"", &mark(marks));
    assert_eq!((whole.missed, whole.stopped), (None, None));
    assert!(whole.concluded.measured.elapsed_ns > ran.concluded.measured.elapsed_ns);
    // A bound that is met ends nothing.
    let met = with.replace("20%", "90%");
    assert_eq!(simulate("duration = \"10m\"", &mark(&met)).stopped, None);
}

#[test]
fn a_cost_is_missed_as_soon_as_it_is_exceeded() {
    let marks = "metric = \"cost\"\nat_most = \"$0.001\"\nabort_on_fail = true";
    let ran = simulate("duration = \"1h\"", &mark(marks));
    assert_eq!(
        ran.missed.map(|missed| missed.name).as_deref(),
        Some("cost")
    );
    assert!(!ran.concluded.verdicts[0].passed);
}

#[test]
fn who_asks_for_the_impossible_is_told_where() {
    let marks = "metric = \"completed\"\nat_least = 1\nabort_on_fail = true";
    let warnings = checked("duration = \"1m\"", &mark(marks)).warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].code, "abort-does-nothing");
    let marks = "metric = \"latency.p99\"\nclass = \"quik\"\nat_most = \"1s\"";
    let problems = Scenario::parse(&text("duration = \"1m\"", &mark(marks)), Path::new(""))
        .expect_err("there is no such class");
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `quick`?"));
}

#[cfg(all(feature = "cli", feature = "stub"))]
mod through_the_program {
    use std::process::Command;

    use bedload::results::{Run, RunFile, RunState};

    use super::*;

    /// Runs a scenario: the exit code, what was said, and the run.
    fn run(command: &str, text: &str) -> (Option<i32>, String, RunFile) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("expect.toml");
        std::fs::write(&file, text).expect("writable");
        let output = Command::new(env!("CARGO_BIN_EXE_bedload"))
            .arg(command)
            .arg(&file)
            .arg("--out")
            .arg(folder.path())
            .output()
            .expect("the program starts");
        let run = Run::open(&folder.path().join("expect")).expect("a run");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said, run.file)
    }

    const FAILING: &str = "metric = \"failure_share\"\nclass = \"slow\"\nat_most = \"20%\"\n\
                           abort_on_fail = true";

    #[test]
    fn sim_stops_early_says_so_and_writes_the_same_file_again() {
        let text = text("duration = \"1h\"\nwarm_up = \"30s\"", &mark(FAILING));
        let (code, said, file) = run("sim", &text);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("stopped early: failure_share of slow"),
            "{said}"
        );
        assert!(said.contains("MISSED  failure_share of slow is "), "{said}");
        assert_eq!(file.state, RunState::Interrupted);
        assert!(
            file.error
                .as_deref()
                .is_some_and(|error| error.starts_with("failure_share of slow"))
        );
        assert!(file.measured_after_warm_up.is_some());
        assert_eq!(run("sim", &text).2.to_json(), file.to_json());
    }

    #[test]
    fn a_run_on_the_stub_stops_early() {
        // Nothing of `slow` gets through, so that it is clear after the first interval.
        let text = text("duration = \"60s\"", &mark(FAILING))
            .replace("rate = \"4/s\"", "rate = \"60/s\"")
            .replace("rpm = 40", "rpm = 1");
        let (code, said, file) = run("run", &text.replace("target.sim", "target.stub"));
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("stopped early: failure_share of slow"),
            "{said}"
        );
        let measured = file.measured.expect("a run that has ended");
        assert!(measured.conserved);
        assert!(
            measured.elapsed_ns < 30_000_000_000,
            "{}",
            measured.elapsed_ns
        );
    }
}

//! A directory of results, from the outside: what is written can be read, also when the run was
//! killed, and by others than this program.

use std::fs;
use std::path::{Path, PathBuf};

use bedload::outcome::{
    ClassIndex, DropReason, EarlierAttempt, Event, Failure, Gaps, ModelIndex, Outcome,
    RequestRecord,
};
use bedload::quota::Quota;
use bedload::recorder::Recorder;
use bedload::recorder::histograms::Histograms;
use bedload::recorder::verdict::Verdict;
use bedload::results::{
    ClassSettings, Ending, HISTOGRAMS_FILE, INTERVALS_FILE, ModelSettings, REQUESTS_FILE, RUN_FILE,
    RequestRows, ResultsError, Run, RunHeader, RunState, RunWriter, SCENARIO_FILE, Settings,
    Target, json_schema, read_histograms,
};
use bedload::time::Instant;
use bedload::units::{TokenUsage, Tokens};

const STAMP: &str = "20261123T221500Z";
const TEXT: &str = "name = \"desk\"\r\n# odd bytes stay: é\n";

fn settings() -> Settings {
    let model = |name: &str| ModelSettings {
        name: name.to_owned(),
        id: "us.anthropic.claude-sonnet-4-5-20250929-v1:0".to_owned(),
        api: "invoke-model".to_owned(),
        quota: Quota {
            rpm: Some(60),
            tpm: Some(100_000),
            ..Quota::default()
        },
        burndown: 5,
        price: None,
        limiter: None,
    };
    Settings {
        duration_ns: 10_000_000_000,
        clock_offset_ns: 0,
        enforcement: Some("bucket".to_owned()),
        adjustment: None,
        gate: None,
        streaming: false,
        warm_up_ns: 0,
        request_rows: true,
        models: vec![model("sonnet"), model("comma, \"quote\"")],
        classes: vec![
            ClassSettings {
                name: "explain".to_owned(),
                model: 0,
            },
            ClassSettings {
                name: "summarise".to_owned(),
                model: 1,
            },
        ],
    }
}

fn header() -> RunHeader {
    RunHeader {
        target: Target::Sim,
        about: Some("a test".to_owned()),
        seed: 7,
        started: None,
        settings: settings(),
    }
}

fn ending(state: RunState) -> Ending {
    Ending {
        state,
        measured: None,
        measured_after_warm_up: None,
        verdicts: Vec::new(),
        error: None,
    }
}

fn create(root: &Path) -> RunWriter {
    RunWriter::create(root, "desk", STAMP, TEXT, header()).unwrap()
}

fn completed(id: u64) -> RequestRecord {
    let due = Instant::from_millis(100 * id);
    let at = |millis| Instant::from_millis(100 * id + millis);
    let class = (id % 2) as u16;
    RequestRecord {
        id,
        class: ClassIndex(class),
        model: ModelIndex(class),
        due,
        admitted: Some(at(1)),
        last_admitted: Some(at(1)),
        sent: Some(at(2)),
        first_token: None,
        gaps: Gaps::default(),
        finished: at(900 + id),
        outcome: Outcome::Completed,
        message: None,
        attempts: 1,
        input_estimate: Tokens(100),
        reserved: Tokens(600),
        usage: TokenUsage {
            input: Tokens(101),
            output: Tokens(40),
            ..TokenUsage::default()
        },
        settled: Tokens(301),
        earlier: Vec::new(),
    }
}

fn retried_and_failed(id: u64) -> RequestRecord {
    let at = |millis| Instant::from_millis(100 * id + millis);
    RequestRecord {
        last_admitted: Some(at(500)),
        sent: Some(at(501)),
        outcome: Outcome::Failed(Failure::Unavailable),
        message: Some("Bedrock is unable to process your request.".into()),
        attempts: 2,
        usage: TokenUsage::default(),
        settled: Tokens::ZERO,
        earlier: vec![EarlierAttempt {
            sent: at(2),
            finished: at(20),
            failure: Failure::ThrottledTokens,
        }],
        ..completed(id)
    }
}

fn dropped(id: u64) -> RequestRecord {
    RequestRecord {
        admitted: None,
        last_admitted: None,
        sent: None,
        outcome: Outcome::Dropped(DropReason::QuotaTimeout),
        attempts: 0,
        usage: TokenUsage::default(),
        settled: Tokens::ZERO,
        ..completed(id)
    }
}

/// What a recorder is told of a request while the run goes on.
fn events(record: &RequestRecord) -> Vec<(Instant, Event)> {
    let (class, model, reserved) = (record.class, record.model, record.reserved);
    let due = record.due;
    let sent = |at| {
        (
            at,
            Event::Sent {
                at,
                due,
                class,
                model,
                reserved,
            },
        )
    };
    let ended = |at, settled, usage, failure| {
        (
            at,
            Event::Ended {
                at,
                due,
                class,
                model,
                reserved,
                settled,
                usage,
                failure,
            },
        )
    };
    let mut events = vec![(
        record.due,
        Event::Due {
            at: record.due,
            class,
        },
    )];
    for early in &record.earlier {
        events.push(sent(early.sent));
        let nothing = TokenUsage::default();
        events.push(ended(
            early.finished,
            Tokens::ZERO,
            nothing,
            Some(early.failure),
        ));
    }
    if let Some(at) = record.last_admitted {
        events.push(sent(at));
        let failure = match record.outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        };
        events.push(ended(
            record.finished,
            record.settled,
            record.usage,
            failure,
        ));
    }
    events.push((record.finished, Event::Finished(record.clone())));
    events
}

/// Writes a whole run of these records, with all that belongs to it, and gives back its directory.
fn write_run(root: &Path, records: &[RequestRecord], state: RunState) -> PathBuf {
    let mut writer = create(root);
    let dir = writer.dir().to_owned();
    let mut recorder = Recorder::new(settings().recorder(true));
    let mut happened: Vec<(Instant, Event)> = records.iter().flat_map(events).collect();
    happened.sort_by_key(|(at, _)| *at);
    for (_, event) in &happened {
        recorder.observe(event);
        if let Event::Finished(record) = event {
            writer.record(record);
        }
        while let Some(interval) = recorder.poll_interval() {
            writer.interval(&interval);
        }
    }
    let (measured, intervals) = recorder.finish(happened.last().unwrap().0);
    for interval in &intervals {
        writer.interval(interval);
    }
    if state == RunState::Running {
        // Killed: nobody finishes it.
        writer.flush().unwrap();
        return dir;
    }
    let verdicts = vec![Verdict {
        metric: "latency.p99".to_owned(),
        at_most: Some(12.0),
        value: Some(0.9),
        passed: true,
        ..Verdict::default()
    }];
    writer
        .finish(Ending {
            state,
            measured: Some(measured),
            measured_after_warm_up: None,
            verdicts,
            error: None,
        })
        .unwrap();
    dir
}

fn mixed_records() -> Vec<RequestRecord> {
    (0..100)
        .map(|id| match id % 10 {
            3 => retried_and_failed(id),
            7 => dropped(id),
            _ => completed(id),
        })
        .collect()
}

fn read_rows(dir: &Path) -> Vec<RequestRecord> {
    let rows = RequestRows::open(dir, &settings()).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_run_that_has_just_begun_says_that_it_goes_on_and_holds_its_scenario_byte_for_byte() {
    let root = tempfile::tempdir().unwrap();
    let writer = create(root.path());
    assert_eq!(writer.dir(), root.path().join("desk").join(STAMP));
    assert_eq!(
        fs::read(writer.dir().join(SCENARIO_FILE)).unwrap(),
        TEXT.as_bytes()
    );
    let run = Run::open(writer.dir()).unwrap();
    assert_eq!(run.file.state, RunState::Running);
    assert_eq!(run.file.measured, None);
    assert_eq!(run.partial.unwrap().rows, 0);
}

#[test]
fn no_run_overwrites_another_and_the_newest_is_found() {
    let root = tempfile::tempdir().unwrap();
    let mut dirs = Vec::new();
    for _ in 0..11 {
        let writer = create(root.path());
        dirs.push(writer.dir().to_owned());
        writer.finish(ending(RunState::Complete)).unwrap();
    }
    assert!(dirs[1].ends_with(format!("{STAMP}-2")));
    let newest = Run::open(&root.path().join("desk")).unwrap();
    assert_eq!(newest.dir.as_ref(), dirs.last());
    let by_file = Run::open(&dirs[3].join(RUN_FILE)).unwrap();
    assert_eq!(by_file.file, newest.file);
}

#[test]
fn names_that_would_leave_the_folder_of_reports_are_refused() {
    let root = tempfile::tempdir().unwrap();
    for name in ["", ".", "..", "a/b", "a b", "../desk"] {
        let error = RunWriter::create(root.path(), name, STAMP, TEXT, header())
            .err()
            .unwrap();
        assert!(
            matches!(error, ResultsError::Name { .. }),
            "{name}: {error}"
        );
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_complete_run_opens_as_it_was_written() {
    let root = tempfile::tempdir().unwrap();
    let dir = write_run(root.path(), &mixed_records(), RunState::Complete);
    let run = Run::open(&dir).unwrap();
    let measured = run.file.measured.as_ref().unwrap();
    assert_eq!(measured.total.counts.intended, 100);
    assert_eq!(measured.total.counts.completed, 80);
    assert_eq!(run.partial, None);
    let mut rows = read_rows(&dir);
    rows.sort_by_key(|row| row.id);
    assert_eq!(rows, mixed_records());
}

#[test]
fn a_killed_run_is_measured_again_from_its_rows() {
    let root = tempfile::tempdir().unwrap();
    let whole = Run::open(&write_run(
        root.path(),
        &mixed_records(),
        RunState::Complete,
    ))
    .unwrap();
    let killed = write_run(root.path(), &mixed_records(), RunState::Running);
    let rows_file = killed.join(REQUESTS_FILE);
    let opened = Run::open(&killed).unwrap();
    assert_eq!(opened.file.state, RunState::Running);
    assert_eq!(opened.file.measured, whole.file.measured);

    let bytes = fs::read(&rows_file).unwrap();
    fs::write(&rows_file, &bytes[..bytes.len() - 5]).unwrap();
    let torn = Run::open(&killed).unwrap().partial.unwrap();
    assert_eq!((torn.rows, torn.torn_line), (99, true));
}

#[test]
fn a_row_that_is_no_row_is_named_by_file_and_line() {
    let root = tempfile::tempdir().unwrap();
    let dir = write_run(root.path(), &mixed_records(), RunState::Running);
    let path = dir.join(REQUESTS_FILE);
    let spoiled = fs::read_to_string(&path)
        .unwrap()
        .replacen(",completed,", ",compleated,", 1);
    fs::write(&path, spoiled).unwrap();
    let error = Run::open(&dir).unwrap_err().to_string();
    assert!(
        error.contains("requests.csv`, line 2: `compleated`"),
        "{error}"
    );
}

#[test]
fn the_same_run_writes_the_same_bytes() {
    let roots = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [left, right] = roots
        .each_ref()
        .map(|root| write_run(root.path(), &mixed_records(), RunState::Complete));
    for name in [
        RUN_FILE,
        REQUESTS_FILE,
        INTERVALS_FILE,
        HISTOGRAMS_FILE,
        SCENARIO_FILE,
    ] {
        let same = fs::read(left.join(name)).unwrap() == fs::read(right.join(name)).unwrap();
        assert!(same, "{name} differs");
    }
}

#[test]
fn the_logged_histograms_add_up_to_what_the_run_measured() {
    let root = tempfile::tempdir().unwrap();
    let dir = write_run(root.path(), &mixed_records(), RunState::Complete);
    let run = Run::open(&dir).unwrap();
    let measured = run.file.measured.unwrap();
    let logged = read_histograms(&dir).unwrap();
    assert!(
        logged
            .iter()
            .any(|found| found.start == Instant::from_secs(5))
    );
    for class in &measured.classes {
        let tag = format!("latency.{}", class.name);
        let samples: u64 = logged
            .iter()
            .filter(|found| found.tag == tag)
            .map(|found| found.histogram.len())
            .sum();
        assert_eq!(samples, class.latency.count, "{tag}");
    }
    let text = fs::read_to_string(dir.join(HISTOGRAMS_FILE)).unwrap();
    assert!(text.starts_with("#[Histogram log format version 1.3]\n"));
    // What marks HdrHistogram's compressed encoding, version 2, in base64.
    assert!(text.lines().last().unwrap().contains(",HISTFAAA"), "{text}");
    assert_eq!(text.matches("MaxValueDivisor").count(), 1);
}

#[test]
fn a_histogram_comes_back_from_the_log_as_it_was() {
    let mut histograms = Histograms::default();
    for millis in [1, 20, 300, 4_000] {
        histograms.record(bedload::expect::Timing::ServiceTime, millis * 1_000_003);
    }
    let root = tempfile::tempdir().unwrap();
    let mut writer = create(root.path());
    writer.interval(&bedload::recorder::interval::Interval {
        start: Instant::from_secs(5),
        end: Instant::from_millis(7_250),
        classes: vec![Histograms::default(), histograms.clone()],
        ..Default::default()
    });
    writer.flush().unwrap();
    let logged = read_histograms(writer.dir()).unwrap();
    assert_eq!(logged.len(), 1);
    assert_eq!(logged[0].tag, "service_time.summarise");
    assert_eq!(logged[0].start, Instant::from_secs(5));
    assert_eq!(logged[0].length.as_millis(), 2_250);
    let written = histograms
        .get(bedload::expect::Timing::ServiceTime)
        .unwrap();
    assert_eq!(&logged[0].histogram, written);
}

#[test]
fn interval_rows_add_up_to_the_totals() {
    let root = tempfile::tempdir().unwrap();
    let dir = write_run(root.path(), &mixed_records(), RunState::Complete);
    let counts = Run::open(&dir).unwrap().file.measured.unwrap().total.counts;
    let mut rows = csv::Reader::from_path(dir.join(INTERVALS_FILE)).unwrap();
    let header = rows.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let sum = |name: &str| -> u64 {
        let column = header.iter().position(|cell| cell == name).unwrap();
        rows.iter()
            .map(|row| row[column].parse::<u64>().unwrap())
            .sum()
    };
    assert_eq!(sum("due"), counts.intended);
    assert_eq!(sum("completed"), counts.completed);
    assert_eq!(sum("failed"), counts.failed);
    assert_eq!(sum("dropped"), counts.dropped);
}

#[test]
fn without_request_rows_there_is_no_such_file_and_a_killed_run_has_nothing_to_measure() {
    let root = tempfile::tempdir().unwrap();
    let mut header = header();
    header.settings.request_rows = false;
    let mut writer = RunWriter::create(root.path(), "desk", STAMP, TEXT, header).unwrap();
    writer.record(&completed(0));
    writer.flush().unwrap();
    assert!(!writer.dir().join(REQUESTS_FILE).exists());
    let run = Run::open(writer.dir()).unwrap();
    assert_eq!((run.file.measured, run.partial.unwrap().rows), (None, 0));
}

#[test]
fn a_later_schema_is_refused_and_later_fields_are_not() {
    let root = tempfile::tempdir().unwrap();
    let dir = write_run(root.path(), &mixed_records(), RunState::Complete);
    let path = dir.join(RUN_FILE);
    let text = fs::read_to_string(&path).unwrap();
    let before = Run::open(&dir).unwrap();
    let richer = text.replacen('{', "{\n  \"from_the_future\": [1],", 1);
    fs::write(&path, richer).unwrap();
    assert_eq!(Run::open(&dir).unwrap(), before);

    fs::write(
        &path,
        r#"{ "schema_version": 2, "state": { "unheard": "of" } }"#,
    )
    .unwrap();
    let error = Run::open(&dir).unwrap_err().to_string();
    assert!(
        error.ends_with("reads up to 1: read it with a newer bedload"),
        "{error}"
    );
}

#[test]
fn what_is_no_run_is_said_to_be_none() {
    let root = tempfile::tempdir().unwrap();
    let error = Run::open(root.path()).unwrap_err();
    assert!(matches!(error, ResultsError::NotARun { .. }), "{error}");
    let missing = Run::open(&root.path().join("nowhere"))
        .unwrap_err()
        .to_string();
    assert!(missing.starts_with("no run in `"), "{missing}");
    fs::write(root.path().join(RUN_FILE), "{ not json").unwrap();
    let broken = Run::open(root.path()).unwrap_err();
    assert!(
        matches!(broken, ResultsError::Malformed { line: 1, .. }),
        "{broken}"
    );
}

#[test]
fn run_json_is_what_its_schema_says() {
    let root = tempfile::tempdir().unwrap();
    let schema = serde_json::from_str(&json_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for state in [RunState::Complete, RunState::Running] {
        let dir = write_run(root.path(), &mixed_records(), state);
        let text = fs::read_to_string(dir.join(RUN_FILE)).unwrap();
        assert!(text.ends_with("}\n"));
        let instance = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&instance)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    assert!(!validator.is_valid(&serde_json::json!({ "schema_version": "one" })));
}

#[test]
fn the_schema_that_is_checked_in_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/run.json");
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == json_schema(),
        "schema/run.json is stale: run `cargo run -- schema run > schema/run.json`"
    );
}

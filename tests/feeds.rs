//! What other programs get of a run: lines of events, metrics while it goes on and at its end.

#![cfg(all(feature = "cli", feature = "stub"))]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bedload::recorder::measured::Counts;
use bedload::results::events::EventLine;
use bedload::results::{Run, RunState};
use tempfile::TempDir;

/// More than the quota holds, a service that is not always there, retries and a limiter.
const SCENARIO: &str = r#"
name = "feeds"
seed = 5
target.sim = {}
run.duration = "30s"
arrivals.poisson.rate = "20/s"
retry = { max_attempts = 2 }
limiter = { burst = "10s", quota_timeout = "5s" }

[model.nova]
id = "amazon.nova-lite-v1:0"
quota = { rpm = 300, tpm = 100_000 }

[model.pro]
id = "amazon.nova-pro-v1:0"
quota = { rpm = 30, tpm = 20_000 }

[[prompt]]
name = "chat"
model = "nova"
input_tokens = 100
max_tokens = 200
output_tokens = 50

[[prompt]]
name = "essay"
model = "pro"
weight = 2
input_tokens = 100
max_tokens = 200
output_tokens = 190

[service]
first_token = "300ms"
output_rate = "200/s"

[[service.fault]]
refuse = "unavailable"
share = "20%"
"#;

/// A folder with the scenario.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::write(desk.path("feeds.toml"), SCENARIO).expect("writable");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, command: &str, options: &[&str]) -> Command {
        let mut bedload = Command::new(env!("CARGO_BIN_EXE_bedload"));
        bedload
            .current_dir(self.0.path())
            .args([command, "feeds.toml", "--out", "out"])
            .args(options)
            .stdin(Stdio::null());
        bedload
    }

    fn run(&self, command: &str, options: &[&str]) -> Output {
        self.command(command, options)
            .output()
            .expect("the program starts")
    }

    fn results(&self) -> Run {
        Run::open(&self.path("out/feeds")).expect("there are results")
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(path: &Path) -> Vec<EventLine<'static>> {
    let text = fs::read_to_string(path).expect("text");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

#[test]
fn from_the_lines_alone_everything_can_be_counted_again() {
    let desk = Desk::new();
    let output = desk.run("sim", &["--events", "events.jsonl"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let lines = lines(&desk.path("events.jsonl"));
    let measured = desk.results().file.measured.expect("it was measured");
    let total = &measured.total;

    assert!(
        matches!(&lines[0], EventLine::Run { at_ns: 0, classes, .. } if classes[..] == ["chat", "essay"])
    );
    let (mut counted, mut by_interval) = (Counts::default(), Counts::default());
    let (mut sent, mut answered, mut failed) = (0, 0, 0);
    let (mut attempts, mut settled, mut finished_settled) = (0, 0, 0);
    for line in &lines {
        match line {
            EventLine::Due { .. } => counted.intended += 1,
            EventLine::Sent { .. } => sent += 1,
            EventLine::Ended {
                failure,
                settled: cost,
                ..
            } => {
                settled += cost.0;
                if failure.is_none() {
                    answered += 1
                } else {
                    failed += 1
                }
            }
            EventLine::Finished(line) => {
                attempts += u64::from(line.attempts);
                finished_settled += line.settled.0;
                match &*line.outcome {
                    "completed" => counted.completed += 1,
                    "failed" => counted.failed += 1,
                    "dropped" => counted.dropped += 1,
                    "cancelled" => counted.cancelled += 1,
                    other => panic!("{other} is no outcome"),
                }
            }
            EventLine::Interval(line) => {
                by_interval.intended += line.counts.intended;
                by_interval.completed += line.counts.completed;
                by_interval.failed += line.counts.failed;
                by_interval.dropped += line.counts.dropped;
                by_interval.cancelled += line.counts.cancelled;
            }
            _ => {}
        }
    }
    assert!(counted.conserved(), "{counted:?}");
    assert!(
        counted.completed > 0 && counted.failed > 0 && counted.dropped > 0,
        "{counted:?}"
    );
    assert_eq!(counted, total.counts);
    assert_eq!(by_interval, total.counts);
    assert_eq!((sent, attempts), (total.attempts.sent, total.attempts.sent));
    assert_eq!(answered, total.attempts.answered);
    assert_eq!(sent, answered + failed + total.attempts.unfinished);
    assert_eq!(
        (settled, finished_settled),
        (total.settled.0, total.settled.0)
    );
    let Some(EventLine::End { state, counts, .. }) = lines.last() else {
        panic!("the last line is {:?}", lines.last());
    };
    assert_eq!((*state, *counts), (RunState::Complete, total.counts));
}

#[test]
fn the_same_run_writes_the_same_lines() {
    let desk = Desk::new();
    for name in ["a.jsonl", "b.jsonl"] {
        desk.run("sim", &["--events", name]);
    }
    let read = |name| fs::read(desk.path(name)).expect("readable");
    assert!(read("a.jsonl") == read("b.jsonl"));
}

#[test]
fn what_cannot_be_written_is_said_once_and_the_run_goes_on() {
    let desk = Desk::new();
    let output = desk.run("sim", &["--events", "/dev/full"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(
        stderr(&output).matches("/dev/full").count(),
        1,
        "{}",
        stderr(&output)
    );
    assert!(desk.results().file.measured.is_some());

    let output = desk.run("sim", &["--events", "no/such/folder.jsonl"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    for (options, said) in [
        (["--events", "-"], "stdout has the summary"),
        (["--openmetrics", "-"], "stdout has the summary"),
    ] {
        let output = desk.run("sim", &options);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

/// A FIFO has the lines while the run goes on; a reader that goes away does not end it.
#[test]
fn a_fifo_can_be_followed_and_left() {
    let desk = Desk::new();
    let fifo = desk.path("fifo");
    let made = Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .expect("`mkfifo` can be run");
    assert!(made.success());
    let mut child = desk
        .command(
            "run",
            &["--target", "stub", "--duration", "3s", "--events", "fifo"],
        )
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut reader = BufReader::new(fs::File::open(&fifo).expect("it opens when it is written to"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("text");
    assert!(line.contains("\"kind\":\"run\""), "{line}");
    line.clear();
    reader.read_line(&mut line).expect("text");
    assert!(line.contains("\"kind\":\"due\""), "{line}");
    assert_eq!(
        child.try_wait().expect("a child of ours"),
        None,
        "the run goes on"
    );
    drop(reader);
    let output = child.wait_with_output().expect("a child of ours");
    let said = stderr(&output);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    assert_eq!(said.matches("fifo").count(), 1, "{said}");
    assert_eq!(desk.results().file.state, RunState::Complete);
}

/// One metric family.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Reads an exposition, and complains about whatever either format forbids.
fn parse(text: &str, is_open_metrics: bool) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let mut series = BTreeSet::new();
    let body = if is_open_metrics {
        text.strip_suffix("# EOF\n").expect("it ends with # EOF")
    } else {
        text
    };
    assert!(body.ends_with('\n'));
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (word, name) = (words.next().expect(line), words.next().expect(line));
            let rest = words.next().expect(line);
            match word {
                "HELP" => {
                    assert!(!families.contains_key(name), "{name} comes twice");
                    name.clone_into(&mut current);
                    families.insert(current.clone(), Family::default());
                }
                "TYPE" => {
                    assert_eq!(name, current);
                    rest.clone_into(&mut families.get_mut(name).expect("HELP came first").kind);
                }
                "UNIT" => assert!(
                    is_open_metrics && name == current && name.ends_with(rest),
                    "{line}"
                ),
                other => panic!("{other} in {line}"),
            }
            continue;
        }
        let (name, labels, value) = sample(line);
        let family = families.get_mut(&current).expect("HELP came first");
        let allowed: &[&str] = match (&*family.kind, is_open_metrics) {
            ("counter", true) => &["_total"],
            ("info", true) => &["_info"],
            ("counter" | "gauge", _) => &[""],
            ("histogram", _) => &["_bucket", "_count", "_sum"],
            ("summary", _) => &["", "_count", "_sum"],
            other => panic!("{other:?} is no type"),
        };
        assert!(
            allowed
                .iter()
                .any(|suffix| name == format!("{current}{suffix}")),
            "{line} in {current}"
        );
        if family.kind == "counter" {
            assert!(name.ends_with("_total") && value >= 0.0, "{line}");
        }
        assert!(
            series.insert((name.clone(), labels.clone())),
            "{line} comes twice"
        );
        family.samples.push((name, labels, value));
    }
    families
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let valid =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let end = line.find(['{', ' ']).expect(line);
    let name = line[..end].to_owned();
    assert!(valid(&name), "{line}");
    let mut labels = BTreeMap::new();
    let mut rest = &line[end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect(line);
            assert!(valid(label), "{line}");
            let mut value = String::new();
            let mut chars = after.char_indices();
            let close = loop {
                match chars.next().expect(line) {
                    (_, '\\') => value.push(match chars.next().expect(line).1 {
                        'n' => '\n',
                        escaped @ ('\\' | '"') => escaped,
                        other => panic!("\\{other} in {line}"),
                    }),
                    (at, '"') => break at,
                    (_, other) => value.push(other),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = &after[close + 1..];
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = rest.strip_prefix(',').expect(line);
        }
    }
    let number = rest.strip_prefix(' ').expect(line);
    assert!(!number.contains(' '), "{line}");
    (name, labels, number.parse().expect(line))
}

impl Family {
    fn sum(&self) -> f64 {
        self.samples.iter().map(|(_, _, value)| value).sum()
    }

    fn sum_where(&self, label: &str, value: &str) -> f64 {
        let has =
            |labels: &BTreeMap<String, String>| labels.get(label).is_some_and(|it| it == value);
        let chosen = self.samples.iter().filter(|(_, labels, _)| has(labels));
        chosen.map(|(_, _, value)| value).sum()
    }
}

#[test]
fn a_finished_run_is_open_metrics() {
    let desk = Desk::new();
    desk.run("sim", &["--openmetrics", "metrics.prom"]);
    let text = fs::read_to_string(desk.path("metrics.prom")).expect("text");
    let families = parse(&text, true);
    let file = desk.results().file;
    let total = file.measured.expect("it was measured").total;
    let requests = &families["bedload_requests"];
    let as_float = |number: u64| number as f64;
    assert_eq!(
        families["bedload_requests_due"].sum(),
        as_float(total.counts.intended)
    );
    assert_eq!(requests.sum(), as_float(total.counts.intended));
    assert_eq!(
        requests.sum_where("outcome", "dropped"),
        as_float(total.counts.dropped)
    );
    assert_eq!(
        families["bedload_attempts_sent"].sum(),
        as_float(total.attempts.sent)
    );
    assert_eq!(
        families["bedload_attempts"].sum(),
        as_float(total.attempts.sent)
    );
    assert_eq!(
        families["bedload_quota_tokens"].sum_where("stage", "settled"),
        as_float(total.settled.0)
    );
    let latency = &families["bedload_latency_seconds"];
    assert_eq!(latency.kind, "summary");
    let counts = latency
        .samples
        .iter()
        .filter(|(name, ..)| name.ends_with("_count"));
    assert_eq!(
        counts.map(|(_, _, value)| value).sum::<f64>(),
        as_float(total.counts.completed)
    );
    assert_eq!(families["bedload_run"].samples[0].1["scenario"], "feeds");
    assert_eq!(
        families["bedload_pass_mark"].samples.len(),
        file.verdicts.len()
    );
}

#[test]
fn while_a_run_goes_on_its_metrics_can_be_scraped() {
    let desk = Desk::new();
    let mut child = desk
        .command(
            "run",
            &[
                "--target",
                "stub",
                "--duration",
                "60s",
                "--metrics-addr",
                "127.0.0.1:0",
            ],
        )
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut said = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("text");
    let address = line
        .trim()
        .strip_prefix("metrics: http://")
        .and_then(|rest| rest.strip_suffix("/metrics"));
    let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{address}");

    assert!(scrape(&address, "GET /elsewhere").starts_with("HTTP/1.1 404 "));
    assert!(scrape(&address, "POST /metrics").starts_with("HTTP/1.1 405 "));
    let mut before = 0.0;
    let mut seen = 0;
    // Scrapes come at any time; each has to add up, and counters only grow.
    for _ in 0..100_000 {
        let answer = scrape(&address, "GET /metrics");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(
            head.contains("Content-Type: text/plain; version=0.0.4"),
            "{head}"
        );
        let families = parse(body, false);
        let due = families["bedload_requests_due_total"].sum();
        assert!(due >= before, "{due} after {before}");
        let ended = families["bedload_requests_total"].sum();
        let open = families["bedload_requests_open"].sum();
        assert_eq!(due, ended + open);
        check_histograms(&families);
        seen += u32::from(due > before);
        before = due;
        let completed = families["bedload_requests_total"].sum_where("outcome", "completed");
        if seen >= 3 && completed > 0.0 {
            assert!(families.contains_key("bedload_quota_level"));
            break;
        }
    }
    assert!(seen >= 3, "nothing came of it");
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status();
    assert!(sent.expect("`kill` can be run").success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    assert_eq!(
        child.wait().expect("a child of ours").code(),
        Some(130),
        "{rest}"
    );
    assert!(TcpStream::connect(&address).is_err(), "it listens no more");
}

fn check_histograms(families: &BTreeMap<String, Family>) {
    let mut checked = 0;
    for (name, family) in families
        .iter()
        .filter(|(_, family)| family.kind == "histogram")
    {
        let mut last: BTreeMap<String, f64> = BTreeMap::new();
        for (sample, labels, value) in &family.samples {
            let class = labels["class"].clone();
            if sample.ends_with("_bucket") {
                let before = last.insert(class, *value).unwrap_or(0.0);
                assert!(*value >= before, "{name} {labels:?}");
            } else if sample.ends_with("_count") {
                assert_eq!(last[&class], *value, "{name}: +Inf is the count");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 6);
}

fn scrape(address: &str, what: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "{what} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn metrics_are_for_this_machine_and_the_real_clock() {
    let desk = Desk::new();
    for (target, address, said) in [
        ("stub", "0.0.0.0:0", "is no loopback address"),
        ("sim", "127.0.0.1:0", "real clock"),
    ] {
        let output = desk.run("run", &["--target", target, "--metrics-addr", address]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    assert!(!desk.path("out").exists(), "nothing was run");
}

#[test]
fn plain_lines_come_where_nobody_watches_and_a_view_does_not() {
    let desk = Desk::new();
    let output = desk.run("sim", &["--progress", "plain", "--duration", "2h"]);
    let first = stderr(&output)
        .lines()
        .next()
        .map(str::to_owned)
        .expect("there is a line");
    assert!(
        first.contains(" of 2:00:00: ") && first.contains(" answers/s"),
        "{first}"
    );

    let output = desk.run("sim", &["--duration", "10s"]);
    assert_eq!(stderr(&output), "");
    let output = desk.run("sim", &["--duration", "10s", "--progress", "live"]);
    assert!(
        stderr(&output).starts_with("no live view: "),
        "{}",
        stderr(&output)
    );
    let output = desk.run("sim", &["--quiet", "--progress", "plain"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

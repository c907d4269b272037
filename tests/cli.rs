//! The command line from the outside: exit codes, what goes to stdout and what to stderr, and what is
//! left of runs that were interrupted, killed or never allowed to start.
//!
//! Each test has a folder of its own. Whatever takes time is waited for by looking, with a bound.

#![cfg(all(feature = "cli", feature = "stub"))]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, pipe};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use bedload::results::{Run, RunState};
use serde_json::Value;
use tempfile::TempDir;

/// A minute of a load that fits, with answers after 100 ms.
const FITTING: &str = r#"
name = "fitting"
target.stub = {}
run.duration = "60s"
arrivals.constant.rate = "20/s"

[model.nova]
id = "amazon.nova-lite-v1:0"
quota = { rpm = 10_000, tpm = 1_000_000 }

[[prompt]]
name = "short"
input_tokens = 100
max_tokens = 50
output_tokens = 50

[service]
first_token = "100ms"
output_rate = "10000/s"
"#;

/// [`FITTING`] with a warning: its model is retired.
fn retired() -> String {
    FITTING.replace("amazon.nova-lite-v1:0", "anthropic.claude-v2")
}

/// A folder with scenarios and results.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// A file in the folder.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("writable");
        path
    }

    /// Where results go.
    fn out(&self) -> PathBuf {
        self.0.path().join("reports")
    }

    /// `bedload COMMAND SCENARIO --out …`
    fn command(&self, command: &str, scenario: &Path) -> Command {
        let mut bedload = bedload(&[command]);
        bedload.arg(scenario).arg("--out").arg(self.out());
        bedload
    }

    /// The folders of results, in order of their names.
    fn runs(&self, scenario: &str) -> Vec<PathBuf> {
        let mut runs: Vec<PathBuf> = fs::read_dir(self.out().join(scenario))
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("listable").path())
            .collect();
        runs.sort();
        runs
    }

    /// Starts a run that goes on until something is done about it.
    fn start(&self, scenario: &Path) -> Running {
        let stream = |name: &str| File::create(self.0.path().join(name)).expect("writable");
        let child = self
            .command("run", scenario)
            .stdin(Stdio::null())
            .stdout(stream("stdout"))
            .stderr(stream("stderr"))
            .spawn()
            .expect("the program starts");
        Running(child)
    }

    /// What a run that was started has printed so far.
    fn printed(&self, stream: &str) -> String {
        fs::read_to_string(self.0.path().join(stream)).expect("text")
    }

    /// Waits until the only run has written rows; returns its folder.
    fn run_with_rows(&self, scenario: &str) -> PathBuf {
        until("rows", || {
            let run = self.runs(scenario).pop()?;
            let rows = fs::read_to_string(run.join("requests.csv")).ok()?;
            (rows.lines().count() > 1).then_some(run)
        })
    }
}

/// A run that is going on; ended with the test, whatever becomes of it.
struct Running(Child);

impl Running {
    /// What Ctrl-C in a terminal does.
    fn interrupt(&self) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.expect("`kill` can be run").success());
    }

    fn end(&mut self) -> ExitStatus {
        until("the end of the run", || {
            self.0.try_wait().expect("a child of ours")
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// What a command came to.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// The program, with nothing in its environment that changes what it does.
fn bedload(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedload"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "AWS_PROFILE"] {
        command.env_remove(name);
    }
    command
        .env("AWS_ACCESS_KEY_ID", "nobody")
        .env("AWS_SECRET_ACCESS_KEY", "nothing")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .args(args);
    command
}

fn said(command: &mut Command) -> Said {
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!err.contains("panicked"), "{command:?}: {err}");
    Said {
        code: output.status.code(),
        out,
        err,
    }
}

/// Looks every 20 ms, for half a minute, for what is to come.
#[expect(
    clippy::disallowed_methods,
    reason = "another program is waited for, by looking"
)]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_500 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("waited in vain for {what}")
}

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The names and bytes of all files in a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("listable");
    entries
        .map(|entry| {
            let entry = entry.expect("listable");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("readable"))
        })
        .collect()
}

#[test]
fn a_load_that_fits_exits_0() {
    let desk = Desk::new();
    let scenario = desk.file("fitting.toml", FITTING);
    let said = said(&mut desk.command("sim", &scenario));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.out
            .starts_with("1,200 requests in 60 s: all answered\n")
    );
}

#[test]
fn three_times_the_quota_without_a_limiter_exits_1() {
    let said = said(&mut Desk::new().command("sim", &in_project("scenarios/over-quota.toml")));
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.out
            .contains("MISSED 2 of 3 pass marks: `throttle_share`, `failure_share`")
    );
}

#[test]
fn every_combination_has_a_row_and_nothing_is_written() {
    let desk = Desk::new();
    let scenario = desk.file("fitting.toml", FITTING);
    let mut command = desk.command("sim", &scenario);
    command.args(["--vary", "seed=1,2", "--vary", "run.duration=10s,20s"]);
    let out = said(&mut command);
    assert_eq!(out.code, Some(0), "{}", out.err);
    let rows: Vec<Vec<&str>> = out
        .out
        .lines()
        .map(|line| line.split_whitespace().take(2).collect())
        .collect();
    assert_eq!(
        rows,
        [
            ["seed", "run.duration"],
            ["1", "10s"],
            ["1", "20s"],
            ["2", "10s"],
            ["2", "20s"]
        ]
    );
    assert!(!desk.out().exists(), "a table is all that was asked for");
    for (wrong, named) in [
        ("seed", "KEY=A,B,C"),
        ("seed=", "KEY=A,B,C"),
        ("seed=1,,2", "KEY=A,B,C"),
        ("run.duration=10s,soon", "soon"),
    ] {
        let out = said(desk.command("sim", &scenario).args(["--vary", wrong]));
        assert_eq!(out.code, Some(2), "{wrong}: {}", out.err);
        assert!(out.err.contains(named), "{wrong}: {}", out.err);
        assert_eq!(out.out, "");
    }
}

#[test]
fn what_cannot_be_used_exits_2_and_is_named() {
    let desk = Desk::new();
    let scenario = desk.file("fitting.toml", FITTING);
    let scenario = scenario.to_str().expect("UTF-8");
    let folder = desk.0.path().to_str().expect("UTF-8");
    for (args, named) in [
        (&["sim", "nowhere.toml"][..], "nowhere.toml"),
        (&["check", "nowhere.toml"], "nowhere.toml"),
        (&["sim", scenario, "--set", "limiter"], "KEY=VALUE"),
        (&["sim", scenario, "--set", "=1"], "names no key"),
        (
            &["sim", scenario, "--set", "name.x=1"],
            "`name` is not a table",
        ),
        (&["sim", scenario, "--set", "run.durations=1"], "durations"),
        (&["sim", scenario, "--set", "run.duration=soon"], "soon"),
        (&["sim", scenario, "--duration", "0s"], "duration"),
        (&["sim", scenario, "--seed", "-1"], "-1"),
        (
            &["sim", scenario, "--seed", "18446744073709551615"],
            "--seed",
        ),
        (&["run", scenario, "--target", "mars"], "mars"),
        (
            &["run", scenario, "--target", "sim", "--stub-server", "hyper"],
            "--target stub",
        ),
        (&["report", folder], folder),
        (&["dance"], "dance"),
        (&[], "Usage"),
    ] {
        let said = said(bedload(args).current_dir(folder));
        assert_eq!(said.code, Some(2), "{args:?}: {}", said.err);
        assert!(said.err.contains(named), "{args:?}: {}", said.err);
        assert_eq!(said.out, "", "{args:?}");
    }
    assert!(!Path::new(folder).join("reports").exists());
}

#[test]
fn broken_scenarios_exit_2_with_their_place_and_never_panic() {
    let mut broken: Vec<PathBuf> = fs::read_dir(in_project("tests/broken"))
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("listable").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    assert!(broken.len() >= 20);
    let desk = Desk::new();
    // A linear congruential generator: any bytes do, as long as they are the same each time.
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let noise: Vec<u8> = noise.take(10 << 20).collect();
    broken.push(desk.file("little-noise.toml", &noise[..10_000]));
    broken.push(desk.file("latin-1.toml", b"name = \"caf\xe9\"\n"));
    broken.push(desk.file("nothing.toml", ""));
    broken.push(desk.file("deep.toml", format!("a = {}", "[".repeat(100_000))));
    broken.push(desk.file(
        "long-line.toml",
        format!("name = \"{}\"", "x".repeat(500_000)),
    ));
    for path in &broken {
        let file = path.display().to_string();
        for command in ["run", "sim", "check"] {
            let said = said(bedload(&[command]).arg(path).current_dir(desk.0.path()));
            assert_eq!(said.code, Some(2), "{command} {file}: {}", said.err);
            let place = format!("--> {file}");
            assert!(said.err.contains(&place), "{command} {file}: {}", said.err);
            assert_eq!(said.out, "", "{command} {file}");
        }
    }
    let large = desk.file("noise.toml", noise);
    let said = said(bedload(&["sim"]).arg(large));
    assert_eq!(said.code, Some(2));
    assert!(
        said.err.contains("noise.toml` is larger than"),
        "{}",
        said.err
    );
    assert!(!desk.out().exists());
}

#[test]
fn results_that_cannot_be_written_exit_3() {
    let desk = Desk::new();
    let scenario = desk.file("fitting.toml", FITTING);
    for command in ["sim", "run"] {
        // Nobody can make a folder there, root included.
        let said = said(bedload(&[command, "--out", "/proc/nope"]).arg(&scenario));
        assert_eq!(said.code, Some(3), "{}", said.err);
        assert!(said.err.contains("`/proc/nope"), "{}", said.err);
        assert_eq!(said.out, "");
    }
}

#[test]
fn the_summary_goes_to_stdout_and_warnings_to_stderr() {
    let desk = Desk::new();
    let scenario = desk.file("retired.toml", retired());
    let said = said(&mut desk.command("sim", &scenario));
    assert_eq!(said.code, Some(0));
    assert!(said.err.contains("warning[retired-model]"), "{}", said.err);
    assert!(!said.out.contains("warning["), "{}", said.out);
    assert!(
        said.out.contains("Requests      intended 1,200"),
        "{}",
        said.out
    );
    assert!(!said.err.contains("intended"), "{}", said.err);
}

#[test]
fn a_check_for_editors_is_json_whatever_it_finds() {
    let desk = Desk::new();
    let good = desk.file("good.toml", FITTING);
    let broken = desk.file("broken.toml", FITTING.replace("20/s", "many"));
    let said = said(bedload(&["check", "--format", "json"]).args([&good, &broken]));
    assert_eq!(said.code, Some(2));
    assert_eq!(said.err, "");
    let found: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(found[0]["ok"], true);
    assert_eq!(found[0]["problems"], Value::Array(Vec::new()));
    assert_eq!(found[1]["ok"], false);
    assert_eq!(found[1]["file"], broken.to_str().expect("UTF-8"));
    assert_eq!(found[1]["problems"][0]["line"], 5);
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let desk = Desk::new();
    let scenario = desk.file("retired.toml", retired());
    let colours = |environment: &[(&str, &str)]| {
        let mut sim = desk.command("sim", &scenario);
        let said = said(sim.envs(environment.iter().copied()));
        [said.out, said.err].map(|text| text.contains('\x1b'))
    };
    let (force, refuse) = (("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1"));
    assert_eq!(colours(&[]), [false, false], "piped");
    assert_eq!(colours(&[force]), [true, true], "forced");
    assert_eq!(colours(&[force, refuse]), [false, false], "refused");
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let desk = Desk::new();
    let scenario = desk.file("fitting.toml", FITTING);
    let mut check = bedload(&["check"]);
    check.arg(&scenario);
    let plain = [&["schema"][..], &["--help"], &["completions", "bash"]].map(bedload);
    let others = [check, desk.command("sim", &scenario)];
    for mut command in plain.into_iter().chain(others) {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let running = command.stdout(writer).stderr(Stdio::piped()).spawn();
        let output = running.and_then(Child::wait_with_output).expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command:?}");
    }
}

#[test]
fn the_same_scenario_and_seed_write_the_same_bytes() {
    let desk = Desk::new();
    let scenario = in_project("scenarios/support-desk.toml");
    for seed in ["5", "5", "6"] {
        let said = said(desk.command("sim", &scenario).args(["--seed", seed]));
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    let runs = desk.runs("support-desk");
    assert_eq!(runs.len(), 3, "no run overwrites another");
    let [first, second, other] = [0, 1, 2].map(|run| files(&runs[run]));
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    let expected = [
        "histograms.hlog",
        "intervals.csv",
        "report.html",
        "requests.csv",
        "run.json",
        "scenario.toml",
    ];
    assert_eq!(names, expected);
    for (name, bytes) in &first {
        assert!(second.get(name) == Some(bytes), "{name} differs");
        assert!(
            other.get(name) != Some(bytes),
            "{name} does not depend on the seed"
        );
    }
    assert_eq!(second.len(), first.len());
}

#[test]
fn a_report_says_what_the_run_said() {
    let desk = Desk::new();
    let scenario = in_project("scenarios/over-quota.toml");
    let run = said(&mut desk.command("sim", &scenario));
    let dir = desk.runs("over-quota").pop().expect("a run");
    for path in [
        dir.clone(),
        dir.join("run.json"),
        desk.out().join("over-quota"),
    ] {
        let report = said(bedload(&["report"]).arg(&path));
        assert_eq!(report.code, Some(0), "{}", report.err);
        assert_eq!(
            report.out.trim_end(),
            run.out.trim_end(),
            "{}",
            path.display()
        );
        assert_eq!(report.err, "");
    }
}

#[test]
fn ctrl_c_stops_a_run_and_keeps_what_was_measured() {
    let desk = Desk::new();
    let mut running = desk.start(&desk.file("fitting.toml", FITTING));
    let dir = desk.run_with_rows("fitting");
    running.interrupt();
    assert_eq!(running.end().code(), Some(130));
    let run = Run::open(&dir).expect("a run");
    assert_eq!(run.file.state, RunState::Interrupted);
    assert_eq!(run.partial, None);
    let measured = run.file.measured.expect("what was measured");
    let counts = measured.total.counts;
    assert!(measured.conserved && counts.conserved(), "{counts:?}");
    assert!(
        counts.completed > 0 && counts.intended < 1_200,
        "{counts:?}"
    );
    assert_eq!(counts.cancelled, 0, "what was under way was waited for");
    assert!(desk.printed("stdout").contains("the run was interrupted"));
    assert!(desk.printed("stderr").contains("stopping"));
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_answers() {
    // Five answers take 50 s; whatever else is due is dropped at once, and that has rows.
    let slow = FITTING
        .replace("\"100ms\"", "\"50s\"")
        .replace("run.duration", "run.max_in_flight = 5\nrun.duration");
    let desk = Desk::new();
    let mut running = desk.start(&desk.file("slow.toml", slow));
    let dir = desk.run_with_rows("fitting");
    running.interrupt();
    until("the first to be heard", || {
        desk.printed("stderr").contains("stopping").then_some(())
    });
    assert!(
        running.0.try_wait().expect("a child of ours").is_none(),
        "it waits for what is under way"
    );
    running.interrupt();
    assert_eq!(running.end().code(), Some(130));
    let measured = Run::open(&dir)
        .expect("a run")
        .file
        .measured
        .expect("measured");
    let counts = measured.total.counts;
    assert!(counts.conserved(), "{counts:?}");
    assert_eq!((counts.completed, counts.cancelled), (0, 5));
    assert_eq!(measured.total.attempts.unfinished, 5);
}

#[test]
fn a_killed_run_is_measured_from_its_rows() {
    let desk = Desk::new();
    let mut running = desk.start(&desk.file("fitting.toml", FITTING));
    let dir = desk.run_with_rows("fitting");
    running.0.kill().expect("it goes on");
    assert_eq!(running.end().code(), None, "it was killed");
    let run = Run::open(&dir).expect("a run");
    assert_eq!(run.file.state, RunState::Running);
    let rows = run.partial.expect("the run is partial").rows;
    let counts = run.file.measured.expect("measured").total.counts;
    assert!(rows > 0 && counts.intended == rows && counts.conserved());
    let report = said(bedload(&["report"]).arg(&dir));
    assert_eq!(report.code, Some(0), "{}", report.err);
    let says = format!("this run was killed or still goes on: measured again from {rows} row");
    assert!(report.out.contains(&says), "{}", report.out);
}

/// [`FITTING`] on Bedrock, at another address.
fn on_bedrock(endpoint: &str) -> String {
    let there =
        format!("bedrock = {{ region = \"us-east-1\", endpoint_url = \"http://{endpoint}\" }}");
    FITTING.replace("stub = {}", &there)
}

#[test]
fn money_is_not_spent_without_being_told_to() {
    let desk = Desk::new();
    let service = TcpListener::bind("127.0.0.1:0").expect("a free port");
    service.set_nonblocking(true).expect("a socket");
    let endpoint = service.local_addr().expect("an address").to_string();
    let scenario = desk.file("paid.toml", on_bedrock(&endpoint));
    let said = said(desk.command("run", &scenario).args(["--target", "bedrock"]));
    assert_eq!(said.code, Some(2), "{}", said.err);
    // 1,200 requests of 100 + 50 tokens, at $0.06 and $0.24 per million.
    assert!(said.err.contains("$0.0216"), "{}", said.err);
    assert!(said.err.contains("`--yes`") && said.err.contains("`max_cost`"));
    let nobody = service.accept().expect_err("nobody called");
    assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
    assert!(!desk.out().exists());
}

#[test]
fn an_address_where_nobody_listens_fails_every_request_and_exits_1() {
    let desk = Desk::new();
    let scenario = desk.file("paid.toml", on_bedrock("127.0.0.1:9"));
    let said =
        said(
            desk.command("run", &scenario)
                .args(["--yes", "--no-preflight", "--duration", "1s"]),
        );
    assert_eq!(said.code, Some(1), "{}", said.err);
    let run = Run::open(&desk.out().join("fitting")).expect("a run");
    assert_eq!(run.file.state, RunState::Complete);
    let total = run.file.measured.expect("measured").total;
    assert_eq!((total.counts.intended, total.counts.failed), (20, 20));
    assert_eq!(
        total.failures,
        BTreeMap::from([("transport".to_owned(), 20)])
    );
}

#[test]
fn every_command_shows_examples() {
    let help = said(&mut bedload(&["--help"]));
    assert_eq!(help.code, Some(0));
    let list = help
        .out
        .split("Commands:\n")
        .nth(1)
        .expect("a list of commands");
    let commands: Vec<&str> = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|&command| command != "help")
        .collect();
    assert_eq!(
        commands,
        [
            "run",
            "sim",
            "stub",
            "check",
            "plan",
            "compare",
            "tune",
            "sweep",
            "models",
            "quotas",
            "import",
            "report",
            "schema",
            "completions"
        ]
    );
    for command in commands {
        let said = said(&mut bedload(&[command, "--help"]));
        assert_eq!(said.code, Some(0));
        assert!(said.out.contains("Example"), "{command}: {}", said.out);
        assert!(
            said.out.contains(&format!("  bedload {command}")),
            "{command}"
        );
    }
}

#[test]
fn the_schemas_are_those_that_are_checked_in() {
    for (args, file) in [
        (&["schema"][..], "schema/scenario.json"),
        (&["schema", "scenario"], "schema/scenario.json"),
        (&["schema", "run"], "schema/run.json"),
        (&["schema", "plan"], "schema/plan.json"),
        (&["schema", "compare"], "schema/compare.json"),
    ] {
        let checked_in = fs::read_to_string(in_project(file)).expect("checked in");
        assert!(
            said(&mut bedload(args)).out == checked_in,
            "{file} is out of date"
        );
    }
}

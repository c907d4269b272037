//! From the outside: plans, quotas, imports, and what stands before a run that costs money.
//!
//! Whoever answers in the place of AWS listens on loopback.

#![cfg(all(feature = "cli", feature = "stub"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{body_partial_json, header, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

const DESK: &str = r#"
# The service desk.
name = "desk"
run.duration = "20m"
arrivals.poisson.rate = "30/min"

[model.sonnet]
id = "us.anthropic.claude-sonnet-4-5-20250929-v1:0" # chosen in May
quota = { rpm = 100, tpm = 100_000 }

[model.nova]
id = "us.amazon.nova-lite-v1:0"

[[prompt]]
name = "chat"
model = "sonnet"
input_tokens = 500
output_tokens = 100
max_tokens = 400

[[prompt]]
name = "label"
model = "nova"
text = "Is this a question or a complaint?"
max_tokens = 20
"#;

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A folder of its own for each test, in which the program runs.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("writable");
        path
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect("it is there")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bedload"));
        for name in [
            "NO_COLOR",
            "CLICOLOR_FORCE",
            "AWS_PROFILE",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
        ] {
            command.env_remove(name);
        }
        command
            .current_dir(self.0.path())
            .env("AWS_ACCESS_KEY_ID", "nobody")
            .env("AWS_SECRET_ACCESS_KEY", "nothing")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .args(args);
        command
    }

    fn said(&self, args: &[&str]) -> Said {
        said(&mut self.command(args))
    }
}

fn said(command: &mut Command) -> Said {
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let said = Said {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(!said.err.contains("panicked"), "{command:?}: {}", said.err);
    said
}

/// A service on loopback for as long as `test` goes on.
fn with_service(mocks: Vec<Mock>, test: impl FnOnce(&str)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        for mock in mocks {
            server.register(mock).await;
        }
        server
    });
    test(&server.uri());
}

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Service Quotas, page by page, from the files that boto3 reads as well (`tests/boto3`).
fn service_quotas() -> Vec<Mock> {
    let answer = |file: &str| {
        let body = fs::read(in_project("tests/service_quotas").join(file)).expect("it is there");
        ResponseTemplate::new(200).set_body_raw(body, "application/x-amz-json-1.1")
    };
    let operation = |name: &str| {
        header(
            "x-amz-target",
            format!("ServiceQuotasV20190624.{name}").as_str(),
        )
    };
    let bedrock = json!({ "ServiceCode": "bedrock" });
    let second = json!({ "NextToken": "page-2" });
    vec![
        Mock::given(operation("ListServiceQuotas"))
            .and(body_partial_json(second))
            .respond_with(answer("applied-2.json"))
            .with_priority(1),
        Mock::given(operation("ListServiceQuotas"))
            .and(body_partial_json(bedrock.clone()))
            .respond_with(answer("applied-1.json")),
        Mock::given(operation("ListAWSDefaultServiceQuotas"))
            .and(body_partial_json(bedrock))
            .respond_with(answer("defaults.json")),
    ]
}

#[test]
fn quotas_are_read_page_by_page_and_written_into_the_scenario() {
    with_service(service_quotas(), |url| {
        let desk = Desk::new();
        desk.file("desk.toml", DESK);
        let account = ["--region", "us-east-1", "--endpoint-url", url];
        let said = desk.said(&[&["quotas", "desk.toml", "--write"][..], &account[..]].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
        for line in [
            "[model.sonnet.quota]",
            "rpm = 250  # L-4A6BFAB1, applied: ",
            "tpm = 200000  # L-F4DDD3EB, applied: ",
            "[model.nova.quota]",
            "rpm = 2000",
            "tpd = 11520000000",
        ] {
            assert!(said.out.contains(line), "{line}: {}", said.out);
        }
        // A name that the catalogue does not know, understood all the same.
        let by_name = "tpm = 4000000  # L-00000001, default, found by its name";
        assert!(said.out.contains(by_name), "{}", said.out);
        assert!(
            said.err.contains("under a tenth of the 5000000"),
            "{}",
            said.err
        );
        assert!(
            said.err.contains("900000000 tokens per day"),
            "{}",
            said.err
        );
        let written = desk.text("desk.toml");
        for kept in [
            "# The service desk.",
            "# chosen in May",
            "rpm = 250",
            "tpd = 11520000000",
        ] {
            assert!(written.contains(kept), "{kept}: {written}");
        }
        let check = desk.said(&["check", "desk.toml"]);
        assert_eq!(check.code, Some(0), "{}{written}", check.err);
        // Once more changes nothing.
        desk.said(&[&["quotas", "desk.toml", "--write"][..], &account[..]].concat());
        assert_eq!(desk.text("desk.toml"), written);

        let json = [&["quotas", SONNET, "--format", "json"][..], &account[..]].concat();
        let read: Value = serde_json::from_str(&desk.said(&json).out).expect("JSON");
        let tpm = &read["models"][0]["quotas"][1];
        assert_eq!(
            (&tpm["limit"], &tpm["matched_by"]),
            (&json!(200_000), &json!("code"))
        );
    });
}

#[test]
fn an_account_that_does_not_answer_says_what_to_do() {
    let refusal = |status, code: &str, message: &str| {
        let body = json!({ "__type": code, "Message": message, "message": message });
        let answer = ResponseTemplate::new(status)
            .set_body_raw(body.to_string(), "application/x-amz-json-1.1")
            .insert_header("x-amzn-errortype", code);
        vec![Mock::given(path_regex(".*")).respond_with(answer)]
    };
    for (status, code, words, step) in [
        (
            400,
            "AccessDeniedException",
            "User: x is not authorized to perform: servicequotas:ListServiceQuotas",
            "allow the action `servicequotas:ListServiceQuotas` in IAM",
        ),
        (
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            "aws sso login",
        ),
        (
            400,
            "NoSuchResourceException",
            "There is nothing.",
            "There is nothing.",
        ),
    ] {
        with_service(refusal(status, code, words), |url| {
            let desk = Desk::new();
            let said = desk.said(&[
                "quotas",
                SONNET,
                "--region",
                "us-east-1",
                "--endpoint-url",
                url,
            ]);
            assert_eq!(
                (said.code, said.out.as_str()),
                (Some(3), ""),
                "{}",
                said.err
            );
            assert!(
                said.err.contains(words) && said.err.contains(step),
                "{}",
                said.err
            );
        });
    }
    let desk = Desk::new();
    let nowhere = [
        "quotas",
        SONNET,
        "--region",
        "us-east-1",
        "--endpoint-url",
        "http://127.0.0.1:9",
    ];
    let said = desk.said(&nowhere);
    assert_eq!(said.code, Some(3));
    assert!(said.err.contains("could not be reached"), "{}", said.err);
    let mut without = desk.command(&nowhere);
    without
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let said = self::said(&mut without);
    assert_eq!(said.code, Some(3));
    assert!(
        said.err.contains("no valid AWS credentials"),
        "{}",
        said.err
    );
    let said = desk.said(&["quotas", SONNET]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err.contains("no AWS Region: give `--region`"),
        "{}",
        said.err
    );
}

#[test]
fn what_cannot_be_used_exits_2_and_says_what_to_change() {
    let desk = Desk::new();
    desk.file("desk.toml", DESK);
    desk.file("log.json", "{\"timestamp\": \n");
    for (args, told) in [
        (
            &["quotas", "us.amazon.nova-lit-v1:0"][..],
            "did you mean `amazon.nova-lite-v1:0`?",
        ),
        (
            &["quotas", SONNET, "--write"],
            "`--write` needs a scenario file",
        ),
        (
            &["quotas", "desk.toml", SONNET],
            "one scenario file, or ids",
        ),
        (&["quotas", "nowhere.toml"], "cannot read `nowhere.toml`"),
        (
            &["models", "no-such-model"],
            "no model is known as `no-such-model`",
        ),
        (&["models", "--catalogue", "nowhere.toml"], "cannot read"),
        (&["plan", "nowhere.toml"], "cannot read `nowhere.toml`"),
        (
            &["plan", "desk.toml", "--load", "0"],
            "`--load` needs a factor above 0",
        ),
        (&["plan", "desk.toml", "--growth", "ten"], "--growth"),
        (
            &["plan", "desk.toml", "--percentile", "100%"],
            "`--percentile` needs a share",
        ),
        (
            &["plan", "desk.toml", "--request", "--format", "json"],
            "`--request` is text or Markdown",
        ),
        (
            &["import", "logs", "log.json"],
            "log.json:1:13: EOF while parsing a value",
        ),
        (
            &["import", "logs", "log.json"],
            "leave them out with `--lenient`; nothing was written",
        ),
        (
            &["import", "logs", "log.json", "--lenient"],
            "there are no requests in it; 1 line could not be read",
        ),
        (&["import", "logs", "nowhere"], "cannot read `nowhere`"),
        (
            &["import", "azure", "desk.toml"],
            "has no column `TIMESTAMP`",
        ),
        (
            &["import", "cloudwatch", "--from", "today", "--model", SONNET],
            "`--from today` is no time",
        ),
        (
            &["import", "cloudwatch", "desk.toml", "--model", SONNET],
            "no column named after a metric",
        ),
        (&["import", "run", "."], "run"),
        (
            &["import", "logs", "log.json", "--classes", "0"],
            "--classes",
        ),
    ] {
        let said = desk.said(args);
        assert_eq!(said.code, Some(2), "{args:?}: {}", said.err);
        assert!(said.err.contains(told), "{args:?}: {}", said.err);
        assert_eq!(said.out, "", "{args:?}");
    }
}

#[test]
fn a_plan_says_what_is_needed_in_words_as_markdown_and_as_its_schema_has_it() {
    let desk = Desk::new();
    desk.file("desk.toml", DESK);
    let quick = ["plan", "desk.toml", "--seeds", "2", "--quiet"];
    let with = |more: &[&str]| desk.said(&[&quick[..], more].concat());
    let text = with(&["--growth", "10%", "--months", "6"]);
    assert_eq!(text.code, Some(0), "{}", text.err);
    for part in ["sonnet needs", "TPM", "If counted as", "max_tokens", "nova"] {
        assert!(text.out.contains(part), "{part}: {}", text.out);
    }
    let markdown = with(&["--format", "markdown"]);
    assert!(markdown.out.contains("| :-- | --: |"), "{}", markdown.out);
    let plan: Value = serde_json::from_str(&with(&["--format", "json"]).out).expect("JSON");
    let schema = fs::read_to_string(in_project("schema/plan.json")).expect("it is checked in");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(
        validator.is_valid(&plan),
        "{:#?}",
        validator.iter_errors(&plan).next()
    );
    let request = with(&["--request", "--growth", "5%"]);
    for part in ["L-F4DDD3EB", "L-4A6BFAB1", "25,000", "p90", "5 %"] {
        assert!(request.out.contains(part), "{part}: {}", request.out);
    }
    // The quota that there is does not hold ten times the load.
    assert_eq!(with(&["--load", "10"]).code, Some(1));
}

#[test]
fn a_run_can_be_planned_for_and_imported() {
    let desk = Desk::new();
    desk.file("desk.toml", DESK);
    let ran = desk.said(&["sim", "desk.toml", "--quiet"]);
    assert!(ran.code.is_some_and(|code| code < 2), "{}", ran.err);
    let plan = desk.said(&["plan", "reports/desk", "--seeds", "1", "--quiet"]);
    assert!(plan.code.is_some_and(|code| code < 2), "{}", plan.err);
    assert!(plan.out.contains("sonnet needs"), "{}", plan.out);
    let import = desk.said(&["import", "run", "reports/desk", "--out", "again.toml"]);
    assert_eq!(import.code, Some(0), "{}", import.err);
    let again = desk.text("again.toml");
    assert!(
        again.contains("path = \"again.csv\"") && again.contains("max_tokens = 400"),
        "{again}"
    );
    let sim = desk.said(&["sim", "again.toml", "--quiet"]);
    assert!(sim.code.is_some_and(|code| code < 2), "{}", sim.err);
    // As many requests as there were.
    let rows = desk.text("again.csv").lines().count() - 1;
    let due = |folder: &str| {
        let run = bedload::results::Run::open(&desk.0.path().join("reports").join(folder));
        run.expect("a run")
            .file
            .measured
            .expect("measured")
            .total
            .counts
            .intended
    };
    assert_eq!((due("desk"), due("again")), (rows as u64, rows as u64));
    let once_more = desk.said(&["import", "run", "reports/desk", "--out", "again.toml"]);
    assert_eq!(once_more.code, Some(2));
    assert!(once_more.err.contains("`--force`"), "{}", once_more.err);
}

/// [`DESK`] on a Bedrock that is on loopback.
fn on_bedrock(url: &str) -> String {
    format!("{DESK}\n[target.bedrock]\nregion = \"us-east-1\"\nendpoint_url = \"{url}\"\n")
}

#[test]
fn a_dry_run_says_what_would_be_sent_and_sends_nothing() {
    let desk = Desk::new();
    let capped = on_bedrock("http://127.0.0.1:9").replace(
        "run.duration = \"20m\"",
        "run = { duration = \"20m\", max_requests = 500, max_total_tokens = 90_000, max_cost = \"$2\" }",
    );
    desk.file("desk.toml", &capped);
    let said = desk.said(&["run", "desk.toml", "--dry-run"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    for part in [
        "a dry run, nothing is sent",
        "on average",
        "at worst",
        "after 500 requests (`run.max_requests`), before it has used 90,000 tokens (`run.max_total_tokens`), \
         before it has spent $2",
        "lasts 20.5 min",
        "chat (50 % of requests): InvokeModel of us.anthropic",
        "max_tokens 400",
        "\"Is this a question or a complaint?\"",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert!(!desk.0.path().join("reports").exists());
}

#[test]
fn what_stands_in_the_way_is_told_before_the_run() {
    let answer = |status, code: &str, message: &str| {
        let body = json!({ "message": message });
        ResponseTemplate::new(status)
            .set_body_json(body)
            .insert_header("x-amzn-errortype", code)
    };
    let works = ResponseTemplate::new(200).set_body_json(json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": "Yes." }] } },
        "stopReason": "end_turn",
        "usage": { "inputTokens": 5, "outputTokens": 2, "totalTokens": 7 }
    }));
    for (status, code, words, step) in [
        (
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            "aws sso login",
        ),
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            "\"Model access\"",
        ),
        (
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
            "us-east-1",
        ),
        (
            400,
            "ValidationException",
            "Invocation of model ID x with on-demand throughput isn\u{2019}t supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
            "inference profile",
        ),
        (
            429,
            "ThrottlingException",
            "Too many tokens per day, please wait before trying again.",
            "near zero",
        ),
    ] {
        let mocks = vec![
            Mock::given(path_regex("^/model/.*nova.*")).respond_with(works.clone()),
            Mock::given(path_regex("^/model/.*claude.*")).respond_with(answer(status, code, words)),
        ];
        with_service(mocks, |url| {
            let desk = Desk::new();
            desk.file("desk.toml", &on_bedrock(url));
            let said = desk.said(&["run", "desk.toml", "--yes", "--quiet"]);
            assert_eq!(
                (said.code, said.out.as_str()),
                (Some(3), ""),
                "{}",
                said.err
            );
            assert!(said.err.contains("sonnet: "), "{}", said.err);
            assert!(
                said.err.contains(words) && said.err.contains(step),
                "{}",
                said.err
            );
            assert!(!desk.0.path().join("reports").exists());
        });
    }
}

#[test]
fn tokens_that_may_be_used_end_a_run_with_its_results() {
    let desk = Desk::new();
    let capped = DESK.replace(
        "run.duration = \"20m\"",
        "run = { duration = \"20m\", max_total_tokens = 20_000 }",
    );
    desk.file("desk.toml", &capped);
    let said = desk.said(&["sim", "desk.toml", "--quiet"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.out.contains("`run.max_total_tokens` was reached"),
        "{}",
        said.out
    );
}

//! Recordings in, scenarios out.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::recording::{UNSEEN, UNSET};
use super::*;
use crate::arrivals::ArrivalProcess;
use crate::scenario::Scenario;

const NOVA: &str = "us.amazon.nova-lite-v1:0";

/// A folder that lasts as long as the test, and a way to put files into it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        fs::write(&path, bytes).expect("written");
        path
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

fn packed(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).expect("in memory");
    packer.finish().expect("in memory")
}

fn options(model: &str) -> DraftOptions {
    DraftOptions {
        name: "imported".to_owned(),
        from: "a test".to_owned(),
        models: vec![(None, model.to_owned())],
        kinds: 4,
        trace_file: "imported.csv".to_owned(),
        ..DraftOptions::default()
    }
}

fn own_models() -> DraftOptions {
    DraftOptions {
        models: Vec::new(),
        ..options("")
    }
}

/// What a user would get: the files, read back.
fn written(draft: &Draft, recording: &Recording) -> Scenario {
    let folder = Folder::new();
    let mut trace = Vec::new();
    draft.write_trace(recording, &mut trace).expect("in memory");
    folder.file("imported.csv", trace);
    match Scenario::parse(&draft.toml(), &folder.path()) {
        Ok(checked) => checked.scenario,
        Err(problems) => panic!("{}\n{problems:#?}", draft.toml()),
    }
}

/// A line of a log. `body` is the request's.
fn call(second: u32, model: &str, operation: &str, body: &str, input: u32, output: u32) -> String {
    format!(
        r#"{{"timestamp":"2026-11-20T10:{:02}:{:02}Z","accountId":"111122223333","identity":{{"arn":"arn:aws:sts::111122223333:assumed-role/chat/i-0"}},"region":"us-east-1","requestId":"r","operation":"{operation}","modelId":"{model}","input":{{"inputContentType":"application/json","inputBodyJson":{body},"inputTokenCount":{input}}},"output":{{"outputContentType":"application/json","outputBodyJson":{{"output":{{"message":{{"content":[{{"text":"}} \" {{"}}]}}}}}},"outputTokenCount":{output}}},"requestMetadata":{{"team":"blue"}},"schemaType":"ModelInvocationLog","schemaVersion":"1.0"}}"#,
        second / 60,
        second % 60
    )
}

fn no_key() -> Source {
    Source::Logs(LogOptions {
        by: LogKey::None,
        region: None,
    })
}

fn read_log(by: LogKey, path: PathBuf) -> Recording {
    Source::Logs(LogOptions { by, region: None })
        .read(&[path], &mut |_, _| {})
        .expect("it can be read")
}

#[test]
fn every_family_says_max_tokens_in_its_own_way() {
    let bodies = [
        (
            r#"{"messages":[{"max_tokens":1}],"inferenceConfig":{"maxTokens":300}}"#,
            300,
        ),
        (
            r#"{"anthropic_version":"x","max_tokens":301,"messages":[]}"#,
            301,
        ),
        (r#"{"inferenceConfig":{"max_new_tokens":302}}"#, 302),
        (
            r#"{"inputText":"x","textGenerationConfig":{"maxTokenCount":303}}"#,
            303,
        ),
        (r#"{"prompt":"x","max_gen_len":304}"#, 304),
        (r#"{"max_tokens":305,"max_completion_tokens":306}"#, 305),
        (r#"{"messages":[]}"#, UNSET),
        (r#"{"max_tokens":null}"#, UNSET),
        (r#""a text""#, UNSET),
        ("[1,{}]", UNSET),
    ];
    let lines: Vec<String> = bodies
        .iter()
        .map(|(body, _)| call(0, NOVA, "Converse", body, 10, 5))
        .collect();
    let folder = Folder::new();
    let recording = read_log(LogKey::None, folder.file("log.json", lines.join("\n")));
    assert_eq!(recording.problems, Problems::default());
    let found: Vec<u32> = recording
        .records
        .iter()
        .map(|record| record.max_tokens)
        .collect();
    let said: Vec<u32> = bodies.iter().map(|(_, said)| *said).collect();
    assert_eq!(found, said);
}

#[test]
fn logs_are_read_from_folders_plain_and_packed() {
    let body = r#"{"inferenceConfig":{"maxTokens":300}}"#;
    let line = |second| call(second, NOVA, "Converse", body, 100 + second, 20);
    let folder = Folder::new();
    // The later one first: what is packed is told by its bytes, not by its name.
    folder.file(
        "2026/11/20/10/a.json",
        packed(&(line(3) + "\n" + &line(2) + "\n")),
    );
    let exported = format!("2026-11-20T10:00:01.000Z {}\n\n", line(1));
    folder.file("2026/11/20/11/b.json.gz", exported);
    folder.file("2026/11/20/data/body.json", "not a log");
    folder.file("amazon-bedrock-logs-permission-check", "");
    folder.file(".DS_Store", "not a log");
    let recording = read_log(LogKey::Metadata("team".to_owned()), folder.path());
    assert_eq!(recording.problems, Problems::default());
    let inputs: Vec<u32> = recording
        .records
        .iter()
        .map(|record| record.input)
        .collect();
    assert_eq!(inputs, [101, 102, 103], "in order of time");
    assert_eq!(recording.models(), [NOVA]);
    assert_eq!(recording.keys.all(), ["blue"]);
}

#[test]
fn broken_lines_are_counted_and_have_their_place() {
    let body = "{}";
    let good = call(0, NOVA, "Converse", body, 10, 5);
    let without_model = good.replace("modelId", "model");
    let text = [
        good.as_str(),
        r#"{"timestamp": "2026-11-20T10:00:00Z", "modelId": }"#,
        &without_model,
        &good.replace("2026-11-20T", "yesterday "),
        &good[..200],
        "plain words",
        "",
        &good,
    ]
    .join("\n");
    let folder = Folder::new();
    let path = folder.file("log.json", text);
    let recording = read_log(LogKey::None, path.clone());
    assert_eq!((recording.records.len(), recording.problems.count), (2, 5));
    let told: Vec<(u64, u64, &str)> = recording
        .problems
        .first
        .iter()
        .map(|problem| {
            assert_eq!(problem.path, path);
            (problem.line, problem.column, problem.what.as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            (2, 50, "expected value"),
            (3, 1, "the record has no `modelId`"),
            (4, 1, "`timestamp` is no time like `2026-11-23T10:15:00Z`"),
            (5, 200, "EOF while parsing a string"),
            (6, 1, "expected value"),
        ]
    );
}

#[test]
fn packed_data_that_breaks_off_keeps_what_came_before() {
    let line = call(0, NOVA, "Converse", "{}", 10, 5);
    let text = vec![line; 3_000].join("\n");
    let mut bytes = packed(&text);
    bytes.truncate(bytes.len() - 20);
    let folder = Folder::new();
    let recording = read_log(LogKey::None, folder.file("log.gz", bytes));
    assert_eq!(recording.problems.count, 1);
    assert!(
        recording.problems.first[0]
            .what
            .starts_with("the packed data breaks off")
    );
    assert!(!recording.records.is_empty());
}

#[test]
fn what_failed_and_what_has_no_tokens_is_left_out_and_said() {
    let good = call(0, NOVA, "Converse", "{}", 10, 5);
    let failed = good.replace(
        r#""requestId""#,
        r#""errorCode":"ThrottlingException","requestId""#,
    );
    let image = good.replace(r#","outputTokenCount":5"#, "");
    let cached = good.replace(
        r#""inputTokenCount":10"#,
        r#""inputTokenCount":10,"cacheReadInputTokenCount":900,"cacheWriteInputTokenCount":30"#,
    );
    let folder = Folder::new();
    let text = [good, failed, image, cached].join("\n");
    let recording = read_log(LogKey::None, folder.file("log.json", text));
    assert_eq!(recording.records.len(), 2);
    assert_eq!(
        recording.records[1].input, 40,
        "writes to a cache count, reads do not"
    );
    let draft = Draft::of_recording(&recording, &own_models()).expect("a draft");
    let notes = draft.notes.join("\n");
    for said in [
        "1 call failed",
        "1 ThrottlingException",
        "images): 1 call",
        "900 input tokens",
    ] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
}

#[test]
fn a_log_becomes_a_scenario_with_its_own_max_tokens_and_models() {
    let sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let mut lines = Vec::new();
    for second in 0..600 {
        let chat = r#"{"inferenceConfig":{"maxTokens":500}}"#;
        lines.push(call(
            second,
            NOVA,
            "Converse",
            chat,
            200 + second % 50,
            100 + second % 30,
        ));
        if second % 3 == 0 {
            let agent = r#"{"max_tokens":4096}"#;
            lines.push(call(
                second,
                sonnet,
                "InvokeModel",
                agent,
                8_000 + second,
                900,
            ));
        }
    }
    let folder = Folder::new();
    let recording = read_log(LogKey::None, folder.file("log.json", lines.join("\n")));
    let draft = Draft::of_recording(&recording, &own_models()).expect("a draft");
    let scenario = written(&draft, &recording);
    assert_eq!(scenario.models.len(), 2);
    let api = |id: &str| {
        let model = scenario.models.iter().find(|model| model.id == id);
        model.map(|model| model.api.name())
    };
    assert_eq!(api(NOVA), Some("converse"));
    assert_eq!(api(sonnet), Some("invoke-model"));
    let ArrivalProcess::Trace { points, .. } = &scenario.arrivals else {
        panic!("a trace was expected");
    };
    assert_eq!(points.len(), 800);
    for (point, record) in points.iter().zip(&recording.records) {
        let class = point.class.expect("the trace names classes");
        let prompt = &scenario.prompts[usize::from(class.0)];
        assert_eq!(point.input.0, u64::from(record.input));
        assert_eq!(
            prompt.max_tokens.map(|tokens| tokens.0),
            Some(u64::from(record.max_tokens))
        );
        let model = &scenario.models[usize::from(prompt.model.0)];
        assert_eq!(model.id, recording.models()[usize::from(record.model)]);
    }
    let counted: f64 = scenario.prompts.iter().map(|prompt| prompt.weight).sum();
    assert_eq!(counted, 800.0);
}

#[test]
fn fitted_arrivals_keep_requests_and_tokens() {
    let azure: String = (0..6_000_u32)
        .map(|number| {
            let second = number * 6 / 10;
            format!(
                "2023-11-16 {:02}:{:02}:{:02}.{:03},{},{}\n",
                18 + second / 3_600,
                second / 60 % 60,
                second % 60,
                number * 600 % 1_000,
                100 + number % 1_700,
                1 + number % 90
            )
        })
        .collect();
    let folder = Folder::new();
    let text = format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{azure}");
    let path = folder.file("azure.csv", text);
    let recording = Source::Azure
        .read(&[path], &mut |_, _| {})
        .expect("it can be read");
    assert_eq!(recording.records.len(), 6_000);
    let fitted = DraftOptions {
        trace: Some(false),
        ..options(NOVA)
    };
    let draft = Draft::of_recording(&recording, &fitted).expect("a draft");
    let scenario = written(&draft, &recording);
    let expected = scenario
        .arrivals
        .expected(scenario.run.duration)
        .expect("open");
    assert!((expected / 6_000.0 - 1.0).abs() < 0.02, "{expected}");
    let tokens = |length: fn(&crate::import::Record) -> u32| -> f64 {
        recording
            .records
            .iter()
            .map(|record| f64::from(length(record)))
            .sum()
    };
    let weights: f64 = scenario.prompts.iter().map(|prompt| prompt.weight).sum();
    for (kept, whole) in [
        (0, tokens(|record| record.input)),
        (1, tokens(|record| record.output)),
    ] {
        let mean: f64 = scenario
            .prompts
            .iter()
            .map(|prompt| {
                let lengths = [&prompt.input, &prompt.output][kept];
                let mean = lengths
                    .as_ref()
                    .map_or(0.0, crate::distribution::Distribution::mean);
                prompt.weight / weights * mean
            })
            .sum();
        assert!(
            (mean * 6_000.0 / whole - 1.0).abs() < 0.01,
            "{kept}: {mean}"
        );
    }
}

#[test]
fn burstgpt_and_mooncake_are_read() {
    let folder = Folder::new();
    let burst = folder.file(
        "BurstGPT.csv",
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
         5,ChatGPT,472,18,490,Conversation log\n\
         45.5,GPT-4,1087,230,1317,API log\n\
         118,GPT-4,417,0,417,API log\n\
         119,GPT-4,four,1,5,API log\n",
    );
    let recording = Source::BurstGpt(BurstGptKey::LogType)
        .read(&[burst], &mut |_, _| {})
        .expect("it can be read");
    assert_eq!(recording.records.len(), 2);
    assert_eq!(recording.records[1].at, 45_500_000_000);
    assert_eq!(recording.failed["no answer"], 1);
    let problem = &recording.problems.first[0];
    assert_eq!((problem.line, problem.column), (5, 11));
    assert_eq!(
        problem.what,
        "`Request tokens` needs a whole number of tokens, not `four`"
    );
    assert_eq!(recording.keys.all(), ["Conversation log", "API log"]);
    assert_eq!(recording.records[0].max_tokens, UNSEEN);

    let mooncake = folder.file(
        "mooncake.jsonl",
        "{\"timestamp\": 0, \"input_length\": 1024, \"output_length\": 26, \"hash_ids\": [1, 2]}\n\
         {\"timestamp\": 27482, \"input_length\": 1536, \"output_length\": 52, \"hash_ids\": [1, 2, 3]}\n\
         {\"timestamp\": 30000, \"input_length\": 1024, \"output_length\": 9, \"hash_ids\": [4, 1]}\n\
         {\"timestamp\": 30000}\n",
    );
    let recording = Source::Mooncake
        .read(&[mooncake], &mut |_, _| {})
        .expect("it can be read");
    assert_eq!((recording.records.len(), recording.problems.count), (3, 1));
    assert_eq!(recording.records[1].at, 27_482_000_000);
    // Two of seven blocks: those of the second request. The third begins with a new one.
    assert!(
        recording.notes[0].starts_with("29 %"),
        "{}",
        recording.notes[0]
    );
}

#[test]
fn exported_metrics_become_rates_and_mean_lengths() {
    let folder = Folder::new();
    let minutes = 0..120;
    let times: Vec<String> = minutes
        .clone()
        .map(|minute| {
            format!(
                "2026-11-20T{:02}:{:02}:00+00:00",
                10 + minute / 60,
                minute % 60
            )
        })
        .collect();
    let result = |label: &str, value: &dyn Fn(u64) -> u64| {
        let values: Vec<u64> = minutes.clone().map(value).collect();
        format!(
            "{{\"Id\":\"m1\",\"Label\":\"{label}\",\"Timestamps\":{times:?},\"Values\":{values:?}}}"
        )
    };
    let calls = |minute: u64| 60 + minute % 30;
    let json = format!(
        "{{\"MetricDataResults\":[{},{},{},{}]}}",
        result("AWS/Bedrock nova Invocations", &calls),
        result("InputTokenCount", &|minute| calls(minute) * (900 + minute)),
        result("OutputTokenCount", &|minute| calls(minute) * 120),
        result("InvocationThrottles", &|_| 6),
    );
    let mut csv =
        String::from("Label,Invocations,InputTokenCount,OutputTokenCount,InvocationThrottles\n");
    for (minute, time) in minutes.zip(&times) {
        let calls = calls(minute);
        let (input, output) = (calls * (900 + minute), calls * 120);
        csv += &format!(
            "{},{calls},{input},{output},6\n",
            time.replace('-', "/").replace("+00:00", "")
        );
    }
    let json = exported_metrics(&[folder.file("metrics.json", json)]).expect("an export");
    let csv = exported_metrics(&[folder.file("metrics.csv", csv)]).expect("an export");
    assert_eq!(json, csv);
    let draft = Draft::of_series(&json, &options(NOVA)).expect("a draft");
    let requests: u64 = (0..120).map(calls).sum();
    assert_eq!(draft.requests, requests);
    assert_eq!(draft.classes[0].means.1, 120.0);
    assert!(draft.unseen[0].contains("reservation"));
    assert!(draft.notes[0].starts_with("720 calls were throttled"));
    let scenario = written(&draft, &Recording::default());
    let expected = scenario
        .arrivals
        .expected(scenario.run.duration)
        .expect("open");
    assert!(
        (expected / requests as f64 - 1.0).abs() < 0.01,
        "{expected} of {requests}"
    );
}

#[test]
fn regions_have_quotas_of_their_own() {
    let here = call(0, NOVA, "Converse", "{}", 10, 5);
    let there = here.replace("us-east-1", "eu-west-1");
    let folder = Folder::new();
    let path = folder.file("log.json", [here.as_str(), &there, &here].join("\n"));
    let all = read_log(LogKey::None, path.clone());
    assert_eq!(all.records.len(), 3);
    assert!(
        all.notes[0].contains("2 Regions (eu-west-1, us-east-1)"),
        "{:?}",
        all.notes
    );
    let wanted = LogOptions {
        by: LogKey::None,
        region: Some("us-east-1".to_owned()),
    };
    let one = Source::Logs(wanted)
        .read(&[path], &mut |_, _| {})
        .expect("it can be read");
    assert_eq!((one.records.len(), one.notes.len()), (2, 0));
}

#[test]
fn models_are_asked_for_mapped_and_left_out() {
    let line = call(
        0,
        "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
        "Converse",
        "{}",
        10,
        5,
    );
    let known = call(1, NOVA, "Converse", "{}", 10, 5);
    let folder = Folder::new();
    let recording = read_log(
        LogKey::None,
        folder.file("log.json", format!("{line}\n{known}")),
    );
    let error = Draft::of_recording(&recording, &own_models()).expect_err("it is not known");
    assert!(
        error.to_string().contains("with `--model arn:aws"),
        "{error}"
    );
    let arn = recording.models()[0].clone();
    let mapped = DraftOptions {
        models: vec![(Some(arn.clone()), NOVA.to_owned())],
        ..own_models()
    };
    let draft = Draft::of_recording(&recording, &mapped).expect("a draft");
    assert_eq!((draft.models.len(), draft.requests), (1, 2));
    let without = DraftOptions {
        without: vec![arn],
        ..own_models()
    };
    let draft = Draft::of_recording(&recording, &without).expect("a draft");
    assert_eq!((draft.models.len(), draft.requests), (1, 1));
}

#[test]
fn an_empty_or_wrong_file_says_what_is_missing() {
    let folder = Folder::new();
    let read = |source: &Source, path: &Path| {
        let recording = source.read(&[path.to_owned()], &mut |_, _| {})?;
        Draft::of_recording(&recording, &options(NOVA)).map(|_| ())
    };
    let told = |source: Source, name: &str, text: &str| {
        let error = read(&source, &folder.file(name, text)).expect_err("it is no recording");
        error.to_string()
    };
    assert_eq!(told(no_key(), "a", ""), "there are no requests in it");
    assert!(
        told(Source::Azure, "b", "x,y\n").ends_with("has no column `TIMESTAMP` in its first line")
    );
    assert!(told(Source::Azure, "c", "").ends_with("has no column `TIMESTAMP` in its first line"));
    let nowhere = Source::Azure
        .read(&[folder.path().join("nowhere")], &mut |_, _| {})
        .map(|_| ());
    assert!(nowhere.is_err_and(|error| error.to_string().starts_with("cannot read")));
    for text in [
        "{}",
        "{",
        "a,b\n",
        "",
        "{\"MetricDataResults\":[{\"Label\":\"Invocations\",\"Timestamps\":[\"x\"],\"Values\":[1]}]}",
    ] {
        let path = folder.file("metrics", text);
        assert!(exported_metrics(&[path]).is_err(), "{text}");
    }
}

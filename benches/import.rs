//! What it costs to import a million lines of a model invocation log: time, and the most memory.
//!
//! `cargo bench --bench import` prints one line for the plain file and one for the packed one. The most
//! memory is the process's own (`VmHWM` of `/proc/self/status`), which is told where there is one.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use bedload::import::{Draft, DraftOptions, LogKey, LogOptions, Source};
use flate2::Compression;
use flate2::write::GzEncoder;

const LINES: u64 = 1_000_000;

/// A call as Bedrock logs it, with the bodies of a short chat.
fn line(out: &mut impl Write, number: u64) -> std::io::Result<()> {
    let second = number / 20;
    let input = 300 + number.wrapping_mul(2_654_435_761) % 2_000;
    let output = 20 + number.wrapping_mul(40_503) % 400;
    writeln!(
        out,
        concat!(
            r#"{{"timestamp":"2026-11-{:02}T{:02}:{:02}:{:02}Z","accountId":"111122223333","#,
            r#""identity":{{"arn":"arn:aws:sts::111122223333:assumed-role/chat/i-0a1b2c3d4e5f60718"}},"#,
            r#""region":"us-east-1","requestId":"c0ffee00-0000-4000-8000-{:012}","operation":"Converse","#,
            r#""modelId":"us.amazon.nova-lite-v1:0","input":{{"inputContentType":"application/json","#,
            r#""inputBodyJson":{{"messages":[{{"role":"user","content":[{{"text":"{}"}}]}}],"#,
            r#""inferenceConfig":{{"maxTokens":800,"temperature":0.2}}}},"inputTokenCount":{}}},"#,
            r#""output":{{"outputContentType":"application/json","outputBodyJson":{{"output":{{"message":"#,
            r#"{{"role":"assistant","content":[{{"text":"{}"}}]}}}},"stopReason":"end_turn","metrics":"#,
            r#"{{"latencyMs":1234}},"usage":{{"inputTokens":{},"outputTokens":{},"totalTokens":{}}}}},"#,
            r#""outputTokenCount":{}}},"schemaType":"ModelInvocationLog","schemaVersion":"1.0"}}"#
        ),
        1 + second / 86_400,
        second / 3_600 % 24,
        second / 60 % 60,
        second % 60,
        number,
        "Which of our plans has the longest notice period, and why? \\n".repeat(3),
        input,
        "The annual plan: it is billed ahead, so that leaving it takes \\\"three\\\" months. "
            .repeat(3),
        input,
        output,
        input + output,
        output
    )
}

fn memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024)
}

#[expect(
    clippy::disallowed_methods,
    reason = "whole seconds are measured; the core has no clock"
)]
fn import(path: &Path, what: &str) {
    let bytes = std::fs::metadata(path).expect("it is there").len();
    let wanted = LogOptions {
        by: LogKey::None,
        region: None,
    };
    let began = Instant::now();
    let recording = Source::Logs(wanted)
        .read(&[path.to_owned()], &mut |_, _| {})
        .expect("it can be read");
    let read = began.elapsed();
    assert_eq!(
        (recording.records.len() as u64, recording.problems.count),
        (LINES, 0)
    );
    let options = DraftOptions {
        name: "bench".to_owned(),
        kinds: 4,
        trace: Some(false),
        ..DraftOptions::default()
    };
    let draft = Draft::of_recording(&recording, &options).expect("a draft");
    assert!(draft.toml().len() < 1 << 20);
    let memory = memory_mib().map(|mib| format!(", at most {mib} MiB of memory so far"));
    println!(
        "import/{what}: {LINES} lines, {} MiB: read in {:.2} s, a scenario in {:.2} s{}",
        bytes >> 20,
        read.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        memory.unwrap_or_default()
    );
}

fn main() -> std::io::Result<()> {
    // `cargo test --benches` only asks whether it runs at all.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let plain = folder.path().join("log.json");
    let packed = folder.path().join("log.json.gz");
    let mut out = BufWriter::new(File::create(&plain)?);
    let mut packer = GzEncoder::new(BufWriter::new(File::create(&packed)?), Compression::fast());
    for number in 0..LINES {
        line(&mut out, number)?;
        line(&mut packer, number)?;
    }
    out.flush()?;
    packer.finish()?.flush()?;
    import(&plain, "plain");
    import(&packed, "packed");
    Ok(())
}

//! Rows, written and read back.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::outcome::{ClassIndex, DropReason, Failure, Gaps, ModelIndex, Outcome};
use crate::quota::Quota;
use crate::results::{ClassSettings, ModelSettings};
use crate::units::{TokenUsage, Tokens};

fn settings() -> Settings {
    let model = |name: &str| ModelSettings {
        name: name.to_owned(),
        id: "amazon.nova-lite-v1:0".to_owned(),
        api: "converse".to_owned(),
        quota: Quota::default(),
        burndown: 1,
        price: None,
        limiter: None,
    };
    let class = |name: &str, model| ClassSettings {
        name: name.to_owned(),
        model,
    };
    Settings {
        duration_ns: 10_000_000_000,
        clock_offset_ns: 0,
        enforcement: None,
        adjustment: None,
        streaming: false,
        warm_up_ns: 0,
        request_rows: true,
        models: vec![model("sonnet"), model("comma, \"quote\"")],
        classes: vec![class("explain", 0), class("summarise", 1)],
        gate: None,
    }
}

/// The bytes of a file with these records.
fn written(records: &[RequestRecord]) -> Vec<u8> {
    let format = RowFormat::new(&settings());
    let mut out = Vec::new();
    format.push_header(&mut out);
    for record in records {
        format.push(&mut out, record);
    }
    out
}

/// The records of a file with these bytes, and whether its last line is torn.
fn read(bytes: &[u8]) -> (Vec<RequestRecord>, bool) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    fs::write(dir.path().join(REQUESTS_FILE), bytes).expect("it can be written to");
    let rows = open(dir.path());
    let torn = rows.torn_line();
    (rows.map(Result::unwrap).collect(), torn)
}

fn open(dir: &Path) -> RequestRows {
    RequestRows::open(dir, &settings()).expect("the file has its header")
}

fn instants() -> impl Strategy<Value = Option<Instant>> {
    proptest::option::of(any::<u64>().prop_map(Instant::from_nanos))
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Completed),
        Just(Outcome::Cancelled),
        proptest::sample::select(Failure::ALL).prop_map(Outcome::Failed),
        proptest::sample::select(DropReason::ALL).prop_map(Outcome::Dropped),
    ]
}

prop_compose! {
    fn records()(
        (id, class, attempts) in (any::<u64>(), 0..2_u16, any::<u32>()),
        due in any::<u64>().prop_map(Instant::from_nanos),
        finished in any::<u64>().prop_map(Instant::from_nanos),
        (admitted, last_admitted, sent, first_token) in
            (instants(), instants(), instants(), instants()),
        outcome in outcomes(),
        message in proptest::option::of("[ -~é…\",]{1,80}"),
        tokens in any::<[u64; 7]>(),
        earlier in proptest::collection::vec(
            (any::<u64>(), any::<u64>(), proptest::sample::select(Failure::ALL)),
            0..4,
        ),
    ) -> RequestRecord {
        let [input_estimate, reserved, input, output, cache_read, cache_write, settled] =
            tokens.map(Tokens);
        RequestRecord {
            id,
            class: ClassIndex(class),
            model: ModelIndex(class),
            due,
            admitted,
            last_admitted,
            sent,
            first_token,
            gaps: Gaps::default(),
            finished,
            outcome,
            message: message.map(String::into_boxed_str),
            attempts,
            input_estimate,
            reserved,
            usage: TokenUsage { input, output, cache_read, cache_write },
            settled,
            earlier: earlier
                .into_iter()
                .map(|(sent, finished, failure)| EarlierAttempt {
                    sent: Instant::from_nanos(sent),
                    finished: Instant::from_nanos(finished),
                    failure,
                })
                .collect(),
        }
    }
}

proptest! {
    #[test]
    fn every_record_comes_back_as_it_was(records in proptest::collection::vec(records(), 0..8)) {
        prop_assert_eq!(read(&written(&records)), (records, false));
    }

    #[test]
    fn a_file_cut_off_anywhere_loses_its_last_line_at_most(
        records in proptest::collection::vec(records(), 1..60),
        kept in 0.0..1.0,
    ) {
        let bytes = written(&records);
        let header = 1 + bytes.iter().position(|&byte| byte == b'\n').unwrap();
        let kept = &bytes[..header + (kept * (bytes.len() - header) as f64) as usize];
        let whole = kept.iter().filter(|&&byte| byte == b'\n').count() - 1;
        let torn = !kept.ends_with(b"\n");
        prop_assert_eq!(read(kept), (records[..whole].to_vec(), torn));
    }
}

fn any_record() -> RequestRecord {
    RequestRecord {
        id: 3,
        class: ClassIndex(1),
        model: ModelIndex(1),
        due: Instant::from_nanos(10),
        admitted: Some(Instant::from_nanos(20)),
        last_admitted: Some(Instant::from_nanos(60)),
        sent: Some(Instant::from_nanos(70)),
        first_token: None,
        gaps: Gaps::default(),
        finished: Instant::from_nanos(80),
        outcome: Outcome::Failed(Failure::Unavailable),
        message: Some("busy, sorry".into()),
        attempts: 2,
        input_estimate: Tokens(100),
        reserved: Tokens(600),
        usage: TokenUsage::default(),
        settled: Tokens::ZERO,
        earlier: vec![EarlierAttempt {
            sent: Instant::from_nanos(30),
            finished: Instant::from_nanos(40),
            failure: Failure::ThrottledTokens,
        }],
    }
}

#[test]
fn a_row_can_be_read_by_people_and_spreadsheets() {
    let bytes = written(&[any_record()]);
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "id,class,model,due_ns,admitted_ns,last_admitted_ns,sent_ns,first_token_ns,finished_ns,\
         outcome,reason,attempts,input_estimate,reserved,input_tokens,output_tokens,\
         cache_read_tokens,cache_write_tokens,settled,earlier,message\n\
         3,summarise,\"comma, \"\"quote\"\"\",10,20,60,70,,80,failed,unavailable,2,100,600,0,0,0,0,0,\
         30-40:throttled_tokens,\"busy, sorry\"\n"
    );
}

#[test]
fn a_message_stays_on_one_line_and_within_bounds() {
    let message = format!("first\r\n\u{1b}[31msecond \u{9b}{}", "é".repeat(1_000));
    let record = RequestRecord {
        message: Some(message.into()),
        ..any_record()
    };
    let (rows, _) = read(&written(&[record]));
    let read = rows[0].message.as_deref().unwrap();
    assert!(read.starts_with("first   [31msecond  é"), "{read}");
    assert!(read.len() <= 400 && read.ends_with('é'));
}

#[test]
fn columns_are_found_by_name_so_that_there_can_be_more() {
    let text = String::from_utf8(written(&[any_record()])).unwrap();
    let wider = text
        .replacen("id,", "new,id,", 1)
        .replacen("\n3,", "\nnew,3,", 1);
    assert_eq!(read(wider.as_bytes()), (vec![any_record()], false));
}

#[test]
fn a_file_without_one_of_its_columns_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(REQUESTS_FILE), "id,class\n").unwrap();
    let error = RequestRows::open(dir.path(), &settings()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("line 1: there is no column `model`"),
        "{error}"
    );
}

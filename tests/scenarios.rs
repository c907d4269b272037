//! Every scenario that the project ships can be run.

use std::path::{Path, PathBuf};

use bedload::arrivals::ArrivalProcess;
use bedload::scenario::{Scenario, json_schema};

/// The TOML files in `folder`, in order of their names.
fn scenario_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is part of the repository");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_scenario_parses_without_errors() {
    let files = scenario_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"));
    assert!(!files.is_empty(), "there are no scenarios to check");
    let problems: Vec<String> = files
        .iter()
        .filter_map(|file| Scenario::load(file).err())
        .flat_map(|error| error.reports())
        .map(|report| format!("{}:{}: {}", report.file, report.line, report.message))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_scenario_fits_the_schema_that_editors_use() {
    let schema = serde_json::from_str(&json_schema()).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in scenario_files(&folder.join("scenarios")) {
        let text = std::fs::read_to_string(&file).expect("readable");
        let document: serde_json::Value = toml::from_str(&text).expect("TOML");
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert!(
            errors.is_empty(),
            "{}: {}",
            file.display(),
            errors.join("\n")
        );
    }
    // The schema says no as well: this file's keys are unknown.
    let text = std::fs::read_to_string(folder.join("tests/broken/unknown-keys.toml"));
    let document = toml::from_str(&text.expect("readable")).expect("TOML");
    assert!(!validator.is_valid(&document));
}

#[test]
fn the_azure_traces_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    for (file, requests) in [
        ("AzureLLMInferenceTrace_conv.csv", 19_366),
        ("AzureLLMInferenceTrace_code.csv", 8_819),
    ] {
        if !folder.join(file).exists() {
            eprintln!("skipped: ../shared/data/{file} (Azure Public Dataset) is not here");
            continue;
        }
        let text = format!(
            "name = \"azure\"\narrivals.trace.path = \"{file}\"\n\
             model.nova.id = \"amazon.nova-lite-v1:0\"\n\
             [[prompt]]\nname = \"recorded\"\nmax_tokens = 1_000\n"
        );
        let checked = Scenario::parse(&text, &folder)
            .unwrap_or_else(|problems| panic!("{file}: {problems:?}"));
        let ArrivalProcess::Trace { points, .. } = checked.scenario.arrivals else {
            panic!("{file} is a trace");
        };
        assert_eq!(points.len(), requests, "{file}");
    }
}

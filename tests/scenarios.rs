//! Every scenario that the project ships can be run.

use std::path::{Path, PathBuf};

use bedload::scenario::Scenario;

/// The TOML files in `folder`, in order of their names.
fn scenario_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is part of the repository");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
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

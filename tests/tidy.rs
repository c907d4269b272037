//! The structure that ARCHITECTURE.md promises, as tests: layers, sizes, documentation.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The layers, from the ground up. A module may use modules of lower layers, and of its own.
const LAYERS: [&[&str]; 6] = [
    &["units", "time", "rng", "parallel"],
    &[
        "quota",
        "limiter",
        "arrivals",
        "distribution",
        "mix",
        "retry",
        "outcome",
        "expect",
        "gate",
        "goal",
        "price",
        "catalogue",
        "text",
        "statistics",
        "chart",
    ],
    &["engine", "recorder", "service"],
    &["scenario", "results", "wire", "drive", "import"],
    &[
        "sustained",
        "forecast",
        "plan",
        "tune",
        "sweep",
        "compare",
        "report",
    ],
    &["clock", "exchange", "target", "client", "account"],
];

/// Parts of a module that stand higher than the module itself.
const RAISED: [(&str, usize); 1] = [("src/drive/real.rs", 5)];

const LINES_PER_FILE_MAX: usize = 600;
const LINES_PER_FUNCTION_MAX: usize = 70;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the project") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn name_of(path: &Path) -> String {
    path.strip_prefix(root())
        .expect("inside the project")
        .display()
        .to_string()
}

fn layer_of_module(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("module `{module}` has no layer in tests/tidy.rs"))
}

/// The top-level module that a file belongs to.
fn module_of(file: &str) -> String {
    let inside = file.trim_start_matches("src/");
    inside
        .split(['/', '.'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for path in sources("src") {
        let file = name_of(&path);
        let module = module_of(&file);
        if ["lib", "main", "cli"].contains(&module.as_str()) {
            continue;
        }
        let layer = RAISED
            .iter()
            .find(|(raised, _)| *raised == file)
            .map_or_else(|| layer_of_module(&module), |(_, layer)| *layer);
        let text = fs::read_to_string(&path).expect("readable");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in (1..).zip(code.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            for used in code.split("crate::").skip(1) {
                let used: String = used
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if used.is_empty() || used == module {
                    continue;
                }
                if layer_of_module(&used) > layer {
                    wrong.push(format!(
                        "{file}:{number}: `{module}` uses `{used}`, which is above it"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn siblings_of_one_layer_do_not_import_each_other_in_a_circle() {
    let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in sources("src") {
        let file = name_of(&path);
        let module = module_of(&file);
        if ["lib", "main", "cli"].contains(&module.as_str())
            || RAISED.iter().any(|(raised, _)| *raised == file)
            || file.ends_with("tests.rs")
        {
            continue;
        }
        let text = fs::read_to_string(&path).expect("readable");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines() {
            for used in line
                .split("//")
                .next()
                .unwrap_or_default()
                .split("crate::")
                .skip(1)
            {
                let used: String = used
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if !used.is_empty() && used != module {
                    uses.entry(module.clone()).or_default().push(used);
                }
            }
        }
    }
    // Modules that use nothing left are taken away until nothing is left, or only circles.
    let mut left = uses;
    loop {
        let free: Vec<String> = left
            .iter()
            .filter(|(_, used)| used.iter().all(|used| !left.contains_key(used)))
            .map(|(module, _)| module.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        for module in free {
            left.remove(&module);
        }
    }
    assert!(
        left.is_empty(),
        "a circle among {:?}",
        left.keys().collect::<Vec<_>>()
    );
}

#[test]
fn the_library_does_not_know_the_command_line() {
    let library = fs::read_to_string(root().join("src/lib.rs")).expect("readable");
    assert!(!library.contains("mod cli;"));
    for path in sources("src") {
        let file = name_of(&path);
        if !file.starts_with("src/cli") && file != "src/main.rs" {
            let text = fs::read_to_string(&path).expect("readable");
            for foreign in [
                "clap",
                "anyhow",
                "indicatif",
                "ratatui",
                "println!",
                "process::exit",
            ] {
                assert!(!text.contains(foreign), "{file} mentions `{foreign}`");
            }
        }
    }
}

#[test]
fn files_and_functions_are_short_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for path in sources("src") {
        let file = name_of(&path);
        let text = fs::read_to_string(&path).expect("readable");
        if !text.starts_with("//!") && !file.ends_with("tests.rs") {
            wrong.push(format!(
                "{file}: begins without a `//!` that says what it is"
            ));
        }
        let lines = text.lines().count();
        if lines > LINES_PER_FILE_MAX {
            wrong.push(format!(
                "{file}: {lines} lines, at most {LINES_PER_FILE_MAX}"
            ));
        }
        // A test may hold a page of expected text.
        if !file.ends_with("tests.rs") {
            wrong.extend(long_functions(&file, &text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn long_functions(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let is_function = line
            .trim_start()
            .split(['(', '<', '{'])
            .next()
            .is_some_and(|head| {
                head.split_whitespace().any(|word| word == "fn") && !head.starts_with("//")
            });
        if !is_function {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let length = lines[start..]
            .iter()
            .position(|line| *line == close)
            .map_or(1, |end| end + 1);
        if length > LINES_PER_FUNCTION_MAX {
            let number = start + 1;
            found.push(format!(
                "{file}:{number}: a function of {length} lines, at most {LINES_PER_FUNCTION_MAX}"
            ));
        }
    }
    found
}

#[test]
fn the_core_depends_on_no_runtime_and_no_network() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--no-default-features",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8(tree.stdout).expect("text");
    assert!(
        tree.contains("hdrhistogram"),
        "this is not the tree of the core:\n{tree}"
    );
    for line in tree.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let foreign = ["tokio", "hyper", "wiremock", "clap", "ratatui"].contains(&name)
            || name.starts_with("aws-");
        assert!(!foreign, "the core depends on `{name}`");
    }
}

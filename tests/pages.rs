//! Pages for browsers: what the terminal says stands on them, and they need nothing but themselves.

#![cfg(all(feature = "cli", feature = "stub"))]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use roxmltree::{Document, Node, ParsingOptions};

/// A page of an hour has to stay below this.
const LARGEST_PAGE: u64 = 1_000_000;

fn bedload(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bedload"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(args)
        .output()
        .expect("the program starts")
}

/// Simulates a scenario: its summary, and where its results are.
fn simulate(name: &str, out: &Path, more: &[&str]) -> (String, PathBuf) {
    let scenario = format!("scenarios/{name}.toml");
    let out = out.to_str().expect("UTF-8");
    let output = bedload(&[&["sim", &scenario, "--quiet", "--out", out], more].concat());
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(!warned.contains("no page of this run"), "{warned}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (summary, dir) = text.rsplit_once("\nResults").expect("where results are");
    (summary.to_owned(), PathBuf::from(dir.trim()))
}

fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(page, options).expect("a well-formed page")
}

/// What stands on a page, without its charts, the tables behind them, and what is no text.
fn text(node: Node<'_, '_>, into: &mut String) {
    if ["script", "style", "svg", "details"]
        .iter()
        .any(|name| node.has_tag_name(*name))
    {
        return;
    }
    if let Some(words) = node.text().filter(|_| node.is_text()) {
        into.push(' ');
        into.push_str(words);
    }
    for child in node.children() {
        text(child, into);
    }
}

/// The numbers in a text, as they are written.
fn numbers(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',')
        .map(|word| word.trim_matches([',', '.']))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_number_of_the_summary_stands_on_the_page() {
    let out = tempfile::tempdir().expect("a temporary folder");
    for name in [
        "burst",
        "over-quota",
        "support-desk",
        "streaming",
        "faults",
        "model-families",
    ] {
        let (summary, dir) = simulate(name, out.path(), &[]);
        let page = fs::read_to_string(dir.join("report.html")).expect("a page");
        let mut shown = String::new();
        text(parse(&page).root(), &mut shown);
        let (said, shown) = (numbers(&summary), numbers(&shown));
        assert!(said.len() > 20, "{name}: {said:?}");
        let missing: Vec<_> = said.difference(&shown).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

/// Nothing outside the page is asked for, whatever a browser does with it.
fn assert_self_contained(page: &str) {
    for outside in [
        "http:", "https:", "src=", "@import", "url(", "<link", "<img", "<iframe",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    let tree = parse(page);
    let ids: BTreeSet<&str> = tree
        .descendants()
        .filter_map(|node| node.attribute("id"))
        .collect();
    for node in tree.descendants() {
        if let Some(target) = node.attribute("href") {
            let id = target.strip_prefix('#').expect("an anchor of the page");
            assert!(ids.contains(id), "{target}");
        }
        assert!(
            node.attributes()
                .all(|attribute| !attribute.name().starts_with("on"))
        );
        if node.has_tag_name("script") {
            assert_eq!(node.attribute("type"), Some("application/json"));
            let json: serde_json::Value =
                serde_json::from_str(node.text().expect("a text")).expect("JSON");
            assert!(!json.as_array().expect("figures").is_empty());
        }
    }
}

/// Charts have a name and a description, and their texts lie within them.
fn assert_charts_are_whole(page: &str) {
    let tree = parse(page);
    let mut charts = 0;
    for svg in tree.descendants().filter(|node| node.has_tag_name("svg")) {
        charts += 1;
        assert_eq!(svg.attribute("role"), Some("img"));
        assert!(
            svg.attribute("aria-label")
                .is_some_and(|label| !label.is_empty())
        );
        assert!(svg.children().any(|child| child.has_tag_name("desc")));
        let size: Vec<f64> = svg
            .attribute("viewBox")
            .expect("a size")
            .split(' ')
            .map(|number| number.parse().expect("a number"))
            .collect();
        for node in svg.descendants().filter(|node| node.has_tag_name("text")) {
            let words = node.text().unwrap_or_default();
            let at = |name: &str| {
                node.attribute(name)
                    .expect("a place")
                    .parse::<f64>()
                    .expect("a number")
            };
            // Twelve pixels of a common sans-serif font.
            let length = words.chars().count() as f64 * 6.6;
            let begins = match node.attribute("text-anchor") {
                Some("end") => at("x") - length,
                Some("middle") => at("x") - length / 2.0,
                _ => at("x"),
            };
            assert!(
                begins > -3.0 && begins + length < size[2] + 3.0,
                "`{words}` is cut off"
            );
            assert!(at("y") > 8.0 && at("y") < size[3], "`{words}` is cut off");
        }
    }
    assert!(charts > 0);
}

#[test]
fn pages_need_nothing_but_themselves_and_an_hour_is_small() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let (_, hour) = simulate("support-desk", out.path(), &["--duration", "1h"]);
    let (_, short) = simulate("over-quota", out.path(), &[]);
    let page = hour.join("report.html");
    let size = fs::metadata(&page).expect("a page").len();
    assert!(size < LARGEST_PAGE, "{size} bytes");
    for dir in [&hour, &short] {
        let page = fs::read_to_string(dir.join("report.html")).expect("a page");
        assert_self_contained(&page);
        assert_charts_are_whole(&page);
        assert!(!page.contains("NaN") && !page.contains("inf\""));
    }
    let page = fs::read_to_string(page).expect("a page");
    assert!(
        page.contains("Thinned: "),
        "a series of 720 intervals is thinned, and that is said"
    );
}

#[test]
fn report_makes_the_page_of_the_run_again_byte_for_byte() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let (_, dir) = simulate("burst", out.path(), &[]);
    let kept = fs::read(dir.join("report.html")).expect("a page");
    let again = bedload(&["report", dir.to_str().expect("UTF-8"), "--html", "-"]);
    assert!(again.status.success());
    assert!(again.stdout == kept);
}

#[test]
fn a_killed_run_gets_its_page_from_report() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let (_, dir) = simulate("burst", out.path(), &[]);
    let file = dir.join("run.json");
    let text = fs::read_to_string(&file).expect("written");
    fs::write(&file, text.replace("\"complete\"", "\"running\"")).expect("writable");
    let page = out.path().join("page.html");
    let output = bedload(&[
        "report",
        dir.to_str().expect("UTF-8"),
        "--html",
        page.to_str().expect("UTF-8"),
    ]);
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{output:?}"
    );
    let page = fs::read_to_string(page).expect("a page");
    assert_self_contained(&page);
    assert!(page.contains("this run was killed or still goes on"));
}

#[test]
fn several_runs_share_a_table_and_a_page() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let (_, one) = simulate("burst", out.path(), &[]);
    let (_, other) = simulate("burst", out.path(), &["--seed", "9"]);
    let dirs = [one.to_str().expect("UTF-8"), other.to_str().expect("UTF-8")];
    let print = |flag: &str| {
        let output = bedload(&[&["report"], dirs.as_slice(), &[flag]].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let csv = print("--csv");
    let lines: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|cells| *cells == lines[0]), "{csv}");
    assert!(csv.contains(",latency.p99,"), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&print("--json")).expect("JSON");
    assert_eq!(json[1]["seed"], 9);
    assert_eq!(print("--markdown").lines().count(), 4);

    let page = out.path().join("runs.html");
    let page = page.to_str().expect("UTF-8");
    let output = bedload(&["report", dirs[0], dirs[1], "--html", page]);
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(page).expect("a page");
    assert_self_contained(&page);
    assert_charts_are_whole(&page);
}

#[test]
fn comparisons_and_plans_have_pages_that_say_the_same() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let (_, one) = simulate("support-desk", out.path(), &[]);
    let (_, other) = simulate("support-desk", out.path(), &["--set", "limiter.burst=5s"]);
    let [one, other] = [&one, &other].map(|dir| dir.to_str().expect("UTF-8"));
    let page = out.path().join("page.html");
    let to = page.to_str().expect("UTF-8");
    for args in [
        vec!["compare", one, other, "--allow", "digest", "--html", to],
        vec![
            "plan",
            "scenarios/support-desk.toml",
            "--seeds",
            "2",
            "--quiet",
            "--html",
            to,
        ],
    ] {
        let output = bedload(&args);
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        let html = fs::read_to_string(&page).expect("a page");
        assert_self_contained(&html);
        assert_charts_are_whole(&html);
        let mut shown = String::new();
        text(parse(&html).root(), &mut shown);
        let (said, shown) = (numbers(&said), numbers(&shown));
        let missing: Vec<_> = said.difference(&shown).collect();
        assert!(
            said.len() > 10 && missing.is_empty(),
            "{args:?}: {missing:?}"
        );
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let (_, dir) = simulate("burst", out.path(), &[]);
    let dir = dir.to_str().expect("UTF-8");
    for (args, said) in [
        (
            vec!["report", dir, "--html", "-", "--json"],
            "has stdout for itself",
        ),
        (vec!["report", dir, dir, "--open"], "needs `--html FILE`"),
        (vec!["report", "tests"], "no run in `tests`"),
        (
            vec!["report", dir, "--html", "tests"],
            "`tests` is a folder",
        ),
        (
            vec!["report", dir, "--csv", "--json"],
            "cannot be used with",
        ),
    ] {
        let output = bedload(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(said), "{args:?}: {error}");
    }
    // Where no program of a desktop is to be found, that is said, and where the page is.
    let output = Command::new(env!("CARGO_BIN_EXE_bedload"))
        .args(["report", dir, "--open"])
        .env("PATH", out.path())
        .output()
        .expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("report.html in a browser"), "{error}");
}

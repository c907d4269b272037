#![cfg(all(feature = "cli", feature = "stub"))]
//! README shows what the program really prints: its console blocks are run.
//!
//! In a ```` ```console ```` block, `$ ` begins a command and what follows is its output, on stderr
//! and then on stdout. `…` on a line of its own stands for any number of lines. The exit code is 0,
//! unless `$ echo $?` and another number come next. The folder of results may have any name. Of
//! `run`, which is on the real clock, only the labels of the lines are compared, and their numbers
//! may differ.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// How README calls the program: installed, or through cargo.
const PROGRAM: [&str; 2] = ["bedload ", "cargo run --release -- "];

/// What is only said to exist; running the tests from a test would never end.
const NOT_RUN: &str = "cargo test";

/// Stands for lines that README leaves out.
const LEFT_OUT: &str = "…";

/// The last label of a summary; the folder of results follows it.
const RESULTS: &str = "Results ";

/// A command in README and what it says of it.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    /// The line of README that the command is on, from 1.
    line: usize,
    command: String,
    output: Vec<String>,
    exit_code: i32,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every command of every console block, in order.
fn examples(readme: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut inside = false;
    let mut asks_exit_code = false;
    for (line, text) in (1..).zip(readme.lines()) {
        if text.starts_with("```") {
            inside = !inside && text == "```console";
            asks_exit_code = false;
            continue;
        }
        if !inside {
            continue;
        }
        if text == "$ echo $?" {
            asks_exit_code = true;
        } else if let Some(command) = text.strip_prefix("$ ") {
            found.push(Example {
                line,
                command: command.to_owned(),
                output: Vec::new(),
                exit_code: 0,
            });
        } else {
            let example = found
                .last_mut()
                .unwrap_or_else(|| panic!("README.md:{line}: output without a command"));
            if std::mem::take(&mut asks_exit_code) {
                example.exit_code = text
                    .parse()
                    .unwrap_or_else(|_| panic!("README.md:{line}: `{text}` is no exit code"));
            } else {
                example.output.push(text.to_owned());
            }
        }
    }
    found
}

/// The words of a command line; single quotes keep words together.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in command.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The lines of a text, without blanks at their ends.
fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// What the program prints, and its exit code.
fn run(arguments: &[String], out: &Path) -> (Vec<String>, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedload"));
    command
        .current_dir(root())
        .args(arguments)
        // No account can be reached by mistake: nothing leads to credentials.
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true");
    if ["run", "sim"].contains(&arguments[0].as_str()) {
        command.arg("--out").arg(out);
    }
    let done = command.output().expect("the program starts");
    let printed = [done.stderr, done.stdout]
        .iter()
        .flat_map(|bytes| lines(&String::from_utf8_lossy(bytes)))
        .collect();
    let code = done.status.code().expect("it ends by itself");
    (printed, code)
}

/// The lines with the folder of results taken out; it is the last thing that a summary says.
fn without_folder(lines: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = lines.to_vec();
    if let Some(last) = kept.iter().rposition(|line| line.starts_with(RESULTS)) {
        kept.truncate(last);
        kept.push(format!("{RESULTS}(a folder)"));
    }
    kept
}

/// The labels of the lines that have one, with numbers masked: what stays the same from one run on
/// the real clock to the next.
fn labels(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .map(|line| masked(line.split("  ").next().unwrap_or_default()))
        .collect()
}

/// The text with each number (`1,234`, `0.5`) in the form `#`.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for c in text.chars() {
        let goes_on = masked.ends_with('#') && (c.is_ascii_digit() || [',', '.'].contains(&c));
        if c.is_ascii_digit() && !goes_on {
            masked.push('#');
        } else if !goes_on {
            masked.push(c);
        }
    }
    masked
}

/// Whether the lines are those that were expected, where `…` stands for any lines.
fn fits(expected: &[String], actual: &[String]) -> bool {
    let mut parts = expected.split(|line| line == LEFT_OUT);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = actual.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&[String]> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        // The earliest place is the best: it leaves most to the parts that follow.
        let place = (0..=rest.len()).find(|&place| rest[place..].starts_with(part));
        let Some(place) = place else {
            return false;
        };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

/// A list of lines where the two differ, `-` for README's and `+` for the program's.
fn difference(expected: &[String], actual: &[String]) -> String {
    let mut text = String::new();
    for line in expected {
        let mark = if line == LEFT_OUT || actual.contains(line) {
            ' '
        } else {
            '-'
        };
        let _infallible = writeln!(text, "{mark} {line}");
    }
    text.push_str("what the program prints:\n");
    for line in actual {
        let mark = if expected.contains(line) { ' ' } else { '+' };
        let _infallible = writeln!(text, "{mark} {line}");
    }
    text
}

/// What is wrong with an example, if anything is.
fn problem(example: &Example, arguments: &[String], out: &Path) -> Option<String> {
    let (printed, exit_code) = run(arguments, out);
    let mut expected = without_folder(&example.output);
    let mut actual = without_folder(&printed);
    // A run that is refused before it begins has no clock in it.
    let is_timed = arguments[0] == "run" && example.exit_code < 2;
    if is_timed {
        expected = labels(&expected);
        actual = labels(&actual);
    }
    let mut found = String::new();
    if exit_code != example.exit_code {
        let _infallible = writeln!(
            found,
            "exit code {exit_code}, where README has {}",
            example.exit_code
        );
    }
    if !fits(&expected, &actual) {
        let what = if is_timed { "the labels of " } else { "" };
        let _infallible = write!(
            found,
            "{what}README's output:\n{}",
            difference(&expected, &actual)
        );
    }
    (!found.is_empty()).then(|| {
        format!(
            "README.md:{}: $ {}\n{found}\
             If the program is right, paste what it prints there now into README.md, with `…` for \
             lines that are left out.\n",
            example.line, example.command
        )
    })
}

#[test]
fn the_commands_in_readme_do_what_it_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("readable");
    let out = tempfile::tempdir().expect("a temporary folder");
    let mut executed = 0;
    let mut problems = Vec::new();
    for example in examples(&readme) {
        let arguments = PROGRAM
            .iter()
            .find_map(|program| example.command.strip_prefix(program));
        match arguments {
            Some(arguments) => {
                executed += 1;
                problems.extend(problem(&example, &words(arguments), out.path()));
            }
            None if example.command == NOT_RUN => {}
            None => problems.push(format!(
                "README.md:{}: `{}` is neither `bedload` nor `{NOT_RUN}`; use another kind of block",
                example.line, example.command
            )),
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(
        executed > 0,
        "README.md has no console block that runs the program"
    );
}

#[test]
fn readme_has_a_command_to_try_and_the_test_command() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("readable");
    let commands: Vec<String> = examples(&readme)
        .into_iter()
        .map(|example| example.command)
        .collect();
    assert_eq!(
        commands[0],
        "cargo run --release -- run scenarios/quickstart.toml"
    );
    assert!(
        commands.iter().any(|command| command == NOT_RUN),
        "{commands:?}"
    );
}

#[test]
fn blocks_are_read_as_commands_outputs_and_exit_codes() {
    let readme = "```toml\n$ no\n```\n```console\n$ one 'a b'\nfirst\n$ two\n$ echo $?\n2\n```\n";
    let example = |line, command: &str, output: &str, exit_code| Example {
        line,
        command: command.to_owned(),
        output: lines(output),
        exit_code,
    };
    let expected = [
        example(5, "one 'a b'", "first", 0),
        example(7, "two", "", 2),
    ];
    assert_eq!(examples(readme), expected);
    assert_eq!(
        words("sim a.toml  --set 'x = \"y z\"'"),
        ["sim", "a.toml", "--set", "x = \"y z\""]
    );
}

#[test]
fn left_out_lines_may_be_any_and_others_may_not() {
    let actual = lines("a\nb\nc\nd\ne");
    for expected in [
        "a\nb\nc\nd\ne",
        "a\n…",
        "…\ne",
        "a\n…\nc\n…\ne",
        "…",
        "a\n…\nb\nc\nd\ne",
    ] {
        assert!(fits(&lines(expected), &actual), "{expected}");
    }
    for expected in [
        "a",
        "a\nb\nc\nd\ne\nf",
        "b\n…",
        "…\nd",
        "a\n…\nd\n…\nc\n…",
        "a\nc\n…",
        "",
    ] {
        assert!(!fits(&lines(expected), &actual), "{expected}");
    }
}

#[test]
fn labels_are_what_two_runs_have_in_common() {
    let one =
        lines("40 requests in 10 s: all answered\n\nCost          $0.0907\n              more");
    let other = lines("1,040 requests in 9.5 s: all answered\nCost          nothing");
    assert_eq!(labels(&one), ["# requests in # s: all answered", "Cost"]);
    assert_eq!(labels(&one), labels(&other));
    assert_ne!(
        labels(&one),
        labels(&lines("40 requests in 10 s: 39 answered\nCost  $1"))
    );
}

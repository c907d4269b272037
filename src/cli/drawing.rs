//! Problems in a scenario, drawn under the lines that have them.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use bedload::scenario::diagnostic::{Diagnostic, Severity};
use bedload::scenario::{Checked, Rejected, Scenario};

use super::output;

/// Prints what was found; the scenario if nothing of it was an error.
pub fn accept(
    file: &str,
    loaded: Result<Checked, Rejected>,
) -> anyhow::Result<Option<Scenario>> {
    Ok(match loaded {
        Ok(checked) => {
            output::hint(&draw_all(file, &checked.scenario.text, &checked.warnings));
            Some(checked.scenario)
        }
        Err(rejected) => {
            output::hint(&draw_all(file, &rejected.text, &rejected.problems));
            None
        }
    })
}

/// All problems of a file, and how many there are.
pub fn draw_all(file: &str, text: &str, problems: &[Diagnostic]) -> String {
    let renderer = Renderer::styled();
    problems
        .iter()
        .map(|problem| draw(&renderer, file, text, problem))
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn draw(renderer: &Renderer, file: &str, text: &str, problem: &Diagnostic) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&problem.title).id(problem.code);
    let mut group: Group<'_> = match &problem.primary {
        Some(primary) => {
            let annotations = problem.context.iter().map(|label| {
                AnnotationKind::Context.span(label.span.clone()).label(label.text.as_str())
            });
            let snippet = Snippet::<'_, annotate_snippets::Annotation<'_>>::source(text)
                .path(file)
                .annotation(
                    AnnotationKind::Primary.span(primary.span.clone()).label(primary.text.as_str()),
                )
                .annotations(annotations);
            title.element(snippet)
        }
        None => title.element(annotate_snippets::Origin::path(file)),
    };
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

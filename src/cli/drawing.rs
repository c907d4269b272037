//! Problems in a scenario, drawn under the lines that have them.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use bedload::scenario::{Checked, Diagnostic, LoadError, Scenario, Severity};

use super::output;

/// Prints what was found; the scenario if nothing of it was an error.
pub fn accept(file: &str, loaded: Result<Checked, LoadError>) -> anyhow::Result<Option<Scenario>> {
    match loaded {
        Ok(checked) => {
            draw_all(file, &checked.scenario.text, &checked.warnings);
            Ok(Some(checked.scenario))
        }
        Err(LoadError::Invalid {
            text, diagnostics, ..
        }) => {
            draw_all(file, &text, &diagnostics);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// As [`accept`], but without the warnings of a scenario that can be run.
pub fn accept_quietly(
    file: &str,
    loaded: Result<Checked, LoadError>,
) -> anyhow::Result<Option<Scenario>> {
    match loaded {
        Ok(checked) => Ok(Some(checked.scenario)),
        failed => accept(file, failed),
    }
}

fn draw_all(file: &str, text: &str, problems: &[Diagnostic]) {
    let renderer = Renderer::styled();
    for problem in problems {
        output::hint(&format!("{}\n", draw(&renderer, file, text, problem)));
    }
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
                AnnotationKind::Context
                    .span(label.span.clone())
                    .label(label.text.as_str())
            });
            let snippet = Snippet::<'_, annotate_snippets::Annotation<'_>>::source(text)
                .path(file)
                .annotation(
                    AnnotationKind::Primary
                        .span(primary.span.clone())
                        .label(primary.text.as_str()),
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

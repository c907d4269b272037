//! A draft as the text of a scenario file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::classes::count;
use super::draft::{Arrivals, Class, Draft, DraftModel};
use crate::catalogue;

impl Draft {
    /// The scenario file.
    #[must_use]
    pub fn toml(&self) -> String {
        let mut text = String::new();
        for line in self.heading() {
            let _written = writeln!(text, "# {line}");
        }
        let _written = writeln!(text, "\nname = {}", quoted(&self.name));
        let about = format!("{} requests, from {}.", count(self.requests), self.from);
        let _written = writeln!(text, "about = {}\n", quoted(&about));
        match &self.arrivals {
            Arrivals::Trace(file) => {
                let _written = writeln!(text, "[arrivals.trace]\npath = {}", quoted(file));
            }
            Arrivals::Fitted(profile) => {
                let seconds = profile.seconds();
                let _written = writeln!(text, "[run]\nduration = \"{seconds}s\"\n");
                text.push_str(&profile.toml());
            }
        }
        for model in &self.models {
            text.push_str(&model_toml(model));
        }
        for class in &self.classes {
            text.push_str(&self.class_toml(class));
        }
        text
    }

    fn heading(&self) -> Vec<String> {
        let began = self.began.as_deref().map(|began| format!(" since {began}"));
        let mut lines = vec![format!(
            "{} requests in {:.0} s{}, from {}.",
            count(self.requests),
            self.seconds,
            began.unwrap_or_default(),
            self.from
        )];
        if !self.unseen.is_empty() {
            lines.push("Not to be seen there:".to_owned());
            lines.extend(self.unseen.iter().map(|unseen| format!("- {unseen}")));
        }
        if !self.notes.is_empty() {
            lines.push("To know:".to_owned());
            lines.extend(self.notes.iter().map(|note| format!("- {note}")));
        }
        // A comment is one line, whatever a file's name has in it.
        lines
            .iter()
            .map(|line| line.replace(['\n', '\r'], " "))
            .collect()
    }

    fn class_toml(&self, class: &Class) -> String {
        let mut text = String::new();
        let _written = writeln!(text, "\n[[prompt]]\nname = {}", quoted(&class.name));
        if self.models.len() > 1 {
            let _written = writeln!(text, "model = {}", quoted(&self.models[class.model].name));
        }
        if matches!(self.arrivals, Arrivals::Fitted(_)) {
            if self.classes.len() > 1 {
                let _written = writeln!(text, "weight = {}", class.requests);
            }
            let _written = writeln!(text, "input_tokens = {}", distribution(&class.inputs));
            let _written = writeln!(text, "output_tokens = {}", distribution(&class.outputs));
        } else {
            let (input, output) = class.means;
            let _written = writeln!(
                text,
                "# {} requests with {input:.0} input and {output:.0} output tokens on average, in the trace",
                count(class.requests)
            );
        }
        if let Some(max_tokens) = class.max_tokens {
            let _written = writeln!(text, "max_tokens = {max_tokens}");
        }
        text
    }
}

fn model_toml(model: &DraftModel) -> String {
    let mut text = String::new();
    let _written = writeln!(text, "\n[model.{}]\nid = {}", model.name, quoted(&model.id));
    if let Some(api) = model.api {
        let _written = writeln!(text, "api = \"{api}\"");
    }
    let scope = catalogue::scope(&model.id).map(catalogue::Scope::quota_scope);
    let lines = catalogue::find(&model.id)
        .map(|model| model.quotas)
        .unwrap_or_default();
    let defaults: BTreeMap<&str, u64> = lines
        .iter()
        .filter(|line| Some(line.scope) == scope)
        .filter_map(|line| Some((line.dimension.name(), line.default?)))
        .collect();
    text.push_str("# What the account has: `bedload quotas` writes it here.");
    if defaults.is_empty() {
        text.push('\n');
    } else {
        let defaults: Vec<String> = defaults
            .iter()
            .map(|(dimension, limit)| format!("{dimension} = {limit}"))
            .collect();
        let _written = writeln!(
            text,
            " AWS publishes as defaults:\n# quota = {{ {} }}",
            defaults.join(", ")
        );
    }
    text
}

/// A distribution of values that come equally often.
fn distribution(values: &[u64]) -> String {
    if let [value] = values {
        return value.to_string();
    }
    let mut text = String::from("{ empirical = [");
    for (place, value) in values.iter().enumerate() {
        text.push_str(if place % 20 == 0 { "\n  " } else { " " });
        let _written = write!(text, "{value},");
    }
    text + "\n] }"
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

//! The JSON schema of scenario files, derived from `raw`, for editors and for finding unknown keys.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

use super::raw::RawScenario;

/// The schema as a value.
pub(super) fn scenario_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<RawScenario>();
    WithoutNull.transform(&mut schema);
    schema.to_value()
}

/// The JSON schema of scenario files: pretty, with a newline at its end.
#[must_use]
pub fn json_schema() -> String {
    format!("{:#}\n", scenario_schema())
}

/// Takes `null` out: what may be left out of a TOML file cannot be null in it.
struct WithoutNull;

impl Transform for WithoutNull {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::Array(kinds)) = schema.get_mut("type") {
            kinds.retain(|kind| kind != "null");
            if let [only] = kinds.as_slice() {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.retain(|value| !value.is_null());
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                schema.remove("anyOf");
                for (key, value) in only {
                    // What a field says of itself goes before what its type says.
                    if schema.get(&key).is_none() {
                        schema.insert(key, value);
                    }
                }
            }
        }
        transform_subschemas(self, schema);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_the_repository_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/scenario.json");
        let checked_in = std::fs::read_to_string(path).expect("schema/scenario.json can be read");
        // Compared as values: which order keys are written in depends on other crates' features.
        let checked_in: Value = serde_json::from_str(&checked_in).expect("the schema is JSON");
        assert!(
            checked_in == scenario_schema(),
            "schema/scenario.json is stale: run `cargo run -- schema > schema/scenario.json`"
        );
    }

    #[test]
    fn nothing_in_a_scenario_is_null() {
        assert!(!json_schema().contains("null"));
    }
}

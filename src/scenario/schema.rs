//! The JSON schema of scenario files, derived from `raw`, for editors and for finding unknown keys.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::Schema;
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
    fn nothing_in_a_scenario_is_null() {
        assert!(!json_schema().contains("null"));
    }
}

//! Request schemas as data, and the walk that checks a body against one and measures it.
//!
//! Promises: all violations of a body are reported at once, in the words of the JSON-schema
//! validator that stands before Bedrock's models (messages reported in dify#3326, promptfoo#921,
//! AnthropicSwiftSDK#19: `#: required key [prompt] not found`, joined without a separator).
//!
//! Deliberately not: ranges that depend on the model, such as the largest `max_tokens`. The
//! catalogue knows those.

use std::fmt;

use serde_json::Value;

use super::Incoming;

/// What a value in a request must be, and what it means for the request's size.
pub(super) enum Kind {
    /// A string that is part of the prompt: its characters count.
    Prompt,
    /// The most output tokens to generate, with the smallest number that is allowed.
    MaxTokens { at_least: u64 },
    /// A list of content blocks; the characters of their `text` count, other blocks pass unread.
    Blocks,
    /// A string that is part of the prompt, or a list of content blocks.
    PromptOrBlocks,
    /// A string of another use.
    Text,
    /// A whole number of another use.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    List(&'static Kind),
    /// An object with these keys and no others.
    Object(&'static [Key]),
    /// An object with these keys, and perhaps others that pass unread.
    Open(&'static [Key]),
    /// Anything; not looked into.
    Any,
}

/// A key of an object.
pub(super) struct Key {
    name: &'static str,
    kind: Kind,
    required: bool,
}

/// A key that must be there.
pub(super) const fn required(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        required: true,
    }
}

/// A key that may be there.
pub(super) const fn optional(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        required: false,
    }
}

/// A list of strings.
pub(super) const TEXTS: Kind = Kind::List(&Kind::Text);

/// A content block as far as it is read.
const BLOCK: Kind = Kind::Open(&[optional("text", Kind::Prompt)]);

/// Measures a body, or says in Bedrock's words what is wrong with it.
pub(super) fn check(schema: &Kind, body: &[u8]) -> Result<Incoming, String> {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Err(
            "Malformed input request, please reformat your input and try again.".to_owned(),
        );
    };
    let mut walk = Walk {
        incoming: Incoming::default(),
        path: "#".to_owned(),
        faults: String::new(),
    };
    walk.visit(schema, &value);
    if walk.faults.is_empty() {
        Ok(walk.incoming)
    } else {
        let faults = walk.faults;
        Err(format!(
            "Malformed input request: {faults}, please reformat your input and try again."
        ))
    }
}

struct Walk {
    incoming: Incoming,
    /// Where the walk is, as a JSON pointer behind `#`.
    path: String,
    faults: String,
}

impl Walk {
    fn visit(&mut self, kind: &Kind, value: &Value) {
        match (kind, value) {
            (Kind::Prompt | Kind::PromptOrBlocks, Value::String(text)) => {
                self.incoming.text_chars += text.chars().count() as u64;
            }
            (Kind::MaxTokens { at_least }, Value::Number(number)) if !number.is_f64() => {
                match number.as_u64().filter(|tokens| tokens >= at_least) {
                    Some(tokens) => self.incoming.max_tokens = Some(tokens),
                    None => self.fault(format_args!(
                        "{number} is not greater or equal to {at_least}"
                    )),
                }
            }
            (Kind::Blocks | Kind::PromptOrBlocks, Value::Array(blocks)) => {
                self.visit_each(&BLOCK, blocks);
            }
            (Kind::List(item), Value::Array(items)) => self.visit_each(item, items),
            (Kind::Object(keys), Value::Object(members)) => {
                for name in members.keys() {
                    // Guardrail settings and the like may stand in the body of any family.
                    let allowed = name.starts_with("amazon-bedrock-")
                        || keys.iter().any(|key| key.name == name);
                    if !allowed {
                        self.fault(format_args!("extraneous key [{name}] is not permitted"));
                    }
                }
                self.visit_keys(keys, members);
            }
            (Kind::Open(keys), Value::Object(members)) => self.visit_keys(keys, members),
            (Kind::Integer, Value::Number(number)) if !number.is_f64() => {}
            (Kind::Text, Value::String(_))
            | (Kind::Number, Value::Number(_))
            | (Kind::Boolean, Value::Bool(_))
            | (Kind::Any, _) => {}
            _ => self.fault(format_args!(
                "expected type: {}, found: {}",
                kind.type_name(),
                type_name(value)
            )),
        }
    }

    fn visit_keys(&mut self, keys: &[Key], members: &serde_json::Map<String, Value>) {
        for key in keys {
            match members.get(key.name) {
                Some(value) => self.visit_at(&key.name, &key.kind, value),
                None if key.required => {
                    self.fault(format_args!("required key [{}] not found", key.name));
                }
                None => {}
            }
        }
    }

    fn visit_each(&mut self, kind: &Kind, items: &[Value]) {
        for (place, item) in items.iter().enumerate() {
            self.visit_at(&place, kind, item);
        }
    }

    fn visit_at(&mut self, step: &dyn fmt::Display, kind: &Kind, value: &Value) {
        let parent = self.path.len();
        self.path.push_str(&format!("/{step}"));
        self.visit(kind, value);
        self.path.truncate(parent);
    }

    fn fault(&mut self, fault: fmt::Arguments<'_>) {
        self.faults.push_str(&format!("{}: {fault}", self.path));
    }
}

impl Kind {
    const fn type_name(&self) -> &'static str {
        match self {
            Self::Prompt | Self::PromptOrBlocks | Self::Text | Self::Any => "String",
            Self::MaxTokens { .. } | Self::Integer => "Integer",
            Self::Number => "Number",
            Self::Boolean => "Boolean",
            Self::Blocks | Self::List(_) => "JSONArray",
            Self::Object(_) | Self::Open(_) => "JSONObject",
        }
    }
}

/// The validator is a Java program and names types as Java does.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Double",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: Kind = Kind::Object(&[
        required("prompt", Kind::Prompt),
        optional("limit", Kind::MaxTokens { at_least: 1 }),
        optional("stop", TEXTS),
        optional("top_p", Kind::Number),
        optional("top_k", Kind::Integer),
        optional("content", Kind::PromptOrBlocks),
        optional("system", Kind::Blocks),
    ]);

    fn faults(body: &str) -> String {
        let message = check(&SCHEMA, body.as_bytes()).expect_err("the body has a fault");
        message
            .strip_prefix("Malformed input request: ")
            .and_then(|rest| rest.strip_suffix(", please reformat your input and try again."))
            .expect("faults are wrapped in Bedrock's words")
            .to_owned()
    }

    #[test]
    fn characters_of_all_prompt_text_are_counted() {
        let body = r#"{"prompt": "grün", "content": [{"text": "ab"}, {"image": {}}], "system": [{"text": "c"}],
                       "stop": ["not counted"], "limit": 9}"#;
        let expected = Incoming {
            text_chars: 7,
            max_tokens: Some(9),
        };
        assert_eq!(check(&SCHEMA, body.as_bytes()), Ok(expected));
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        assert_eq!(faults("{}"), "#: required key [prompt] not found");
        assert_eq!(
            faults("[]"),
            "#: expected type: JSONObject, found: JSONArray"
        );
        assert_eq!(
            faults(r#"{"prompt": "", "stop": "x"}"#),
            "#/stop: expected type: JSONArray, found: String"
        );
        assert_eq!(
            faults(r#"{"prompt": "", "stop": ["x", 1]}"#),
            "#/stop/1: expected type: String, found: Integer"
        );
        assert_eq!(
            faults(r#"{"prompt": "", "content": [{"text": null}]}"#),
            "#/content/0/text: expected type: String, found: Null"
        );
    }

    #[test]
    fn several_faults_are_joined_without_a_separator() {
        assert_eq!(
            faults(r#"{"prompt": "", "model": "x", "stream": true}"#),
            "#: extraneous key [model] is not permitted#: extraneous key [stream] is not permitted"
        );
    }

    #[test]
    fn limits_are_whole_numbers_from_a_smallest_one_on() {
        let with_limit = |limit: &str| faults(&format!(r#"{{"prompt": "", "limit": {limit}}}"#));
        assert_eq!(with_limit("0"), "#/limit: 0 is not greater or equal to 1");
        assert_eq!(with_limit("-5"), "#/limit: -5 is not greater or equal to 1");
        assert_eq!(
            with_limit("1.5"),
            "#/limit: expected type: Integer, found: Double"
        );
        assert_eq!(
            with_limit("\"9\""),
            "#/limit: expected type: Integer, found: String"
        );
    }

    #[test]
    fn bedrocks_own_keys_are_allowed_everywhere() {
        let body = br#"{"prompt": "", "amazon-bedrock-guardrailConfig": {"tagSuffix": "x"}}"#;
        assert_eq!(check(&SCHEMA, body), Ok(Incoming::default()));
    }

    #[test]
    fn what_is_not_json_gets_the_bare_message() {
        assert_eq!(
            check(&SCHEMA, b"{"),
            Err("Malformed input request, please reformat your input and try again.".to_owned())
        );
    }
}

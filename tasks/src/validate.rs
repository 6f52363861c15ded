//! What a task has to be. Pure: what was read goes in, what is wrong comes out.

use serde_json::Value;
use uuid::Uuid;

use crate::load::Loaded;
use crate::problem::Problem;
use crate::script::{self, ScriptError};
use crate::summary::Summary;
use crate::walk::{INPUT_SCHEMA, METADATA, OUTPUT_SCHEMA, SCRIPT};

/// Longest name.
const NAME_CHARS_MAX: usize = 100;
/// Longest version.
const VERSION_CHARS_MAX: usize = 100;
/// Longest description.
const DESCRIPTION_CHARS_MAX: usize = 2_000;
/// Most tags.
const TAGS_MAX: usize = 50;
/// Longest tag.
const TAG_CHARS_MAX: usize = 100;

/// Judges a task that was read.
pub(crate) fn validate(loaded: &Loaded) -> Summary {
    let mut summary = Summary {
        has_script: loaded.files.stamps.contains_key(SCRIPT),
        has_input_schema: loaded.files.stamps.contains_key(INPUT_SCHEMA),
        has_output_schema: loaded.files.stamps.contains_key(OUTPUT_SCHEMA),
        checksum: loaded.checksum.clone(),
        problems: loaded.problems.clone(),
        ..Summary::default()
    };
    if let Some(text) = loaded.text(METADATA) {
        read_metadata(text, &mut summary);
    }
    match loaded.text(SCRIPT) {
        Some(text) => summary.problems.extend(check_script(text)),
        // One that is there and cannot be read was told already.
        None if is_told(&summary, "script") => {}
        None => {
            let message =
                format!("`{SCRIPT}` is missing; a task needs a script that exports a function");
            summary.problems.push(Problem::new("script", "EMPTY_SCRIPT", message));
        }
    }
    for (name, field) in [(INPUT_SCHEMA, "input_schema"), (OUTPUT_SCHEMA, "output_schema")] {
        summary.problems.extend(loaded.text(name).and_then(|text| check_schema(name, field, text)));
    }
    summary
}

fn is_told(summary: &Summary, field: &str) -> bool {
    summary.problems.iter().any(|problem| problem.field == field)
}

fn read_metadata(text: &[u8], summary: &mut Summary) {
    let metadata: Value = match serde_json::from_slice(text) {
        Ok(metadata) => metadata,
        Err(error) => {
            let message = format!("`{METADATA}` is no JSON: {error}");
            return summary.problems.push(Problem::new("metadata", "INVALID_JSON", message));
        }
    };
    let Value::Object(metadata) = metadata else {
        let message = format!(
            "`{METADATA}` must be an object, as in {{\"name\":\"a\",\"version\":\"1.0.0\"}}"
        );
        return summary.problems.push(Problem::new("metadata", "INVALID_METADATA", message));
    };
    let mut problems = Vec::new();
    let get = |key| metadata.get(key).filter(|value| !value.is_null());
    summary.name = get("name").and_then(Value::as_str).map(str::to_owned);
    problems.extend(check_name(get("name")));
    summary.version = get("version").and_then(Value::as_str).map(str::to_owned);
    problems.extend(check_version(get("version")));
    if let Some(value) = get("uuid") {
        match value.as_str().map(Uuid::parse_str) {
            Some(Ok(uuid)) => summary.uuid = Some(uuid.to_string()),
            _ => problems.push(invalid("uuid", "as 67e55044-10b1-426f-9247-bb680e5fe0c8", value)),
        }
    }
    if let Some(value) = get("description") {
        let fits = |text: &&str| text.chars().count() <= DESCRIPTION_CHARS_MAX;
        match value.as_str().filter(fits) {
            Some(text) => summary.description = Some(text.to_owned()),
            None => {
                let allowed = format!("a text of at most {DESCRIPTION_CHARS_MAX} characters");
                problems.push(invalid("description", &allowed, value));
            }
        }
    }
    if let Some(value) = get("tags") {
        summary.tags = tags(value);
        if summary.tags.is_none() {
            let allowed =
                format!("a list of at most {TAGS_MAX} texts of 1 to {TAG_CHARS_MAX} characters");
            problems.push(invalid("tags", &allowed, value));
        }
    }
    summary.problems.append(&mut problems);
}

fn invalid(field: &'static str, allowed: &str, value: &Value) -> Problem {
    let shown: String = value.to_string().chars().take(80).collect();
    let message = format!("`{field}` in `{METADATA}` must be {allowed}, and is {shown}");
    Problem::new(field, "INVALID_METADATA", message)
}

fn check_name(name: Option<&Value>) -> Option<Problem> {
    let allowed = format!(
        "1 to {NAME_CHARS_MAX} letters, digits, `.`, `_` and `-`, the first a letter or a digit"
    );
    let Some(name) = name else {
        let message = format!("`name` is missing in `{METADATA}`; it must have {allowed}");
        return Some(Problem::new("name", "EMPTY_NAME", message));
    };
    let Some(text) = name.as_str() else {
        let message = format!("`name` in `{METADATA}` must be a text of {allowed}");
        return Some(Problem::new("name", "INVALID_NAME_FORMAT", message));
    };
    if text.trim().is_empty() {
        let message = format!("`name` in `{METADATA}` is empty; it must have {allowed}");
        return Some(Problem::new("name", "EMPTY_NAME", message));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins_well && text.chars().all(is_plain) && text.len() <= NAME_CHARS_MAX {
        return None;
    }
    let shown: String = text.chars().take(NAME_CHARS_MAX + 1).collect();
    let message = format!("`name` in `{METADATA}` must have {allowed}, and is {shown:?}");
    Some(Problem::new("name", "INVALID_NAME_FORMAT", message))
}

fn check_version(version: Option<&Value>) -> Option<Problem> {
    let Some(version) = version else {
        let message = format!("`version` is missing in `{METADATA}`; it must be as 1.0.0");
        return Some(Problem::new("version", "EMPTY_VERSION", message));
    };
    let problem = match version.as_str() {
        None => "it is no text".to_owned(),
        Some(text) if text.trim().is_empty() => {
            let message = format!("`version` in `{METADATA}` is empty; it must be as 1.0.0");
            return Some(Problem::new("version", "EMPTY_VERSION", message));
        }
        Some(text) if text.len() > VERSION_CHARS_MAX => {
            format!("it has more than {VERSION_CHARS_MAX} characters")
        }
        Some(text) => semver::Version::parse(text).err()?.to_string(),
    };
    let shown: String = version.to_string().chars().take(VERSION_CHARS_MAX).collect();
    let message = format!(
        "`version` in `{METADATA}` must be a semantic version, as 1.0.0, and is {shown}: {problem}"
    );
    Some(Problem::new("version", "INVALID_VERSION_FORMAT", message))
}

fn tags(value: &Value) -> Option<Vec<String>> {
    let tags = value.as_array().filter(|tags| tags.len() <= TAGS_MAX)?;
    let is_tag = |text: &&str| !text.is_empty() && text.chars().count() <= TAG_CHARS_MAX;
    tags.iter().map(|tag| tag.as_str().filter(is_tag).map(str::to_owned)).collect()
}

fn check_script(text: &[u8]) -> Vec<Problem> {
    let problem = |code, message: String| Problem::new("script", code, message);
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("`{SCRIPT}` is no UTF-8: {error}");
            return vec![problem("INVALID_SYNTAX", message)];
        }
    };
    let empty = || vec![problem("EMPTY_SCRIPT", format!("`{SCRIPT}` has no code"))];
    if text.trim().is_empty() {
        return empty();
    }
    let script = match script::read(text) {
        Ok(script) => script,
        Err(error @ ScriptError::Syntax { .. }) => {
            return vec![problem("INVALID_SYNTAX", format!("`{SCRIPT}`:{error}"))];
        }
        Err(error @ ScriptError::TooDeep(_)) => {
            return vec![problem("INVALID_SYNTAX", format!("`{SCRIPT}`: {error}"))];
        }
        Err(error @ ScriptError::Io(_)) => {
            return vec![problem("UNREADABLE", format!("`{SCRIPT}`: {error}"))];
        }
    };
    if !script.has_code {
        return empty();
    }
    let mut problems = Vec::new();
    if !script.has_functions {
        let message = format!("`{SCRIPT}` has no function; a task needs one that can be called");
        problems.push(problem("NO_FUNCTIONS", message));
    }
    if !script.has_exports {
        let message = format!(
            "`{SCRIPT}` exports nothing; `module.exports = …`, `exports.run = …` and `export` count"
        );
        problems.push(problem("NO_EXPORTS", message));
    }
    problems
}

fn check_schema(name: &str, field: &'static str, text: &[u8]) -> Option<Problem> {
    let schema: Value = match serde_json::from_slice(text) {
        Ok(schema) => schema,
        Err(error) => {
            return Some(Problem::new(
                field,
                "INVALID_JSON",
                format!("`{name}` is no JSON: {error}"),
            ));
        }
    };
    // What a schema refers to is fetched from nowhere.
    let error = jsonschema::options().offline().build(&schema).err()?;
    let place = error.instance_path().to_string();
    let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
    let message = format!("`{name}` is no JSON Schema{place}: {error}");
    Some(Problem::new(field, "INVALID_SCHEMA", message))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::walk::Files;

    const GOOD: &str = "export const run = () => 1";

    fn judged(files: &[(&'static str, &[u8])]) -> Summary {
        let texts: BTreeMap<&'static str, Vec<u8>> =
            files.iter().map(|(name, text)| (*name, text.to_vec())).collect();
        validate(&Loaded {
            texts,
            checksum: None,
            files: Files::default(),
            problems: Vec::new(),
            places: Vec::new(),
            may_pass: false,
        })
    }

    fn codes(summary: &Summary) -> Vec<(&'static str, &'static str)> {
        summary.problems.iter().map(|problem| (problem.field, problem.code)).collect()
    }

    #[test]
    fn metadata_are_judged_field_by_field() {
        let long = format!(r#"{{"name":"{}","version":"1.0.0"}}"#, "n".repeat(101));
        let rows: &[(&str, &[(&str, &str)])] = &[
            (r#"{"name":"a","version":"1.0.0"}"#, &[]),
            (r#"{"name":"a.b_c-1","version":"1.0.0-rc.1+build","more":[1]}"#, &[]),
            (r#"{"name":"a","version":"1.0.0","tags":["x"],"description":"d"}"#, &[]),
            ("{", &[("metadata", "INVALID_JSON")]),
            ("[]", &[("metadata", "INVALID_METADATA")]),
            ("{}", &[("name", "EMPTY_NAME"), ("version", "EMPTY_VERSION")]),
            (
                r#"{"name":" ","version":""}"#,
                &[("name", "EMPTY_NAME"), ("version", "EMPTY_VERSION")],
            ),
            (r#"{"name":"a b","version":"1.0.0"}"#, &[("name", "INVALID_NAME_FORMAT")]),
            (r#"{"name":"-a","version":"1.0.0"}"#, &[("name", "INVALID_NAME_FORMAT")]),
            (r#"{"name":7,"version":"1.0.0"}"#, &[("name", "INVALID_NAME_FORMAT")]),
            (&long, &[("name", "INVALID_NAME_FORMAT")]),
            (r#"{"name":"a","version":"1.0"}"#, &[("version", "INVALID_VERSION_FORMAT")]),
            (r#"{"name":"a","version":1}"#, &[("version", "INVALID_VERSION_FORMAT")]),
            (r#"{"name":"a","version":"1.0.0","uuid":"x"}"#, &[("uuid", "INVALID_METADATA")]),
            (r#"{"name":"a","version":"1.0.0","tags":[1]}"#, &[("tags", "INVALID_METADATA")]),
            (r#"{"name":"a","version":"1.0.0","tags":"x"}"#, &[("tags", "INVALID_METADATA")]),
            (
                r#"{"name":"a","version":"1.0.0","description":1}"#,
                &[("description", "INVALID_METADATA")],
            ),
        ];
        for (text, expected) in rows {
            let summary = judged(&[(METADATA, text.as_bytes()), (SCRIPT, GOOD.as_bytes())]);
            assert_eq!(codes(&summary), *expected, "{text}");
        }
    }

    #[test]
    fn scripts_and_schemas_are_judged() {
        let metadata = (METADATA, &br#"{"name":"a","version":"1.0.0"}"#[..]);
        let scripts: &[(&[u8], &[&str])] = &[
            (b"", &["EMPTY_SCRIPT"]),
            (b" \n", &["EMPTY_SCRIPT"]),
            (b"// nothing", &["EMPTY_SCRIPT"]),
            (b"let a", &["NO_FUNCTIONS", "NO_EXPORTS"]),
            (b"function a() {}", &["NO_EXPORTS"]),
            (b"module.exports = 1", &["NO_FUNCTIONS"]),
            (b"function", &["INVALID_SYNTAX"]),
            (b"\xff", &["INVALID_SYNTAX"]),
        ];
        for (text, expected) in scripts {
            let summary = judged(&[metadata, (SCRIPT, text)]);
            let found: Vec<&str> = summary.problems.iter().map(|problem| problem.code).collect();
            assert_eq!(found, *expected, "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(codes(&judged(&[metadata])), [("script", "EMPTY_SCRIPT")]);
        let schemas: &[(&str, Option<&str>)] = &[
            (r#"{"type":"object"}"#, None),
            ("true", None),
            ("{", Some("INVALID_JSON")),
            ("7", Some("INVALID_SCHEMA")),
            (r#"{"type":"nonsense"}"#, Some("INVALID_SCHEMA")),
            (r#"{"pattern":"("}"#, Some("INVALID_SCHEMA")),
            (r#"{"$ref":"https://example.com/else.json"}"#, Some("INVALID_SCHEMA")),
            (r##"{"$ref":"#/nowhere"}"##, Some("INVALID_SCHEMA")),
        ];
        for (text, expected) in schemas {
            let summary =
                judged(&[metadata, (SCRIPT, GOOD.as_bytes()), (OUTPUT_SCHEMA, text.as_bytes())]);
            let expected: Vec<_> = expected.iter().map(|code| ("output_schema", *code)).collect();
            assert_eq!(codes(&summary), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_files_hold_there_is_a_judgement(
            metadata in prop::collection::vec(any::<u8>(), 0..200),
            script in "\\PC{0,200}",
            schema in "\\PC{0,100}",
        ) {
            let schema = schema.as_bytes();
            let _ = judged(&[(METADATA, &metadata), (SCRIPT, script.as_bytes()), (INPUT_SCHEMA, schema)]);
        }

        #[test]
        fn every_name_that_is_taken_is_fit_for_an_id(name in "\\PC{0,120}") {
            let metadata = serde_json::json!({"name": name, "version": "1.0.0"}).to_string();
            let summary = judged(&[(METADATA, metadata.as_bytes()), (SCRIPT, GOOD.as_bytes())]);
            if summary.is_valid() {
                let id = format!("source/{name}");
                prop_assert!(argus_proto::id::check(&id).is_ok());
            }
        }
    }
}

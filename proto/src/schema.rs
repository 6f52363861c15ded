//! What the records of a collection have to look like, as a JSON Schema says it.
//!
//! It is checked before a record is written, by whoever writes it. A program that is built without the
//! feature `schema` writes no records that have one: that is left to the daemon.

use std::borrow::Cow;
use std::fmt;
#[cfg(feature = "schema")]
use std::sync::OnceLock;

#[cfg(feature = "schema")]
use jsonschema::Validator;

use crate::error::{Code, Error, Result};

/// The most of a problem's text that is told.
#[cfg(feature = "schema")]
const PROBLEM_CHARS_MAX: usize = 500;

/// A schema that can be checked.
pub struct Schema {
    text: Cow<'static, str>,
    /// Made when it is first needed: most calls write no record that has one.
    #[cfg(feature = "schema")]
    validator: OnceLock<Validator>,
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schema {}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.text).finish()
    }
}

impl Schema {
    /// A schema that argus brings with it.
    pub(crate) fn built_in(text: &'static str) -> Self {
        Schema {
            text: text.into(),
            #[cfg(feature = "schema")]
            validator: OnceLock::new(),
        }
    }
}

#[cfg(feature = "schema")]
impl Schema {
    /// Takes the text of a schema. Nothing that it refers to is fetched from anywhere.
    ///
    /// # Errors
    /// `E_INVALID` where it is none.
    pub fn compile(text: &str) -> Result<Self> {
        let validator = compile(text)?.into();
        Ok(Schema { text: text.to_owned().into(), validator })
    }

    /// Checks a record's text.
    ///
    /// # Errors
    /// `E_INVALID` with the place in the record and the rule that it breaks.
    pub(crate) fn check(&self, text: &str) -> Result<()> {
        let record: serde_json::Value = serde_json::from_str(text)
            .map_err(|error| Error::new(Code::Invalid, error.to_string()))?;
        let Err(error) = self.validator()?.validate(&record) else { return Ok(()) };
        let mut path: Vec<String> =
            error.instance_path().as_str().split('/').skip(1).map(unescaped).collect();
        // What is missing stands nowhere; its place is where it should.
        if let jsonschema::error::ValidationErrorKind::Required { property } = error.kind() {
            path.extend(property.as_str().map(str::to_owned));
        }
        let path = path.join(".");
        // It may repeat a whole record.
        let problem: String = error.to_string().chars().take(PROBLEM_CHARS_MAX).collect();
        let rule = error.schema_path().to_string();
        let error = Error::new(Code::Invalid, format!("the record cannot be used: {problem}"));
        Err(error
            .hint(format!("it has to fit the schema's rule {rule}"))
            .details(serde_json::json!({ "path": path, "problem": problem, "rule": rule })))
    }

    fn validator(&self) -> Result<&Validator> {
        match self.validator.get() {
            Some(validator) => Ok(validator),
            None => {
                let validator = compile(&self.text)?;
                Ok(self.validator.get_or_init(|| validator))
            }
        }
    }
}

#[cfg(feature = "schema")]
fn compile(text: &str) -> Result<Validator> {
    let invalid =
        |problem: String| Error::new(Code::Invalid, format!("it is no JSON Schema: {problem}"));
    let schema: serde_json::Value =
        serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    jsonschema::options().offline().build(&schema).map_err(|error| invalid(error.to_string()))
}

#[cfg(feature = "schema")]
fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(not(feature = "schema"))]
impl Schema {
    /// Takes any text: it is not looked at.
    ///
    /// # Errors
    /// None.
    pub fn compile(text: &str) -> Result<Self> {
        Ok(Schema { text: text.to_owned().into() })
    }

    /// Refuses every record.
    pub(crate) fn check(&self, _text: &str) -> Result<()> {
        let message = "this program is built without JSON Schema, and cannot write such a record";
        Err(Error::new(Code::Unreachable, message).hint("argus daemon start"))
    }
}

#[cfg(all(test, feature = "schema"))]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_rule_is_told_with_its_place_and_the_rule() {
        let schema = Schema::compile(include_str!("schemas/machine.schema.json")).expect("one");
        let rows = [
            (r#"{"name":"a","type":"local"}"#, None),
            (r#"{"name":"a","type":"ssh","host":"h"}"#, None),
            (r#"{"name":"a"}"#, Some(("type", "/required"))),
            (r#"{"name":"a","type":"tty"}"#, Some(("type", "/properties/type/enum"))),
            (r#"{"name":"a","type":"ssh"}"#, Some(("host", "/then/required"))),
            (
                r#"{"name":"a","type":"ssh","host":""}"#,
                Some(("host", "/then/properties/host/minLength")),
            ),
            (r#"{"name":7,"type":"local"}"#, Some(("name", "/properties/name/type"))),
        ];
        for (text, expected) in rows {
            let details = schema.check(text).err().map(|error| {
                assert_eq!(error.code, Code::Invalid);
                let details = error.details.expect("details").to_value();
                let text = |key: &str| details[key].as_str().expect("text").to_owned();
                (text("path"), text("rule"))
            });
            let expected = expected.map(|(path, rule)| (path.to_owned(), rule.to_owned()));
            assert_eq!(details, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(Schema::compile("nonsense").is_err());
        assert!(Schema::compile(r#"{"type":"nonsense"}"#).is_err());
        assert!(Schema::compile(r#"{"$ref":"https://example.com/else.json"}"#).is_err());
    }
}

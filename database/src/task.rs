//! What the record of a task says that its row needs.

use serde_json::Value;

/// The collection that `tasks` mirrors.
pub(crate) const TASKS: &str = "tasks";

/// A task that the registry has, or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) name: String,
    pub(crate) record: Option<Valid>,
}

/// The last version of a task that was valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Valid {
    pub(crate) version: String,
    pub(crate) uuid: Option<String>,
    pub(crate) checksum: String,
    pub(crate) updated_at: u64,
    /// The record itself.
    pub(crate) text: String,
}

impl Task {
    /// What a record says; `None` for one that never was valid: it has no row.
    pub(crate) fn read(id: &str, text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let field = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let valid = Valid {
            version: field("version")?,
            uuid: field("uuid"),
            checksum: field("checksum")?,
            updated_at: value.get("updatedAt").and_then(Value::as_u64).unwrap_or_default(),
            text: text.to_owned(),
        };
        let (source, name) = match (field("source"), field("name")) {
            (Some(source), Some(name)) => (source, name),
            _ => split(id)?,
        };
        Some(Task { id: id.to_owned(), source, name, record: Some(valid) })
    }

    /// One that is gone; `text` is its last record.
    pub(crate) fn gone(id: &str, text: Option<&str>) -> Option<Self> {
        let named = text.and_then(|text| Task::read(id, text)).map(|task| (task.source, task.name));
        let (source, name) = named.or_else(|| split(id))?;
        Some(Task { id: id.to_owned(), source, name, record: None })
    }
}

fn split(id: &str) -> Option<(String, String)> {
    id.split_once('/').map(|(source, name)| (source.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_valid_once_has_a_row() {
        let named = |task: Task| format!("{} {}", task.source, task.name);
        let valid = r#"{"source":"s","name":"n","version":"1.0.0","checksum":"c"}"#;
        assert_eq!(Task::read("x/y", valid).map(named).as_deref(), Some("s n"));
        let unnamed = r#"{"version":"1.0.0","checksum":"c"}"#;
        assert_eq!(Task::read("x/y/z", unnamed).map(named).as_deref(), Some("x y/z"));
        for text in ["", "[]", r#"{"source":"s","name":"n"}"#, r#"{"version":"1","checksum":2}"#] {
            assert_eq!(Task::read("x/y", text), None, "{text}");
        }
        assert_eq!(Task::gone("x/y", None).map(named).as_deref(), Some("x y"));
        assert_eq!(Task::gone("x/y", Some(valid)).map(named).as_deref(), Some("s n"));
        assert_eq!(Task::gone("xy", None), None);
    }
}

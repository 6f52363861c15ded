//! The record of a task, as text.

use std::path::Path;

use argus_proto::json::Object;
use argus_proto::limits::RECORD_BYTES_MAX;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::problem::Problem;
use crate::summary::Summary;
use crate::walk::{INPUT_SCHEMA, OUTPUT_SCHEMA, SCRIPT};

/// Most problems of a task that its record tells.
const PROBLEMS_MAX: usize = 20;

/// What a record tells of a version of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) version: String,
    pub(crate) uuid: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) has_script: bool,
    pub(crate) has_input_schema: bool,
    pub(crate) has_output_schema: bool,
    pub(crate) checksum: Option<String>,
}

impl Version {
    pub(crate) fn of(summary: &Summary) -> Self {
        Version {
            version: summary.version.clone().unwrap_or_default().chars().take(100).collect(),
            uuid: summary.uuid.clone(),
            description: summary.description.clone(),
            tags: summary.tags.clone(),
            has_script: summary.has_script,
            has_input_schema: summary.has_input_schema,
            has_output_schema: summary.has_output_schema,
            checksum: summary.checksum.clone(),
        }
    }

    /// From a record; `None` where it is none of a task.
    pub(crate) fn of_record(record: &Value) -> Option<Self> {
        let text = |key: &str| record[key].as_str().map(str::to_owned);
        let id = text("id")?;
        let uuid = text("uuid")?;
        Some(Version {
            version: text("version")?,
            // One that follows from the id is made anew, should the task be renamed.
            uuid: Some(uuid).filter(|uuid| *uuid != derived_uuid(&id)),
            description: text("description"),
            tags: record["tags"]
                .as_array()
                .map(|tags| tags.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            has_script: record.get("script").is_some(),
            has_input_schema: record.get("inputSchema").is_some(),
            has_output_schema: record.get("outputSchema").is_some(),
            checksum: text("checksum").filter(|checksum| !checksum.is_empty()),
        })
    }

    /// Whether it has what a valid task has.
    pub(crate) fn is_whole(&self) -> bool {
        self.has_script && self.checksum.is_some() && semver::Version::parse(&self.version).is_ok()
    }
}

/// What goes into a record, but for the time.
pub(crate) struct Fields<'a> {
    pub(crate) id: &'a str,
    pub(crate) source: &'a str,
    pub(crate) name: &'a str,
    pub(crate) folder: &'a Path,
    pub(crate) version: &'a Version,
    pub(crate) problems: &'a [Problem],
}

/// The record, in canonical JSON, and never longer than a record may be.
pub(crate) fn text(fields: &Fields<'_>, updated_at: u64) -> String {
    let mut record = build(fields, updated_at, PROBLEMS_MAX);
    // Only with paths of thousands of characters that JSON has to escape.
    for key in ["description", "tags", "outputSchema", "inputSchema", "script", "errors"] {
        if record.to_text().len() < RECORD_BYTES_MAX {
            break;
        }
        if key == "errors" {
            record.set("errors", "[]");
        } else {
            record.remove(key);
        }
    }
    record.to_text()
}

fn build(fields: &Fields<'_>, updated_at: u64, problems_max: usize) -> Object {
    let version = fields.version;
    let mut record = Object::default();
    record.set_string("id", fields.id);
    record.set_string("source", fields.source);
    record.set_string("name", fields.name);
    record.set_string("version", &version.version);
    match &version.uuid {
        Some(uuid) => record.set_string("uuid", uuid),
        None => record.set_string("uuid", &derived_uuid(fields.id)),
    }
    if let Some(description) = &version.description {
        record.set_string("description", description);
    }
    if let Some(tags) = &version.tags {
        record.set("tags", json!(tags).to_string());
    }
    record.set_string("path", &fields.folder.to_string_lossy());
    let files = [
        ("script", version.has_script, SCRIPT),
        ("inputSchema", version.has_input_schema, INPUT_SCHEMA),
        ("outputSchema", version.has_output_schema, OUTPUT_SCHEMA),
    ];
    for (key, _, name) in files.into_iter().filter(|(_, is_there, _)| *is_there) {
        record.set_string(key, &fields.folder.join(name).to_string_lossy());
    }
    record.set_string("checksum", version.checksum.as_deref().unwrap_or_default());
    record.set_string("status", if fields.problems.is_empty() { "valid" } else { "invalid" });
    let problems: Vec<Value> = fields.problems.iter().take(problems_max).map(as_json).collect();
    record.set("errors", Value::from(problems).to_string());
    record.set("updatedAt", updated_at.to_string());
    record
}

fn as_json(problem: &Problem) -> Value {
    json!({ "field": problem.field, "code": problem.code, "message": problem.message })
}

fn derived_uuid(id: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("argus:task:{id}").as_bytes()).to_string()
}

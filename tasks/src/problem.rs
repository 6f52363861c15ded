//! What can be wrong with a task, or with a place in a source.

use crate::root::Refused;

/// The most of a message that is told.
const MESSAGE_CHARS_MAX: usize = 500;

/// What is wrong with a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which part of the task: `metadata`, `name`, `version`, `uuid`, `description`, `tags`, `script`,
    /// `input_schema` or `output_schema`.
    pub field: &'static str,
    /// What, for programs.
    pub code: &'static str,
    /// What, for people.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(field: &'static str, code: &'static str, message: impl AsRef<str>) -> Self {
        Problem { field, code, message: shortened(message.as_ref()) }
    }
}

/// What is wrong with a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlaceProblem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl PlaceProblem {
    pub(crate) fn new(code: &'static str, message: impl AsRef<str>) -> Self {
        PlaceProblem { code, message: shortened(message.as_ref()) }
    }
}

impl From<&Refused> for PlaceProblem {
    fn from(refused: &Refused) -> Self {
        PlaceProblem::new(refused.code(), refused.to_string())
    }
}

pub(crate) fn shortened(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

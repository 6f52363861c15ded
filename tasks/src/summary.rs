//! What is kept of a task that was read: all that its record tells, and none of its contents.

use crate::problem::Problem;

/// A task, as it was last read and judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// As the metadata say it, whatever it looks like; `None` where it cannot be read.
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) uuid: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) has_script: bool,
    pub(crate) has_input_schema: bool,
    pub(crate) has_output_schema: bool,
    pub(crate) checksum: Option<String>,
    /// Empty where all is well.
    pub(crate) problems: Vec<Problem>,
}

impl Summary {
    pub(crate) fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }

    /// The name, if it can be used as one.
    pub(crate) fn usable_name(&self) -> Option<&str> {
        let is_refused = self.problems.iter().any(|problem| problem.field == "name");
        self.name.as_deref().filter(|_| !is_refused)
    }
}

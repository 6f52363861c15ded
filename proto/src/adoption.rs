//! Records as somebody has them who is right about them: what stands in the collection gives way.

use crate::document::Document;
use crate::engine::{Change, Context, Reason, Step};
use crate::error::Result;
use crate::evidence::Evidence;
use crate::json::JsonText;
use crate::method::put::{found, object, write};
use crate::precondition::Precondition;

/// Records that are taken over as one change.
#[derive(Debug, Clone)]
pub struct Adoption {
    /// Why.
    pub reason: Reason,
    /// The records, each with what it is from now on.
    pub records: Vec<Adopted>,
}

/// One record.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// Whose it is.
    pub id: String,
    /// What it is; `None`: there is none.
    pub record: Option<JsonText>,
    /// What shows why.
    pub evidence: Evidence,
}

/// What became of a document by an adoption.
#[derive(Debug)]
pub struct Adoptive {
    /// The document afterwards.
    pub document: Document,
    /// At most one entry a record.
    pub changes: Vec<Change>,
    /// Whether it is another document.
    pub differs: bool,
}

impl Adoption {
    /// Takes all of them over, or, where one cannot be a record, none.
    ///
    /// # Errors
    /// `E_INVALID` and `E_TOO_LARGE` for what cannot be in the collection.
    pub fn apply(&self, document: &Document, context: Context<'_>) -> Result<Adoptive> {
        let mut step = Step::new(document, context);
        for adopted in &self.records {
            let has_changed = match &adopted.record {
                Some(text) => {
                    let changes = step.changes();
                    let existing = found(&step, &adopted.id, text, Precondition::None)?;
                    let object = object(text)?;
                    write(&mut step, &adopted.id, object, existing.as_deref(), self.reason)?;
                    step.changes() > changes
                }
                None => step.remove(&adopted.id, self.reason),
            };
            if has_changed {
                step.prove(adopted.evidence.clone());
            }
        }
        let (document, changes, differs) = step.into_parts();
        Ok(Adoptive { document, changes, differs })
    }
}

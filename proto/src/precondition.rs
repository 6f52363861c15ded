//! Compare and set: a change is made only on top of what its caller has seen.

use crate::collection::Collection;
use crate::error::{Code, Error, Result};
use crate::shell::quoted;

/// What has to be true of a record for it to be changed.
#[derive(Debug, Clone, Copy)]
pub enum Precondition<'a> {
    /// Nothing.
    None,
    /// Its etag is this one.
    Match(&'a str),
    /// There is none.
    Absent,
}

impl<'a> Precondition<'a> {
    /// What a caller asks for.
    ///
    /// # Errors
    /// `E_USAGE` for both at once, which nothing fulfils.
    pub fn of(if_match: Option<&'a str>, if_absent: bool) -> Result<Self> {
        match (if_match, if_absent) {
            (Some(_), true) => Err(Error::new(
                Code::Usage,
                "`ifMatch` and `ifAbsent` cannot be true at the same time",
            )),
            (Some(etag), false) => Ok(Precondition::Match(etag)),
            (None, true) => Ok(Precondition::Absent),
            (None, false) => Ok(Precondition::None),
        }
    }

    /// Checks it for a record whose etag is this one; `None` where there is no record.
    ///
    /// # Errors
    /// `E_CONFLICT`, with the etag that the record has.
    pub fn check(self, id: &str, etag: Option<&str>) -> Result<()> {
        let (message, wanted) = match (self, etag) {
            (Precondition::None, _) | (Precondition::Absent, None) => return Ok(()),
            (Precondition::Match(wanted), Some(etag)) if etag == wanted => return Ok(()),
            (Precondition::Match(wanted), Some(etag)) => {
                (format!("`{id}` is not what it was: its etag is {etag}"), Some(wanted))
            }
            (Precondition::Match(wanted), None) => (format!("`{id}` is gone"), Some(wanted)),
            (Precondition::Absent, Some(_)) => (format!("there is a record `{id}` already"), None),
        };
        let hint = match etag {
            Some(_) => format!("read it again: argus get {}", quoted(id)),
            None => "argus ls".to_owned(),
        };
        Err(Error::new(Code::Conflict, message).hint(hint).details(serde_json::json!({
            "id": id, "etag": etag, "ifMatch": wanted,
        })))
    }
}

/// Checks that what stands beside the records is still what the caller has seen.
///
/// # Errors
/// `E_CONFLICT`, with the etag that it has.
pub(crate) fn check_document(
    if_match: Option<&str>,
    etag: &str,
    collection: &Collection,
) -> Result<()> {
    if if_match.is_none_or(|wanted| wanted == etag) {
        return Ok(());
    }
    let name = &collection.name;
    let message = format!("the document of {name} is not what it was: its etag is {etag}");
    Err(Error::new(Code::Conflict, message)
        .hint(format!("read it again: argus get -c {name} --document"))
        .details(serde_json::json!({ "collection": name, "etag": etag, "ifMatch": if_match })))
}

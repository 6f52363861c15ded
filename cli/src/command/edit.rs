//! `argus edit`: a record, or what stands beside the records, in the user's editor.
//!
//! 1. Nothing is written over what others have changed since it was read.
//! 2. A text that somebody has typed is removed only when it is written.

use std::fs::File;
use std::path::PathBuf;

use argus_client::method::{Patch, PatchDocument, Put, Written};
use argus_client::{Code, Error, Result};
use argus_proto::json::{JsonText, Object};
use argus_proto::limits::FILE_BYTES_MAX;

use super::get::pretty;
use super::{Session, text_of};
use crate::platform::{self, advice};
use crate::typed::{argus, quoted};
use crate::{args, editor};

/// Longest name of a file, without its ending.
const NAME_CHARS_MAX: usize = 64;

pub(crate) async fn run(session: &Session, arguments: args::Edit) -> Result<()> {
    let draft = Draft::begin(session, arguments.id).await?;
    match draft.finish().await {
        Ok(Some(written)) => {
            draft.remove();
            session.output.change(&written, |_: &Written| draft.name())
        }
        Ok(None) => {
            draft.remove();
            if !session.output.json {
                anstream::eprintln!("nothing changed");
            }
            let unchanged = Written { etag: draft.etag.clone(), created: false };
            session.output.data(&unchanged, |_: &Written| String::new())
        }
        Err(error) if draft.is_touched() => Err(draft.keep(error)),
        Err(error) => {
            draft.remove();
            Err(error)
        }
    }
}

/// A text on its way through the editor.
struct Draft<'a> {
    session: &'a Session,
    /// The record; `None` for what stands beside the records.
    id: Option<String>,
    before: JsonText,
    etag: String,
    /// The text as the editor gets it.
    text: String,
    file: PathBuf,
}

impl<'a> Draft<'a> {
    async fn begin(session: &'a Session, id: Option<String>) -> Result<Self> {
        let (before, etag) = match &id {
            Some(id) => {
                let found = session.told(true, session.client.get(id).await);
                let found = found.map_err(|error| match error.code {
                    Code::NotFound => {
                        error.hint(format!("{} {} JSON", command(session, "put"), quoted(id)))
                    }
                    _ => error,
                })?;
                (found.record, found.etag)
            }
            None => {
                let found = session.told(true, session.client.get_document().await)?;
                (found.document, found.etag)
            }
        };
        let text = pretty(&before) + "\n";
        let description = session.client.description();
        let subject = id.as_deref().unwrap_or(&description.name);
        let file = editor::private_file(&file_name(subject), &text).map_err(|error| {
            Error::new(Code::Io, format!("cannot make a file to edit: {error}"))
        })?;
        Ok(Draft { session, id, before, etag, text, file })
    }

    /// Lets the user edit the text, and writes what it has become; `None` where that is the same.
    async fn finish(&self) -> Result<Option<Written>> {
        let editor = editor::named();
        let status = platform::edit(&editor, &self.file).await;
        let how = match status {
            Ok(status) if status.success() => None,
            Ok(status) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(how) = how {
            let message = format!("the editor `{}` failed ({how})", editor.display());
            return Err(Error::new(Code::Io, message + "; nothing was written")
                .hint(format!("name another: {}", advice::with_editor("argus edit ..."))));
        }
        let text = self.left()?;
        if text == self.text {
            return Ok(None);
        }
        let invalid =
            |error| Error::new(Code::Invalid, format!("what the editor has left is {error}"));
        let after = Object::parse(&text).map_err(invalid)?;
        let patch = match Object::parse(self.before.as_str()) {
            Ok(before) => before.patch_to(&after).map_err(invalid)?,
            // A damaged record, which is being mended.
            Err(_) => after.clone(),
        };
        if patch.is_empty() {
            return Ok(None);
        }
        self.write(&after, &patch).await.map(Some)
    }

    async fn write(&self, after: &Object, patch: &Object) -> Result<Written> {
        let client = &self.session.client;
        let if_match = Some(self.etag.clone());
        let patched = || self.checked(patch, after);
        let written = match &self.id {
            None => {
                let patch = PatchDocument { patch: patched()?, if_match, flush: true };
                client.patch_document(patch).await
            }
            Some(id) if self.may_only_be_patched() => {
                let patch = Patch { if_match, flush: true, ..Patch::new(id, patched()?) };
                client.patch(patch).await
            }
            Some(id) => {
                let value = JsonText::from_canonical(after.to_text());
                client.put(Put { if_match, flush: true, ..Put::new(id, value) }).await
            }
        };
        self.session.told(false, written)
    }

    /// A patch, if it makes of what was read what was edited.
    fn checked(&self, patch: &Object, after: &Object) -> Result<JsonText> {
        let mut patched = Object::parse(self.before.as_str()).unwrap_or_default();
        let is_enough = patched.merge_patch(patch).is_ok()
            && patched.patch_to(after).is_ok_and(|missing| missing.is_empty());
        if !is_enough {
            return Err(Error::new(Code::Invalid, "here no key can be set to null")
                .hint("remove the key, or give it another value"));
        }
        Ok(JsonText::from_canonical(patch.to_text()))
    }

    fn may_only_be_patched(&self) -> bool {
        self.id.as_ref().is_none_or(|id| self.session.client.description().protected.contains(id))
    }

    /// What it is printed as.
    fn name(&self) -> String {
        self.id.clone().unwrap_or_else(|| self.session.client.description().name.clone())
    }

    /// The text as the editor has left it.
    fn left(&self) -> Result<String> {
        let shown = self.file.display();
        let file = File::open(&self.file)
            .map_err(|error| Error::new(Code::Io, format!("cannot read {shown}: {error}")))?;
        text_of("what the editor has left", file, FILE_BYTES_MAX as u64)
    }

    /// Whether there is anything in the file that somebody has typed.
    fn is_touched(&self) -> bool {
        std::fs::read(&self.file).is_ok_and(|text| text != self.text.as_bytes())
    }

    fn remove(&self) {
        // With what the editor has left beside it. What cannot be removed harms nobody.
        let _ = self.file.parent().map(std::fs::remove_dir_all);
    }

    /// Says where the text is, and how it can be written.
    fn keep(&self, error: Error) -> Error {
        let file = self.file.to_string_lossy();
        let mut details = match &error.details {
            Some(details) => details.to_value(),
            None => serde_json::json!({}),
        };
        details["file"] = file.as_ref().into();
        let message = format!("{}; the text is kept in {file}", error.message);
        let hint = match (error.code, &details["etag"]) {
            (Code::Conflict, serde_json::Value::String(etag)) => {
                let again = self.again(&format!("--if-match {etag}"));
                format!("look what it is now: {}; then: {again}", self.typed("get"))
            }
            (Code::Conflict, _) => self.again("--if-absent"),
            _ => self.again(&format!("--if-match {}", self.etag)),
        };
        Error { message, ..error }.hint(hint).details(details)
    }

    /// How the text that is kept can be written.
    fn again(&self, precondition: &str) -> String {
        if self.may_only_be_patched() {
            // No verb takes a whole text for these.
            return self.typed("edit");
        }
        let file = quoted(&self.file.to_string_lossy());
        advice::fed(&format!("{} - {precondition}", self.typed("put")), &file)
    }

    fn typed(&self, verb: &str) -> String {
        let subject = self.id.as_ref().map_or_else(|| "--document".to_owned(), |id| quoted(id));
        format!("{} {subject}", command(self.session, verb))
    }
}

/// A verb as it is typed for this registry and this collection.
fn command(session: &Session, verb: &str) -> String {
    let argus = argus(session.client.paths());
    match &session.client.options().collection {
        Some(name) => format!("{argus} {verb} -c {}", quoted(name)),
        None => format!("{argus} {verb}"),
    }
}

/// A name by which an editor knows what is in the file, and which is nothing to the file system.
fn file_name(subject: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name: String = subject.chars().map(plain).take(NAME_CHARS_MAX).collect();
    let name = name.trim_start_matches(['.', '-']);
    format!("{}.json", if name.is_empty() { "record" } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_for_what_is_in_it_and_stays_in_its_folder() {
        let rows = [
            ("app", "app.json"),
            ("shop/web 1", "shop_web_1.json"),
            ("../../etc/passwd", "_.._etc_passwd.json"),
            ("..", "record.json"),
            ("-rf", "rf.json"),
            ("ü", "_.json"),
        ];
        for (subject, expected) in rows {
            assert_eq!(file_name(subject), expected);
        }
        assert_eq!(file_name(&"x".repeat(200)).len(), NAME_CHARS_MAX + ".json".len());
    }
}

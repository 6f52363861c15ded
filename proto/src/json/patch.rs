//! Merge patches, as RFC 7396 has them: an object of what is to be another, `null` for what is to go.

use super::{JsonError, Object};

impl Object {
    /// Applies a patch to this object. What the patch does not name keeps its text and its place.
    ///
    /// # Errors
    /// Where an object in the patch cannot be read. Nothing was changed then that counts: the caller
    /// drops the object.
    pub fn merge_patch(&mut self, patch: &Object) -> Result<(), JsonError> {
        for (key, value) in patch.iter() {
            if value == "null" {
                self.remove(&key);
            } else if value.starts_with('{') {
                // As deep as the patch is, which was checked when it was read.
                let mut inner = match self.get(&key).filter(|old| old.starts_with('{')) {
                    Some(old) => Object::parse(old)?,
                    None => Object::default(),
                };
                inner.merge_patch(&Object::parse(value)?)?;
                self.set(&key, inner.to_text());
            } else {
                self.set(&key, value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the RFC's appendix whose targets are objects, and what JSON in JavaScript
    /// would spoil.
    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let rows = [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
            (r#"{"a":1}"#, r#"{"a":{"b":2}}"#, r#"{"a":{"b":2}}"#),
            (
                r#"{"big":9007199254740993,"odd":1.0,"z":1}"#,
                r#"{"z":2.50}"#,
                r#"{"big":9007199254740993,"odd":1.0,"z":2.50}"#,
            ),
        ];
        for (target, patch, expected) in rows {
            let mut object = Object::parse(target).expect("an object");
            object.merge_patch(&Object::parse(patch).expect("an object")).expect("sound");
            assert_eq!(object.to_text(), expected, "{target} with {patch}");
        }
    }
}

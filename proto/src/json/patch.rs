//! Merge patches, as RFC 7396 has them: an object of what is to be another, `null` for what is to go.

use super::{JsonError, Object};

impl Object {
    /// Applies a patch to this object. What the patch does not name keeps its text and its place.
    ///
    /// # Errors
    /// Where an object in the patch cannot be read. Nothing was changed then that counts: the caller
    /// drops the object.
    pub fn merge_patch(&mut self, patch: &Object) -> Result<(), JsonError> {
        for (key, value) in patch.iter_quoted() {
            if value == "null" {
                self.remove_quoted(key);
            } else if value.starts_with('{') {
                // As deep as the patch is, which was checked when it was read.
                let mut inner = match self.get_quoted(key).filter(|old| old.starts_with('{')) {
                    Some(old) => Object::parse(old)?,
                    None => Object::default(),
                };
                inner.merge_patch(&Object::parse(value)?)?;
                self.set_quoted(key.to_owned(), inner.to_text());
            } else {
                self.set_quoted(key.to_owned(), value.to_owned());
            }
        }
        Ok(())
    }

    /// The patch that makes `other` of this object: empty where they are the same but for the order
    /// of their keys. No patch sets a key to null, and so one that should do that does not.
    ///
    /// # Errors
    /// Where an object in one of them cannot be read.
    pub fn patch_to(&self, other: &Object) -> Result<Object, JsonError> {
        let mut patch = Object::default();
        for (key, _) in self.iter_quoted().filter(|(key, _)| other.get_quoted(key).is_none()) {
            patch.set_quoted(key.to_owned(), "null".to_owned());
        }
        for (key, value) in other.iter_quoted() {
            let change = match self.get_quoted(key) {
                Some(old) if old == value => continue,
                Some(old) if old.starts_with('{') && value.starts_with('{') => {
                    let inner = Object::parse(old)?.patch_to(&Object::parse(value)?)?;
                    if inner.is_empty() {
                        continue;
                    }
                    inner.to_text()
                }
                _ => value.to_owned(),
            };
            patch.set_quoted(key.to_owned(), change);
        }
        Ok(patch)
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
            (r#"{"\ud800":1,"a":2}"#, r#"{"\ud800":null,"\udc00":3}"#, r#"{"a":2,"\udc00":3}"#),
        ];
        for (target, patch, expected) in rows {
            let mut object = Object::parse(target).expect("an object");
            object.merge_patch(&Object::parse(patch).expect("an object")).expect("sound");
            assert_eq!(object.to_text(), expected, "{target} with {patch}");
        }
    }
    #[test]
    fn the_patch_between_two_objects_makes_one_of_the_other() {
        let rows = [
            (r#"{"a":1,"b":[{}]}"#, r#"{ "b": [ {} ], "a": 1 }"#, "{}"),
            (r#"{"a":{"b":1,"c":{"d":2}}}"#, r#"{"a":{"c":{"d":2},"b":1}}"#, "{}"),
            (r#"{"a":1}"#, r#"{"a":1.0}"#, r#"{"a":1.0}"#),
            (r#"{"a":1,"b":2}"#, r#"{"b":3,"c":4}"#, r#"{"a":null,"b":3,"c":4}"#),
            (r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"b":1}}"#, r#"{"a":{"c":null}}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{}}"#, r#"{"a":{"b":null}}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":[]}"#, r#"{"a":[]}"#),
            (r#"{"a":[1]}"#, r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
            (r#"{"a":null}"#, r#"{"a":null,"b":1}"#, r#"{"b":1}"#),
            (r#"{"\ud800":1}"#, r#"{"\udc00":1}"#, r#"{"\ud800":null,"\udc00":1}"#),
        ];
        for (from, to, expected) in rows {
            let [mut object, to] = [from, to].map(|text| Object::parse(text).expect("an object"));
            let patch = object.patch_to(&to).expect("sound");
            assert_eq!(patch.to_text(), expected, "{from} {}", to.to_text());
            object.merge_patch(&patch).expect("sound");
            assert!(object.patch_to(&to).expect("sound").is_empty(), "{from}");
        }
        // What no patch can do.
        let [mut object, to] =
            [r#"{}"#, r#"{"a":{"b":null}}"#].map(|text| Object::parse(text).expect("an object"));
        let patch = object.patch_to(&to).expect("sound");
        object.merge_patch(&patch).expect("sound");
        assert_eq!(object.to_text(), r#"{"a":{}}"#);
    }
}

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

    /// The patch that makes of this object the other one: of what differs, and of nothing else. A key
    /// that is `null` and one that is missing are the same to a patch.
    ///
    /// # Errors
    /// Where an object in one of them cannot be read.
    pub fn patch_to(&self, next: &Object) -> Result<Object, JsonError> {
        let mut patch = Object::default();
        for (key, _) in self.iter().filter(|(key, _)| next.get(key).is_none()) {
            patch.set(&key, "null");
        }
        for (key, value) in next.iter() {
            match self.get(&key) {
                Some(old) if old == value => {}
                None if value == "null" => {}
                Some(old) if old.starts_with('{') && value.starts_with('{') => {
                    let inner = Object::parse(old)?.patch_to(&Object::parse(value)?)?;
                    if !inner.is_empty() {
                        patch.set(&key, inner.to_text());
                    }
                }
                _ => patch.set(&key, value),
            }
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
        ];
        for (target, patch, expected) in rows {
            let mut object = Object::parse(target).expect("an object");
            object.merge_patch(&Object::parse(patch).expect("an object")).expect("sound");
            assert_eq!(object.to_text(), expected, "{target} with {patch}");
        }
    }
    #[test]
    fn a_patch_from_one_to_another_holds_what_differs_and_makes_the_other() {
        let rows = [
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, r#"{}"#),
            (r#"{"a":1,"b":2}"#, r#"{"a":3,"b":2}"#, r#"{"a":3}"#),
            (r#"{"a":1,"b":2}"#, r#"{"b":2}"#, r#"{"a":null}"#),
            (r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"c":2,"b":9}}"#, r#"{"a":{"b":9}}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{}}"#, r#"{"a":{"b":null}}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"a":[1]}"#, r#"{"a":[1,{"b":1.0}]}"#, r#"{"a":[1,{"b":1.0}]}"#),
            (r#"{"a":9007199254740992}"#, r#"{"a":9007199254740993}"#, r#"{"a":9007199254740993}"#),
            (r#"{"a":{"b":{"c":1},"d":1}}"#, r#"{"a":{"b":{"c":1},"d":1}}"#, r#"{}"#),
            (r#"{"ssh":{"host":"h"}}"#, r#"{"local":{}}"#, r#"{"ssh":null,"local":{}}"#),
        ];
        for (before, next, expected) in rows {
            let parse = |text| Object::parse(text).expect("an object");
            let patch = parse(before).patch_to(&parse(next)).expect("sound");
            assert_eq!(patch.to_text(), expected, "{before} to {next}");
            let mut made = parse(before);
            made.merge_patch(&patch).expect("sound");
            assert!(made.patch_to(&parse(next)).expect("sound").is_empty(), "{}", made.to_text());
        }
        // Both say that there is nothing.
        let (none, null) = (Object::default(), Object::parse(r#"{"a":null}"#).expect("an object"));
        assert!(none.patch_to(&null).expect("sound").is_empty());
    }
}

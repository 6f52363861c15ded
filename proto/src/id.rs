//! What an id may look like.

use crate::error::{Code, Error, Result};
use crate::limits::ID_CHARS_MAX;

/// Checks an id that somebody wants to give to a record.
pub fn check(id: &str) -> Result<()> {
    let problem = if id.is_empty() {
        "it is empty".to_owned()
    } else if id.chars().count() > ID_CHARS_MAX {
        format!("it is longer than {ID_CHARS_MAX} characters")
    } else if id.chars().any(char::is_control) {
        "it contains a control character".to_owned()
    } else if id.trim() != id {
        "it begins or ends with white space".to_owned()
    } else {
        return Ok(());
    };
    let shown: String = id.chars().take(40).collect();
    Err(Error::new(Code::Invalid, format!("the id {shown:?} cannot be used: {problem}"))
        .hint(format!("an id has 1 to {ID_CHARS_MAX} characters, without control characters"))
        .details(serde_json::json!({ "path": "id" })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded_and_printable() {
        let longest = "ü".repeat(ID_CHARS_MAX);
        for good in ["a", "app-2", "shop web", "日本", "a/b:c", longest.as_str()] {
            assert!(check(good).is_ok(), "{good}");
        }
        let too_long = "x".repeat(ID_CHARS_MAX + 1);
        for bad in ["", " a", "a ", "a\nb", "\u{7f}", "a\u{85}b", "\u{3000}a", too_long.as_str()] {
            let error = check(bad).expect_err(bad);
            assert_eq!(error.code, Code::Invalid);
        }
    }
}

//! Where a collection stands: `epoch:revision`. Opaque to clients, who only hand it back.

use std::fmt;
use std::str::FromStr;

use crate::error::{Code, Error};

/// A place in the changes of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Which life of which daemon counted: revisions of another mean nothing.
    pub epoch: String,
    /// How many changes there had been.
    pub revision: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.epoch, self.revision)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let none = || {
            Error::new(Code::Usage, format!("`{text}` is no cursor"))
                .hint("take one from an event or a listing, or leave it out")
        };
        let (epoch, revision) = text.rsplit_once(':').ok_or_else(none)?;
        let is_plain = |text: &str, allowed: fn(&char) -> bool| {
            !text.is_empty() && text.chars().all(|character| allowed(&character))
        };
        if !is_plain(epoch, char::is_ascii_alphanumeric)
            || !is_plain(revision, char::is_ascii_digit)
        {
            return Err(none());
        }
        let revision = revision.parse().map_err(|_| none())?;
        Ok(Cursor { epoch: epoch.to_owned(), revision })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_handed_out_is_no_cursor() {
        let cursor = Cursor { epoch: "2b89db81bc8fcaf6".to_owned(), revision: 17 };
        assert_eq!(cursor.to_string().parse::<Cursor>().expect("own"), cursor);
        for text in ["", "17", ":17", "a:", "a:-1", "a:+1", "a:1x", "a b:1", "a:1:", "ä:1"] {
            assert_eq!(text.parse::<Cursor>().expect_err(text).code, Code::Usage, "{text}");
        }
        assert!("a:18446744073709551616".parse::<Cursor>().is_err());
    }
}

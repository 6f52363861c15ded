//! What stands in the place of values that nobody may read: their keyed hashes.
//!
//! The same value has the same hash within one database, so that it can be seen whether it changed.
//! The key stands in the same file: it keeps a hash from being recognised elsewhere, or looked up in
//! a list made once for all, and does not keep who has the file from trying out guesses.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How many bytes of the hash are written.
const HASH_BYTES: usize = 16;

/// What the hashes of a database are keyed with.
#[derive(Clone)]
pub(crate) struct Salt(pub(crate) Vec<u8>);

impl Salt {
    /// A JSON text with the hash of each value in its place. Keys and structure stay.
    ///
    /// `text` is canonical, so that a value has one form only. Whatever is no key and no structure is taken for
    /// a value: also of what is no JSON nothing remains.
    pub(crate) fn hide(&self, text: &str) -> String {
        let bytes = text.as_bytes();
        let mut out = String::with_capacity(text.len() * 2);
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            if matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':') || byte.is_ascii_whitespace()
            {
                out.push(byte as char);
                at += 1;
                continue;
            }
            let end = token_end(bytes, at);
            let token = &text[at..end];
            let is_key = byte == b'"' && next_of(bytes, end) == Some(b':');
            if is_key {
                out.push_str(token);
            } else {
                out.push('"');
                out.push_str(&self.hash(token));
                out.push('"');
            }
            at = end;
        }
        out
    }

    /// The keyed hash of a value.
    pub(crate) fn hash(&self, value: &str) -> String {
        // Any length is a key for HMAC.
        let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return "sha256:".to_owned();
        };
        hmac.update(value.as_bytes());
        let hash = hmac.finalize().into_bytes();
        let hex: String = hash[..HASH_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }
}

/// The index behind the string or other scalar that begins at `start`.
fn token_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    if bytes[start] == b'"' {
        while at < bytes.len() {
            match bytes[at] {
                b'"' => return at + 1,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        return bytes.len();
    }
    let ends = |byte: u8| {
        matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"') || byte.is_ascii_whitespace()
    };
    while at < bytes.len() && !ends(bytes[at]) {
        at += 1;
    }
    at
}

fn next_of(bytes: &[u8], at: usize) -> Option<u8> {
    bytes[at..].iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_structure_stay_and_every_value_becomes_its_hash() {
        let salt = Salt(vec![7; 32]);
        let hidden = |value: &str| format!("\"{}\"", salt.hash(value));
        let rows = [
            ("{}", "{}".to_owned()),
            (r#"{"a":1}"#, format!(r#"{{"a":{}}}"#, hidden("1"))),
            (
                r#"{"a":[true,null],"b":{"c":"x\",\":y"}}"#,
                format!(
                    r#"{{"a":[{},{}],"b":{{"c":{}}}}}"#,
                    hidden("true"),
                    hidden("null"),
                    hidden(r#""x\",\":y""#)
                ),
            ),
            (r#"["a","a"]"#, format!("[{0},{0}]", hidden("\"a\""))),
            ("secret", hidden("secret")),
            ("\"secret", hidden("\"secret")),
        ];
        for (text, expected) in rows {
            assert_eq!(salt.hide(text), expected, "{text}");
        }
    }

    #[test]
    fn another_database_has_other_hashes() {
        assert_ne!(Salt(vec![1; 32]).hide("\"a\""), Salt(vec![2; 32]).hide("\"a\""));
    }
}

//! Unix: words of a shell.

/// A word as a shell takes it. Ids come from other programs, and must not become commands.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%=,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_means_the_same_to_a_shell() {
        let rows = [
            ("/home/me/registry.json", "/home/me/registry.json"),
            ("a b", "'a b'"),
            ("$(x)", "'$(x)'"),
            ("x;y", "'x;y'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ];
        for (word, expected) in rows {
            assert_eq!(quoted(word), expected);
        }
    }
}

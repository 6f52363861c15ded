//! Commands that an error or a finding names, to be typed as they are.

use argus_store::{Paths, locate_registry};

/// What is typed for this registry: its path as well, unless it is the one that is meant anyway.
pub(crate) fn argus(paths: &Paths) -> String {
    let usual = locate_registry(None).and_then(|path| Paths::new(&path));
    match usual {
        Ok(usual) if usual == *paths => "argus".to_owned(),
        _ => format!("argus --registry {}", quoted(&paths.registry().to_string_lossy())),
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
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
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ];
        for (word, expected) in rows {
            assert_eq!(quoted(word), expected);
        }
    }
}

//! Windows: words of PowerShell. What needs no quotes means the same to its older shell.

/// PowerShell takes each of these for the quote that ends what one began.
const QUOTES: [char; 5] = ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'];

/// A word as a shell takes it. Ids come from other programs, and must not become commands.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "\\/._-+:=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut quoted = "'".to_owned();
    for c in word.chars() {
        quoted.extend(QUOTES.contains(&c).then_some(c));
        quoted.push(c);
    }
    quoted + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_means_the_same_to_a_shell() {
        let rows = [
            (r"C:\Users\me\registry.json", r"C:\Users\me\registry.json"),
            ("a b", "'a b'"),
            ("$(x)", "'$(x)'"),
            ("x;y", "'x;y'"),
            ("a,@b", "'a,@b'"),
            ("%x%", "'%x%'"),
            ("it's", "'it''s'"),
            ("it\u{2019}s", "'it\u{2019}\u{2019}s'"),
            ("", "''"),
        ];
        for (word, expected) in rows {
            assert_eq!(quoted(word), expected);
        }
    }
}

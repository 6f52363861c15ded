//! Programs as they are typed.

use std::ffi::{OsStr, OsString};
use std::io;

/// Starts a program. A shell would find scripts too that are typed without their ending, as `npm` is.
pub(super) fn start<T>(
    program: &OsStr,
    mut start: impl FnMut(&OsString) -> io::Result<T>,
) -> io::Result<T> {
    let is_absent = |started: &io::Result<T>| {
        started.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let started = start(&program.to_owned());
    if !is_absent(&started) {
        return started;
    }
    for ending in [".cmd", ".bat"] {
        let mut script = program.to_owned();
        script.push(ending);
        let script = start(&script);
        if !is_absent(&script) {
            return script;
        }
    }
    started
}

/// The words of a command line. Double quotes hold one together; nothing else has a meaning.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !is_quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_spaces_that_no_quotes_hold() {
        let rows: [(&str, &[&str]); 7] = [
            ("notepad", &["notepad"]),
            ("  code   --wait ", &["code", "--wait"]),
            (r#""C:\Program Files\x\code.exe" -w"#, &[r"C:\Program Files\x\code.exe", "-w"]),
            (r#"gvim --cmd "set nu""#, &["gvim", "--cmd", "set nu"]),
            (r#"C:\"a b"\c"#, &[r"C:\a b\c"]),
            (r#"x """#, &["x", ""]),
            (" ", &[]),
        ];
        for (line, expected) in rows {
            assert_eq!(words(line), expected, "{line}");
        }
    }
}

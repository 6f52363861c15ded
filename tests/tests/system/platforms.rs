//! What differs between operating systems stands in folders named `platform`, so that whoever reads
//! anything else need not ask on which of them it holds.

use std::fs;
use std::path::{Path, PathBuf};

/// Conditions that ask for a system, wherever they stand within `cfg(…)`, `cfg!(…)` or `cfg_attr(…)`.
const SYSTEMS: [&str; 5] = ["unix", "windows", "target_os", "target_family", "target_env"];
/// What only one of them has.
const SYSTEMS_OWN: [&str; 7] = [
    "std::os::unix",
    "std::os::windows",
    "std::os::fd",
    "std::os::linux",
    "rustix::",
    "libc::",
    "windows_sys::",
];
/// Folders that belong to one system as a whole: the crate `windows`, and tests and searches that
/// are for Linux alone. There may be no conditions in the latter either.
const OF_ONE_SYSTEM: [&str; 3] = ["windows", "tests/tests/faults", "fuzz"];

#[test]
fn what_differs_between_systems_stands_in_platform_folders() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is in the workspace");
    let mut sources = Vec::new();
    collect(root, &mut sources);
    assert!(sources.len() > 300, "only {} files of the workspace were found", sources.len());
    let mut places = Vec::new();
    for source in &sources {
        let relative = source.strip_prefix(root).expect("below it");
        if relative.iter().any(|name| name == "platform") || relative.starts_with("windows") {
            continue;
        }
        let text = fs::read_to_string(source).expect("own source");
        let is_of_one = OF_ONE_SYSTEM.iter().any(|folder| relative.starts_with(folder));
        for (number, what) in found(&text) {
            if what == What::Condition || !is_of_one {
                places.push(format!("{}:{number}: {what:?}", relative.display()));
            }
        }
    }
    assert!(places.is_empty(), "{} places:\n{}", places.len(), places.join("\n"));
}

/// All `.rs` files below, but for what is built and what is hidden.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("own folder") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("an entry").to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, into);
            }
        } else if name.ends_with(".rs") {
            into.push(path);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Condition,
    Use,
}

/// Lines that ask for a system, and lines that use what one has. This file names both in its texts,
/// and texts do not count.
fn found(source: &str) -> Vec<(usize, What)> {
    let code = without_texts(source);
    let line_of = |at: usize| code[..at].matches('\n').count() + 1;
    let mut places = Vec::new();
    for opening in ["cfg(", "cfg!(", "cfg_attr("] {
        for (at, _) in code.match_indices(opening) {
            let condition = within_parentheses(&code[at + opening.len()..]);
            let mut words = condition.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            if words.any(|word| SYSTEMS.contains(&word)) {
                places.push((line_of(at), What::Condition));
            }
        }
    }
    for own in SYSTEMS_OWN {
        places.extend(code.match_indices(own).map(|(at, _)| (line_of(at), What::Use)));
    }
    places.sort_by_key(|(line, _)| *line);
    places
}

/// Up to the parenthesis that closes what was opened before.
fn within_parentheses(rest: &str) -> &str {
    let mut depth = 1;
    let end = rest.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    &rest[..end.unwrap_or(rest.len())]
}

/// The source without comments and texts, with as many lines.
fn without_texts(source: &str) -> String {
    let mut code = String::new();
    for line in source.lines() {
        // Texts of several lines are rare, and hold no such words.
        let mut is_text = false;
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            if !is_text && rest.starts_with("//") {
                break;
            }
            if !is_text && rest.starts_with("'\"'") {
                rest = &rest[3..];
                continue;
            }
            match c {
                '\\' if is_text => rest = rest.get(1..).unwrap_or_default(),
                '"' => is_text = !is_text,
                _ if !is_text => code.push(c),
                _ => {}
            }
            rest = rest.chars().next().map_or("", |c| &rest[c.len_utf8()..]);
        }
        code.push('\n');
    }
    code
}

#[test]
fn conditions_and_uses_are_found_wherever_they_stand() {
    let source = [
        "",
        "#[cfg(all(test, not(unix)))]",
        "#[cfg_attr(windows, ignore)]",
        "if cfg!(any(feature = \"x\", target_os = \"macos\")) {}",
        "use std::os::unix::fs::symlink; // cfg(unix)",
        "let text = \"rustix:: cfg(windows)\";",
        "#[cfg(feature = \"unix\")]",
        "#[cfg(all(",
        "    test,",
        "    target_os = \"linux\",",
        "))]",
        "let quote = '\"'; rustix::fs::sync();",
    ]
    .join("\n");
    use What::{Condition, Use};
    let expected =
        [(2, Condition), (3, Condition), (4, Condition), (5, Use), (8, Condition), (12, Use)];
    assert_eq!(found(&source), expected);
}

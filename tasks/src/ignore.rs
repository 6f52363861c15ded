//! Which files of a source are none of anybody's.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Stands for any name: one that no pattern means by itself.
const ANY: &str = "\u{1}";

/// The patterns of a source.
#[derive(Debug, Clone)]
pub(crate) struct Ignore(GlobSet);

impl Ignore {
    /// Takes patterns; those that are none are left out, and told with what is wrong with them.
    pub(crate) fn new(patterns: &[String]) -> (Ignore, Vec<String>) {
        let mut wrong = Vec::new();
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            // At any depth: a task may be a working copy of its own, with a `.git` in it.
            for pattern in [pattern.clone(), format!("**/{pattern}")] {
                match GlobBuilder::new(&pattern).literal_separator(true).build() {
                    Ok(glob) => drop(set.add(glob)),
                    Err(error) => {
                        wrong.push(error.to_string());
                        break;
                    }
                }
            }
        }
        let set = set.build().unwrap_or_else(|error| {
            wrong.push(error.to_string());
            GlobSet::empty()
        });
        (Ignore(set), wrong)
    }

    /// Whether a file is ignored, by its path or its name.
    pub(crate) fn file(&self, relative: &str) -> bool {
        let name = relative.rsplit('/').next().unwrap_or(relative);
        self.0.is_match(relative) || self.0.is_match(name)
    }

    /// Whether a folder is ignored, or all that could be in it.
    pub(crate) fn folder(&self, relative: &str) -> bool {
        let below = format!("{relative}/{ANY}");
        self.file(relative)
            || (self.0.is_match(&below) && self.0.is_match(format!("{below}/{ANY}")))
    }

    /// Whether a path is ignored, or lies in a folder that is.
    pub(crate) fn path(&self, relative: &str) -> bool {
        let ends = relative.match_indices('/').map(|(end, _)| end);
        self.file(relative) || ends.into_iter().any(|end| self.folder(&relative[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_paths_and_names() {
        let patterns = ["*.tmp", ".git/**", "build", "a/*.js", "**/cache/**"].map(str::to_owned);
        let (ignore, wrong) = Ignore::new(&patterns);
        assert!(wrong.is_empty());
        let rows = [
            ("x.tmp", true),
            ("deep/er/x.tmp", true),
            ("x.tmp.js", false),
            (".git/config", true),
            ("sub/.git/config", true),
            ("deep/build/x", true),
            ("a/x.js", true),
            ("a/b/x.js", false),
            ("q/cache/x", true),
        ];
        for (path, expected) in rows {
            assert_eq!(ignore.path(path), expected, "{path}");
        }
        assert!(ignore.folder(".git") && ignore.folder("x/cache") && ignore.folder("x/build"));
        assert!(!ignore.folder("a") && !ignore.folder("src"));
    }

    #[test]
    fn what_is_no_pattern_is_told_and_the_others_count() {
        let (ignore, wrong) = Ignore::new(&["[".to_owned(), "*.tmp".to_owned()]);
        assert_eq!(wrong.len(), 1);
        assert!(ignore.file("x.tmp"));
    }
}

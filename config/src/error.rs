//! What is wrong with a `config.yaml`, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use argus_proto::error::{Code, Error};

/// Most problems that one error lists.
pub const PROBLEMS_MAX: usize = 20;

/// Why a `config.yaml` cannot be used. Its text has one line a problem, `PATH:LINE:COLUMN: …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(path, problems))]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// `E_INVALID` for what it says; `E_IO`, `E_PERMISSION`, `E_TOO_LARGE` where it cannot be read.
    pub code: Code,
    /// What is wrong, in the order of the file; at least one, at most [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its line, from 1; 0 where the file as a whole is meant.
    pub line: u64,
    /// Its column in characters, from 1; 0 where the file as a whole is meant.
    pub column: u64,
    /// The setting, as in `collections.jobs.ttl`; empty where it is not about one.
    pub key: String,
    /// What is wrong with it: one sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl ConfigError {
    /// In one line: the first problem, and how many more there are.
    pub fn brief(&self) -> String {
        let all = self.to_string();
        match (all.lines().next().unwrap_or_default(), self.problems.len().saturating_sub(1)) {
            (first, 0) => first.to_owned(),
            (first, more) => format!("{first} (and {more} more)"),
        }
    }

    /// The error for a file that cannot be used as a whole.
    pub(crate) fn whole(path: &Path, code: Code, message: String) -> Self {
        let problem = Problem { line: 0, column: 0, key: String::new(), message, help: None };
        ConfigError { path: path.to_owned(), code, problems: vec![problem] }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "`{}` ", printable(&self.key))?;
        }
        f.write_str(&printable(&self.message))?;
        match &self.help {
            Some(help) => write!(f, " (help: {})", printable(help)),
            None => Ok(()),
        }
    }
}

/// A file may hold what a terminal obeys; and a problem is one line.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

fn lines(path: &Path, problems: &[Problem]) -> String {
    let line = |problem: &Problem| match problem.line {
        0 => format!("{}: {problem}", path.display()),
        line => format!("{}:{line}:{}: {problem}", path.display(), problem.column),
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        let problems: Vec<_> = error.problems.iter().map(details).collect();
        // What helps stands in the text already, behind its problem.
        let hint = format!("mend the file: {}", error.path.display());
        Error::new(error.code, error.to_string()).hint(hint).details(serde_json::json!({
            "path": error.path.display().to_string(),
            "problems": problems,
        }))
    }
}

fn details(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "line": problem.line,
        "column": problem.column,
        "key": problem.key,
        "message": problem.message,
        "help": problem.help,
    })
}

//! How settings are taken out of a tree: each is asked for by its kind, and what does not fit is
//! noted with its place and its key. `None` is "not given, or noted": the default stands in.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::duration;
use crate::error::{PROBLEMS_MAX, Problem};
use crate::yaml::{Content, Node, Place};

/// Least likeness, from 0 to 1, at which a valid key is taken for what was meant.
const LIKENESS_MIN: f64 = 0.6;
/// Longest key that is compared: it costs the product of both lengths.
const COMPARED_BYTES_MAX: usize = 64;
/// Most characters of a key and of a message.
const SHOWN_CHARS_MAX: usize = 1000;

/// What was found to be wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    fn note(&self, place: Place, key: &str, message: String, help: Option<String>) {
        let mut problems = self.0.borrow_mut();
        if problems.len() < PROBLEMS_MAX {
            let Place { line, column } = place;
            let (key, message) = (shortened(key), shortened(&message));
            problems.push(Problem { line, column, key, message, help });
        }
    }

    /// All of them, in the order of the file.
    pub(crate) fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }
}

/// What is shown of a key or a message: either may repeat most of the file.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// One value, with its key.
pub(crate) struct Setting<'a> {
    /// The last part of its key.
    pub(crate) name: &'a str,
    pub(crate) node: &'a Node,
    /// Where its key stands; for what has none, itself.
    key_place: Place,
    /// The whole key, as in `collections.jobs.ttl`; empty for the document.
    key: String,
    problems: &'a Problems,
}

impl<'a> Setting<'a> {
    /// The whole document.
    pub(crate) fn document(node: &'a Node, problems: &'a Problems) -> Self {
        Setting { name: "", node, key_place: node.place, key: String::new(), problems }
    }

    /// Notes that its value cannot be used.
    pub(crate) fn refuse(&self, message: impl Into<String>) {
        self.problems.note(self.node.place, &self.key, message.into(), None);
    }

    /// The same, with what to write instead.
    pub(crate) fn refuse_with(&self, message: impl Into<String>, help: impl Into<String>) {
        self.problems.note(self.node.place, &self.key, message.into(), Some(help.into()));
    }

    /// Notes that its key cannot be used.
    pub(crate) fn refuse_key(&self, message: impl Into<String>, help: impl Into<String>) {
        self.problems.note(self.key_place, &self.key, message.into(), Some(help.into()));
    }

    /// The line of its key.
    pub(crate) fn line(&self) -> u64 {
        self.key_place.line
    }

    /// A text that is not empty.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Text(text) if text.is_empty() => {
                self.refuse("must not be empty");
                None
            }
            Content::Text(text) => Some(text),
            Content::Number(number) => {
                let help = format!("put it in quotes, as in \"{number}\"");
                self.refuse_with("must be a text, and is a number", help);
                None
            }
            _ => self.mismatch("a text"),
        }
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match &self.node.content {
            Content::Bool(value) => Some(*value),
            _ => self.mismatch("true or false"),
        }
    }

    /// A whole number within these bounds.
    pub(crate) fn count(&self, bounds: RangeInclusive<u64>) -> Option<u64> {
        let (least, most) = (bounds.start(), bounds.end());
        let Content::Number(text) = &self.node.content else {
            return self.mismatch("a whole number");
        };
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        if number.is_none() {
            self.refuse(format!("must be a whole number from {least} to {most}, and is {text}"));
        }
        number
    }

    /// A time within these bounds.
    pub(crate) fn duration(&self, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        let text = match &self.node.content {
            Content::Text(text) => text,
            Content::Number(number) => {
                let help = format!("say of what, as in {number}s");
                self.refuse_with("must be a time with its unit, and is a number", help);
                return None;
            }
            _ => return self.mismatch("a time, as in 500ms, 5s, 10m or 2h"),
        };
        let Some(time) = duration::parse(text) else {
            self.refuse_with(format!("is no time: {text:?}"), "as in 500ms, 5s, 10m or 2h");
            return None;
        };
        if bounds.contains(&time) {
            return Some(time);
        }
        let (least, most) = (duration::print(*bounds.start()), duration::print(*bounds.end()));
        self.refuse(format!("must be a time from {least} to {most}, and is {text}"));
        None
    }

    /// One of these words.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let Content::Text(text) = &self.node.content else {
            return self.mismatch(&format!("one of {}", words.join(", ")));
        };
        let found = choices.iter().find(|(word, _)| word == text);
        if found.is_none() {
            let message = format!("must be one of {}, and is {text:?}", words.join(", "));
            match alike(text, &words) {
                Some(word) => self.refuse_with(message, format!("did you mean `{word}`?")),
                None => self.refuse(message),
            }
        }
        found.map(|(_, value)| *value)
    }

    /// The values of a list; of nothing, none.
    pub(crate) fn list(&self) -> Vec<Setting<'a>> {
        let list = match &self.node.content {
            Content::List(list) => list,
            Content::Null => return Vec::new(),
            _ => {
                let _: Option<()> = self.mismatch("a list");
                return Vec::new();
            }
        };
        let setting = |(at, node): (usize, &'a Node)| Setting {
            name: self.name,
            node,
            key_place: node.place,
            key: format!("{}[{at}]", self.key),
            problems: self.problems,
        };
        list.iter().enumerate().map(setting).collect()
    }

    /// The members of a map whose keys are names that somebody chose; of nothing, none.
    pub(crate) fn members(&self) -> Vec<Setting<'a>> {
        let entries = match &self.node.content {
            Content::Map(entries) => entries,
            Content::Null => return Vec::new(),
            _ => {
                let _: Option<()> = self.mismatch("a map of settings");
                return Vec::new();
            }
        };
        let mut members: Vec<Setting<'a>> = Vec::new();
        let mut lines = HashMap::new();
        for entry in entries {
            let key = match self.key.as_str() {
                "" => entry.key.clone(),
                parent => format!("{parent}.{}", entry.key),
            };
            let member = Setting {
                name: &entry.key,
                node: &entry.value,
                key_place: entry.place,
                key,
                problems: self.problems,
            };
            if let Some(line) = lines.insert(&entry.key, member.line()) {
                let message = format!("is there twice: first on line {line}");
                member.refuse_key(message, "keep one of them");
            } else {
                members.push(member);
            }
        }
        members
    }

    /// The members of a map that has these keys and no other.
    pub(crate) fn section(&self, keys: &[&'static str]) -> Section<'a> {
        let mut members = self.members();
        members.retain(|member| {
            let is_known = keys.contains(&member.name);
            if !is_known {
                let valid = format!("valid here: {}", keys.join(", "));
                let help = match alike(member.name, keys) {
                    Some(key) => format!("did you mean `{key}`? {valid}"),
                    None => valid,
                };
                member.refuse_key("is no setting", help);
            }
            is_known
        });
        Section { members }
    }

    fn mismatch<T>(&self, wanted: &str) -> Option<T> {
        let is = match &self.node.content {
            Content::Null => {
                let help = "leave the key out for the default";
                self.refuse_with(format!("must be {wanted}, and is empty"), help);
                return None;
            }
            Content::Bool(value) => value.to_string(),
            Content::Number(number) => number.clone(),
            Content::Text(text) => format!("{text:?}"),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
        };
        self.refuse(format!("must be {wanted}, and is {is}"));
        None
    }
}

/// The members of a map with fixed keys.
pub(crate) struct Section<'a> {
    members: Vec<Setting<'a>>,
}

impl<'a> Section<'a> {
    /// The member with this key, if it is given.
    pub(crate) fn get(&self, name: &str) -> Option<&Setting<'a>> {
        self.members.iter().find(|member| member.name == name)
    }
}

/// The one of these words that was probably meant.
fn alike<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    if text.len() > COMPARED_BYTES_MAX {
        return None;
    }
    let text = text.to_lowercase();
    let likeness = |word: &str| strsim::normalized_damerau_levenshtein(&text, word);
    let alike = words.iter().copied().filter(|word| likeness(word) >= LIKENESS_MIN);
    alike.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

//! A YAML document as a tree in which everything knows its place.
//!
//! It is read before anything is asked of it, so that all that is wrong can be told at once and
//! not only the first. What it may grow to is bounded, aliases included.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use crate::error::Problem;

/// Deepest nesting: far more than a setting needs, and few enough for the stack of any thread, which
/// reading takes some 40 KiB a level of in a build without optimisation.
const DEPTH_MAX: usize = 32;
/// Most values, those that aliases repeat included.
const NODES_MAX: usize = 100_000;

/// Where something stands, in lines and characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing at all: `key:`, `~`, `null`.
    Null,
    Bool(bool),
    /// As JSON writes it.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; keys may repeat.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

/// Reads a document. The problem is the first that YAML has with it.
pub(crate) fn parse(text: &str) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        // Reported by who knows the key; YAML only knows that there is one more.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // As JSON Schema sees it: `yes` is a text.
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, max_nodes: NODES_MAX },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: NODES_MAX },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| problem(&error))
}

fn problem(error: &serde_saphyr::Error) -> Problem {
    use serde_saphyr::Error;
    let (line, column) =
        error.location().map_or((1, 1), |location| (location.line(), location.column()));
    let (message, help) = match error.without_snippet() {
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (
            "there is more here than settings can be, or it nests deeper".to_owned(),
            Some(format!("at most {NODES_MAX} values, with aliases, in {DEPTH_MAX} levels")),
        ),
        error => {
            let text = error.to_string();
            let suffix = format!(" at line {line}, column {column}");
            let is_alias = matches!(error, Error::UnknownAnchor { .. });
            let help = is_alias.then(|| "quote what begins with `*`".to_owned());
            (text.strip_suffix(&suffix).unwrap_or(&text).to_owned(), help)
        }
    };
    Problem { line, column, key: String::new(), message, help }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Node { place: place(&spanned), content: spanned.value })
    }
}

fn place<T>(spanned: &Spanned<T>) -> Place {
    Place { line: spanned.referenced.line(), column: spanned.referenced.column() }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Number(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Content, E> {
        match serde_json::Number::from_f64(value) {
            Some(number) => Ok(Content::Number(number.to_string())),
            None => Err(E::custom("a number that JSON does not have")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Node>()? {
            map.push(Entry { place: place(&key), key: key.value, value });
        }
        Ok(Content::Map(map))
    }
}

impl Node {
    /// As compact JSON: keys keep their order.
    pub(crate) fn to_json(&self) -> String {
        match &self.content {
            Content::Null => "null".to_owned(),
            Content::Bool(value) => value.to_string(),
            Content::Number(text) => text.clone(),
            Content::Text(text) => argus_proto::json::string(text),
            Content::List(list) => {
                let items: Vec<String> = list.iter().map(Node::to_json).collect();
                format!("[{}]", items.join(","))
            }
            Content::Map(map) => {
                let member = |entry: &Entry| {
                    format!("{}:{}", argus_proto::json::string(&entry.key), entry.value.to_json())
                };
                let members: Vec<String> = map.iter().map(member).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

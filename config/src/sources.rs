//! `registry.sources`: folders of tasks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::{self, EXAMPLE_URI};
use crate::setting::Setting;
use crate::yaml::Content;

/// Most sources.
pub(crate) const SOURCES_MAX: usize = 64;
/// Most characters of a name.
const NAME_CHARS_MAX: usize = 64;
/// Longest debounce and retry delay, in milliseconds.
const DELAY_MS_MAX: u64 = 60_000;
/// Most reloads at a time.
const RELOADS_MAX: u64 = 64;
/// Most patterns of files to ignore.
const PATTERNS_MAX: usize = 100;

/// A folder of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name: the first part of its tasks' ids.
    pub name: String,
    /// Where it is, as it was written.
    pub uri: String,
    /// The same as a path: a relative one is joined to the folder of `config.yaml`.
    pub folder: PathBuf,
    /// Whether changes are followed.
    pub watch: bool,
    /// How they are followed.
    pub watch_options: WatchOptions,
}

/// How changes of a folder are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchOptions {
    /// How long it has to be quiet before tasks are loaded again.
    pub debounce: Duration,
    /// Files that are none of a task's.
    pub ignore_patterns: Vec<String>,
    /// How many tasks are loaded at a time.
    pub max_concurrent_reloads: u64,
    /// Whether a load that failed is tried again.
    pub retry_on_error: bool,
    /// How long after.
    pub retry_delay: Duration,
}

impl Default for WatchOptions {
    fn default() -> Self {
        WatchOptions {
            debounce: Duration::from_millis(500),
            ignore_patterns: ["*.tmp", "*.swp", ".git/**", ".DS_Store"].map(str::to_owned).into(),
            max_concurrent_reloads: 5,
            retry_on_error: true,
            retry_delay: Duration::from_millis(1000),
        }
    }
}

/// Reads the section `registry`; `config` is the path of the file.
pub(crate) fn read(registry: &Setting<'_>, config: &Path) -> Vec<Source> {
    let section = registry.section(&["sources"]);
    let Some(list) = section.get("sources") else { return Vec::new() };
    let items = list.list();
    if items.len() > SOURCES_MAX {
        list.refuse(format!("must have at most {SOURCES_MAX} sources"));
        return Vec::new();
    }
    let mut sources: Vec<Source> = Vec::new();
    for item in &items {
        let Some(source) = read_source(item, config) else { continue };
        if sources.iter().any(|other| other.name == source.name) {
            item.refuse(format!("has a name that another source has already: {}", source.name));
        }
        sources.push(source);
    }
    sources
}

fn read_source(item: &Setting<'_>, config: &Path) -> Option<Source> {
    let section = item.section(&["name", "uri", "config"]);
    let mut watch = true;
    let mut watch_options = WatchOptions::default();
    if let Some(config) = section.get("config") {
        let section = config.section(&["watch", "watch_options"]);
        watch = section.get("watch").and_then(Setting::boolean).unwrap_or(watch);
        if let Some(options) = section.get("watch_options") {
            watch_options.read(options);
        }
    }
    if !matches!(item.node.content, Content::Map(_)) {
        if matches!(item.node.content, Content::Null) {
            item.refuse("is empty");
        }
        return None;
    }
    for key in ["name", "uri"] {
        if section.get(key).is_none() {
            item.refuse_with(
                format!("needs `{key}`"),
                "as in {name: local, uri: \"file://./tasks\"}",
            );
        }
    }
    let name = section.get("name").and_then(read_name);
    let uri = section.get("uri").and_then(|uri| read_uri(uri, config));
    let ((uri, folder), name) = (uri?, name?);
    Some(Source { name, uri, folder, watch, watch_options })
}

fn read_name(setting: &Setting<'_>) -> Option<String> {
    let name = setting.text()?;
    match check_name(name) {
        Ok(()) => Some(name.to_owned()),
        Err(problem) => {
            setting.refuse(problem);
            None
        }
    }
}

/// Whether a source can be called so; else what is wrong with it, as in "the name …".
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins_well && name.len() <= NAME_CHARS_MAX && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(format!(
        "must have 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` and `.`, the first a letter \
         or a digit, and is {name:?}"
    ))
}

fn read_uri(setting: &Setting<'_>, config: &Path) -> Option<(String, PathBuf)> {
    let uri = setting.text()?;
    match path_of(uri) {
        Ok(path) => Some((uri.to_owned(), config.parent().unwrap_or(Path::new("")).join(path))),
        Err(problem) => {
            let help = format!("as in file://./tasks beside config.yaml, or {EXAMPLE_URI}");
            setting.refuse_with(problem, help);
            None
        }
    }
}

/// The path that a URI means; else what is wrong with it, as in "the URI …". What stands behind
/// `file://` is the path as it is: nothing in it is encoded.
pub(crate) fn path_of(uri: &str) -> Result<PathBuf, String> {
    let path = uri
        .strip_prefix("file://")
        .filter(|path| path.starts_with('/') || path.starts_with("./") || path.starts_with("../"))
        .ok_or_else(|| format!("must be the path of a folder, and is {uri:?}"))?;
    match path.to_ascii_lowercase().ends_with(".zip") {
        true => Err("is a ZIP file; argus reads folders only".to_owned()),
        false => Ok(platform::path_of(path)),
    }
}

/// The path that stands behind `file://`, whatever it is.
pub fn path_in_uri(path: &str) -> PathBuf {
    platform::path_of(path)
}

/// The URI of a folder whose path is absolute; `None` where there is none that means it.
pub fn uri_of(folder: &Path) -> Option<String> {
    platform::text_of(folder).map(|text| format!("file://{text}"))
}

impl WatchOptions {
    fn read(&mut self, setting: &Setting<'_>) {
        let section = setting.section(&[
            "debounce_ms",
            "ignore_patterns",
            "max_concurrent_reloads",
            "retry_on_error",
            "retry_delay_ms",
        ]);
        let count = |name, bounds| section.get(name).and_then(|s| s.count(bounds));
        if let Some(ms) = count("debounce_ms", 0..=DELAY_MS_MAX) {
            self.debounce = Duration::from_millis(ms);
        }
        if let Some(most) = count("max_concurrent_reloads", 1..=RELOADS_MAX) {
            self.max_concurrent_reloads = most;
        }
        if let Some(ms) = count("retry_delay_ms", 0..=DELAY_MS_MAX) {
            self.retry_delay = Duration::from_millis(ms);
        }
        if let Some(retry) = section.get("retry_on_error").and_then(Setting::boolean) {
            self.retry_on_error = retry;
        }
        if let Some(patterns) = section.get("ignore_patterns") {
            let items = patterns.list();
            if items.len() > PATTERNS_MAX {
                patterns.refuse(format!("must have at most {PATTERNS_MAX} patterns"));
            }
            self.ignore_patterns =
                items.iter().filter_map(Setting::text).map(str::to_owned).collect();
        }
    }
}

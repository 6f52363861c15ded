//! The settings as a `config.yaml` that says all of them.
//!
//! Written by hand: there are few shapes, and what a person wrote as `"0600"` has to stay text.

use std::fmt::Write;
use std::sync::Arc;

use argus_proto::collection::Collection;
use argus_proto::json;

use crate::collections::{LAYOUTS, OWN};
use crate::config::{Config, LOG_LEVELS, ON_CONFLICT};
use crate::duration;
use crate::sources::Source;

pub(crate) fn print(config: &Config) -> String {
    let mut out = Lines(String::new());
    let time = duration::print;
    out.line(0, "daemon:");
    out.line(1, format_args!("idle_timeout: {}", time(config.daemon.idle_timeout)));
    out.line(1, format_args!("log_level: {}", word(&LOG_LEVELS, config.daemon.log_level)));
    out.line(0, "lock:");
    out.line(1, format_args!("wait: {}", time(config.lock.wait)));
    out.line(1, format_args!("stale_unnamed: {}", time(config.lock.stale_unnamed)));
    out.line(1, format_args!("stale_named: {}", time(config.lock.stale_named)));
    // The registry itself is the first; the others have files of their own.
    for watchers in config.collections.iter().take(1) {
        out.line(0, "watchers:");
        if let Some(ttl) = watchers.ttl {
            out.line(1, format_args!("ttl: {}", time(ttl)));
        }
        out.line(1, format_args!("auto_prune: {}", watchers.auto_prune));
    }
    out.line(0, "database:");
    out.line(1, format_args!("enabled: {}", config.database.enabled));
    out.line(1, format_args!("path: {}", text(&config.database.path.to_string_lossy())));
    out.line(1, format_args!("on_conflict: {}", word(&ON_CONFLICT, config.database.on_conflict)));
    out.line(0, "collections:");
    let is_own = |collection: &&Arc<Collection>| OWN.contains(&collection.name.as_str());
    for collection in config.collections.iter().skip(1).filter(|one| !is_own(one)) {
        let schema = config.schemas.iter().find(|(name, _)| *name == collection.name);
        print_collection(&mut out, collection, schema.map(|(_, path)| path.as_str()));
    }
    out.line(0, "registry:");
    match config.sources.is_empty() {
        true => out.line(1, "sources: []"),
        false => out.line(1, "sources:"),
    }
    for source in &config.sources {
        print_source(&mut out, source);
    }
    out.0
}

fn print_collection(out: &mut Lines, collection: &Collection, schema: Option<&str>) {
    out.line(1, format_args!("{}:", text(&collection.name)));
    if let Some(file) = &collection.file {
        out.line(2, format_args!("file: {}", text(file)));
    }
    out.line(2, format_args!("records: {}", text(&collection.records_key)));
    if let Some(key) = &collection.name_key {
        out.line(2, format_args!("name_key: {}", text(key)));
    }
    if let Some(mode) = collection.mode {
        out.line(2, format_args!("mode: \"{mode:04o}\""));
    }
    if let Some(ttl) = collection.ttl {
        out.line(2, format_args!("ttl: {}", duration::print(ttl)));
    }
    out.line(2, format_args!("protected: {}", list(&collection.protected)));
    if collection.defaults.is_empty() {
        out.line(2, "defaults: {}");
    } else {
        out.line(2, "defaults:");
    }
    for (id, record) in &collection.defaults {
        out.line(3, format_args!("{}: {}", text(id), printable(record)));
    }
    if let Some(path) = schema {
        out.line(2, format_args!("schema: {}", text(path)));
    }
    out.line(2, format_args!("layout: {}", word(&LAYOUTS, collection.layout)));
}

fn print_source(out: &mut Lines, source: &Source) {
    let options = &source.watch_options;
    out.line(2, format_args!("- name: {}", text(&source.name)));
    out.line(3, format_args!("uri: {}", text(&source.uri)));
    out.line(3, "config:");
    out.line(4, format_args!("watch: {}", source.watch));
    out.line(4, "watch_options:");
    out.line(5, format_args!("debounce_ms: {}", options.debounce.as_millis()));
    out.line(5, format_args!("ignore_patterns: {}", list(&options.ignore_patterns)));
    out.line(5, format_args!("max_concurrent_reloads: {}", options.max_concurrent_reloads));
    out.line(5, format_args!("retry_on_error: {}", options.retry_on_error));
    out.line(5, format_args!("retry_delay_ms: {}", options.retry_delay.as_millis()));
}

struct Lines(String);

impl Lines {
    fn line(&mut self, level: usize, text: impl std::fmt::Display) {
        // A `String` takes whatever is written.
        let _ = writeln!(self.0, "{:indent$}{text}", "", indent = 2 * level);
    }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, other)| *other == value).map_or("", |(word, _)| word)
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|item| text(item)).collect();
    format!("[{}]", texts.join(", "))
}

/// Plain where it is sure to be read as text, else in quotes: JSON's are YAML's too.
fn text(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let begins_well = value.starts_with(|c: char| c.is_ascii_lowercase());
    let is_word = !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&value);
    match begins_well && is_word && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => printable(&json::string(value)),
    }
}

/// JSON as YAML takes it: what YAML does not print stands in JSON as itself, but only in texts.
fn printable(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

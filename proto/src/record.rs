//! One record: typed where argus needs it, otherwise exactly as it came.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::collection::Collection;
use crate::error::{Code, Error, Result};
use crate::json::{self, JsonError, JsonText, Object};
use crate::limits::{JSON_DEPTH_MAX, RECORD_BYTES_MAX};
use crate::process::Process;

/// The record's key that holds when it was last known to be true.
pub const UPDATED_AT: &str = "updatedAt";
/// The record's key that holds when its process started.
pub const STARTED_AT: &str = "startedAt";
/// The record's key for what argus itself adds.
pub const PROCESS: &str = "process";

/// A record of a collection. Immutable; a change makes a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    text: Box<str>,
    etag: Box<str>,
    watcher: std::result::Result<Option<Watcher>, Damage>,
}

/// The fields of a record behind which a process stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watcher {
    /// Where it listens.
    pub host: Box<str>,
    /// The port it listens on; 0 for none.
    pub port: u16,
    /// Its process.
    pub pid: u32,
    /// The folder it works in.
    pub cwd: Option<Box<str>>,
    /// When it started, in milliseconds since the epoch.
    pub started_at: u64,
    /// When it last said that it is there, in milliseconds since the epoch.
    pub updated_at: u64,
    /// What distinguishes its process from a later one with the same pid.
    pub process: Option<Process>,
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {problem}", subject(path))]
pub struct Damage {
    /// The place in the record, as in `chrome.port`; empty for the record itself.
    pub path: Box<str>,
    /// What is wrong there.
    pub problem: Box<str>,
}

impl Damage {
    fn at(path: &str, problem: &str) -> Self {
        Damage { path: path.into(), problem: problem.into() }
    }
}

fn subject(path: &str) -> String {
    if path.is_empty() { "it".to_owned() } else { format!("`{path}`") }
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Error::new(Code::Invalid, format!("the record cannot be used: {damage}"))
            .details(serde_json::json!({ "path": damage.path, "problem": damage.problem }))
    }
}

impl Record {
    /// Takes a record as it stands in a file. `text` must be canonical; a damaged record is kept.
    pub fn read(id: &str, text: &str, collection: &Collection) -> Self {
        let damage = match Object::parse(text) {
            Ok(object) => return Record::of(id, text, &object, collection),
            Err(JsonError::TooDeep) => too_deep(),
            Err(_) => Damage::at("", "is not a JSON object"),
        };
        Record { text: text.into(), etag: hash([text]), watcher: Err(damage) }
    }

    /// The record that `text` says, which was read into `object`.
    fn of(id: &str, text: &str, object: &Object, collection: &Collection) -> Self {
        let watcher = match collection.ttl {
            None => Ok(None),
            Some(_) => Watcher::read(id, object).map(Some),
        };
        Record { text: text.into(), etag: etag_of(content(object, collection.ttl)), watcher }
    }

    /// Takes a record that argus is about to write: it must be sound and within the limits.
    pub fn create(id: &str, object: &Object, collection: &Collection) -> Result<Self> {
        let text = object.to_text();
        check_size("the record", &text)?;
        if collection.ttl.is_some() {
            check_optional_fields(object)?;
        }
        if let Some(schema) = &collection.schema {
            schema.check(&text)?;
        }
        if json::is_too_deep(&text) {
            return Err(too_deep().into());
        }
        let record = Record::of(id, &text, object, collection);
        match &record.watcher {
            Err(damage) => Err(damage.clone().into()),
            Ok(_) => Ok(record),
        }
    }

    /// The same record with a new `updatedAt`. Its content, and so its etag, is the same.
    #[must_use]
    pub fn refreshed(&self, now: u64) -> Self {
        let mut record = self.clone();
        let (Ok(mut object), Ok(Some(watcher))) = (Object::parse(&self.text), &mut record.watcher)
        else {
            return record;
        };
        object.set(UPDATED_AT, now.to_string());
        watcher.updated_at = now;
        record.text = object.to_text().into();
        record
    }

    /// The record as canonical JSON.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The record as a value to send.
    pub fn json(&self) -> JsonText {
        JsonText::from_canonical(self.text.as_ref())
    }

    /// A hash of the content: the same in every process, on every day, for the same record.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// The typed fields: `None` where the collection has no processes behind its records.
    pub fn watcher(&self) -> Option<&Watcher> {
        self.watcher.as_ref().ok().and_then(Option::as_ref)
    }

    /// When it was last changed or refreshed, in milliseconds since the epoch, where it says so.
    pub fn updated_at(&self) -> Option<u64> {
        match &self.watcher {
            Ok(Some(watcher)) => Some(watcher.updated_at),
            _ => Object::parse(&self.text)
                .ok()
                .and_then(|object| time_field(&object, UPDATED_AT).ok()),
        }
    }

    /// What is wrong with it, if anything.
    pub fn damage(&self) -> Option<&Damage> {
        self.watcher.as_ref().err()
    }
}

/// Refuses a record, or `what` is bounded as one, that is over the limit.
pub(crate) fn check_size(what: &str, text: &str) -> Result<()> {
    if text.len() <= RECORD_BYTES_MAX {
        return Ok(());
    }
    let bytes = text.len();
    Err(Error::new(
        Code::TooLarge,
        format!("{what} has {bytes} bytes; at most {RECORD_BYTES_MAX} are allowed"),
    )
    .details(serde_json::json!({ "bytes": bytes, "bytesMax": RECORD_BYTES_MAX })))
}

impl Watcher {
    /// Host and port, as in an address bar.
    pub fn endpoint(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }

    fn read(id: &str, object: &Object) -> std::result::Result<Self, Damage> {
        if string_field(object, "id", "id")?.as_deref() != Some(id) {
            return Err(Damage::at("id", "must repeat the record's id"));
        }
        let host = string_field(object, "host", "host")?
            .filter(|host| !host.is_empty())
            .ok_or_else(|| Damage::at("host", "must be a host name or address"))?;
        let pid = integer_field(object, "pid")?
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| *pid > 0)
            .ok_or_else(|| Damage::at("pid", "must be a process id above 0"))?;
        let process = match object.get(PROCESS) {
            None => None,
            // Written by a newer argus, or by nobody: not understood is not known.
            Some(text) => serde_json::from_str(text).ok(),
        };
        Ok(Watcher {
            host: host.into(),
            port: port_field(object, "port", "port")?
                .ok_or_else(|| Damage::at("port", "must be a port number"))?,
            pid,
            cwd: string_field(object, "cwd", "cwd")?.map(Into::into),
            started_at: time_field(object, STARTED_AT)?,
            updated_at: time_field(object, UPDATED_AT)?,
            process,
        })
    }
}

fn too_deep() -> Damage {
    Damage::at("", &format!("nests deeper than {JSON_DEPTH_MAX} levels"))
}

fn value_of(object: &Object, key: &str) -> Option<serde_json::Value> {
    object.get(key).and_then(|text| serde_json::from_str(text).ok())
}

fn string_field(
    object: &Object,
    key: &str,
    path: &str,
) -> std::result::Result<Option<String>, Damage> {
    match object.get(key) {
        None => Ok(None),
        // Not through `Value`: a lone surrogate is a string all the same.
        Some(text) if text.starts_with('"') => Ok(Some(json::key_text(text))),
        Some(_) => Err(Damage::at(path, "must be a string")),
    }
}

fn integer_field(object: &Object, key: &str) -> std::result::Result<Option<u64>, Damage> {
    match value_of(object, key) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(Damage::at(key, "must be a whole number")),
        },
    }
}

fn port_field(object: &Object, key: &str, path: &str) -> std::result::Result<Option<u16>, Damage> {
    match value_of(object, key) {
        None => Ok(None),
        Some(value) => value
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .map(Some)
            .ok_or_else(|| Damage::at(path, "must be a port number from 0 to 65535")),
    }
}

fn time_field(object: &Object, key: &str) -> std::result::Result<u64, Damage> {
    value_of(object, key)
        .and_then(|value| value.as_f64())
        .filter(|time| *time >= 0.0)
        // A float of JavaScript; the fraction of a millisecond is of no use to anyone.
        .map(|time| time as u64)
        .ok_or_else(|| Damage::at(key, "must be milliseconds since the epoch"))
}

/// What only a writer has to get right: a reader can do without these fields.
fn check_optional_fields(object: &Object) -> std::result::Result<(), Damage> {
    for key in ["match", "chrome"] {
        if object.get(key).is_some_and(|value| !value.starts_with('{')) {
            return Err(Damage::at(key, "must be an object"));
        }
    }
    if let Some(chrome) = object.get("chrome")
        && let Ok(chrome) = Object::parse(chrome)
    {
        string_field(&chrome, "host", "chrome.host")?;
        port_field(&chrome, "port", "chrome.port")?;
    }
    if object.get("includeTimestamps").is_some_and(|value| value != "true" && value != "false") {
        return Err(Damage::at("includeTimestamps", "must be true or false"));
    }
    if object.get("source").is_some_and(|value| value != "\"cdp\"" && value != "\"extension\"") {
        return Err(Damage::at("source", "must be \"cdp\" or \"extension\""));
    }
    Ok(())
}

/// What is content in a record: not what a heartbeat changes, nor what argus adds.
fn content(object: &Object, ttl: Option<Duration>) -> impl Iterator<Item = (String, &str)> {
    object.iter().filter(move |(key, _)| ttl.is_none() || (key != UPDATED_AT && key != PROCESS))
}

/// The order of the keys does not count: a program that rewrites an object may change it.
pub(crate) fn etag_of<'a>(members: impl Iterator<Item = (String, &'a str)>) -> Box<str> {
    let mut members: Vec<(String, &str)> = members.collect();
    members.sort();
    hash(members.iter().flat_map(|(key, value)| [key.as_str(), "\0", value, "\0"]))
}

fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> Box<str> {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
    }
    let mut etag = String::with_capacity(16);
    for byte in &hasher.finalize()[..8] {
        etag.push_str(&format!("{byte:02x}"));
    }
    etag.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::WATCHERS;

    const APP: &str = r#"{"id":"app","host":"127.0.0.1","port":40123,"pid":51234,"cwd":"/home/me/shop","startedAt":1760000000000,"updatedAt":1760000000000}"#;

    fn with(key: &str, value: &str) -> Object {
        let mut object = Object::parse(APP).expect("valid");
        object.set(key, value);
        object
    }

    #[test]
    fn the_typed_fields_are_read() {
        let record = Record::read("app", APP, &WATCHERS);
        let watcher = record.watcher().expect("sound");
        assert_eq!((watcher.port, watcher.pid), (40123, 51234));
        assert_eq!(watcher.cwd.as_deref(), Some("/home/me/shop"));
        assert_eq!(record.text(), APP);
    }

    #[test]
    fn a_damaged_record_is_kept_as_it_is_and_names_the_place() {
        let rows = [
            ("null", ""),
            ("[]", ""),
            ("{}", "id"),
            (&with("id", "\"other\"").to_text(), "id"),
            (&with("host", "7").to_text(), "host"),
            (&with("port", "65536").to_text(), "port"),
            (&with("port", "1.5").to_text(), "port"),
            (&with("pid", "0").to_text(), "pid"),
            (&with("pid", "\"1\"").to_text(), "pid"),
            (&with("cwd", "null").to_text(), "cwd"),
            (&with("updatedAt", "\"now\"").to_text(), "updatedAt"),
            (&with("startedAt", "-1").to_text(), "startedAt"),
        ];
        for (text, path) in rows {
            let record = Record::read("app", text, &WATCHERS);
            assert_eq!(record.text(), text);
            assert_eq!(&*record.damage().expect(text).path, path, "{text}");
        }
    }

    #[test]
    fn what_argus_writes_is_checked_more_closely() {
        let rows = [
            ("source", "\"netscape\"", "source"),
            ("chrome", "{\"port\":70000}", "chrome.port"),
            ("chrome", "1", "chrome"),
            ("match", "[]", "match"),
            ("includeTimestamps", "1", "includeTimestamps"),
        ];
        for (key, value, path) in rows {
            let error = Record::create("app", &with(key, value), &WATCHERS).expect_err(value);
            assert_eq!(error.code, Code::Invalid);
            assert_eq!(error.details.expect("details").to_value()["path"], path);
            assert!(Record::read("app", &with(key, value).to_text(), &WATCHERS).damage().is_none());
        }
        let big = with("note", &json::string(&"x".repeat(RECORD_BYTES_MAX)));
        let error = Record::create("app", &big, &WATCHERS).expect_err("too large");
        assert_eq!(error.code, Code::TooLarge);
    }

    #[test]
    fn the_etag_tells_content_and_nothing_else() {
        let record = Record::read("app", APP, &WATCHERS);
        let later = record.refreshed(1_760_000_015_000);
        assert_ne!(later.text(), record.text());
        assert_eq!(later.etag(), record.etag());
        assert_eq!(later, Record::read("app", later.text(), &WATCHERS));

        let identified = with("process", r#"{"bootId":"b","startTime":1}"#).to_text();
        assert_eq!(Record::read("app", &identified, &WATCHERS).etag(), record.etag());

        let mut reordered = Object::parse(APP).expect("valid");
        reordered.remove("id");
        reordered.set_string("id", "app");
        assert_eq!(Record::read("app", &reordered.to_text(), &WATCHERS).etag(), record.etag());

        let moved = with("port", "40124").to_text();
        assert_ne!(Record::read("app", &moved, &WATCHERS).etag(), record.etag());
    }
}

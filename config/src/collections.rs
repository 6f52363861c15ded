//! `collections`: those that somebody adds, and what somebody changes about the built-in ones.

use std::path::Path;
use std::sync::Arc;

use argus_proto::collection::{Collection, Layout};
use argus_proto::json::{self, Object};
use argus_proto::record::{Record, UPDATED_AT};
use argus_proto::schema::Schema;

use crate::config::{Reading, TTL};
use crate::files;
use crate::setting::{Section, Setting};
use crate::shared_files;
use crate::stamp::Stamp;
use crate::yaml::Content;

/// Most collections in the file.
const COLLECTIONS_MAX: usize = 64;
/// Most characters of a collection's name.
const NAME_CHARS_MAX: usize = 64;
/// Longest name of a file: what file systems take, with room for `.lock` and the like behind it.
const FILE_NAME_BYTES_MAX: usize = 200;
/// The key that a record repeats its id under where a process stands behind it.
const PROCESS_NAME_KEY: &str = "id";

/// The collections that argus describes, and nobody else.
pub(crate) const OWN: [&str; 2] = ["tasks", "sources"];

const KEYS: [&str; 9] =
    ["file", "records", "name_key", "mode", "ttl", "protected", "defaults", "schema", "layout"];

pub(crate) const LAYOUTS: [(&str, Layout); 2] =
    [("file", Layout::File), ("directory", Layout::Directory)];

/// Reads the section into `all`, which has the built-in ones. Gives the schemas that were named,
/// by collection.
pub(crate) fn read(
    setting: &Setting<'_>,
    all: &mut Vec<Arc<Collection>>,
    reading: &mut Reading<'_>,
) -> Vec<(String, String)> {
    let members = setting.members();
    if members.len() > COLLECTIONS_MAX {
        setting.refuse(format!("must have at most {COLLECTIONS_MAX} collections"));
        return Vec::new();
    }
    let mut schemas = Vec::new();
    for member in members.iter().filter(|member| check_name(member)) {
        let place = all.iter().position(|collection| collection.name == member.name);
        let mut collection = match place {
            Some(place) => Collection::clone(&all[place]),
            None => Collection { is_strict: false, ..Collection::new(member.name) },
        };
        let section = member.section(&KEYS);
        if let Some(schema) = read_collection(member, &section, &mut collection, reading) {
            schemas.push((collection.name.clone(), schema));
        }
        match place {
            Some(place) => all[place] = collection.into(),
            None => all.push(collection.into()),
        }
    }
    shared_files::check(&members, all, reading.registry);
    schemas
}

fn check_name(member: &Setting<'_>) -> bool {
    let name = member.name;
    match name {
        "watchers" => {
            let help = "set `ttl` and `auto_prune` in the section `watchers` of the document";
            member.refuse_key("is built in, and not described here", help);
            return false;
        }
        name if OWN.contains(&name) => {
            member.refuse_key("is argus' own collection", "choose another name");
            return false;
        }
        _ => {}
    }
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let is_name = name.len() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(is_plain);
    if !is_name {
        let help = format!(
            "1 to {NAME_CHARS_MAX} lower-case letters, digits, `-` and `_`, the first a letter"
        );
        member.refuse_key("cannot be the name of a collection", help);
    }
    is_name
}

/// Lays what is given over `collection`; gives the path of the schema, if one is named.
fn read_collection(
    member: &Setting<'_>,
    section: &Section<'_>,
    collection: &mut Collection,
    reading: &mut Reading<'_>,
) -> Option<String> {
    if let Some(file) = section.get("file").and_then(|s| read_file_name(s, reading)) {
        collection.file = Some(file);
    }
    if let Some(key) = section.get("records").and_then(|s| read_records_key(s, collection)) {
        collection.records_key = key;
    }
    if let Some(key) = section.get("name_key").and_then(Setting::text) {
        collection.name_key = Some(key.to_owned());
    }
    if let Some(mode) = section.get("mode").and_then(read_mode) {
        collection.mode = Some(mode);
    }
    if let Some(layout) = section.get("layout").and_then(|s| s.choice(&LAYOUTS)) {
        collection.layout = layout;
    }
    if let Some(ids) = section.get("protected") {
        collection.protected = ids.list().iter().filter_map(read_id).collect();
    }
    if let Some(ttl) = section.get("ttl").and_then(|s| s.duration(TTL)) {
        collection.ttl = Some(ttl);
        check_processes(section, collection);
    }
    let schema = section.get("schema").and_then(|s| read_schema(s, reading));
    let path = schema.map(|(path, schema)| {
        collection.schema = Some(Arc::new(schema));
        path
    });
    if let Some(defaults) = section.get("defaults") {
        collection.defaults =
            defaults.members().iter().filter_map(|s| read_default(s, collection)).collect();
    } else {
        let place = section.get("schema").unwrap_or(member);
        keep_defaults(place, collection);
    }
    path
}

fn read_file_name(setting: &Setting<'_>, reading: &Reading<'_>) -> Option<String> {
    let name = setting.text()?;
    let lower = name.to_lowercase();
    let is = |path: &Path| {
        path.file_name().is_some_and(|other| other.to_string_lossy().to_lowercase() == lower)
    };
    let problem = if Path::new(name).has_root() || name.split(['/', '\\']).any(|p| p == "..") {
        "names a path outside the registry's folder"
    } else if name.contains(['/', '\\']) {
        "must be the name of a file in the registry's folder, without folders"
    } else if name == "." || name.chars().any(char::is_control) || name.trim() != name {
        "must be the name of a file"
    } else if name.len() > FILE_NAME_BYTES_MAX {
        "is too long for the name of a file"
    } else if lower.ends_with(".lock") || lower.ends_with(".d") {
        "ends as the files do that argus keeps beside a collection's"
    } else if is(reading.registry) {
        "is the registry itself"
    } else if OWN.iter().any(|own| lower == format!("{own}.json")) {
        "is argus' own collection"
    } else if is(reading.path) || lower == "config.yaml" {
        "is the file of these settings"
    } else {
        return Some(name.to_owned());
    };
    setting.refuse_with(format!("{problem}: {name:?}"), "as in jobs.json");
    None
}

fn read_records_key(setting: &Setting<'_>, collection: &Collection) -> Option<String> {
    let key = setting.text()?;
    let is_taken = ["version", UPDATED_AT].contains(&key)
        || collection.top.iter().any(|(other, _)| other == key);
    if is_taken {
        setting.refuse(format!("is a key that the file has for something else: {key}"));
    }
    (!is_taken).then(|| key.to_owned())
}

fn read_mode(setting: &Setting<'_>) -> Option<u32> {
    let help = "in quotes, as in \"0600\"";
    if matches!(setting.node.content, Content::Number(_)) {
        setting.refuse_with("must be the digits of a mode in quotes, and is a number", help);
        return None;
    }
    let text = setting.text()?;
    let is_octal =
        (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let Some(mode) = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777)
    else {
        setting.refuse_with(format!("must be three or four octal digits, and is {text:?}"), help);
        return None;
    };
    if mode & 0o600 != 0o600 {
        setting.refuse_with("must let its owner read and write", help);
        return None;
    }
    Some(mode)
}

fn read_id(setting: &Setting<'_>) -> Option<String> {
    let id = setting.text()?;
    match argus_proto::id::check(id) {
        Ok(()) => Some(id.to_owned()),
        Err(error) => {
            setting.refuse(format!("is no id: {error}"));
            None
        }
    }
}

/// With a `ttl` a record is announced by its process, repeats its id as `id` and is removed when
/// that process ends: what is always there is none of a process.
fn check_processes(section: &Section<'_>, collection: &mut Collection) {
    let Some(ttl) = section.get("ttl") else { return };
    let about = |name: &str| section.get(name).unwrap_or(ttl);
    let key = collection.name_key.get_or_insert_with(|| PROCESS_NAME_KEY.to_owned());
    if key != PROCESS_NAME_KEY {
        about("name_key").refuse_with(
            format!("does not go together: with a `ttl` the `name_key` is `{PROCESS_NAME_KEY}`, and it is `{key}`"),
            "a record with heartbeats is one of a process, which repeats its id as `id`",
        );
    }
    let help = "a record with heartbeats goes when its process ends; leave out one of the two";
    if !collection.protected.is_empty() {
        about("protected").refuse_with("does not go together: `protected` and `ttl`", help);
    }
    let has_defaults = match section.get("defaults") {
        Some(given) => matches!(&given.node.content, Content::Map(map) if !map.is_empty()),
        None => !collection.defaults.is_empty(),
    };
    if has_defaults {
        about("defaults").refuse_with("does not go together: `defaults` and `ttl`", help);
    }
}

fn read_schema(setting: &Setting<'_>, reading: &mut Reading<'_>) -> Option<(String, Schema)> {
    let given = setting.text()?;
    let path = reading.path.parent().unwrap_or(Path::new("")).join(given);
    reading.schemas.push((path.clone(), Stamp::of(&path)));
    let refuse = |problem: String| {
        setting.refuse(format!("cannot be used: {}: {problem}", path.display()));
    };
    let text = files::read(&path).map_err(|unread| refuse(unread.to_string())).ok()?;
    json::check(&text).map_err(|error| refuse(error.to_string())).ok()?;
    let schema = Schema::compile(&text).map_err(|error| refuse(error.to_string())).ok()?;
    Some((given.to_owned(), schema))
}

fn read_default(setting: &Setting<'_>, collection: &Collection) -> Option<(String, String)> {
    let id = setting.name;
    if let Err(error) = argus_proto::id::check(id) {
        setting.refuse_key(format!("is no id: {error}"), "choose another one");
        return None;
    }
    check_keys(setting);
    if !matches!(setting.node.content, Content::Map(_)) {
        setting.refuse("must be a record: a map");
        return None;
    }
    let record = default_record(id, &setting.node.to_json(), collection);
    record.map_err(|problem| setting.refuse(problem)).ok().map(|text| (id.to_owned(), text))
}

/// Notes keys that are there twice, at any depth.
fn check_keys(setting: &Setting<'_>) {
    match &setting.node.content {
        Content::Map(_) => setting.members().iter().for_each(check_keys),
        Content::List(_) => setting.list().iter().for_each(check_keys),
        _ => {}
    }
}

/// The records that a built-in collection always has must fit what was changed about it.
fn keep_defaults(setting: &Setting<'_>, collection: &mut Collection) {
    let mut defaults = Vec::new();
    for (id, text) in &collection.defaults {
        match default_record(id, text, collection) {
            Ok(text) => defaults.push((id.clone(), text)),
            Err(problem) => setting.refuse_with(
                format!("does not fit the record `{id}`, which is always there: {problem}"),
                "give `defaults` that fit",
            ),
        }
    }
    collection.defaults = defaults;
}

/// A record that is always there, completed and checked as one that is written.
fn default_record(id: &str, text: &str, collection: &Collection) -> Result<String, String> {
    let mut object = Object::parse(text).map_err(|error| error.to_string())?;
    if let Some(key) = &collection.name_key {
        match object.get(key) {
            None => object.set_string(key, id),
            Some(text) if text == json::string(id) => {}
            Some(text) => return Err(format!("`{key}` must repeat the id, and is {text}")),
        }
    }
    // Without the feature no schema can be checked, and a record that has one is refused.
    if cfg!(feature = "schema") || collection.schema.is_none() {
        Record::create(id, &object, collection).map_err(|error| error.to_string())?;
    }
    Ok(object.to_text())
}

//! The sources there are: those of `config.yaml`, and what people have added and paused by command.
//!
//! The latter is a collection like any other, [`SOURCES`](argus_proto::collection::SOURCES): a record for
//! each added source, {name, uri, watch?, paused?}, and {name, paused} for one of `config.yaml`.

use std::path::PathBuf;

use argus_proto::Request;
use argus_proto::document::Document;
use argus_proto::error::{Code, Error, Result};
use argus_proto::json::JsonText;
use argus_proto::method::{AddSource, Patch, PauseSource, Put, Remove, RemoveSource, ResumeSource};
use argus_proto::shell::quoted;
use serde::Deserialize;
use serde_json::json;

use crate::platform::EXAMPLE_URI;
use crate::sources::{SOURCES_MAX, Source, WatchOptions, check_name, path_of};

/// A source, and what people have made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSource {
    /// What it is.
    pub source: Source,
    /// Its tasks stay as they are.
    pub is_paused: bool,
    /// It was added by command, and can be removed by one.
    pub is_added: bool,
    /// One of the same name that was added by command, and gives way.
    pub hides: Option<String>,
}

#[derive(Deserialize)]
struct Added {
    #[serde(default)]
    uri: Option<String>,
    #[serde(default)]
    watch: Option<bool>,
    #[serde(default)]
    paused: bool,
}

/// All sources, by name. `added` is the collection; what is damaged in it is left out.
pub fn known_sources(configured: &[Source], added: &Document) -> Vec<KnownSource> {
    let mut known: Vec<KnownSource> = configured
        .iter()
        .map(|source| KnownSource {
            source: source.clone(),
            is_paused: false,
            is_added: false,
            hides: None,
        })
        .collect();
    for (name, record) in added.records.iter() {
        let Ok(Added { uri, watch, paused }) = serde_json::from_str(record.text()) else {
            continue;
        };
        if let Some(one) = known.iter_mut().find(|one| *one.source.name == **name) {
            one.is_paused = paused;
            one.hides = uri;
            continue;
        }
        let Some(uri) = uri else { continue };
        let Ok(folder) = absolute(&uri) else { continue };
        let watch_options = WatchOptions::default();
        let name = name.to_string();
        let source = Source { name, uri, folder, watch: watch.unwrap_or(true), watch_options };
        known.push(KnownSource { source, is_paused: paused, is_added: true, hides: None });
    }
    known.sort_by(|one, other| one.source.name.cmp(&other.source.name));
    known
}

/// The source of this name.
///
/// # Errors
/// `E_NOT_FOUND`.
pub fn named_source<'a>(known: &'a [KnownSource], name: &str) -> Result<&'a KnownSource> {
    known.iter().find(|one| one.source.name == name).ok_or_else(|| {
        Error::new(Code::NotFound, format!("there is no source `{name}`"))
            .hint("argus sources ls")
            .details(json!({ "name": name }))
    })
}

/// What adding a source changes in the collection, and the source.
///
/// # Errors
/// `E_USAGE` for what cannot be a source; `E_CONFLICT` where there is one of this name.
pub fn add_source(known: &[KnownSource], add: &AddSource) -> Result<(Request, PathBuf)> {
    let unusable = |what: &str, problem: String| {
        Error::new(Code::Usage, format!("the {what} of a source {problem}"))
            .hint(format!("argus sources add {EXAMPLE_URI} --name NAME"))
    };
    let folder = absolute(&add.uri).map_err(|problem| unusable("URI", problem))?;
    let name = match &add.name {
        Some(name) => name.clone(),
        None => folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    if known.len() >= SOURCES_MAX {
        let message =
            format!("there are {SOURCES_MAX} sources already, the most that are followed");
        return Err(Error::new(Code::TooLarge, message).hint("argus sources ls"));
    }
    check_name(&name).map_err(|problem| unusable("name", problem))?;
    if let Some(other) = known.iter().find(|one| one.source.name == name) {
        let message = format!("there is a source `{name}` already: {}", other.source.uri);
        return Err(Error::new(Code::Conflict, message)
            .hint(format!("argus sources add {} --name NAME", quoted(&add.uri)))
            .details(json!({ "name": name, "uri": other.source.uri })));
    }
    let mut record = json!({ "name": name, "uri": add.uri });
    if let Some(watch) = add.watch {
        record["watch"] = watch.into();
    }
    let put = Put { if_absent: true, flush: true, ..Put::new(&name, text(&record)) };
    Ok((put.into(), folder))
}

/// The error for a source whose folder is not there.
pub fn no_folder(uri: &str) -> Error {
    Error::new(Code::NotFound, format!("there is no folder at {uri}"))
        .hint("argus sources add --help")
        .details(json!({ "uri": uri }))
}

/// What removing one changes.
///
/// # Errors
/// `E_NOT_FOUND`; `E_CONFLICT` for one of `config.yaml`.
pub fn remove_source(known: &[KnownSource], remove: &RemoveSource) -> Result<Request> {
    let name = &remove.name;
    let source = named_source(known, name)?;
    if !source.is_added {
        let message = format!("the source `{name}` stands in config.yaml, and is removed there");
        return Err(Error::new(Code::Conflict, message)
            .hint(format!("argus sources pause {}", quoted(name)))
            .details(json!({ "name": name })));
    }
    Ok(Remove { id: name.clone(), pid: None, if_match: None, flush: true }.into())
}

/// What pausing one changes.
///
/// # Errors
/// `E_NOT_FOUND`.
pub fn pause_source(known: &[KnownSource], pause: &PauseSource) -> Result<Request> {
    set_paused(known, &pause.name, true)
}

/// What letting one go on changes.
///
/// # Errors
/// `E_NOT_FOUND`.
pub fn resume_source(known: &[KnownSource], resume: &ResumeSource) -> Result<Request> {
    set_paused(known, &resume.name, false)
}

fn set_paused(known: &[KnownSource], name: &str, is_paused: bool) -> Result<Request> {
    let source = named_source(known, name)?;
    let paused = is_paused.then_some(true);
    if source.is_added {
        let patch = text(&json!({ "paused": paused }));
        return Ok(Patch { flush: true, ..Patch::new(name, patch) }.into());
    }
    Ok(match is_paused {
        true => {
            let record = text(&json!({ "name": name, "paused": true }));
            Put { flush: true, ..Put::new(name, record) }.into()
        }
        false => Remove { id: name.to_owned(), pid: None, if_match: None, flush: true }.into(),
    })
}

/// Whether the record of a task says that it is not as it should be.
pub fn is_invalid(task: &str) -> bool {
    #[derive(Deserialize)]
    struct Task {
        status: String,
    }
    serde_json::from_str(task).is_ok_and(|task: Task| task.status == "invalid")
}

fn absolute(uri: &str) -> std::result::Result<PathBuf, String> {
    match path_of(uri)? {
        path if path.is_absolute() => Ok(path),
        _ => Err(format!("must be absolute, and is {uri:?}")),
    }
}

fn text(value: &serde_json::Value) -> JsonText {
    JsonText::from_canonical(value.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use argus_proto::collection::SOURCES;

    fn document(records: &str) -> Document {
        let text = format!(r#"{{"version":1,"sources":{records}}}"#);
        Document::parse(text.as_bytes(), &SOURCES).expect("a document")
    }

    fn configured() -> Vec<Source> {
        vec![Source {
            name: "local".to_owned(),
            uri: "file://./tasks".to_owned(),
            folder: "/home/me/tasks".into(),
            watch: true,
            watch_options: WatchOptions::default(),
        }]
    }

    /// With a drive in front of a path that begins at the top, where that needs one.
    fn on_this_system(uris: &str) -> String {
        if needs_drive() { uris.replace("/srv", "/C:/srv") } else { uris.to_owned() }
    }

    fn needs_drive() -> bool {
        !Path::new("/srv").is_absolute()
    }

    fn srv() -> &'static Path {
        Path::new(if needs_drive() { "C:/srv/a b" } else { "/srv/a b" })
    }

    #[test]
    fn what_was_added_and_paused_is_laid_over_what_is_configured() {
        let added = document(&on_this_system(
            r#"{"more":{"name":"more","uri":"file:///srv/a b","watch":false},
                "local":{"name":"local","paused":true},
                "gone":{"name":"gone","paused":true},
                "relative":{"name":"relative","uri":"file://./x"},
                "damaged":7}"#,
        ));
        let known = known_sources(&configured(), &added);
        let shown: Vec<_> = known
            .iter()
            .map(|one| (one.source.name.as_str(), one.is_added, one.is_paused, one.source.watch))
            .collect();
        assert_eq!(shown, [("local", false, true, true), ("more", true, false, false)]);
        assert_eq!(known[1].source.folder, srv());
    }

    #[test]
    fn what_cannot_be_a_source_is_refused_and_says_why() {
        let known = known_sources(
            &configured(),
            &document(&on_this_system(r#"{"more":{"uri":"file:///srv"}}"#)),
        );
        let add = |uri: &str, name: Option<&str>| {
            let add = AddSource { uri: uri.into(), name: name.map(str::to_owned), watch: None };
            add_source(&known, &add).map_err(|error| error.code)
        };
        let refused = [
            ("file://./tasks", None, Code::Usage),
            ("/srv/tasks", None, Code::Usage),
            ("https://example.com/t", None, Code::Usage),
            ("file:///srv/tasks.ZIP", None, Code::Usage),
            ("file:///", None, Code::Usage),
            ("file:///srv/a b", None, Code::Usage),
            ("file:///srv/local", None, Code::Conflict),
            ("file:///srv/x", Some("more"), Code::Conflict),
        ];
        for (uri, name, code) in refused {
            let uri = &on_this_system(uri);
            assert_eq!(add(uri, name).map(drop), Err(code), "{uri} {name:?}");
        }
        let (request, folder) =
            add(&on_this_system("file:///srv/a b"), Some("ab")).expect("it can be one");
        assert_eq!(folder, srv());
        let Request::Put(put) = request else { panic!("{request:?}") };
        let value = on_this_system(r#"{"name":"ab","uri":"file:///srv/a b"}"#);
        assert_eq!(put.value.as_str(), value);

        let remove = |name: &str| {
            remove_source(&known, &RemoveSource { name: name.into() }).map_err(|error| error.code)
        };
        assert_eq!(remove("local").map(drop), Err(Code::Conflict));
        assert_eq!(remove("nobody").map(drop), Err(Code::NotFound));
        assert!(matches!(remove("more"), Ok(Request::Remove(_))));
        let pause = |name: &str| pause_source(&known, &PauseSource { name: name.into() });
        assert!(matches!(pause("local"), Ok(Request::Put(_))));
        assert!(matches!(pause("more"), Ok(Request::Patch(_))));
    }
}

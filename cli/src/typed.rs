//! Commands that an error or a finding names, to be typed as they are.

use argus_client::{Code, Error};
use argus_config::Config;
pub(crate) use argus_proto::shell::quoted;
use argus_store::{Paths, locate_registry};

use crate::args::Global;

/// What is typed for this registry: its path as well, unless it is the one that is meant anyway.
pub(crate) fn argus(paths: &Paths) -> String {
    let usual = locate_registry(None).and_then(|path| Paths::new(&path));
    match usual {
        Ok(usual) if usual == *paths => "argus".to_owned(),
        _ => format!("argus --registry {}", quoted(&paths.registry().to_string_lossy())),
    }
}

/// The verbs that are about one collection.
const OF_A_COLLECTION: [&str; 16] = [
    "announce",
    "doctor",
    "edit",
    "events",
    "get",
    "heartbeat",
    "history",
    "ls",
    "patch",
    "prune",
    "put",
    "resolve",
    "rm",
    "top",
    "wait",
    "why",
];

/// An error with its help as it is to be typed here: about the registry and the collection that this call
/// was about.
pub(crate) fn helpful(error: Error, global: &Global) -> Error {
    let error = match error.code {
        Code::Usage if names_a_collection(&error) => about_settings(error, global),
        _ => error,
    };
    let hint = error.hint.as_deref().map(|hint| typed_here(hint, global));
    Error { hint, ..error }
}

/// Whether it is that there is no such collection.
fn names_a_collection(error: &Error) -> bool {
    error.details.as_ref().is_some_and(|details| details.to_value().get("collection").is_some())
}

/// A name that is unknown is often one that could not be read.
fn about_settings(error: Error, global: &Global) -> Error {
    let registry = locate_registry(global.registry.as_deref()).and_then(|path| Paths::new(&path));
    let Ok(registry) = registry else { return error };
    let path = argus_config::locate(registry.registry());
    match Config::read(&path, registry.registry()) {
        Ok(_) => error,
        Err(_) => {
            let message = format!("{}, and {} cannot be used", error.message, path.display());
            Error { message, ..error }.hint("argus config check")
        }
    }
}

fn typed_here(hint: &str, global: &Global) -> String {
    let Some(at) = hint.find("argus ").filter(|at| *at == 0 || hint[..*at].ends_with(' ')) else {
        return hint.to_owned();
    };
    let (before, command) = hint.split_at(at);
    let command = command.trim_start_matches("argus ");
    let verb = command.split([' ', ':']).next().unwrap_or_default();
    let mut options = String::new();
    if let Some(registry) = &global.registry
        && !command.contains("--registry")
    {
        options += &format!("--registry {} ", quoted(&registry.to_string_lossy()));
    }
    if let Some(collection) = &global.collection
        && OF_A_COLLECTION.contains(&verb)
        && !command.split(' ').any(|word| word == "-c")
    {
        options += &format!("-c {} ", quoted(collection));
    }
    format!("{before}argus {options}{command}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_is_about_what_the_call_was_about() {
        let global = |registry: Option<&str>, collection: Option<&str>| Global {
            registry: registry.map(Into::into),
            collection: collection.map(str::to_owned),
            ..Global::default()
        };
        let rows = [
            ("argus get a", None, None, "argus get a"),
            ("argus get a", None, Some("jobs"), "argus -c jobs get a"),
            (
                "read it again: argus get a",
                Some("/a b"),
                Some("jobs"),
                "read it again: argus --registry '/a b' -c jobs get a",
            ),
            ("argus daemon start", None, Some("jobs"), "argus daemon start"),
            ("ls -ld /tmp/argus x", None, Some("jobs"), "ls -ld /tmp/argus x"),
            ("argus -c jobs get a", None, Some("jobs"), "argus -c jobs get a"),
            ("argus put -c jobs a JSON", None, Some("jobs"), "argus put -c jobs a JSON"),
        ];
        for (hint, registry, collection, expected) in rows {
            assert_eq!(typed_here(hint, &global(registry, collection)), expected);
        }
    }
}

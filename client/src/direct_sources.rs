//! What is asked about folders of tasks without a daemon: nobody follows them, and which there are can be
//! told and changed all the same.

use std::time::Instant;

use argus_proto::error::{Code, Error, Result};
use argus_proto::{Answer, Request};

use crate::fallback::Fallback;

/// Carries out a request about sources on the files.
#[cfg(feature = "config")]
pub(crate) fn answer(fallback: &Fallback, request: &Request, until: Instant) -> Result<Answer> {
    use argus_config::{add_source, no_folder, pause_source, remove_source, resume_source};
    use argus_proto::collection::SOURCES;
    use argus_proto::method::Sources;

    let added = fallback.direct_for(&SOURCES)?;
    let known = known(fallback)?;
    let change = match request {
        Request::ListSources(_) => None,
        Request::AddSource(add) => {
            let (change, folder) = add_source(&known, add)?;
            if !folder.is_dir() {
                return Err(no_folder(&add.uri));
            }
            Some(change)
        }
        Request::RemoveSource(remove) => Some(remove_source(&known, remove)?),
        Request::PauseSource(pause) => Some(pause_source(&known, pause)?),
        Request::ResumeSource(resume) => Some(resume_source(&known, resume)?),
        _ => return Err(nobody_looks()),
    };
    if let Some(change) = change {
        added.call(&change, until)?;
    }
    let answer = Sources { sources: statuses(fallback)? };
    Ok(match request {
        Request::AddSource(_) => Answer::AddSource(answer),
        Request::RemoveSource(_) => Answer::RemoveSource(answer),
        Request::PauseSource(_) => Answer::PauseSource(answer),
        Request::ResumeSource(_) => Answer::ResumeSource(answer),
        _ => Answer::ListSources(answer),
    })
}

#[cfg(feature = "config")]
fn known(fallback: &Fallback) -> Result<Vec<argus_config::KnownSource>> {
    let added = fallback.direct_for(&argus_proto::collection::SOURCES)?.document()?;
    Ok(argus_config::known_sources(&fallback.config().sources, &added))
}

/// What can be said of sources that nobody follows.
#[cfg(feature = "config")]
fn statuses(fallback: &Fallback) -> Result<Vec<argus_proto::method::SourceStatus>> {
    use argus_proto::collection::TASKS;
    use argus_proto::method::{SourceStatus, Watching};

    let tasks = fallback.direct_for(&TASKS)?.document()?;
    let status = |known: argus_config::KnownSource| {
        let source = known.source;
        let is_own = |id: &str| id.split_once('/').is_some_and(|(name, _)| name == source.name);
        let own = tasks.records.iter().filter(|(id, _)| is_own(id));
        let is_invalid: Vec<bool> =
            own.map(|(_, record)| argus_config::is_invalid(record.text())).collect();
        SourceStatus {
            watching: if known.is_paused { Watching::Paused } else { Watching::Off },
            tasks: is_invalid.len() as u64,
            invalid: is_invalid.iter().filter(|is_invalid| **is_invalid).count() as u64,
            name: source.name,
            uri: source.uri,
            ..SourceStatus::default()
        }
    };
    Ok(known(fallback)?.into_iter().map(status).collect())
}

/// Without the settings it is not known which folders there are.
#[cfg(not(feature = "config"))]
pub(crate) fn answer(_fallback: &Fallback, _request: &Request, _until: Instant) -> Result<Answer> {
    Err(nobody_looks())
}

fn nobody_looks() -> Error {
    Error::new(
        Code::Unreachable,
        "only argusd looks into the folders of tasks, and this call did not reach it",
    )
    .hint("argus daemon start")
}

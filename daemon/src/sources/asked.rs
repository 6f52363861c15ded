//! What people ask about sources.

use std::sync::Arc;

use argus_config::{
    KnownSource, add_source, named_source, no_folder, pause_source, remove_source, resume_source,
};
use argus_proto::collection::{SOURCES, TASKS};
use argus_proto::error::{Code, Error, Result};
use argus_proto::method::Sources;
use argus_proto::shell::quoted;
use argus_proto::{Answer, Call, Request};

use super::known_now;
use crate::daemon::Daemon;
use crate::serve::{Peer, answer_in, beside_the_others, limits};

/// Answers what is asked about sources.
pub(crate) async fn serve(daemon: &Arc<Daemon>, peer: &Peer, call: Call) -> Result<Answer> {
    let sources = &daemon.sources;
    let (known, _) = known_now(daemon).await?;
    match &call.request {
        Request::AddSource(add) => {
            let (request, folder) = add_source(&known, add)?;
            let is_there = beside_the_others(true, move || folder.is_dir()).await?;
            if !is_there {
                return Err(no_folder(&add.uri));
            }
            change(daemon, peer, &call, request).await?;
        }
        Request::RemoveSource(remove) => {
            change(daemon, peer, &call, remove_source(&known, remove)?).await?;
        }
        Request::PauseSource(pause) => {
            change(daemon, peer, &call, pause_source(&known, pause)?).await?;
        }
        Request::ResumeSource(resume) => {
            change(daemon, peer, &call, resume_source(&known, resume)?).await?;
        }
        Request::SyncSources(sync) => {
            if let Some(name) = &sync.name {
                refuse_paused(named_source(&known, name)?)?;
            }
            sources.look(daemon).await?;
            sources.sync(sync.name.as_deref(), answer_in(call.deadline)).await?;
        }
        _ => sources.look(daemon).await?,
    }
    let tasks = daemon.registries.opened(&TASKS.name);
    let answer = Sources { sources: sources.list(tasks.as_ref()) };
    Ok(match call.request {
        Request::AddSource(_) => Answer::AddSource(answer),
        Request::RemoveSource(_) => Answer::RemoveSource(answer),
        Request::PauseSource(_) => Answer::PauseSource(answer),
        Request::ResumeSource(_) => Answer::ResumeSource(answer),
        Request::SyncSources(_) => Answer::SyncSources(answer),
        _ => Answer::ListSources(answer),
    })
}

fn refuse_paused(known: &KnownSource) -> Result<()> {
    if !known.is_paused {
        return Ok(());
    }
    let name = &known.source.name;
    Err(Error::new(Code::Conflict, format!("the source `{name}` is paused"))
        .hint(format!("argus sources resume {}", quoted(name))))
}

/// Changes the collection of sources, and carries it out before it is answered.
async fn change(daemon: &Arc<Daemon>, peer: &Peer, call: &Call, request: Request) -> Result<()> {
    let registry = daemon.registries.registry(Some(&SOURCES.name)).await?;
    registry.change(request, peer.caller(), limits(daemon, call.deadline, peer)).await?;
    daemon.sources.look(daemon).await
}

//! `argus wait`: until a record is there, gone, or answers.

use std::time::Duration;

use argus_client::method::{Found, Subscribe};
use argus_client::{Code, Error, Result, State, Subscription};
use argus_presence::reachable;
use argus_proto::Record;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::Session;
use crate::args::{Wait, WaitFor};

/// How long a watcher may take to answer, and the pause before it is asked again.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const PROBE_PAUSE: Duration = Duration::from_millis(200);
/// How often it is looked at whether the process still runs, which no event tells at once.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct Waited {
    id: String,
    #[serde(rename = "for")]
    wait_for: &'static str,
}

pub(crate) async fn run(session: &Session, arguments: Wait) -> Result<()> {
    let until = Instant::now() + arguments.timeout;
    let ids = Some(vec![arguments.id.clone()]);
    let mut events = session.client.subscribe(Subscribe { ids, ..Subscribe::default() });
    let what = arguments.wait_for.name();
    // The first event is what there is: from here on nothing is missed. However short the wait, it
    // is looked once.
    events.next().await?;
    if !is_so(session, &arguments).await? {
        timeout_at(until, wait(session, &arguments, &mut events)).await.unwrap_or_else(|_| {
            let seconds = arguments.timeout.as_secs_f32();
            let message = format!("`{}` is not {what} after {seconds:.1} s", arguments.id);
            Err(Error::new(Code::Timeout, message).hint("argus ls"))
        })?;
    }
    let waited = Waited { id: arguments.id, wait_for: what };
    session.output.data(&waited, |waited| waited.id.clone())
}

async fn wait(session: &Session, arguments: &Wait, events: &mut Subscription) -> Result<()> {
    loop {
        let pause = match arguments.wait_for {
            WaitFor::Reachable => PROBE_PAUSE,
            _ => LOOK_EVERY,
        };
        tokio::select! {
            event = events.next() => drop(event?),
            () = sleep(pause) => {}
        }
        if is_so(session, arguments).await? {
            return Ok(());
        }
    }
}

async fn is_so(session: &Session, arguments: &Wait) -> Result<bool> {
    match arguments.wait_for {
        WaitFor::Present => is_present(session, &arguments.id).await,
        WaitFor::Gone => is_present(session, &arguments.id).await.map(|is_present| !is_present),
        WaitFor::Reachable => answers(session, &arguments.id).await,
    }
}

/// Whether there is such a record, and its process is not proven gone.
async fn is_present(session: &Session, id: &str) -> Result<bool> {
    Ok(find(session, id).await?.is_some_and(|found| found.state != Some(State::Dead)))
}

async fn answers(session: &Session, id: &str) -> Result<bool> {
    let Some(found) = find(session, id).await? else { return Ok(false) };
    let record = Record::read(id, found.record.as_str(), &session.client.description());
    let Some(watcher) = record.watcher().cloned() else { return Ok(false) };
    let ask = move || {
        let deadline = std::time::Instant::now() + PROBE_TIMEOUT;
        reachable::answers(&watcher.host, watcher.port, deadline)
    };
    Ok(tokio::task::spawn_blocking(ask).await.unwrap_or(false))
}

async fn find(session: &Session, id: &str) -> Result<Option<Found>> {
    match session.client.get(id).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

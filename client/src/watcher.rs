//! A process that is there for as long as it runs: announced, kept fresh, and removed at the end.

use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use argus_proto::error::{Code, Error, Result};
use argus_proto::json::Object;
use argus_proto::method::{Announce, Announced, Heartbeat, Remove};
use tokio::sync::{oneshot, watch};

use crate::client::Client;
use crate::options::Options;
use crate::route::Route;

/// How long dropping a [`Watcher`] waits for its record to be removed.
const REMOVE_WAIT: Duration = Duration::from_secs(2);

/// The shortest time between two heartbeats.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Where a watcher's record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is there, and was fresh at the last heartbeat.
    Announced,
    /// The last heartbeat failed; the next is sent all the same.
    Failing(Error),
    /// Somebody removed it on purpose, or took the name. It is not announced again.
    Gone(Error),
}

/// Announces a record, keeps it fresh from a thread of its own, and removes it when dropped.
///
/// Whatever happens to the registry, the program goes on: a heartbeat that fails is only noted.
/// Works the same with and without an asynchronous runtime.
#[derive(Debug)]
pub struct Watcher {
    announced: Announced,
    standing: watch::Receiver<Standing>,
    route: watch::Receiver<Route>,
    stop: Option<oneshot::Sender<()>>,
    ended: std_mpsc::Receiver<Result<()>>,
}

impl Watcher {
    /// Announces and waits for the answer.
    ///
    /// # Errors
    /// As [`Client::announce`].
    pub fn start(options: Options, announce: Announce) -> Result<Self> {
        let (report, started) = std_mpsc::channel();
        begin(options, announce, move |result| drop(report.send(result)))?;
        started.recv().unwrap_or_else(|_| Err(thread_ended()))
    }

    /// As [`Watcher::start`], for asynchronous programs.
    ///
    /// # Errors
    /// As [`Client::announce`].
    pub async fn start_async(options: Options, announce: Announce) -> Result<Self> {
        let (report, started) = oneshot::channel();
        begin(options, announce, move |result| drop(report.send(result)))?;
        started.await.unwrap_or_else(|_| Err(thread_ended()))
    }

    /// The name under which it is known, which may differ from the one asked for.
    pub fn id(&self) -> &str {
        &self.announced.id
    }

    /// What the announcement was answered.
    pub fn announced(&self) -> &Announced {
        &self.announced
    }

    /// Where its record stands.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Tells of every change of [`Watcher::standing`].
    pub fn standing_changes(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Which way its calls go, and every change of it.
    pub fn route_changes(&self) -> watch::Receiver<Route> {
        self.route.clone()
    }

    /// Removes the record, and tells whether that succeeded. Dropping does the same silently.
    ///
    /// # Errors
    /// As [`Client::remove`]; `E_TIMEOUT` where it takes longer than two seconds.
    pub fn close(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if self.stop.take().is_none() {
            return Ok(());
        }
        self.ended.recv_timeout(REMOVE_WAIT).unwrap_or_else(|_| {
            Err(Error::new(Code::Timeout, format!("`{}` is still being removed", self.id())))
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; the dead process tells the rest.
        let _ = self.end();
    }
}

fn thread_ended() -> Error {
    Error::new(Code::Io, "the watcher's thread ended")
}

/// Starts the thread, which reports once the announcement is answered.
fn begin(
    options: Options,
    announce: Announce,
    report: impl FnOnce(Result<Watcher>) + Send + 'static,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Io, format!("cannot start a runtime: {error}")))?;
    std::thread::Builder::new()
        .name("argus-watcher".into())
        .spawn(move || {
            runtime.block_on(live(options, announce, report));
            runtime.shutdown_background();
        })
        .map_err(|error| Error::new(Code::Io, format!("cannot start a thread: {error}")))?;
    Ok(())
}

/// A watcher's life: from its announcement to its removal.
async fn live(options: Options, announce: Announce, report: impl FnOnce(Result<Watcher>)) {
    let interval = options.heartbeat_interval;
    let announced = match Client::new(options) {
        Ok(client) => client.announce(announce.clone()).await.map(|answer| (client, answer)),
        Err(error) => Err(error),
    };
    let (client, announced) = match announced {
        Ok(announced) => announced,
        Err(error) => return report(Err(error)),
    };
    let pid = pid_of(&announce);
    let id = announced.id.clone();
    let (standing, standing_changes) = watch::channel(Standing::Announced);
    let (stop, mut stopped) = oneshot::channel();
    let (ending, ended) = std_mpsc::channel();
    report(Ok(Watcher {
        announced,
        standing: standing_changes,
        route: client.route_changes(),
        stop: Some(stop),
        ended,
    }));

    let mut heartbeat = tokio::time::interval(interval.max(INTERVAL_MIN));
    heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    heartbeat.tick().await;
    loop {
        tokio::select! {
            _ = heartbeat.tick() => {
                if matches!(*standing.borrow(), Standing::Gone(_)) {
                    continue;
                }
                let next = beat(&client, &announce, &id, pid).await;
                standing.send_if_modified(|current| {
                    let differs = *current != next;
                    *current = next;
                    differs
                });
            }
            _ = &mut stopped => break,
        }
    }
    // Fenced: if the name is another's by now, his record stays.
    let removed = client.remove(Remove { id, pid: Some(pid), if_match: None, flush: false }).await;
    let _ = ending.send(removed.map(|_| ()));
}

async fn beat(client: &Client, announce: &Announce, id: &str, pid: u32) -> Standing {
    let heartbeat = Heartbeat { id: id.to_owned(), pid: Some(pid) };
    match client.heartbeat(heartbeat).await {
        Ok(_) => Standing::Announced,
        Err(error) if error.code == Code::NotFound && was_removed_on_purpose(&error) => {
            Standing::Gone(error)
        }
        Err(error) if error.code == Code::NotFound => {
            match client.announce(under_its_name(announce, id)).await {
                Ok(_) => Standing::Announced,
                Err(error) if error.code == Code::Conflict => Standing::Gone(error),
                Err(error) => Standing::Failing(error),
            }
        }
        Err(error) if error.code == Code::Conflict => Standing::Gone(error),
        Err(error) => Standing::Failing(error),
    }
}

fn was_removed_on_purpose(error: &Error) -> bool {
    error.details.as_ref().is_some_and(|details| details.to_value()["reason"] == "removed")
}

/// The announcement once more, for the name that it got.
fn under_its_name(announce: &Announce, id: &str) -> Announce {
    let mut announce = announce.clone();
    if let Ok(mut record) = Object::parse(announce.record.as_str()) {
        record.set_string("id", id);
        announce.record = argus_proto::json::JsonText::from_canonical(record.to_text());
    }
    announce.unique = false;
    // It was taken once. Whoever has the name by now is asked for it no more.
    announce.replace = false;
    announce
}

fn pid_of(announce: &Announce) -> u32 {
    Object::parse(announce.record.as_str())
        .ok()
        .and_then(|record| record.get("pid")?.parse().ok())
        .unwrap_or_else(std::process::id)
}

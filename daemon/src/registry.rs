//! The way to a collection's state: everyone sends its owner a message, or takes a snapshot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use argus_presence::ThisMachine;
use argus_proto::adoption::Adoption;
use argus_proto::collection::Collection;
use argus_proto::cursor::Cursor;
use argus_proto::document::Document;
use argus_proto::engine::Context;
use argus_proto::error::{Code, Error, Result};
use argus_proto::method::{CollectionStatus, Heartbeat, List, Listing, Warning};
use argus_proto::{Answer, Request};
use argus_store::{Reading, RegistryFile, Source};
use tokio::sync::{mpsc, oneshot, watch};

use crate::commit::{self, Done};
use crate::latency::Latencies;
use crate::owner::Owner;
use crate::pending::{Caller, Limits, Pending, Work};
use crate::pulse::Pulse;
use crate::snapshot::Snapshot;
use crate::vigil::Vigil;

/// The most messages that wait for the registry; further senders wait.
const MESSAGES_MAX: usize = 1024;

/// A change on its way to the registry.
pub(crate) enum Message {
    Change(Pending),
    Heartbeat(Heartbeat, oneshot::Sender<Result<Answer>>),
    Done(Box<Done>),
    /// The process behind a record has ended.
    ProcessEnd {
        id: Arc<str>,
        pid: u32,
    },
    /// Look at the file now, and say so when that is done.
    Look(oneshot::Sender<()>),
    /// The collection is described otherwise from now on; the file is to be read anew.
    Describe(Box<RegistryFile>, Arc<Collection>),
    /// Write what is in memory only, and end.
    Finish(oneshot::Sender<()>),
}

/// The way to a collection's registry. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Registry {
    pub(crate) name: Arc<str>,
    pub(crate) epoch: Arc<str>,
    messages: mpsc::Sender<Message>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

/// What the registries of one daemon have in common.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Tells this life of the daemon from others.
    pub(crate) epoch: Arc<str>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) latencies: Arc<Latencies>,
    /// How many processes may be watched by descriptor; the others are looked at.
    pub(crate) process_descriptors: usize,
}

impl Registry {
    /// Reads the file and starts its owner.
    pub(crate) fn start(
        mut file: RegistryFile,
        collection: Arc<Collection>,
        shared: Shared,
        first_revision: u64,
    ) -> std::io::Result<Self> {
        let (document, problem) = match file.reload() {
            Ok(document) => (document, None),
            Err(error) => {
                let (document, instead) = match file.read() {
                    Ok(Reading { document, problem: Some((_, source)) }) => (document, source),
                    _ => (Document::empty(&collection), Source::Empty),
                };
                (document, Some((Error::from(error), instead)))
            }
        };
        let (messages, inbox) = mpsc::channel(MESSAGES_MAX);
        let path = path_of(&file);
        let name = collection.name.as_str().into();
        let jobs = commit::start(file, collection.clone(), messages.clone())?;
        let mut snapshot = Snapshot::new(collection.clone(), path, document, problem);
        snapshot.revision = first_revision;
        snapshot.warnings().iter().for_each(|warning| tracing::warn!("{}", warning.message));
        let (publisher, snapshots) = watch::channel(Arc::new(snapshot));
        let vigil =
            Vigil::new(&collection, shared.process_descriptors, messages.clone(), Instant::now());
        let epoch = shared.epoch.clone();
        let owner = Owner::new(collection.clone(), shared, jobs, publisher, vigil);
        tokio::spawn(owner.run(inbox));
        Ok(Registry { name, epoch, messages, snapshots })
    }

    /// What readers see now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// How much there is.
    pub(crate) fn status(&self) -> CollectionStatus {
        let snapshot = self.snapshot();
        let records = &snapshot.document.records;
        CollectionStatus {
            name: self.name.to_string(),
            file: snapshot.path.to_string(),
            records: records.len() as u64,
            bytes: records.file_bytes() as u64,
        }
    }

    /// What is wrong with the file, and what was and has been mended.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let snapshot = self.snapshot();
        [snapshot.warnings(), snapshot.incidents.clone()].concat()
    }

    /// Where the collection stands.
    pub(crate) fn cursor(&self, revision: u64) -> String {
        cursor(&self.epoch, revision)
    }

    /// Whether it has ended: nothing is told any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.messages.is_closed()
    }

    /// The records of a snapshot.
    pub(crate) fn list(&self, list: &List, snapshot: &Snapshot, caller: u32) -> Listing {
        let mut listing = list.answer(&snapshot.document, snapshot.context(caller));
        listing.cursor = Some(self.cursor(snapshot.revision));
        listing.warnings = snapshot.warnings();
        listing
    }

    /// Makes a change durable.
    pub(crate) async fn change(
        &self,
        request: Request,
        caller: Caller,
        limits: Limits,
    ) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Asked { request, caller, reply };
        self.ask(Message::Change(Pending { work, limits }), answer).await?
    }

    /// Takes over records from who is right about them, durably.
    pub(crate) async fn adopt(&self, adoption: Adoption, limits: Limits) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Adopted { adoption, reply };
        self.ask(Message::Change(Pending { work, limits }), answer).await?
    }

    /// Refreshes a record in memory.
    pub(crate) async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Heartbeat(heartbeat, reply), answer).await?
    }

    /// Looks at the file for what others wrote, and returns when the snapshot shows it. A commit under way
    /// may be waiting for a lock or the disk; if that takes longer than `patience`, nothing is known.
    pub(crate) async fn look(&self, patience: Duration) -> Result<()> {
        let (reply, looked) = oneshot::channel();
        let looked = self.ask(Message::Look(reply), looked);
        tokio::time::timeout(patience, looked).await.unwrap_or_else(|_| {
            let message = "what it was asked for is not in memory, and the file could not be looked at in time: \
                           the write before is waiting for its lock or its disk";
            Err(Error::new(Code::Timeout, message).hint("try again"))
        })
    }

    /// Goes on with another description, and with the file that it says.
    pub(crate) async fn describe(&self, file: RegistryFile, collection: Arc<Collection>) {
        // One that is ending needs none.
        let _ = self.messages.send(Message::Describe(Box::new(file), collection)).await;
    }

    /// Writes everything that is in memory only. The registry takes nothing afterwards.
    pub(crate) async fn finish(&self) {
        let (reply, finished) = oneshot::channel();
        if self.messages.send(Message::Finish(reply)).await.is_ok() {
            let _ = finished.await;
        }
    }

    async fn ask<T>(&self, message: Message, answer: oneshot::Receiver<T>) -> Result<T> {
        let ending = || Error::new(Code::Busy, "argusd is ending").hint("try again");
        self.messages.send(message).await.map_err(|_| ending())?;
        answer.await.map_err(|_| ending())
    }
}

/// Where a file is, as clients are told.
pub(crate) fn path_of(file: &RegistryFile) -> Arc<str> {
    file.paths().registry().to_string_lossy().into()
}

/// Where a collection stands, as clients are told.
pub(crate) fn cursor(epoch: &str, revision: u64) -> String {
    Cursor { epoch: epoch.to_owned(), revision }.to_string()
}

/// What a rule may know of this machine, at a moment.
pub(crate) fn context(collection: &Collection, now: u64, caller: u32) -> Context<'_> {
    Context { collection, now, machine: &ThisMachine, caller }
}

//! Following a source, for whoever owns it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use argus_config::Source;
use argus_proto::method::SourceStatus;

use crate::following::Following;
use crate::inbox::Inbox;
use crate::platform::Watch;
use crate::sink::Sink;
use crate::watch::Establish;

/// A source that is followed, by a thread of its own.
///
/// It stops when it is dropped. Then the records stay as they are.
pub struct Follower {
    inbox: Arc<Inbox>,
    shown: Arc<Shown>,
    thread: Option<JoinHandle<()>>,
}

/// What anybody may see of it at any time.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) status: Mutex<SourceStatus>,
}

impl Follower {
    /// Begins with a look at all of the source, and then follows it as its settings say.
    ///
    /// `known` are the records (id and JSON text) that the registry has of it: what they tell already is
    /// no change, and they hold the last valid versions.
    ///
    /// # Errors
    /// Where the system has no thread for it. A folder that cannot be read is none: it is told in the
    /// status, and looked for.
    pub fn start(
        source: Source,
        known: Vec<(String, String)>,
        sink: impl Sink,
    ) -> io::Result<Follower> {
        Follower::start_with(source, known, sink, Watch::new)
    }

    pub(crate) fn start_with(
        source: Source,
        known: Vec<(String, String)>,
        sink: impl Sink,
        establish: Establish,
    ) -> io::Result<Follower> {
        let inbox = Arc::new(Inbox::default());
        let shown = Arc::new(Shown::default());
        let name = format!("argus-tasks-{}", source.name);
        let mut following =
            Following::new(source, known, Box::new(sink), establish, inbox.clone(), shown.clone());
        let thread = thread::Builder::new().name(name).spawn(move || following.run())?;
        Ok(Follower { inbox, shown, thread: Some(thread) })
    }

    /// Looks at all of the source now. The answer comes when what was found is delivered, or says why
    /// that is not so; the channel closes without one where the follower is stopped.
    pub fn sync(&self) -> Receiver<Result<(), String>> {
        let (asker, answer) = mpsc::channel();
        self.inbox.put(|post| post.askers.push(asker));
        answer
    }

    /// Somebody else changed these records: each with its text as it is now, or none where it was removed.
    /// Those that are not as they should be are delivered again.
    pub fn reassert(&self, ids: Vec<(String, Option<String>)>) {
        self.inbox.put(|post| post.reasserted.extend(ids));
    }

    /// How the source is followed, and how it stands. Waits for nobody.
    pub fn status(&self) -> SourceStatus {
        self.shown.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops, also in the middle of a look at all of it, and returns when it has.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.inbox.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

/// The path of a source's folder as records show it: absolute, and without detours where there are none.
pub(crate) fn shown(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut plain = PathBuf::new();
    for part in absolute.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    // `a/../b` is `b`, unless `a` is a link to elsewhere.
    match (plain.canonicalize(), absolute.canonicalize()) {
        (Ok(plain_real), Ok(real)) if plain_real != real => absolute,
        _ => plain,
    }
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;

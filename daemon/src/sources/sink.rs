//! The way of a source's tasks into the registry.

use std::path::Path;
use std::time::{Duration, Instant};

use argus_proto::adoption::{Adopted, Adoption};
use argus_proto::engine::Reason;
use argus_proto::evidence::Evidence;
use argus_proto::json::JsonText;
use argus_tasks::{Sink, TaskChange, Undelivered};
use serde::Deserialize;
use tokio::runtime::Handle;

use crate::pending::Limits;
use crate::registry::Registry;

/// How long tasks wait for the locks of their file. They are given again after that.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Until when tasks may be written: nobody waits for them.
pub(super) fn limits() -> Limits {
    Limits {
        deadline: None,
        lock_wait_until: Instant::now() + LOCK_WAIT,
        is_gone: Box::new(|| false),
    }
}

/// Makes tasks durable, for the thread that found them.
pub(super) struct TaskSink {
    tasks: Registry,
    source: String,
    runtime: Handle,
}

impl TaskSink {
    /// Called where the daemon's tasks run.
    pub(super) fn new(tasks: Registry, source: &str) -> Self {
        TaskSink { tasks, source: source.to_owned(), runtime: Handle::current() }
    }

    fn adopted(&self, change: TaskChange) -> Adopted {
        let evidence = |path: &Path| Evidence {
            source: Some(self.source.clone()),
            path: Some(path.to_string_lossy().into_owned()),
            ..Evidence::default()
        };
        match change {
            TaskChange::Put { id, path, record } => {
                let evidence = Evidence { detail: fault(&path, &record), ..evidence(&path) };
                let record = Some(JsonText::from_canonical(record));
                Adopted { id, record, evidence }
            }
            TaskChange::Remove { id, path } => {
                Adopted { id, record: None, evidence: evidence(&path) }
            }
        }
    }
}

/// What is wrong with a task, if anything is.
fn fault(folder: &Path, record: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Task {
        errors: Vec<Fault>,
    }
    #[derive(Deserialize)]
    struct Fault {
        message: String,
    }
    let task: Task = serde_json::from_str(record).ok()?;
    let first = task.errors.first()?;
    Some(format!("{} is invalid: {}", folder.display(), first.message))
}

impl Sink for TaskSink {
    fn deliver(&mut self, changes: Vec<TaskChange>) -> Result<(), Undelivered> {
        let records = changes.into_iter().map(|change| self.adopted(change)).collect();
        let adoption = Adoption { reason: Reason::Source, records };
        let adopted = self.runtime.block_on(self.tasks.adopt(adoption, limits()));
        adopted.map_err(|error| Undelivered(error.message))
    }
}

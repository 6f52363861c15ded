//! What is known of one source's tasks, and which records follow from it. Pure.
//!
//! 1. A record is a function of what was last found in its folder and of the last valid version before it.
//! 2. Of several folders that want one name, the first by path (byte order) has it.
//! 3. A record whose content is what was published gives no change; its `updatedAt` stays, too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use argus_proto::json::Object;
use serde_json::Value;

use crate::problem::PlaceProblem;
use crate::record::{self, Version};
use crate::summary::Summary;
use crate::walk::{is_at_or_below, relative_text};

/// Most characters of a folder's name that are taken where a task has none of its own.
const FOLDER_NAME_CHARS_MAX: usize = 100;

/// A change of the record of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskChange {
    /// The record is to be this one.
    Put {
        /// `<source>/<name>`.
        id: String,
        /// The folder of the task.
        path: PathBuf,
        /// The whole record, as JSON.
        record: String,
    },
    /// There is to be no record.
    Remove {
        /// `<source>/<name>`.
        id: String,
        /// The folder where the task was.
        path: PathBuf,
    },
}

impl TaskChange {
    /// The id of the record.
    pub fn id(&self) -> &str {
        match self {
            TaskChange::Put { id, .. } | TaskChange::Remove { id, .. } => id,
        }
    }
}

/// The tasks of a source by the paths of their folders, relative to the source.
pub(crate) struct Catalog {
    source: String,
    folder: PathBuf,
    tasks: BTreeMap<String, Task>,
    /// Who wants a name; the first has it.
    claims: HashMap<String, BTreeSet<String>>,
    /// The record of each name, as it was given out last.
    published: BTreeMap<String, Published>,
    /// Names whose record may have to be another.
    dirty: BTreeSet<String>,
}

#[derive(Default)]
struct Task {
    /// What it is called.
    name: String,
    /// The last version without faults.
    last_valid: Option<Version>,
    /// What was found last; nothing yet after a restart.
    found: Option<Summary>,
    /// From before a restart: the checksum of a record that was not valid.
    invalid_before: Option<Version>,
}

struct Published {
    path: PathBuf,
    record: String,
    is_valid: bool,
}

impl Catalog {
    /// A source in `folder`, and the records that the registry has of it.
    pub(crate) fn new(source: &str, folder: &Path, known: Vec<(String, String)>) -> Self {
        let mut catalog = Catalog {
            source: source.to_owned(),
            folder: folder.to_owned(),
            tasks: BTreeMap::new(),
            claims: HashMap::new(),
            published: BTreeMap::new(),
            dirty: BTreeSet::new(),
        };
        let prefix = format!("{source}/");
        for (id, record) in known {
            if let Some(name) = id.strip_prefix(&prefix) {
                catalog.remember(name, record);
            }
        }
        catalog
    }

    fn remember(&mut self, name: &str, record: String) {
        let value: Value = serde_json::from_str(&record).unwrap_or_default();
        let path = PathBuf::from(value["path"].as_str().unwrap_or_default());
        let is_valid = value["status"] == "valid";
        // Whatever it is, it is ours: where nothing is found for it, it is removed.
        self.dirty.insert(name.to_owned());
        let relative = path.strip_prefix(&self.folder).ok().and_then(relative_text);
        if let Some(relative) = relative
            && !self.tasks.contains_key(&relative)
            && let Some(version) = Version::of_record(&value)
        {
            let (last_valid, invalid_before) =
                if is_valid { (Some(version), None) } else { (None, Some(version)) };
            let task = Task { name: name.to_owned(), last_valid, found: None, invalid_before };
            self.tasks.insert(relative.clone(), task);
            self.claims.entry(name.to_owned()).or_default().insert(relative);
        }
        self.published.insert(name.to_owned(), Published { path, record, is_valid });
    }

    /// The tasks that are known at a path or below, also those of before a restart.
    pub(crate) fn at_or_below(&self, relative: &str) -> Vec<String> {
        let from = self.tasks.range(relative.to_owned()..).map(|(path, _)| path);
        let below = from.take_while(|path| path.starts_with(relative));
        below.filter(|path| is_at_or_below(path, relative)).cloned().collect()
    }

    pub(crate) fn contains(&self, relative: &str) -> bool {
        self.tasks.contains_key(relative)
    }

    /// What the record of an id is to be.
    pub(crate) fn wanted(&self, id: &str) -> Option<TaskChange> {
        let name = id.strip_prefix(&self.source)?.strip_prefix('/')?;
        let published = self.published.get(name)?;
        Some(TaskChange::Put {
            id: id.to_owned(),
            path: published.path.clone(),
            record: published.record.clone(),
        })
    }

    /// A task was read, and this is what it is.
    pub(crate) fn found(&mut self, relative: &str, summary: Summary) {
        let mut task = self.tasks.remove(relative).unwrap_or_default();
        if let Some(before) = task.invalid_before.take() {
            // The record of a task that never was valid tells what is on the disk; that of another tells
            // what was there before it broke.
            let is_of_this = !summary.is_valid() && before.checksum == summary.checksum;
            if !is_of_this && before.is_whole() {
                task.last_valid = Some(before);
            }
        }
        if summary.is_valid() {
            task.last_valid = Some(Version::of(&summary));
        }
        let name = self.name_of(relative, &task, &summary);
        self.unclaim(&task.name, relative);
        task.found = Some(summary);
        task.name.clone_from(&name);
        self.tasks.insert(relative.to_owned(), task);
        self.claims.entry(name.clone()).or_default().insert(relative.to_owned());
        self.dirty.insert(name);
    }

    /// There is no task (any more).
    pub(crate) fn gone(&mut self, relative: &str) {
        if let Some(task) = self.tasks.remove(relative) {
            self.unclaim(&task.name, relative);
        }
    }

    fn unclaim(&mut self, name: &str, relative: &str) {
        let Some(claims) = self.claims.get_mut(name) else { return };
        if claims.remove(relative) {
            self.dirty.insert(name.to_owned());
        }
        if claims.is_empty() {
            self.claims.remove(name);
        }
    }

    fn name_of(&self, relative: &str, task: &Task, summary: &Summary) -> String {
        if let Some(name) = summary.usable_name() {
            return name.to_owned();
        }
        let has_record = !task.name.is_empty();
        if has_record && task.last_valid.is_some() {
            return task.name.clone();
        }
        if let Some(name) = summary.name.as_deref().filter(|name| self.is_fit(name)) {
            return name.to_owned();
        }
        if has_record {
            return task.name.clone();
        }
        let folder = relative.rsplit('/').next().filter(|name| !name.is_empty());
        let folder = folder.or(self.folder.file_name().and_then(|name| name.to_str()));
        let is_kept = |c: char| if c.is_control() { '_' } else { c };
        let name: String =
            folder.unwrap_or("task").chars().take(FOLDER_NAME_CHARS_MAX).map(is_kept).collect();
        if self.is_fit(&name) { name } else { format!("{}_", name.trim()) }
    }

    fn is_fit(&self, name: &str) -> bool {
        !name.is_empty() && argus_proto::id::check(&format!("{}/{name}", self.source)).is_ok()
    }

    /// What changed since the last call. Names of tasks of which nothing was found yet wait.
    pub(crate) fn take_changes(&mut self, now: u64) -> Vec<TaskChange> {
        let mut changes = Vec::new();
        for name in std::mem::take(&mut self.dirty) {
            match self.owner(&name) {
                Some((relative, task)) => {
                    let Some(found) = &task.found else { continue };
                    changes.extend(self.published_anew(&name, relative, task, found, now));
                }
                None => changes.extend(self.published.get(&name).map(|published| {
                    TaskChange::Remove { id: self.id(&name), path: published.path.clone() }
                })),
            }
        }
        for change in &changes {
            self.publish(change);
        }
        // What was removed is told first: a name that passes on is free before it is taken.
        changes.sort_by_key(|change| matches!(change, TaskChange::Put { .. }));
        changes
    }

    fn owner(&self, name: &str) -> Option<(&String, &Task)> {
        let relative = self.keeper(self.claims.get(name)?)?;
        self.tasks.get(relative).map(|task| (relative, task))
    }

    /// Who has a name of those that want it: the first by path, but one that never was valid only where there
    /// is no other. A folder that is just being written takes no name from a task that works.
    fn keeper<'a>(&self, claims: &'a BTreeSet<String>) -> Option<&'a String> {
        let never_was_valid = |relative: &&String| {
            self.tasks.get(*relative).is_none_or(|task| task.last_valid.is_none())
        };
        claims.iter().min_by_key(never_was_valid)
    }

    fn published_anew(
        &self,
        name: &str,
        relative: &str,
        task: &Task,
        found: &Summary,
        now: u64,
    ) -> Option<TaskChange> {
        let path = self.absolute(relative);
        let id = self.id(name);
        let shown = match (&task.last_valid, found.is_valid()) {
            (Some(version), _) => version.clone(),
            (None, _) => Version::of(found),
        };
        let fields = record::Fields {
            id: &id,
            source: &self.source,
            name,
            folder: &path,
            version: &shown,
            problems: &found.problems,
        };
        let updated_before = self.published.get(name).and_then(|published| {
            let object = Object::parse(&published.record).ok()?;
            let updated_at = object.get("updatedAt")?.parse().ok()?;
            (record::text(&fields, updated_at) == published.record).then_some(())
        });
        if updated_before.is_some() {
            return None;
        }
        let record = record::text(&fields, now);
        Some(TaskChange::Put { id, path, record })
    }

    fn publish(&mut self, change: &TaskChange) {
        let name = change.id()[self.source.len() + 1..].to_owned();
        match change {
            TaskChange::Put { path, record, .. } => {
                let is_valid = self
                    .owner(&name)
                    .and_then(|(_, task)| task.found.as_ref())
                    .is_some_and(Summary::is_valid);
                let (path, record) = (path.clone(), record.clone());
                self.published.insert(name, Published { path, record, is_valid });
            }
            TaskChange::Remove { .. } => drop(self.published.remove(&name)),
        }
    }

    /// How many records there are, and how many of them are not valid.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let invalid = self.published.values().filter(|published| !published.is_valid).count();
        (self.published.len() as u64, invalid as u64)
    }

    /// The folders that want a name that another one has.
    pub(crate) fn duplicates(&self) -> BTreeMap<String, PlaceProblem> {
        let mut duplicates = BTreeMap::new();
        for (name, claims) in self.claims.iter().filter(|(_, claims)| claims.len() > 1) {
            let keeper = self.keeper(claims);
            let others = claims.iter().filter(|relative| Some(*relative) != keeper);
            let keeper = keeper.map(|relative| self.absolute(relative)).unwrap_or_default();
            let message = format!(
                "the name {name:?} belongs to {}; a name can be given once in a source",
                keeper.display()
            );
            for relative in others {
                let problem = PlaceProblem::new("DUPLICATE_NAME", &message);
                duplicates.insert(relative.clone(), problem);
            }
        }
        duplicates
    }

    fn id(&self, name: &str) -> String {
        format!("{}/{name}", self.source)
    }

    /// How many names have to be looked at.
    pub(crate) fn dirty(&self) -> usize {
        self.dirty.len()
    }

    /// The path of a place in the source, as it is shown.
    pub(crate) fn absolute(&self, relative: &str) -> PathBuf {
        let names = relative.split('/').filter(|name| !name.is_empty());
        names.fold(self.folder.clone(), |path, name| path.join(name))
    }
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;

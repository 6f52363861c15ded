//! Which folders and tasks there are, with stamps of what belongs to each task. Reads no file.
//!
//! 1. What is wrong with a place is told and does not end the walk.
//! 2. A file belongs to the nearest folder above it that is a task.
//! 3. A folder is visited once as itself. One that a link leads to as well lends its files to the task in
//!    which the link lies, but tasks are found in it only where no other way leads to it.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ignore::Ignore;
use crate::limits::{
    DEPTH_MAX, FILE_BYTES_MAX, FOLDER_ENTRIES_MAX, FOLDERS_MAX, LENT_FOLDERS_MAX,
    METADATA_BYTES_MAX, SCHEMA_BYTES_MAX, SCRIPT_BYTES_MAX, TASK_BYTES_MAX, TASK_FILES_MAX,
    TASKS_MAX,
};
use crate::platform::{Identity, Stamp};
use crate::problem::{PlaceProblem, Problem};
use crate::root::{Entry, Kind, Refused, Root};

/// The file that makes a folder a task.
pub(crate) const METADATA: &str = "metadata.json";
/// The task's script.
pub(crate) const SCRIPT: &str = "main.js";
/// What the task takes.
pub(crate) const INPUT_SCHEMA: &str = "input.schema.json";
/// What the task gives.
pub(crate) const OUTPUT_SCHEMA: &str = "output.schema.json";

/// Beyond a bound.
pub(crate) const TOO_LARGE: &str = "UNREADABLE";

/// What is known of a task's files without reading them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// By path relative to the task's folder.
    pub(crate) stamps: BTreeMap<String, Stamp>,
    /// Whether it has files that lie elsewhere.
    pub(crate) is_linked: bool,
    /// What is wrong with them.
    pub(crate) problems: Vec<Problem>,
}

/// What a walk found; paths are relative to the source.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) folders: BTreeSet<String>,
    pub(crate) tasks: BTreeMap<String, Files>,
    pub(crate) problems: BTreeMap<String, PlaceProblem>,
    /// What could not be looked into: nothing is known of what is below.
    pub(crate) closed: BTreeSet<String>,
}

impl Survey {
    /// Whether a path lies in a folder that could not be looked into.
    pub(crate) fn is_unknown(&self, relative: &str) -> bool {
        let mut above = Some(relative);
        while let Some(folder) = above {
            if self.closed.contains(folder) {
                return true;
            }
            above = parent(folder);
        }
        false
    }
}

/// Who is told how far a walk is, and says whether it goes on.
pub(crate) trait Guide {
    /// Before a folder is read.
    fn enter(&mut self, relative: &str, folder: &File);
    /// So many folders were read, of so many that are known.
    fn progress(&mut self, read: u64, known: u64);
}

/// Nobody.
pub(crate) struct Alone;

impl Guide for Alone {
    fn enter(&mut self, _relative: &str, _folder: &File) {}
    fn progress(&mut self, _read: u64, _known: u64) {}
}

/// Walks through all that lies in `under`. `None` where it was told to stop.
pub(crate) fn survey(
    root: &Root,
    ignore: &Ignore,
    under: &str,
    guide: &mut dyn Guide,
    stop: &AtomicBool,
) -> Option<Survey> {
    let mut walk = Walk::new(root, ignore, guide, false);
    walk.folders.push_back(Folder::first(under));
    walk.run(stop).then_some(walk.survey)
}

/// The files of one task, and what is wrong with places in it.
///
/// # Errors
/// Where the folder cannot be read, or is no task (any more).
pub(crate) fn files(
    root: &Root,
    ignore: &Ignore,
    task: &str,
) -> Result<(Files, BTreeMap<String, PlaceProblem>), Refused> {
    let mut alone = Alone;
    let mut walk = Walk::new(root, ignore, &mut alone, true);
    let mut first = Folder::first(task);
    let mut above = parent(task);
    while let Some(folder) = above {
        first.above.push(root.folder(folder)?.1);
        above = parent(folder);
    }
    walk.visit(&first)?;
    let never = AtomicBool::new(false);
    walk.run(&never);
    let files = walk.survey.tasks.remove(task).ok_or(Refused::Gone)?;
    Ok((files, walk.survey.problems))
}

/// Whether `path` is `folder`, or lies below.
pub(crate) fn is_at_or_below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Those of the paths that are `folder`, or lie below.
pub(crate) fn at_or_below(paths: &BTreeSet<String>, folder: &str) -> Vec<String> {
    if folder.is_empty() {
        return paths.iter().cloned().collect();
    }
    let below = paths.range(format!("{folder}/")..);
    let below = below.take_while(|path| is_at_or_below(path, folder));
    paths.get(folder).into_iter().chain(below).cloned().collect()
}

/// A path with a name added to it.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// A path relative to the source as it is written here; `None` for one that is no Unicode.
pub(crate) fn relative_text(path: &Path) -> Option<String> {
    let names: Option<Vec<&str>> = path.iter().map(|name| name.to_str()).collect();
    Some(names?.join("/"))
}

/// The folder of a path; `None` for the source's own.
pub(crate) fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some((parent, _)) => Some(parent),
        None if path.is_empty() => None,
        None => Some(""),
    }
}

/// Which part of a task a file is.
pub(crate) fn field(relative: &str) -> &'static str {
    match relative {
        SCRIPT => "script",
        INPUT_SCHEMA => "input_schema",
        OUTPUT_SCHEMA => "output_schema",
        _ => "metadata",
    }
}

/// The most bytes of a task's file.
pub(crate) fn bytes_max(relative: &str) -> u64 {
    match relative {
        METADATA => METADATA_BYTES_MAX,
        SCRIPT => SCRIPT_BYTES_MAX,
        INPUT_SCHEMA | OUTPUT_SCHEMA => SCHEMA_BYTES_MAX,
        _ => FILE_BYTES_MAX,
    }
}

/// A folder that is still to be read.
#[derive(Clone)]
struct Folder {
    relative: String,
    /// The task to which its files belong.
    owner: Option<String>,
    /// The folders above it, which no link in it may lead to again.
    above: Vec<Identity>,
    is_link: bool,
    /// Whether only its files are wanted.
    is_lent: bool,
}

impl Folder {
    fn first(relative: &str) -> Self {
        Folder {
            relative: relative.to_owned(),
            owner: None,
            above: Vec::new(),
            is_link: false,
            is_lent: false,
        }
    }
}

struct Walk<'a> {
    root: &'a Root,
    ignore: &'a Ignore,
    guide: &'a mut dyn Guide,
    /// Whether only the first folder's task counts.
    is_of_one_task: bool,
    survey: Survey,
    visited: HashSet<Identity>,
    folders: VecDeque<Folder>,
    /// Looked at last, so that what is there by itself is found by its own path.
    links: VecDeque<Folder>,
    bytes: BTreeMap<String, u64>,
    /// How many folders links have lent to a task.
    lent: BTreeMap<String, usize>,
    read: u64,
}

impl<'a> Walk<'a> {
    fn new(
        root: &'a Root,
        ignore: &'a Ignore,
        guide: &'a mut dyn Guide,
        is_of_one_task: bool,
    ) -> Self {
        Walk {
            root,
            ignore,
            guide,
            is_of_one_task,
            survey: Survey::default(),
            visited: HashSet::new(),
            folders: VecDeque::new(),
            links: VecDeque::new(),
            bytes: BTreeMap::new(),
            lent: BTreeMap::new(),
            read: 0,
        }
    }

    /// Tells whether it came to its end.
    fn run(&mut self, stop: &AtomicBool) -> bool {
        while let Some(folder) = self.folders.pop_back().or_else(|| self.links.pop_front()) {
            if stop.load(Ordering::Relaxed) {
                return false;
            }
            if let Err(refused) = self.visit(&folder) {
                self.refuse_folder(&folder, &refused);
            }
            self.read += 1;
            let waiting = self.folders.len() + self.links.len();
            self.guide.progress(self.read, self.read + waiting as u64);
        }
        true
    }

    fn refuse_folder(&mut self, folder: &Folder, refused: &Refused) {
        // It went in the meantime: whoever looks at its parent will be told.
        if matches!(refused, Refused::Gone) {
            return;
        }
        self.close(&folder.relative, refused.code(), refused.to_string(), folder.owner.as_deref());
    }

    /// Notes a place that is not looked into.
    fn close(&mut self, relative: &str, code: &'static str, message: String, owner: Option<&str>) {
        self.tell(relative, PlaceProblem::new(code, &message));
        self.survey.closed.insert(relative.to_owned());
        if let Some(owner) = owner {
            let below = below(relative, owner);
            self.blame(owner, Problem::new("metadata", code, format!("`{below}`: {message}")));
        }
    }

    fn visit(&mut self, folder: &Folder) -> Result<(), Refused> {
        let depth = folder.relative.split('/').count();
        if depth > DEPTH_MAX || self.survey.folders.len() >= FOLDERS_MAX {
            let message = format!(
                "it is not looked into: at most {DEPTH_MAX} folders within each other and \
                 {FOLDERS_MAX} folders of a source are"
            );
            self.close(&folder.relative, TOO_LARGE, message, folder.owner.as_deref());
            return Ok(());
        }
        let (open, identity) = self.root.folder(&folder.relative)?;
        if folder.above.contains(&identity) {
            return Ok(());
        }
        let is_new = self.visited.insert(identity);
        let is_lent = folder.is_lent || (folder.is_link && !is_new);
        if is_lent && folder.owner.is_none() {
            return Ok(());
        }
        if is_lent && !self.may_lend(folder) {
            return Ok(());
        }
        self.survey.folders.insert(folder.relative.clone());
        self.guide.enter(&folder.relative, &open);
        let mut entries = self.root.entries(&open, &folder.relative, FOLDER_ENTRIES_MAX)?;
        if entries.len() > FOLDER_ENTRIES_MAX {
            let message = format!("it has more than {FOLDER_ENTRIES_MAX} entries");
            self.close(&folder.relative, TOO_LARGE, message, folder.owner.as_deref());
            return Ok(());
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let mut here = Folder { is_lent, ..folder.clone() };
        here.above.push(identity);
        if entries.iter().any(|entry| self.makes_a_task(&here.relative, entry)) {
            let is_first = here.owner.is_none();
            if is_lent || (self.is_of_one_task && !is_first) {
                return Ok(());
            }
            if self.survey.tasks.len() >= TASKS_MAX {
                let message = format!("it is left out: a source has at most {TASKS_MAX} tasks");
                self.tell(&here.relative, PlaceProblem::new(TOO_LARGE, message));
                return Ok(());
            }
            self.survey.tasks.insert(here.relative.clone(), Files::default());
            here.owner = Some(here.relative.clone());
        } else if self.is_of_one_task && here.owner.is_none() {
            return Err(Refused::Gone);
        }
        for entry in entries {
            self.take(&here, entry);
        }
        Ok(())
    }

    /// Folders that lead to each other would be without end, though each way through them has one.
    fn may_lend(&mut self, folder: &Folder) -> bool {
        let Some(owner) = folder.owner.clone() else { return false };
        let lent = self.lent.entry(owner.clone()).or_default();
        *lent += 1;
        if *lent <= LENT_FOLDERS_MAX {
            return true;
        }
        let message = format!("links lead to more than {LENT_FOLDERS_MAX} folders for one task");
        self.tell(&owner, PlaceProblem::new(TOO_LARGE, &message));
        self.blame(&owner, Problem::new("metadata", TOO_LARGE, message));
        false
    }

    fn makes_a_task(&self, folder: &str, entry: &Entry) -> bool {
        entry.name.as_deref() == Ok(METADATA)
            && !matches!(entry.kind, Kind::Folder(_))
            && !self.ignore.file(&join(folder, METADATA))
    }

    fn take(&mut self, folder: &Folder, entry: Entry) {
        let name = match entry.name {
            Ok(name) => name,
            Err(shown) => {
                let relative = join(&folder.relative, &shown);
                if !self.ignore.file(&relative) {
                    let message = "its name is no Unicode; argus leaves it out";
                    self.tell(&relative, PlaceProblem::new("UNREADABLE", message));
                }
                return;
            }
        };
        let relative = join(&folder.relative, &name);
        let next = Folder { relative: relative.clone(), is_link: false, ..folder.clone() };
        match entry.kind {
            Kind::Folder(_) if self.ignore.folder(&relative) => {}
            Kind::Folder(_) => self.folders.push_back(next),
            _ if self.ignore.file(&relative) => {}
            Kind::File(stamp) => self.own(folder, &relative, stamp),
            Kind::Link => self.take_link(folder, next),
            Kind::Other => self.refuse_file(folder, &relative, &Refused::NoFile),
        }
    }

    fn take_link(&mut self, folder: &Folder, next: Folder) {
        match self.root.behind_link(&next.relative) {
            Ok(Kind::Folder(_)) if self.ignore.folder(&next.relative) => {}
            Ok(Kind::Folder(_)) => self.links.push_back(Folder { is_link: true, ..next }),
            Ok(Kind::File(stamp)) => {
                self.own(folder, &next.relative, stamp);
                if let Some(owner) = &folder.owner
                    && let Some(files) = self.survey.tasks.get_mut(owner)
                {
                    files.is_linked = true;
                }
            }
            Ok(_) => self.refuse_file(folder, &next.relative, &Refused::NoFile),
            Err(refused) => self.refuse_file(folder, &next.relative, &refused),
        }
    }

    /// A file is nobody's concern where it belongs to no task, unless it is a link that leaves.
    fn refuse_file(&mut self, folder: &Folder, relative: &str, refused: &Refused) {
        if folder.owner.is_some() || matches!(refused, Refused::Escapes) {
            self.tell(relative, PlaceProblem::from(refused));
        }
        if let Some(owner) = &folder.owner {
            let file = below(relative, owner);
            let message = format!("`{file}`: {refused}");
            self.blame(owner, Problem::new(field(file), refused.code(), message));
        }
    }

    fn own(&mut self, folder: &Folder, relative: &str, stamp: Stamp) {
        let Some(owner) = &folder.owner else { return };
        let file = below(relative, owner);
        let most = bytes_max(file);
        if stamp.bytes > most {
            let message = format!("`{file}` has {} bytes; at most {most} are read", stamp.bytes);
            self.tell(relative, PlaceProblem::new(TOO_LARGE, &message));
            return self.blame(owner, Problem::new(field(file), TOO_LARGE, message));
        }
        let bytes = self.bytes.entry(owner.clone()).or_default();
        *bytes += stamp.bytes;
        let is_too_much = *bytes > TASK_BYTES_MAX;
        let Some(files) = self.survey.tasks.get_mut(owner) else { return };
        if files.stamps.len() < TASK_FILES_MAX && !is_too_much {
            files.stamps.insert(file.to_owned(), stamp);
            return;
        }
        let message = format!(
            "the task has more than {TASK_FILES_MAX} files or {TASK_BYTES_MAX} bytes; what is not \
             the task's can be ignored or moved elsewhere"
        );
        self.tell(owner, PlaceProblem::new(TOO_LARGE, &message));
        self.blame(owner, Problem::new("metadata", TOO_LARGE, message));
    }

    fn tell(&mut self, relative: &str, problem: PlaceProblem) {
        self.survey.problems.entry(relative.to_owned()).or_insert(problem);
    }

    /// The same is said once of a task.
    fn blame(&mut self, task: &str, problem: Problem) {
        if let Some(files) = self.survey.tasks.get_mut(task)
            && files.problems.len() < TASK_FILES_MAX
            && files.problems.last() != Some(&problem)
        {
            files.problems.push(problem);
        }
    }
}

fn below<'p>(relative: &'p str, task: &str) -> &'p str {
    let rest = relative.strip_prefix(task).unwrap_or(relative);
    rest.strip_prefix('/').unwrap_or(rest)
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;

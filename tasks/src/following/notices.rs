//! What the system tells: which tasks it concerns, and which folders are new.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::problem::PlaceProblem;
use crate::root::{Kind, Refused};
use crate::walk::{METADATA, at_or_below, is_at_or_below, parent};
use crate::watch::{Notice, What};

use super::Following;

impl Following {
    pub(super) fn notices(&mut self, notices: Vec<Notice>) {
        let now = Instant::now();
        let mut appeared = BTreeSet::new();
        let mut is_any = false;
        for notice in notices {
            self.metrics.events += 1;
            match notice {
                Notice::All => {
                    self.metrics.overflows += 1;
                    self.overflowed = true;
                }
                // The source's own folder went, or came.
                Notice::At { relative, .. } if relative.is_empty() => self.next_poll = now,
                Notice::At { relative, .. } if self.ignore.path(&relative) => {}
                Notice::At { relative, what } => {
                    is_any = true;
                    if what == What::Vanished {
                        self.vanished(&relative, now);
                    }
                    if what == What::Appeared && self.is_folder(&relative) {
                        appeared.insert(relative.clone());
                    }
                    self.note_owners(&relative, now);
                }
            }
        }
        if is_any {
            for task in self.linked.clone() {
                self.quiet.note(&task, now);
            }
        }
        self.look_into(appeared);
    }

    pub(super) fn is_folder(&mut self, relative: &str) -> bool {
        let Some(root) = &self.root else { return false };
        match root.behind_link(relative) {
            Ok(Kind::Folder(_)) => !self.ignore.folder(relative),
            Err(refused @ Refused::Escapes) => {
                self.places.insert(relative.to_owned(), PlaceProblem::from(&refused));
                false
            }
            _ => false,
        }
    }

    pub(super) fn vanished(&mut self, relative: &str, now: Instant) {
        self.places.retain(|place, _| !is_at_or_below(place, relative));
        if !self.folders.contains(relative) {
            return;
        }
        if let Some(watch) = &mut self.watch {
            watch.forget(relative);
        }
        for folder in at_or_below(&self.folders, relative) {
            self.folders.remove(&folder);
        }
        for task in self.catalog.at_or_below(relative) {
            self.quiet.note(&task, now);
        }
    }

    /// Notes the task to which a file belongs. `metadata.json` decides to which one the files below belong:
    /// so it concerns the one above as well.
    pub(super) fn note_owners(&mut self, relative: &str, now: Instant) {
        let folder = parent(relative).unwrap_or("");
        let is_metadata = relative.rsplit('/').next() == Some(METADATA);
        let mut above = Some(folder);
        if is_metadata {
            self.quiet.note(folder, now);
            above = parent(folder);
        }
        while let Some(folder) = above {
            if self.is_task(folder) {
                return self.quiet.note(folder, now);
            }
            above = parent(folder);
        }
    }

    pub(super) fn is_task(&self, relative: &str) -> bool {
        self.catalog.contains(relative)
            || self.loading.contains_key(relative)
            || self.quiet.contains(relative)
    }

    /// Looks into folders that are new: for their own folders, that were there before they were watched.
    pub(super) fn look_into(&mut self, appeared: BTreeSet<String>) {
        let Some(root) = self.root.clone() else { return };
        let mut last: Option<String> = None;
        for folder in appeared {
            if last.as_deref().is_some_and(|last| is_at_or_below(&folder, last)) {
                continue;
            }
            let Some(found) = self.survey(&root, &folder, false) else { return };
            let now = Instant::now();
            self.folders.extend(found.folders);
            self.places.extend(found.problems);
            for task in found.tasks.into_keys() {
                self.quiet.note(&task, now);
            }
            self.note_owners(&folder, now);
            last = Some(folder);
        }
    }
}

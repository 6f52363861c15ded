//! Where the system watches a tree as a whole.

use std::fs::File;
use std::path::Path;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::walk::METADATA;
use crate::watch::{Notice, Tell, What};

/// A watch of a source.
pub(crate) struct Watch {
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches all of a folder, whose path is canonical.
    pub(crate) fn new(root: &Path, tell: Tell) -> Result<Watch, String> {
        let above = root.to_owned();
        let take = move |event: notify::Result<Event>| match event {
            Ok(event) if event.need_rescan() => tell(Notice::All),
            Ok(event) => notices(&above, &event).for_each(&tell),
            Err(_) => tell(Notice::All),
        };
        let fault = |error: notify::Error| error.to_string();
        let mut watcher = notify::recommended_watcher(take).map_err(fault)?;
        watcher.watch(root, RecursiveMode::Recursive).map_err(fault)?;
        Ok(Watch { _watcher: watcher })
    }

    /// Nothing to do: it is watched with the rest.
    pub(crate) fn add(&mut self, _relative: &str, _folder: &File) -> Result<(), String> {
        Ok(())
    }

    /// Nothing to do.
    pub(crate) fn forget(&mut self, _relative: &str) {}
}

fn notices<'e>(root: &'e Path, event: &'e Event) -> impl Iterator<Item = Notice> + 'e {
    let is_told = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    event.paths.iter().filter(move |_| is_told).map(move |path| {
        let Ok(relative) = path.strip_prefix(root) else { return Notice::All };
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        let relative = parts.join("/");
        let what = match event.kind {
            // Which of the two it was is seen by looking: for a renaming nobody tells it, and macOS tells
            // all that happened to a path within a moment at once, without its order.
            EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_)) => match path.symlink_metadata() {
                Ok(_) => What::Appeared,
                Err(_) => What::Vanished,
            },
            _ if relative.ends_with(METADATA) => What::Appeared,
            _ => What::Changed,
        };
        Notice::At { relative, what }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_happens_below_is_told_with_its_path() {
        let home = tempfile::tempdir().expect("a folder");
        let root = home.path().canonicalize().expect("there");
        let (sender, told) = mpsc::channel();
        let tell = move |notice| drop(sender.send(notice));
        let mut watch = Watch::new(&root, Box::new(tell)).expect("watched");
        watch.add("", &File::open(&root).expect("opened")).expect("added");
        fs::create_dir(root.join("a")).expect("made");
        let wait = |expected: Notice| {
            while told.recv_timeout(Duration::from_secs(10)).expect("told") != expected {}
        };
        wait(Notice::At { relative: "a".to_owned(), what: What::Appeared });
        fs::remove_dir(root.join("a")).expect("removed");
        wait(Notice::At { relative: "a".to_owned(), what: What::Vanished });
        watch.forget("a");
    }
}

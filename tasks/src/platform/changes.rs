//! Windows: a tree is watched as a whole, and says so when there was more than it could keep.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use argus_windows::changes::{Change, Sign, follow};

use crate::watch::{Notice, Tell, What};

/// A watch of a source.
pub(crate) struct Watch {
    stop: Arc<Sign>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watch {
    /// Watches all of a folder, whose path is canonical.
    pub(crate) fn new(root: &Path, tell: Tell) -> Result<Watch, String> {
        Watch::begin(root, tell).map_err(|error| error.to_string())
    }

    fn begin(root: &Path, tell: Tell) -> io::Result<Watch> {
        let stop = Arc::new(Sign::new()?);
        let (begun, begins) = mpsc::channel();
        let (root, sign, failed) = (root.to_owned(), stop.clone(), begun.clone());
        let thread = thread::Builder::new().name("argus-changes".to_owned()).spawn(move || {
            let begun = move || drop(begun.send(Ok(())));
            if let Err(error) = follow(&root, &sign, begun, |change| tell(notice(change))) {
                // Where it had begun nobody hears that, and a look shows what became of the folder.
                let _ = failed.send(Err(error));
                tell(Notice::All);
            }
        })?;
        let watch = Watch { stop, thread: Some(thread) };
        begins.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))?;
        Ok(watch)
    }

    /// Nothing to do: it is watched with the rest.
    pub(crate) fn add(&mut self, _relative: &str, _folder: &File) -> Result<(), String> {
        Ok(())
    }

    /// Nothing to do.
    pub(crate) fn forget(&mut self, _relative: &str) {}
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.give();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn notice(change: Change) -> Notice {
    let (path, what) = match change {
        Change::Appeared(path) => (path, What::Appeared),
        Change::Vanished(path) => (path, What::Vanished),
        Change::Changed(path) => (path, What::Changed),
        Change::Missed => return Notice::All,
    };
    let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
    Notice::At { relative: names.join("/"), what }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_happens_below_is_told_with_its_path() {
        let home = tempfile::tempdir().expect("a folder");
        let root = home.path().canonicalize().expect("there");
        let (sender, told) = mpsc::channel();
        let tell = move |notice| drop(sender.send(notice));
        let watch = Watch::new(&root, Box::new(tell)).expect("watched");
        let wait = |expected: Notice| {
            while told.recv_timeout(Duration::from_secs(10)).expect("told") != expected {}
        };
        let at = |relative: &str, what| Notice::At { relative: relative.to_owned(), what };
        fs::create_dir_all(root.join("a").join("b")).expect("made");
        wait(at("a", What::Appeared));
        fs::write(root.join("file"), "x").expect("written");
        wait(at("file", What::Changed));
        fs::remove_file(root.join("file")).expect("removed");
        wait(at("file", What::Vanished));
        drop(watch);
        assert!(Watch::new(&root.join("nothing"), Box::new(drop)).is_err());
    }
}

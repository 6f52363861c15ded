//! Linux: each folder is watched by itself, so that it shows which of them is not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use crate::walk::{is_at_or_below, join};
use crate::watch::{Notice, Tell, What};

/// How much of what the kernel tells is read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

const CHANGES: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// The paths of each watched folder: several, where links lead to it.
type Folders = HashMap<i32, BTreeSet<String>>;

/// A watch of the folders of a source.
pub(crate) struct Watch {
    inotify: Arc<OwnedFd>,
    folders: Arc<Mutex<Folders>>,
    /// The watch of each path, also where the kernel has dropped it since.
    watches: BTreeMap<String, i32>,
    stop: Arc<OwnedFd>,
    thread: Option<thread::JoinHandle<()>>,
    /// How many folders the kernel is asked to watch at most.
    most: usize,
}

impl Watch {
    /// A watch of nothing yet.
    pub(crate) fn new(_root: &Path, tell: Tell) -> Result<Watch, String> {
        let fault = |error: Errno| format!("inotify: {}", io::Error::from(error));
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(fault)?;
        let inotify = Arc::new(inotify);
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(fault)?);
        let folders = Arc::new(Mutex::new(Folders::new()));
        let listener = Listener {
            inotify: inotify.clone(),
            folders: folders.clone(),
            stop: stop.clone(),
            tell,
        };
        let thread = thread::Builder::new().name("argus-inotify".to_owned());
        let thread = thread.spawn(move || listener.run()).map_err(|error| error.to_string())?;
        let watches = BTreeMap::new();
        Ok(Watch { inotify, folders, watches, stop, thread: Some(thread), most: usize::MAX })
    }

    /// As [`Watch::new`], on a system that watches no more than `most` folders.
    #[cfg(test)]
    pub(crate) fn limited(root: &Path, tell: Tell, most: usize) -> Result<Watch, String> {
        let mut watch = Watch::new(root, tell)?;
        watch.most = most;
        Ok(watch)
    }

    /// Watches one more folder, which is open.
    pub(crate) fn add(&mut self, relative: &str, folder: &File) -> Result<(), String> {
        // Held until the path is known: what is told meanwhile waits for it.
        let mut folders = lock(&self.folders);
        // The folder that was opened, and not what its path leads to by now.
        let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
        let added = if folders.len() >= self.most {
            Err(Errno::NOSPC)
        } else {
            inotify::add_watch(&*self.inotify, path, CHANGES)
        };
        match added {
            Ok(watch) => {
                folders.entry(watch).or_default().insert(relative.to_owned());
                self.watches.insert(relative.to_owned(), watch);
            }
            Err(Errno::NOSPC) => {
                return Err("the system watches no more folders for this user \
                            (fs.inotify.max_user_watches)"
                    .to_owned());
            }
            Err(error) => return Err(format!("inotify: {}", io::Error::from(error))),
        }
        Ok(())
    }

    /// A folder is not there any more, nor what was in it.
    pub(crate) fn forget(&mut self, relative: &str) {
        let from = self.watches.range(relative.to_owned()..);
        let below = from.take_while(|(path, _)| path.starts_with(relative));
        let below = below.filter(|(path, _)| is_at_or_below(path, relative));
        let below: Vec<_> = below.map(|(path, watch)| (path.clone(), *watch)).collect();
        let mut folders = lock(&self.folders);
        for (path, watch) in below {
            self.watches.remove(&path);
            let Some(paths) = folders.get_mut(&watch) else { continue };
            paths.remove(&path);
            if paths.is_empty() {
                folders.remove(&watch);
                // One that is gone is not watched any more anyway.
                let _ = inotify::remove_watch(&*self.inotify, watch);
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Listener {
    inotify: Arc<OwnedFd>,
    folders: Arc<Mutex<Folders>>,
    stop: Arc<OwnedFd>,
    tell: Tell,
}

impl Listener {
    fn run(self) {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
        loop {
            let mut ready = [
                PollFd::new(&*self.inotify, PollFlags::IN),
                PollFd::new(&*self.stop, PollFlags::IN),
            ];
            match poll(&mut ready, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return (self.tell)(Notice::All),
            }
            if !ready[1].revents().is_empty() {
                return;
            }
            self.read(&mut buffer);
        }
    }

    fn read(&self, buffer: &mut [MaybeUninit<u8>]) {
        let mut reader = Reader::new(&*self.inotify, buffer);
        loop {
            match reader.next() {
                Ok(event) => self.take(event.wd(), event.events(), event.file_name()),
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    fn take(&self, watch: i32, events: ReadFlags, name: Option<&std::ffi::CStr>) {
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            return (self.tell)(Notice::All);
        }
        if events.contains(ReadFlags::IGNORED) {
            lock(&self.folders).remove(&watch);
            return;
        }
        let is_end = events.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF);
        let what = if is_end || events.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
            What::Vanished
        } else if events.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            What::Appeared
        } else {
            What::Changed
        };
        let paths = lock(&self.folders).get(&watch).cloned().unwrap_or_default();
        for folder in paths {
            let relative = match name {
                // The folder above tells as well when one goes; the source's own has none above.
                None if is_end && !folder.is_empty() => continue,
                None => folder,
                Some(name) => join(&folder, &name.to_string_lossy()),
            };
            (self.tell)(Notice::At { relative, what });
        }
    }
}

fn lock(folders: &Mutex<Folders>) -> MutexGuard<'_, Folders> {
    folders.lock().unwrap_or_else(PoisonError::into_inner)
}

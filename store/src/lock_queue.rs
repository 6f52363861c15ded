//! Waiting for a kernel lock in the kernel's own queue, with a bound.
//!
//! Who asks again and again comes last as often as first, and among many writers some wait in vain.
//! The kernel serves those who wait in it about in their order; but such a wait has no end, so a
//! thread does it.
//!
//! 1. At most one thread waits for a lock: who gives up leaves it behind, and the next caller of this
//!    process takes over its place in the queue.
//! 2. A lock that the thread gets when nobody waits for it any more is let go at once.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

static PLACES: LazyLock<Mutex<HashMap<PathBuf, Place>>> = LazyLock::new(Mutex::default);
static SERVED: Condvar = Condvar::new();

/// What a waiting thread and its caller know of each other.
struct Place {
    is_wanted: bool,
    /// The locked file, once there is one.
    served: Option<io::Result<File>>,
}

/// Waits until `file`, which stands at `path`, is locked; `None` where that takes longer than
/// `patience`. For one caller at a time.
pub(crate) fn wait(path: &Path, file: &File, patience: Duration) -> io::Result<Option<File>> {
    let mut places = places();
    match places.get_mut(path) {
        Some(place) => place.is_wanted = true,
        None => {
            let (file, own_path) = (file.try_clone()?, path.to_owned());
            let thread = std::thread::Builder::new().name("argus-lock".into());
            thread.spawn(move || queue(&own_path, file))?;
            places.insert(path.to_owned(), Place { is_wanted: true, served: None });
        }
    }
    let is_waiting = |places: &mut HashMap<PathBuf, Place>| {
        places.get(path).is_some_and(|place| place.served.is_none())
    };
    let waited = SERVED.wait_timeout_while(places, patience, is_waiting);
    let (mut places, _) = waited.unwrap_or_else(PoisonError::into_inner);
    match places.remove(path) {
        Some(Place { served: Some(file), .. }) => file.map(Some),
        Some(place) => {
            places.insert(path.to_owned(), Place { is_wanted: false, ..place });
            Ok(None)
        }
        None => Ok(None),
    }
}

fn queue(path: &Path, file: File) {
    let locked = loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => break locked,
        }
    };
    let mut places = places();
    match places.get_mut(path) {
        Some(place) if place.is_wanted => place.served = Some(locked.map(|()| file)),
        // Closing the file lets the lock go.
        _ => drop(places.remove(path)),
    }
    drop(places);
    SERVED.notify_all();
}

fn places() -> MutexGuard<'static, HashMap<PathBuf, Place>> {
    // Nobody panics while holding it: there are only map operations.
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(20);

    fn open(path: &Path) -> File {
        File::options().create(true).append(true).open(path).expect("own folder")
    }

    #[test]
    fn who_waits_is_served_and_who_gives_up_leaves_no_lock_behind() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("lock");
        let holder = open(&path);
        holder.lock().expect("free");
        assert!(wait(&path, &open(&path), SHORT).expect("a lock").is_none());

        // The next one takes over the place of the one that gave up.
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(&path, &open(&path), LONG).expect("a lock"));
            while !places().get(&path).is_some_and(|place| place.is_wanted) {
                std::thread::yield_now();
            }
            holder.unlock().expect("held");
            let served = waiting.join().expect("no panic").expect("served");
            assert!(open(&path).try_lock().is_err(), "it holds the lock");
            drop(served);
        });
        assert!(!places().contains_key(&path));

        holder.lock().expect("free again");
        assert!(wait(&path, &open(&path), SHORT).expect("a lock").is_none());
        drop(holder);
        // Whoever gave up gets the lock in the end, and lets it go.
        let patient = open(&path);
        patient.lock().expect("in the end");
        drop(patient);
        while places().contains_key(&path) {
            std::thread::yield_now();
        }
    }
}

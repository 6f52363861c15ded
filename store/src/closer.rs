//! Closes files that have no name any more. With that the file system gives back what they took up, which takes
//! longer than all of a small commit but its syncs; so it is left to a thread for which nobody waits.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::platform::Pin;

/// How many files wait for the thread at most, while it closes one: they take up room. What comes beyond that is
/// closed by who brings it.
const WAITING_MAX: usize = 1;

/// The way to the thread; `None` where none could be started.
static CLOSER: OnceLock<Option<SyncSender<Pin>>> = OnceLock::new();

/// Closes a file soon. The first of a process is closed at once: a program that writes once does not start a thread
/// for that.
pub(crate) fn close_later(file: Pin) {
    static IS_FIRST: AtomicBool = AtomicBool::new(true);
    if IS_FIRST.swap(false, Ordering::Relaxed) {
        return;
    }
    if let Some(closer) = CLOSER.get_or_init(start) {
        // What it does not take comes back in the error, and is closed with that.
        let _ = closer.try_send(file);
    }
}

fn start() -> Option<SyncSender<Pin>> {
    let (sender, files) = sync_channel(WAITING_MAX);
    let thread = std::thread::Builder::new().name("argus-closer".into());
    thread.spawn(move || files.into_iter().for_each(drop)).ok()?;
    Some(sender)
}

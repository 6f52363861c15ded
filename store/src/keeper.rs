//! Keeps a lockfile looking young while its holder waits for a slow disk.
//!
//! Older programs delete a lockfile whose time is ten seconds old. A thread refreshes those of this
//! process that are held for longer than a second. It is started by the first and ends when there
//! has been none for a while; taking a lock costs an entry in a list, and wakes nobody.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How often lockfiles are looked after, and how long one is held before it is refreshed.
const REFRESH_EVERY: Duration = Duration::from_secs(1);
/// After how many rounds with nothing to do the thread ends.
const IDLE_ROUNDS_MAX: u32 = 30;

static KEEPER: Mutex<Keeper> = Mutex::new(Keeper { held: Vec::new(), next: 0, is_running: false });

struct Keeper {
    held: Vec<Held>,
    next: u64,
    is_running: bool,
}

#[derive(Debug, Clone)]
struct Held {
    number: u64,
    file: Arc<File>,
    since: Instant,
}

/// A lockfile that is looked after for as long as this lives.
#[derive(Debug)]
pub(crate) struct Kept(Held);

impl Kept {
    /// Refreshes it now, if it is old: the whole process may have been stopped.
    pub(crate) fn refresh(&self) {
        self.0.refresh();
    }
}

impl Held {
    fn refresh(&self) {
        if self.since.elapsed() >= REFRESH_EVERY {
            // Failing to look young is no reason to fail: the check before the rename will tell.
            let _ = self.file.set_modified(SystemTime::now());
        }
    }
}

/// Looks after a lockfile.
pub(crate) fn keep(file: Arc<File>) -> Kept {
    let mut keeper = keeper();
    let number = keeper.next;
    keeper.next += 1;
    let held = Held { number, file, since: Instant::now() };
    keeper.held.push(held.clone());
    if !keeper.is_running {
        // Without the thread it is refreshed before the rename only, and looked at there anyway.
        let thread = std::thread::Builder::new().name("argus-lockfile".into());
        keeper.is_running = thread.spawn(look_after_all).is_ok();
    }
    Kept(held)
}

impl Drop for Kept {
    fn drop(&mut self) {
        keeper().held.retain(|held| held.number != self.0.number);
    }
}

fn look_after_all() {
    let mut idle_rounds = 0;
    loop {
        std::thread::sleep(REFRESH_EVERY);
        let mut keeper = keeper();
        if keeper.held.is_empty() {
            idle_rounds += 1;
            if idle_rounds > IDLE_ROUNDS_MAX {
                keeper.is_running = false;
                return;
            }
            continue;
        }
        idle_rounds = 0;
        let all = keeper.held.clone();
        // Not under the mutex: a disk that hangs must not hang those who take other locks.
        drop(keeper);
        all.iter().for_each(Held::refresh);
    }
}

fn keeper() -> MutexGuard<'static, Keeper> {
    // Nobody panics while holding it: there are only list operations.
    KEEPER.lock().unwrap_or_else(PoisonError::into_inner)
}

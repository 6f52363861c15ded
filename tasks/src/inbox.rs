//! What waits for the thread that follows a source.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::load::Unloaded;
use crate::loads::Read;
use crate::summary::Summary;
use crate::watch::Notice;

/// Most notices that wait. With more, all of the source is looked at.
const NOTICES_MAX: usize = 16 * 1024;

/// Who asked for a look at all, and is told when what it found is delivered.
pub(crate) type Asker = Sender<Result<(), String>>;

/// A task was read and judged, or not.
pub(crate) struct Done {
    pub(crate) relative: String,
    pub(crate) outcome: Result<(Summary, Read), Unloaded>,
}

/// All that came since it was taken last.
#[derive(Default)]
pub(crate) struct Post {
    pub(crate) notices: Vec<Notice>,
    pub(crate) done: Vec<Done>,
    pub(crate) askers: Vec<Asker>,
    /// Records that somebody else changed, as they are now.
    pub(crate) reasserted: Vec<(String, Option<String>)>,
}

impl Post {
    fn is_empty(&self) -> bool {
        self.notices.is_empty()
            && self.done.is_empty()
            && self.askers.is_empty()
            && self.reasserted.is_empty()
    }
}

/// Where it waits.
#[derive(Default)]
pub(crate) struct Inbox {
    post: Mutex<Post>,
    arrived: Condvar,
    pub(crate) stop: AtomicBool,
}

impl Inbox {
    pub(crate) fn put(&self, put: impl FnOnce(&mut Post)) {
        put(&mut self.post.lock().unwrap_or_else(PoisonError::into_inner));
        self.arrived.notify_all();
    }

    pub(crate) fn notice(&self, notice: Notice) {
        self.put(|post| {
            if post.notices.len() >= NOTICES_MAX || notice == Notice::All {
                post.notices.clear();
                post.notices.push(Notice::All);
            } else if post.notices.first() != Some(&Notice::All) || post.notices.len() > 1 {
                post.notices.push(notice);
            }
        });
    }

    /// Whether somebody asks for a look at all.
    pub(crate) fn is_asked(&self) -> bool {
        !self.post.lock().unwrap_or_else(PoisonError::into_inner).askers.is_empty()
    }

    pub(crate) fn stop(&self) {
        // Under the lock, so that who is about to wait sees it.
        self.put(|_| self.stop.store(true, Ordering::Relaxed));
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Takes what is there, and waits for it until `deadline`. `None` where it is time to stop.
    pub(crate) fn take(&self, deadline: Instant) -> Option<Post> {
        let mut post = self.post.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.is_stopped() {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if !post.is_empty() || left.is_zero() {
                return Some(std::mem::take(&mut *post));
            }
            let waited = self.arrived.wait_timeout(post, left);
            post = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::What;

    #[test]
    fn with_more_notices_than_there_is_room_for_all_is_looked_at() {
        let inbox = Inbox::default();
        for at in 0..=NOTICES_MAX {
            inbox.notice(Notice::At { relative: at.to_string(), what: What::Changed });
        }
        let post = inbox.take(Instant::now()).expect("not stopped");
        assert_eq!(post.notices, [Notice::All]);
    }
}

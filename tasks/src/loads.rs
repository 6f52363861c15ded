//! Tasks that are being read, some at a time.
//!
//! The threads are there only while there is something to read. What they hand over is small; what was
//! read is dropped before the next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::problem::PlaceProblem;
use crate::walk::Files;

/// What is remembered of a task that was read, beside its summary.
pub(crate) struct Read {
    pub(crate) files: Files,
    /// Whether a change since would show in the stamps.
    pub(crate) is_settled: bool,
    /// Whether what is wrong with it may go by itself.
    pub(crate) may_pass: bool,
    /// What is wrong with places in it.
    pub(crate) places: Vec<(String, PlaceProblem)>,
}

type Job = Box<dyn FnOnce() + Send>;

/// The jobs that wait, and the threads that do them.
pub(crate) struct Loads {
    most: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    stop: AtomicBool,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
}

impl Loads {
    /// Does at most `most` at a time.
    pub(crate) fn new(most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        Loads { most, shared: Arc::default() }
    }

    /// Does a job as soon as there is room.
    pub(crate) fn push(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = lock(&self.shared);
        queue.jobs.push_back(Box::new(job));
        if queue.threads >= self.most {
            return;
        }
        queue.threads += 1;
        drop(queue);
        let shared = self.shared.clone();
        let thread = thread::Builder::new().name("argus-load".to_owned());
        if thread.spawn(move || work(&shared)).is_err() {
            // Then it is done here; the others wait that long.
            work(&self.shared);
        }
    }
}

impl Drop for Loads {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

fn work(shared: &Shared) {
    loop {
        let mut queue = lock(shared);
        let stop = shared.stop.load(Ordering::Relaxed);
        let Some(job) = queue.jobs.pop_front().filter(|_| !stop) else {
            queue.threads -= 1;
            return;
        };
        drop(queue);
        job();
    }
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Queue> {
    shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_more_than_so_many_are_read_at_a_time() {
        let loads = Loads::new(3);
        let running = Arc::new(AtomicUsize::new(0));
        let (sender, done) = mpsc::channel();
        for _ in 0..30 {
            let (running, sender) = (running.clone(), sender.clone());
            loads.push(move || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                thread::sleep(Duration::from_millis(5));
                running.fetch_sub(1, Ordering::SeqCst);
                sender.send(now).expect("waited for");
            });
        }
        let wait = Duration::from_secs(10);
        let most = (0..30).map(|_| done.recv_timeout(wait).expect("done")).max();
        assert_eq!(most, Some(3));
    }
}

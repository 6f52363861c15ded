//! The callers of one process take turns, in the order in which they came.
//!
//! Without this the threads of one program would fight over the kernel lock like strangers, each
//! sleeping between attempts, and the unlucky one would come last for as long as it lasts.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use crate::error::{StoreError, StoreResult};
use crate::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use crate::wait::Wait;

/// The queues of this process, one for each file that somebody is writing or waiting for.
static QUEUES: LazyLock<Mutex<HashMap<PathBuf, Arc<Queue>>>> = LazyLock::new(Mutex::default);

/// The right to go on to the locks. Dropping it lets the next one go.
#[derive(Debug)]
pub(crate) struct Turn {
    path: PathBuf,
    queue: Arc<Queue>,
    ticket: u64,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next_ticket: u64,
    /// The first is the one whose turn it is.
    waiting: VecDeque<u64>,
}

impl Turn {
    /// Waits until everyone who came before is done with the file at `path`.
    pub(crate) fn wait_for(path: &Path, wait: &Wait) -> StoreResult<Self> {
        // The queue is found and joined under one lock, so that it cannot be dropped in between.
        let (queue, ticket) = {
            let mut queues = lock(&QUEUES);
            let queue = queues.entry(path.to_owned()).or_default().clone();
            let mut state = lock(&queue.state);
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            state.waiting.push_back(ticket);
            drop(state);
            (queue, ticket)
        };
        let turn = Turn { path: path.to_owned(), queue, ticket };
        let mut state = lock(&turn.queue.state);
        while state.waiting.front() != Some(&ticket) {
            let left = wait.left();
            if left.is_zero() {
                drop(state);
                return Err(StoreError::Locked {
                    path: turn.path.clone(),
                    holder: "another call of this program".to_owned(),
                    age: None,
                });
            }
            let waited = turn.queue.moved.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = lock(&QUEUES);
        let mut state = lock(&self.queue.state);
        state.waiting.retain(|ticket| *ticket != self.ticket);
        if state.waiting.is_empty() {
            queues.remove(&self.path);
        }
        drop(state);
        self.queue.moved.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nobody panics while holding one: there are only map and queue operations.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn turns_are_taken_in_order_and_nothing_is_left_behind() {
        let path = Path::new("/turn/order");
        let patient = Wait::new(Duration::from_secs(30));
        let first = Turn::wait_for(path, &patient).expect("nobody else is there");
        let (sender, order) = mpsc::channel();
        std::thread::scope(|scope| {
            for number in 0..10 {
                let sender = sender.clone();
                scope.spawn(move || {
                    let turn = Turn::wait_for(path, &patient).expect("in time");
                    sender.send(number).expect("somebody listens");
                    drop(turn);
                });
                // The next one comes once this one has joined the queue.
                let queue = first.queue.clone();
                while lock(&queue.state).waiting.len() < number + 2 {
                    std::thread::yield_now();
                }
            }
            drop(first);
        });
        drop(sender);
        assert_eq!(order.iter().collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        assert!(!lock(&QUEUES).contains_key(path));
    }

    #[test]
    fn a_wait_that_runs_out_leaves_the_queue() {
        let path = Path::new("/turn/timeout");
        let held = Turn::wait_for(path, &Wait::new(Duration::ZERO)).expect("nobody else is there");
        let error = Turn::wait_for(path, &Wait::new(Duration::from_millis(5))).expect_err("held");
        assert!(error.to_string().contains("another call of this program"), "{error}");
        drop(held);
        Turn::wait_for(path, &Wait::new(Duration::ZERO)).expect("free again");
    }
}

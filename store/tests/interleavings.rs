//! The turns of one process, under many thousands of orders in which its threads can run.
//!
//! `shuttle` runs the threads one at a time and decides at each lock who goes on. It says so where
//! nobody can: a wake-up that is lost is a deadlock at once, and a schedule that can be played again.
//! `src/turn.rs` is included as it is, with the primitives of `shuttle` under the name `sync`, and a
//! wait that knows no clock.
//!
//! Seen to fail with the others notified before one's ticket is gone, with a queue that is joined
//! after the map was let go, with one that is dropped while somebody is in it, and with a ticket that stays
//! when the wait runs out.

#[path = "../src/turn.rs"]
#[expect(unused_imports, reason = "its own tests come with it, and are not run here")]
mod turn;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::turn::Turn;
use crate::wait::Wait;

const PATHS: [&str; 2] = ["/one", "/other"];
/// How many schedules are tried of each sort; two callers alone have more than can all be.
const SCHEDULES: usize = 5_000;

fn main() {
    let crowd = [
        (0, Patience::Endless),
        (0, Patience::Short),
        (1, Patience::Endless),
        (0, Patience::Endless),
        (1, Patience::Short),
    ];
    shuttle::check_random(move || case(&crowd, 2), SCHEDULES);
    // Few changes of who runs, at the worst moments.
    shuttle::check_pct(move || case(&crowd, 2), SCHEDULES, 3);
    println!("nobody is let in twice, and nobody waits for ever");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    Endless,
    /// The wait may run out at any time.
    Short,
}

/// Everyone takes turns at his file: one at a time, and in the end all have had theirs.
fn case(callers: &[(usize, Patience)], rounds: usize) {
    sync::begin_execution();
    let inside: Arc<[AtomicBool; 2]> = Arc::default();
    let served = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = callers
        .iter()
        .map(|&(file, patience)| {
            let (inside, served) = (inside.clone(), served.clone());
            shuttle::thread::spawn(move || {
                for _ in 0..rounds {
                    let turn = Turn::wait_for(Path::new(PATHS[file]), &Wait::new(patience));
                    let Ok(turn) = turn else {
                        assert!(patience == Patience::Short, "an endless wait has run out");
                        continue;
                    };
                    assert!(!inside[file].swap(true, Ordering::Relaxed), "two at a time");
                    shuttle::thread::yield_now();
                    inside[file].store(false, Ordering::Relaxed);
                    served.fetch_add(usize::from(patience == Patience::Endless), Ordering::Relaxed);
                    drop(turn);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no caller panics"));
    let patient = callers.iter().filter(|(_, patience)| *patience == Patience::Endless).count();
    assert_eq!(served.load(Ordering::Relaxed), patient * rounds);
}

/// In the place of the store's own.
mod wait {
    use std::time::Duration;

    use shuttle::rand::{Rng, thread_rng};

    use crate::Patience;

    pub(crate) struct Wait(Patience);

    impl Wait {
        pub(crate) fn new(patience: Patience) -> Self {
            Wait(patience)
        }

        pub(crate) fn left(&self) -> Duration {
            match self.0 {
                Patience::Endless => Duration::MAX,
                Patience::Short if thread_rng().gen_bool(0.5) => Duration::ZERO,
                Patience::Short => Duration::from_secs(1),
            }
        }
    }
}

/// In the place of the store's own.
mod error {
    use std::path::PathBuf;
    use std::time::Duration;

    pub(crate) type StoreResult<T> = Result<T, StoreError>;

    #[derive(Debug)]
    #[expect(dead_code, reason = "nobody here is told")]
    pub(crate) enum StoreError {
        Locked { path: PathBuf, holder: String, age: Option<Duration> },
    }
}

/// In the place of the store's own.
mod sync {
    use std::ops::Deref;
    use std::sync::LockResult;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use shuttle::rand::{Rng, thread_rng};
    pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;

    static EXECUTION: AtomicU64 = AtomicU64::new(0);

    /// What is made lazily is made anew.
    pub(crate) fn begin_execution() {
        EXECUTION.fetch_add(1, Ordering::Relaxed);
    }

    /// A value for each execution: one of shuttle's locks does not outlive its own.
    pub(crate) struct LazyLock<T: 'static> {
        make: fn() -> T,
        current: std::sync::Mutex<(u64, Option<&'static T>)>,
    }

    impl<T> LazyLock<T> {
        pub(crate) const fn new(make: fn() -> T) -> Self {
            LazyLock { make, current: std::sync::Mutex::new((0, None)) }
        }
    }

    impl<T> Deref for LazyLock<T> {
        type Target = T;

        fn deref(&self) -> &T {
            let execution = EXECUTION.load(Ordering::Relaxed);
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            match *current {
                (made, Some(value)) if made == execution => value,
                _ => {
                    let value = Box::leak(Box::new((self.make)()));
                    *current = (execution, Some(value));
                    value
                }
            }
        }
    }

    /// Shuttle's waits for ever, whatever it is told.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar(shuttle::sync::Condvar);

    impl Condvar {
        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }

        pub(crate) fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            left: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, ())> {
            if left != Duration::MAX && thread_rng().gen_bool(0.5) {
                return Ok((guard, ()));
            }
            let waited = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
            Ok((waited, ()))
        }
    }
}

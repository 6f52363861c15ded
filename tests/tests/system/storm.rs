//! Many clients at once: no acknowledged change is lost, whichever way it went.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use argus_tests::{TestContext, at_once, executables, helper, kill};

const CLIENTS: usize = at_once(64);
const ROUNDS: usize = 6;

/// What the clients of a storm were promised.
#[derive(Debug, Default)]
struct Promised {
    present: Vec<String>,
    absent: Vec<String>,
    locked: u64,
    unknown: u64,
    errors: Vec<String>,
}

fn start_client(context: &TestContext, mode: &str, number: usize) -> Child {
    let mut command = Command::new(helper("storm"));
    context.prepare(&mut command);
    command
        .env("STORM_ARGUSD", &executables().argusd)
        .arg(context.registry())
        .args([mode, &format!("client-{number}"), &ROUNDS.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a client can be started")
}

/// Runs the clients, each in the mode that `mode` gives it, while `meanwhile` happens.
fn storm(
    context: &TestContext,
    mode: impl Fn(usize) -> &'static str,
    meanwhile: impl FnOnce(&mut Vec<Child>),
) -> Promised {
    let reader = Reader::start(context);
    let mut clients: Vec<Child> =
        (0..CLIENTS).map(|number| start_client(context, mode(number), number)).collect();
    for client in &mut clients {
        client.stdin.take().expect("piped").write_all(b"!").expect("it waits for this");
    }
    meanwhile(&mut clients);
    let mut promised = Promised::default();
    for client in clients {
        let output = client.wait_with_output().expect("it was started here");
        assert!(output.status.success(), "{output:?}");
        let tally: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a tally");
        let strings = |key: &str| -> Vec<String> {
            serde_json::from_value(tally[key].clone()).expect("a list of ids")
        };
        promised.present.extend(strings("present"));
        promised.absent.extend(strings("absent"));
        promised.errors.extend(strings("errors"));
        promised.locked += tally["locked"].as_u64().expect("a number");
        promised.unknown += tally["unknown"].as_u64().expect("a number");
    }
    assert!(reader.stop() > 0, "nobody read the file meanwhile");
    promised
}

/// Reads the file in a loop, as programs do that have never heard of argus. It must always parse.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Reader {
    fn start(context: &TestContext) -> Self {
        let path = context.registry();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut read = 0;
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(bytes) = std::fs::read(&path) {
                    let document: serde_json::Value =
                        serde_json::from_slice(&bytes).expect("the file is whole at every moment");
                    assert_eq!(document["version"], 1);
                    read += 1;
                }
                std::thread::yield_now();
            }
            read
        });
        Reader { stop, thread }
    }

    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the reader found the file whole")
    }
}

fn check(context: &TestContext, promised: &Promised) {
    assert!(promised.errors.is_empty(), "{:?}", promised.errors);
    let ids = context.ids();
    for id in &promised.present {
        assert!(ids.binary_search(id).is_ok(), "`{id}` was acknowledged and is lost");
    }
    for id in &promised.absent {
        assert!(ids.binary_search(id).is_err(), "`{id}` was removed and is there again");
    }
    assert_eq!(ids.len(), promised.present.len(), "nothing else is there");
    let lockfile = context.paths().lockfile();
    assert!(!lockfile.exists(), "{} was left behind", lockfile.display());
}

#[test]
fn many_clients_of_the_daemon_lose_nothing_and_never_see_a_lock() {
    let context = TestContext::new();
    let promised = storm(&context, |_| "auto", |_| {});
    check(&context, &promised);
    assert_eq!((promised.locked, promised.unknown), (0, 0));
    assert_eq!(context.daemons().len(), 1);
}

#[test]
fn many_clients_in_direct_mode_lose_nothing() {
    let context = TestContext::new();
    let promised = storm(&context, |_| "direct", |_| {});
    check(&context, &promised);
    assert_eq!(promised.unknown, 0);
    assert!(context.daemons().is_empty());
}

#[test]
fn daemon_and_direct_writers_mixed_lose_nothing() {
    let context = TestContext::new();
    let promised = storm(&context, |number| ["auto", "direct"][number % 2], |_| {});
    check(&context, &promised);
}

#[test]
fn a_daemon_killed_again_and_again_loses_nothing_that_was_acknowledged() {
    let context = TestContext::new();
    let mut kills = 0;
    let promised = storm(
        &context,
        |_| "auto",
        |clients| {
            while clients.iter_mut().any(|client| client.try_wait().expect("own child").is_none()) {
                for pid in context.daemons() {
                    kill(pid);
                    kills += 1;
                }
                std::thread::yield_now();
            }
        },
    );
    check(&context, &promised);
    assert!(kills > 0, "no daemon was there to be killed");
}

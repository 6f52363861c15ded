//! A live copy in memory: it follows, says when it does not, and reading it waits for nothing.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use argus_client::{Client, Code, Collection, Mirror, Mode, Options};
use argus_store::{Lock, LockOptions};
use argus_tests::{DEADLINE, Stopped, TestContext, kill, until};
use serde::{Deserialize, Serialize};

const BOTH_WAYS: [Mode; 2] = [Mode::DaemonOnly, Mode::Direct];
const READS: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Machine {
    r#type: String,
    host: String,
}

fn ssh(host: &str) -> Machine {
    Machine { r#type: "ssh".into(), host: host.into() }
}

fn machines(options: Options) -> Collection<Machine> {
    let client = Client::new(options).expect("it needs nothing");
    client.collection("machines")
}

fn file(context: &TestContext) -> PathBuf {
    context.home().join("machines.json")
}

/// Host by id, as the mirror has it.
fn hosts(mirror: &Mirror<Machine>) -> Vec<(String, String)> {
    let entries = mirror.list();
    entries.iter().map(|entry| (entry.id.clone(), entry.value.host.clone())).collect()
}

/// Waits until the mirror says that it is current, or that it is not and why.
async fn standing(mirror: &Mirror<Machine>, wanted: Option<Code>) {
    let mut mirror = mirror.clone();
    let becomes = async {
        while mirror.last_error().map(|error| error.code) != wanted {
            mirror.changed().await.expect("it goes on");
        }
    };
    tokio::time::timeout(DEADLINE, becomes).await.expect("it notices");
    assert_eq!(mirror.is_current(), wanted.is_none());
}

/// Drops what has the files of a home open before the home is removed. A task that follows is dropped only when the
/// runtime comes to it.
async fn end<T>(users: T) {
    drop(users);
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn a_mirror_shows_what_there_is_and_what_becomes_of_it() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        context.start_daemon();
        let machines = machines(context.options(mode));
        let mirror = machines.mirror().await.expect("served");
        assert_eq!(hosts(&mirror), [("local".into(), String::new())], "{mode:?}");
        assert!(mirror.is_current());

        // One's own changes: a moment later, under the etag of the answer.
        let added = machines.add("box", &ssh("a")).await.expect("free").etag;
        let has = |etag: String| {
            mirror.wait_for(DEADLINE, move |all| all.get("box").is_some_and(|it| it.etag == etag))
        };
        let snapshot = has(added).await.expect("it follows");
        let updated = machines.update("box", |machine| machine.host = "b".into()).await;
        let updated = updated.expect("free");
        has(updated.etag.clone()).await.expect("it follows");
        assert_eq!(mirror.get("box").as_deref(), Some(&updated));
        assert_eq!(snapshot.get("box").expect("then").value, ssh("a"), "a snapshot stays");

        // What others write, and what is no machine.
        let text = fs::read_to_string(file(&context)).expect("written");
        let odd = text.replace("\"b\"", "7");
        fs::write(file(&context), odd).expect("own file");
        let odd =
            mirror.wait_for(DEADLINE, |all| all.get("box").is_none()).await.expect("it is told");
        let invalid: Vec<_> = odd.invalid().map(|it| (&*it.id, it.error.code)).collect();
        assert_eq!(invalid, [("box", Code::Invalid)], "{mode:?}");
        assert_eq!((odd.len(), mirror.len()), (1, 1), "it hides no other");
        assert!(machines.remove("box").await.expect("free"));
        mirror.wait_for(DEADLINE, |all| all.invalid().count() == 0).await.expect("it is told");

        let error = mirror.wait_for(Duration::ZERO, |all| all.get("box").is_some()).await;
        assert_eq!(error.err().expect("it does not become so").code, Code::Timeout);
        end((mirror, machines)).await;
    }
}

/// The file gone, the daemon stopped, the locks held, and writers of this process waiting for them.
#[tokio::test]
async fn reading_a_mirror_waits_for_no_disk_no_daemon_and_no_writer() {
    let context = TestContext::new();
    let daemon = context.start_daemon();
    let machines = machines(context.options(Mode::Auto));
    let added = machines.add("box", &ssh("a")).await.expect("free");
    let mirror = machines.mirror().await.expect("served");

    let stopped = Stopped::new(daemon);
    let lock = Lock::acquire(&file(&context), LockOptions::default()).expect("nobody writes");
    let kept = fs::read(file(&context)).expect("written");
    fs::remove_file(file(&context)).expect("own file");
    fs::create_dir(file(&context)).expect("what nobody can read");

    let done = AtomicBool::new(false);
    let reads: usize = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let writer = context.client(Mode::Direct);
            let writer = writer.collection::<Machine>("machines");
            while !done.load(Ordering::Relaxed) {
                writer.remove("box").expect_err("the locks are held");
            }
        });
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let is_there = |_: &usize| {
                        mirror.get("box").is_some_and(|entry| entry.etag == added.etag)
                            && mirror.list().len() == mirror.len()
                    };
                    (0..READS).filter(is_there).count()
                })
            })
            .collect();
        let reads = readers.into_iter().map(|reader| reader.join().expect("it goes on")).sum();
        assert!(!writer.is_finished(), "it waits to the end");
        done.store(true, Ordering::Relaxed);
        reads
    });
    assert_eq!(reads, 2 * READS, "every one of them finds it");

    fs::remove_dir(file(&context)).expect("own folder");
    fs::write(file(&context), kept).expect("own file");
    drop(lock);
    drop(stopped);
    let etag = machines.put("box", &ssh("b")).await.expect("free again").etag;
    let follows = mirror.wait_for(DEADLINE, |all| all.get("box").is_some_and(|it| it.etag == etag));
    follows.await.expect("it follows again");
}

#[tokio::test]
async fn a_mirror_goes_on_with_the_file_and_comes_back_to_the_daemon() {
    let context = TestContext::new();
    let daemon = context.start_daemon();
    let mirror = machines(context.options(Mode::Auto)).mirror().await.expect("served");
    kill(daemon);
    let direct = machines(context.options(Mode::Direct));
    direct.add("box", &ssh("a")).await.expect("free");
    let has = |id: &'static str| mirror.wait_for(DEADLINE, move |all| all.get(id).is_some());
    has("box").await.expect("it looks at the file");
    standing(&mirror, None).await;
    context.start_daemon();
    machines(context.options(Mode::DaemonOnly)).add("two", &ssh("b")).await.expect("served");
    has("two").await.expect("it is told by the daemon, or sees it");
    standing(&mirror, None).await;
}

#[tokio::test]
async fn a_mirror_that_may_not_do_without_a_daemon_says_that_it_is_behind() {
    let context = TestContext::new();
    let nobody = Some(context.home().join("no-argusd"));
    let options = Options { daemon_executable: nobody, ..context.options(Mode::DaemonOnly) };
    let without = machines(options.clone()).mirror().await;
    assert!(without.is_err(), "there is nothing to show");

    let daemon = context.start_daemon();
    let machines = machines(options);
    machines.add("box", &ssh("a")).await.expect("served");
    let mirror = machines.mirror().await.expect("served");
    standing(&mirror, None).await;
    kill(daemon);
    let mut behind = mirror.clone();
    while behind.is_current() {
        behind.changed().await.expect("it goes on");
    }
    assert!(mirror.get("box").is_some(), "it shows what there was");
    context.start_daemon();
    standing(&mirror, None).await;
    assert!(mirror.get("box").is_some());
}

#[tokio::test]
async fn a_mirror_of_a_damaged_file_keeps_what_it_had_and_says_so() {
    let context = TestContext::new();
    let direct = machines(context.options(Mode::Direct));
    direct.add("box", &ssh("a")).await.expect("free");
    let mirror = direct.mirror().await.expect("there");
    let good = fs::read(file(&context)).expect("written");
    fs::write(file(&context), "garbage").expect("own file");
    standing(&mirror, Some(Code::Corrupt)).await;
    assert!(mirror.get("box").is_some());
    // One that begins now shows what reading does, and says the same.
    let late = direct.mirror().await.expect("what is left");
    assert_eq!(late.last_error().map(|error| error.code), Some(Code::Corrupt));
    fs::write(file(&context), good).expect("own file");
    standing(&mirror, None).await;
    standing(&late, None).await;
    assert_eq!(hosts(&mirror), hosts(&late));
    end((mirror, late, direct)).await;
}

#[test]
fn a_mirror_whose_runtime_has_ended_still_shows_and_says_that_it_follows_no_more() {
    let context = TestContext::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let machines = machines(context.options(Mode::Direct));
    let mut mirror = runtime.block_on(machines.mirror()).expect("there");
    drop(runtime);
    assert_eq!(mirror.last_error().map(|error| error.code), Some(Code::Io));
    assert!(mirror.get("local").is_some());
    let other = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(other.block_on(mirror.changed()).expect_err("never").code, Code::Io);
}

#[test]
fn a_program_without_a_runtime_has_mirrors_too() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        context.start_daemon();
        let client = context.client(mode);
        let machines = client.collection::<Machine>("machines");
        let mut mirror = machines.mirror().expect("served");
        assert!(mirror.is_current() && mirror.len() == 1 && !mirror.is_empty());
        assert!(!mirror.changed_within(Duration::ZERO).expect("it goes on"));
        let etag = machines.add("box", &ssh("a")).expect("free").etag;
        assert!(mirror.changed_within(DEADLINE).expect("it goes on"), "{mode:?}");
        let has_it = mirror.wait_for(DEADLINE, |all| all.get("box").is_some());
        assert_eq!(has_it.expect("it follows").get("box").expect("there").etag, etag);
        // It needs nobody to call: the thread is its own.
        context.argus(&["-c", "machines", "rm", "box"]);
        until("it is gone", || mirror.get("box").is_none().then_some(()));
        assert_eq!(mirror.snapshot().iter().count(), mirror.list().len());
        assert_eq!(mirror.last_error(), None);
    }
}

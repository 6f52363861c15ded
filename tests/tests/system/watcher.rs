//! The guard in a watcher's own process: announced, kept fresh, announced again, removed.

use std::time::Duration;

use argus_client::{Code, Mode, Options, Standing, Watcher, announcement};
use argus_tests::{TestContext, ended, kill, until};
use serde_json::json;

fn fast(context: &TestContext, mode: Mode) -> Options {
    Options { heartbeat_interval: Duration::from_millis(20), ..context.options(mode) }
}

fn updated_at(context: &TestContext, id: &str) -> u64 {
    let found = context.client(Mode::Auto).get(id).expect("it is there");
    found.record.to_value()["updatedAt"].as_u64().expect("a time")
}

#[test]
fn it_is_announced_kept_fresh_and_removed_when_dropped() {
    for mode in [Mode::Auto, Mode::Direct] {
        let context = TestContext::new();
        let watcher = Watcher::start(fast(&context, mode), announcement("app").port(7).build())
            .expect("announced");
        assert_eq!(watcher.id(), "app");
        let first = updated_at(&context, "app");
        until("a heartbeat arrives", || (updated_at(&context, "app") > first).then_some(()));
        assert_eq!(watcher.standing(), Standing::Announced);
        drop(watcher);
        assert!(context.ids().is_empty());
    }
}

#[test]
fn it_is_announced_again_when_its_record_was_lost_but_not_when_it_was_removed() {
    let context = TestContext::new();
    let watcher = Watcher::start(fast(&context, Mode::Auto), announcement("app").port(7).build())
        .expect("announced");
    // Lost: another program wrote the file without it.
    let empty = json!({ "version": 1, "updatedAt": 1, "watchers": {} });
    std::fs::write(context.registry(), empty.to_string()).expect("own file");
    until("it is there again", || (context.ids() == ["app"]).then_some(()));

    assert_eq!(context.argus(&["rm", "app"]).code, 0);
    until("it knows that it was removed", || {
        matches!(watcher.standing(), Standing::Gone(_)).then_some(())
    });
    assert!(context.ids().is_empty());
    watcher.close().expect("nothing is left to remove");
}

#[test]
fn it_survives_its_daemon() {
    let context = TestContext::new();
    let watcher =
        Watcher::start(fast(&context, Mode::Auto), announcement("app").build()).expect("announced");
    for _ in 0..3 {
        for pid in context.daemons() {
            kill(pid);
            until("the daemon is dead", || ended(pid).then_some(()));
        }
        let before = updated_at(&context, "app");
        until("heartbeats go on", || (updated_at(&context, "app") > before).then_some(()));
    }
    watcher.close().expect("removed");
    assert!(context.ids().is_empty());
}

#[test]
fn it_does_not_remove_the_record_of_who_took_its_name() {
    let context = TestContext::new();
    let other = context.bystander();
    let watcher =
        Watcher::start(fast(&context, Mode::Auto), announcement("app").build()).expect("announced");
    let pid = other.pid().to_string();
    let run = context.argus(&["announce", "--id", "app", "--pid", &pid, "--replace"]);
    assert_eq!(run.code, 0, "{run:?}");
    until("it knows that the name is another's", || {
        matches!(watcher.standing(), Standing::Gone(_)).then_some(())
    });
    let error = watcher.close().expect_err("the record is not its own");
    assert_eq!(error.code, Code::Conflict);
    assert_eq!(context.ids(), ["app"]);
}

#[test]
fn a_name_that_is_taken_is_told_at_once_or_made_unique() {
    let context = TestContext::new();
    let other = context.bystander();
    let pid = other.pid().to_string();
    context.argus(&["announce", "--id", "app", "--pid", &pid]);
    let error = Watcher::start(context.options(Mode::Auto), announcement("app").build())
        .expect_err("taken");
    assert_eq!(error.code, Code::Conflict);
    let watcher =
        Watcher::start(context.options(Mode::Auto), announcement("app").unique(true).build())
            .expect("announced");
    assert_eq!(watcher.id(), "app-2");
}

#[test]
fn a_broken_registry_neither_ends_nor_blocks_the_program() {
    let context = TestContext::new();
    let watcher = Watcher::start(fast(&context, Mode::Direct), announcement("app").build())
        .expect("announced");
    std::fs::write(context.registry(), "{\"version\":2}").expect("own file");
    until("a heartbeat has failed", || {
        matches!(watcher.standing(), Standing::Failing(_)).then_some(())
    });
    let whole = json!({ "version": 1, "updatedAt": 1, "watchers": {} });
    std::fs::write(context.registry(), whole.to_string()).expect("own file");
    until("it is there again", || (context.ids() == ["app"]).then_some(()));
    until("it knows", || (watcher.standing() == Standing::Announced).then_some(()));
}

#[test]
fn it_works_inside_an_asynchronous_program() {
    let context = TestContext::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let watcher =
            Watcher::start_async(context.options(Mode::Auto), announcement("app").build())
                .await
                .expect("announced");
        assert_eq!(context.ids(), ["app"]);
        drop(watcher);
        assert!(context.ids().is_empty());
    });
}

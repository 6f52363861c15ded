//! What is kept of the past: every change with its cause, in a database for which nobody ever waits.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use argus_client::method::{Announce, Remove};
use argus_client::{Mode, announcement};
use argus_tests::{TestContext, own_pid, until};
use rusqlite::Connection;
use serde_json::{Value, json};

fn database(context: &TestContext) -> PathBuf {
    context.paths().folder().join("argus.db")
}

/// What `why` says of a record, once it says this.
fn why_says(context: &TestContext, collection: &str, id: &str, part: &str) -> String {
    let mut last = String::new();
    let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        until("why says it", || {
            let run = context.argus(&["-c", collection, "why", id]);
            last = format!("{}{}", run.stdout, run.stderr);
            run.stdout.contains(part).then_some(run.stdout)
        })
    }));
    said.unwrap_or_else(|_| panic!("`{part}` is not in what was said last: {last}"))
}

fn kinds(changes: &Value) -> Vec<(String, String, String)> {
    let text = |change: &Value, key: &str| change[key].as_str().expect("a text").to_owned();
    let changes = changes["changes"].as_array().expect("changes");
    changes
        .iter()
        .map(|change| (text(change, "kind"), text(change, "id"), text(change, "reason")))
        .collect()
}

#[test]
fn why_names_who_asked_and_which_process_ended_and_for_how_long_nothing_was_heard() {
    let context = TestContext::new();
    fs::write(context.home().join("config.yaml"), "watchers: {ttl: 1s}\n").expect("own folder");
    context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    let mut bystander = context.bystander();
    let pid = bystander.pid();
    let announce = |id: &str, vouch: bool| {
        let announce = announcement(id).pid(pid).build();
        client.announce(Announce { vouch, ..announce }).expect("served");
    };
    announce("dying", true);
    announce("silent", false);
    announce("removed", true);
    client
        .remove(Remove { id: "removed".to_owned(), pid: None, if_match: None, flush: false })
        .expect("served");
    let own = std::process::id();
    let sentence = why_says(&context, "watchers", "removed", "removed");
    assert!(sentence.contains(&format!(": asked for by process {own} (")), "{sentence}");
    let sentence = why_says(&context, "watchers", "dying", "added");
    assert!(sentence.contains(&format!("announced by process {own}")), "{sentence}");

    let sentence = why_says(&context, "watchers", "silent", "removed");
    assert!(sentence.contains("nothing was heard of it for"), "{sentence}");
    assert!(sentence.contains("its TTL is 1.0 s"), "{sentence}");
    bystander.kill();
    let sentence = why_says(&context, "watchers", "dying", "removed");
    assert!(sentence.ends_with(&format!(": process {pid} exited\n")), "{sentence}");

    // The same without a daemon.
    let said = |id: &str| context.argus(&["--json", "why", id]).data();
    let told: Vec<Value> = ["removed", "silent", "dying"].iter().map(|id| said(id)).collect();
    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    let direct: Vec<Value> = ["removed", "silent", "dying"].iter().map(|id| said(id)).collect();
    assert_eq!(told, direct);
    assert_eq!(told[2]["change"]["evidence"]["pid"], pid);
    assert!(told[2]["change"]["evidence"]["startTime"].is_u64(), "{}", told[2]);
    assert_eq!(context.argus(&["why", "nobody"]).code, 4);
}

/// Seen to fail where it is looked once whether the record is there.
#[test]
fn why_takes_what_happened_meanwhile_for_nobodys_work_unseen() {
    let context = TestContext::new();
    context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    for round in 0..40 {
        let id = format!("record-{round}");
        client.announce(announcement(&id).build()).expect("served");
        std::thread::scope(|scope| {
            let asker = scope.spawn(|| {
                let asks = context.client(Mode::DaemonOnly);
                loop {
                    let sentence = asks.why(&id).expect("it was there").sentence;
                    assert!(!sentence.contains("somebody"), "{sentence}");
                    if sentence.starts_with("removed") {
                        return;
                    }
                }
            });
            client
                .remove(Remove { id: id.clone(), pid: None, if_match: None, flush: false })
                .expect("served");
            asker.join().expect("it is told truly");
        });
    }
}

#[test]
fn why_names_another_program_and_what_was_damaged() {
    let context = TestContext::new();
    for id in ["kept", "newer"] {
        assert_eq!(
            context.argus(&["--direct", "announce", "--id", id, "--pid", own_pid()]).code,
            0
        );
    }
    context.start_daemon();
    let sentence = why_says(&context, "watchers", "newer", "it was there before");
    assert!(sentence.starts_with("added"), "{sentence}");

    // Another program takes one out, in place and without a lock.
    let mut document = context.document();
    document["watchers"].as_object_mut().expect("a map").remove("kept");
    fs::write(context.registry(), document.to_string()).expect("own file");
    let sentence = why_says(&context, "watchers", "kept", "removed");
    let path = context.registry();
    assert!(sentence.contains(&format!("another program wrote {}", path.display())), "{sentence}");

    assert_eq!(context.argus(&["put", "-c", "machines", "box", r#"{"type":"local"}"#]).code, 0);
    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    let last_good = context.paths().folder().join("last-good.json");
    let mut document = context.document();
    document["watchers"].as_object_mut().expect("a map").remove("newer");
    fs::write(last_good, document.to_string()).expect("own file");
    fs::write(context.registry(), b"{\"version\":1,\"watch").expect("own file");
    context.start_daemon();
    let sentence = why_says(&context, "watchers", "newer", "was damaged");
    assert!(sentence.contains("removed") && sentence.contains("quarantine"), "{sentence}");
}

#[test]
fn every_change_of_every_collection_is_kept_in_its_order_and_can_be_asked_for() {
    let context = TestContext::new();
    let mut rpc = {
        context.start_daemon();
        context.rpc()
    };
    let mut call = |method: &str, params: Value| rpc.call(method, params);
    for number in 0..5 {
        call(
            "put",
            json!({ "collection": "machines", "id": format!("m{number}"),
                            "value": {"type": "ssh", "host": format!("host-{number}")} }),
        );
    }
    call("patch", json!({ "collection": "machines", "id": "m0", "patch": {"host": "other"} }));
    call("remove", json!({ "collection": "machines", "id": "m1" }));
    let all = call("history", json!({ "collection": "machines" }))["result"].clone();
    let row = |kind: &str, id: &str, reason: &str| (kind.into(), id.into(), reason.into());
    let mut expected: Vec<(String, String, String)> = vec![row("added", "local", "external")];
    expected.extend((0..5).map(|number| row("added", &format!("m{number}"), "put")));
    expected.push(row("updated", "m0", "patched"));
    expected.push(row("removed", "m1", "removed"));
    assert_eq!(kinds(&all), expected);
    // The same line on the command line, with a daemon and without.
    let printed = context.argus(&["--json", "-c", "machines", "history"]).data();
    assert_eq!(printed, all);

    let of_one = call("history", json!({ "collection": "machines", "id": "m0" }))["result"].clone();
    assert_eq!(kinds(&of_one), [row("added", "m0", "put"), row("updated", "m0", "patched")]);
    let last = call("history", json!({ "collection": "machines", "limit": 2 }))["result"].clone();
    assert_eq!(kinds(&last), expected[expected.len() - 2..]);
    assert_eq!(last["truncated"], true);
    let since = all["changes"][5]["cursor"].clone();
    let later =
        call("history", json!({ "collection": "machines", "since": since }))["result"].clone();
    assert_eq!(kinds(&later), expected[6..]);
    let aged =
        call("history", json!({ "collection": "machines", "since": "1h" }))["result"].clone();
    assert_eq!(kinds(&aged), expected);
    for since in ["1 hour ago", "nowhere:7"] {
        let refused = call("history", json!({ "collection": "machines", "since": since }));
        assert_eq!(refused["error"]["data"]["code"], "E_USAGE", "{refused}");
    }
    let watchers = call("history", json!({}))["result"].clone();
    assert_eq!(kinds(&watchers), []);

    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    assert_eq!(context.argus(&["--json", "-c", "machines", "history"]).data(), all);
    let people = context.argus(&["-c", "machines", "history", "m0"]).stdout;
    assert!(people.starts_with("TIME") && people.contains("patched by process"), "{people}");
    // What was changed while nobody recorded is found, and told as that.
    let put = ["--direct", "-c", "machines", "put", "m9", r#"{"type":"local"}"#];
    assert_eq!(context.argus(&put).code, 0);
    context.start_daemon();
    assert_eq!(context.argus(&["-c", "machines", "ls"]).code, 0);
    why_says(&context, "machines", "m9", "while nobody recorded it");
}

#[test]
fn a_secret_is_in_no_byte_of_the_database() {
    let context = TestContext::new();
    context.start_daemon();
    let account = r#"{"name":"work","email":"someone@secret.example","planType":"very-secret"}"#;
    assert_eq!(context.argus(&["-c", "accounts", "put", "work", account]).code, 0);
    assert_eq!(
        context.argus(&["announce", "--id", "open-announcement", "--pid", own_pid()]).code,
        0
    );
    let history = context.argus(&["--json", "-c", "accounts", "history", "work"]).data();
    let after = &history["changes"][0]["after"];
    assert!(after["email"].as_str().is_some_and(|hash| hash.starts_with("sha256:")), "{after}");
    why_says(&context, "watchers", "open-announcement", "added");
    let mut seen = 0;
    for entry in fs::read_dir(context.paths().folder()).expect("own folder") {
        let path = entry.expect("there").path();
        if !path.to_string_lossy().contains("argus.db") {
            continue;
        }
        let bytes = fs::read(&path).expect("own file");
        let has = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
        assert!(!has("secret"), "{}", path.display());
        seen += usize::from(has("open-announcement"));
    }
    assert!(seen > 0, "what is no secret is there, so the test would have seen it");
}

#[test]
fn a_database_that_is_deleted_replaced_or_locked_holds_nobody_up_and_is_whole_again() {
    let context = TestContext::new();
    context.start_daemon();
    let announce = |id: &str| {
        let run = context.argus(&["--daemon-only", "announce", "--id", id, "--pid", own_pid()]);
        assert_eq!((run.code, &*run.stderr), (0, ""), "{run:?}");
    };
    announce("before");
    why_says(&context, "watchers", "before", "added");

    fs::remove_file(database(&context)).expect("own file");
    announce("after-deletion");
    why_says(&context, "watchers", "after-deletion", "added");
    // What the daemon still knows is in the new one too.
    why_says(&context, "watchers", "before", "announced");

    fs::write(database(&context), vec![b'x'; 100_000]).expect("own file");
    announce("after-garbage");
    why_says(&context, "watchers", "after-garbage", "added");
    why_says(&context, "watchers", "before", "announced");
    let quarantine = context.paths().folder().join("quarantine");
    let kept =
        fs::read_dir(quarantine).expect("a folder").map(|entry| entry.expect("there").path());
    assert!(
        kept.map(|path| fs::read(path).expect("readable")).any(|bytes| bytes.starts_with(b"xxx"))
    );

    let locked = Connection::open(database(&context)).expect("a database");
    locked.execute_batch("BEGIN EXCLUSIVE").expect("nobody else writes now");
    announce("while-locked");
    let status = || context.argus(&["--json", "status"]).data()["daemon"]["database"].clone();
    until("status tells of the lock", || status()["problem"].is_string().then_some(()));
    assert!(status()["queued"].as_u64() > Some(0), "{}", status());
    // What is answered meanwhile says that it may not be all.
    for asked in [&["history"][..], &["why", "while-locked"]] {
        let run = context.argus(&[&["--json", "--daemon-only"], asked].concat());
        let behind = run.data()["behind"].as_str().map(str::to_owned);
        assert!(behind.is_some_and(|behind| behind.contains("wait to be written")), "{run:?}");
        let people = context.argus(asked);
        assert!(people.stderr.contains("wait to be written"), "{people:?}");
    }
    let warned = context.argus(&["status"]);
    assert!(warned.stderr.contains("argus.db"), "{warned:?}");
    locked.execute_batch("ROLLBACK").expect("own transaction");
    drop(locked);
    why_says(&context, "watchers", "while-locked", "announced");
    until("all is well again", || status()["problem"].is_null().then_some(()));
    let changes = context.argus(&["--json", "history", "--since", "1h"]).data();
    let ids: Vec<String> = kinds(&changes).into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids, ["before", "after-deletion", "after-garbage", "while-locked"]);
}

#[test]
fn without_a_database_everything_else_goes_on() {
    let context = TestContext::new();
    fs::write(context.home().join("config.yaml"), "database: {enabled: false}\n")
        .expect("own folder");
    context.start_daemon();
    assert_eq!(context.argus(&["announce", "--id", "app", "--pid", own_pid()]).code, 0);
    for way in ["--daemon-only", "--direct"] {
        let run = context.argus(&["--json", way, "history"]);
        assert_eq!(run.error()["code"], "E_NOT_FOUND", "{run:?}");
        let run = context.argus(&[way, "why", "app"]);
        assert!(run.stdout.starts_with("there, and how it came there was not recorded"), "{run:?}");
        assert_eq!(context.argus(&[way, "why", "nobody"]).code, 4);
    }
    assert!(!database(&context).exists());
    // It is begun as soon as the settings say so.
    fs::write(context.home().join("config.yaml"), "database: {path: other.db}\n")
        .expect("own folder");
    let other = context.paths().folder().join("other.db");
    until("the database is there", || other.exists().then_some(()));
    why_says(&context, "watchers", "app", "announced by");
}

/// The daemon is killed right after it has answered: what it had no time to write is found again.
#[test]
fn what_a_killed_daemon_had_not_written_yet_is_found_by_the_next() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    for number in 0..50 {
        let id = format!("app-{number}");
        context
            .client(Mode::DaemonOnly)
            .announce(announcement(&id).pid(std::process::id()).build())
            .expect("served");
    }
    argus_tests::kill(pid);
    until("it has ended", || argus_tests::ended(pid).then_some(()));
    context.start_daemon();
    let deadline = Duration::from_secs(10);
    let begun = std::time::Instant::now();
    loop {
        let changes = context.argus(&["--json", "history", "--limit", "400"]).data();
        let mut ids: Vec<String> = kinds(&changes).into_iter().map(|(_, id, _)| id).collect();
        let told = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), told, "each once");
        if told == 50 {
            return;
        }
        assert!(begun.elapsed() < deadline, "{ids:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

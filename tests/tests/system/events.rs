//! Being told of changes: every one, once, in order, whatever becomes of the connection.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use argus_client::method::{List, Remove, Subscribe};
use argus_client::{Event, EventKind, Mode, Reason, announcement, blocking};
use argus_tests::{DEADLINE, Rpc, TestContext, kill, until};
use serde_json::{Value, json};

/// A subscriber by JSON-RPC.
pub(crate) struct Subscriber {
    pub(crate) rpc: Rpc,
    answer: Value,
}

impl Subscriber {
    pub(crate) fn new(context: &TestContext, params: Value) -> Self {
        let mut rpc = context.rpc();
        let answer = rpc.result("subscribe", params);
        Subscriber { rpc, answer }
    }

    /// The next event that is no bookmark.
    fn next(&mut self) -> Value {
        loop {
            let notification = self.rpc.receive().expect("the daemon goes on");
            assert_eq!(notification["method"], "event", "{notification}");
            assert!(notification["id"].is_null(), "{notification}");
            let event = notification["params"].clone();
            if event["kind"] != "bookmark" {
                return event;
            }
        }
    }

    /// Kind, id, reason and revision of the next event.
    pub(crate) fn told(&mut self) -> (String, String, String, u64) {
        let event = self.next();
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        (text("kind"), text("id"), text("reason"), event["revision"].as_u64().expect("a number"))
    }
}

pub(crate) fn told(
    kind: &str,
    id: &str,
    reason: &str,
    revision: u64,
) -> (String, String, String, u64) {
    (kind.to_owned(), id.to_owned(), reason.to_owned(), revision)
}

/// Seen to fail with the revision counted a batch and not a change, and with heartbeats of old
/// programs taken for changes.
#[test]
fn every_change_is_told_with_its_reason_and_its_revision() {
    let context = TestContext::new();
    context.start_daemon();
    let mut subscriber = Subscriber::new(&context, json!({}));
    assert_eq!(subscriber.answer["mode"], "snapshot");
    assert_eq!(subscriber.answer["records"], json!([]));

    let pid = std::process::id().to_string();
    for arguments in [
        &["announce", "--id", "a", "--pid", &pid][..],
        &["announce", "--id", "a", "--pid", &pid, "--port", "7"],
        &["heartbeat", "a"],
        &["announce", "--id", "b", "--pid", "999999999"],
        &["rm", "a"],
        &["prune"],
    ] {
        assert_eq!(context.argus(arguments).code, 0, "{arguments:?}");
    }
    // A program that has never heard of argus adds one, then refreshes it.
    for (at, updated_at) in [(1, 1), (2, 2)] {
        let old = json!({ "version": 1, "updatedAt": at, "watchers": { "old": {
            "id": "old", "host": "h", "port": 1, "pid": std::process::id(),
            "startedAt": 1, "updatedAt": updated_at,
        } } });
        fs::write(context.registry(), old.to_string()).expect("own file");
        until("the daemon sees it", || {
            let got = context.argus(&["--json", "get", "old"]);
            (got.code == 0 && got.data()["record"]["updatedAt"] == updated_at).then_some(())
        });
    }
    assert_eq!(context.argus(&["rm", "old"]).code, 0);
    assert_eq!(subscriber.told(), told("added", "a", "announced", 1));
    assert_eq!(subscriber.told(), told("updated", "a", "announced", 2));
    assert_eq!(subscriber.told(), told("added", "b", "announced", 3));
    assert_eq!(subscriber.told(), told("removed", "a", "removed", 4));
    assert_eq!(subscriber.told(), told("removed", "b", "pruned", 5));
    assert_eq!(subscriber.told(), told("added", "old", "external", 6));
    assert_eq!(subscriber.told(), told("removed", "old", "removed", 7));
}

#[test]
fn heartbeats_are_told_to_who_asks_for_them_and_use_no_revision_up() {
    let context = TestContext::new();
    context.start_daemon();
    assert_eq!(context.argus(&["announce", "--id", "a"]).code, 0);
    assert_eq!(context.argus(&["announce", "--id", "b"]).code, 0);
    let mut subscriber = Subscriber::new(&context, json!({ "heartbeats": true, "ids": ["a"] }));
    assert_eq!(subscriber.answer["records"].as_array().map(Vec::len), Some(1));
    assert_eq!(context.argus(&["heartbeat", "b"]).code, 0);
    assert_eq!(context.argus(&["heartbeat", "a"]).code, 0);
    assert_eq!(subscriber.told(), told("heartbeat", "a", "", 2));
    assert_eq!(context.argus(&["rm", "b"]).code, 0);
    assert_eq!(context.argus(&["rm", "a"]).code, 0);
    // One of the file may come in between; it is no change.
    let last = std::iter::from_fn(|| Some(subscriber.told())).find(|told| told.0 != "heartbeat");
    assert_eq!(last, Some(told("removed", "a", "removed", 4)));
}

/// Seen to fail with a cursor that begins one change too early, and with one too late.
#[test]
fn a_subscriber_that_is_cut_off_twenty_times_is_told_every_change_once() {
    const WRITERS: usize = 8;
    const CHANGES: u64 = 10_000;
    const CUTS: u64 = 20;
    let context = TestContext::new();
    context.start_daemon();
    let cursor = Subscriber::new(&context, json!({})).answer["cursor"].clone();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let context = &context;
            scope.spawn(move || {
                let client = context.client(Mode::DaemonOnly);
                for turn in 0..CHANGES / WRITERS as u64 {
                    let id = format!("app-{writer}-{}", turn % 10);
                    let announce = announcement(&id).port(1000 + turn as u16).build();
                    client.announce(announce).expect("announced");
                }
            });
        }
        let (mut since, mut revision, mut events) = (cursor, 0, 0_u64);
        while revision < CHANGES {
            let mut subscriber = Subscriber::new(&context, json!({ "since": since }));
            assert_eq!(subscriber.answer["mode"], "deltas", "{}", subscriber.answer);
            // Cut off behind any event: the connection is just dropped.
            let until = (revision + CHANGES / CUTS).min(CHANGES);
            while revision < until {
                let event = subscriber.next();
                let stands_for = event["coalesced"].as_u64().unwrap_or(1);
                let number = event["revision"].as_u64().expect("a number");
                assert!(number > revision, "{number} after {revision}");
                assert!(stands_for > 1 || number == revision + 1, "{number} after {revision}");
                (since, revision) = (event["cursor"].clone(), number);
                events += stands_for;
            }
        }
        assert_eq!((revision, events), (CHANGES, CHANGES));
    });
}

#[test]
fn what_is_not_known_any_more_is_never_passed_over_in_silence() {
    let context = TestContext::new();
    context.start_daemon();
    assert_eq!(context.argus(&["announce", "--id", "a"]).code, 0);
    let listing = context.argus(&["--json", "ls"]).data();
    let cursor = listing["cursor"].as_str().expect("a cursor").to_owned();
    let epoch = cursor.split(':').next().expect("an epoch").to_owned();
    for since in [format!("{epoch}:2"), "another:1".to_owned()] {
        let answer = Subscriber::new(&context, json!({ "since": since })).answer;
        assert_eq!((&answer["mode"], &answer["cursor"]), (&json!("resync"), &json!(cursor)));
        assert_eq!(answer["records"][0]["id"], "a");
    }
    let answer = context.rpc().call("subscribe", json!({ "since": "yesterday" }));
    assert_eq!(answer["error"]["data"]["code"], "E_USAGE", "{answer}");

    // More at once than is kept.
    let mut subscriber = Subscriber::new(&context, json!({ "since": cursor }));
    let many: serde_json::Map<String, Value> = (0..5000)
        .map(|number| {
            let id = format!("old-{number}");
            let record = json!({
                "id": id, "host": "h", "port": 1, "pid": std::process::id(), "startedAt": 1, "updatedAt": 1,
            });
            (id, record)
        })
        .collect();
    let old = json!({ "version": 1, "updatedAt": 1, "watchers": many });
    fs::write(context.registry(), old.to_string()).expect("own file");
    let event = subscriber.next();
    assert_eq!((&event["kind"], &event["revision"]), (&json!("resync"), &json!(5002)));
    assert_eq!(event["records"].as_array().map(Vec::len), Some(5000));
}

/// How long a subscriber takes nothing at all: longer than that is suffered with so much waiting.
const STALL: Duration = Duration::from_secs(3);

/// Seen to fail without the bound on what waits for a subscriber, and with a closing cursor beyond
/// what was told.
#[test]
fn a_subscriber_that_reads_nothing_is_closed_with_a_cursor_that_resumes() {
    let context = TestContext::new();
    context.start_daemon();
    let mut subscriber = Subscriber::new(&context, json!({}));
    let client = blocking::Client::new(context.patient(Mode::DaemonOnly)).expect("a client");
    let note = "x".repeat(60_000);
    let (stalled, mut changes) = (Instant::now(), 0_u64);
    while changes < 100 || stalled.elapsed() < STALL {
        let id = format!("app-{}", changes % 100);
        let announce = announcement(&id).port(changes as u16).field("note", &json!(note)).build();
        client.announce(announce).expect("a slow subscriber costs nobody anything");
        changes += 1;
    }
    let mut ports: BTreeMap<String, Value> = BTreeMap::new();
    let mut keep = |event: &Value| {
        let id = event["id"].as_str().unwrap_or_else(|| panic!("{event}")).to_owned();
        ports.insert(id, event["record"]["port"].clone());
        event["revision"].as_u64().expect("a number")
    };
    let closed = std::iter::from_fn(|| Some(subscriber.next()))
        .inspect(|event| assert!(event["revision"].as_u64() <= Some(changes), "{event}"))
        .find(|event| event["kind"] == "closed" || keep(event) == changes)
        .expect("it goes on");
    assert_eq!(closed["kind"], "closed", "all of it was sent");
    let mut again = Subscriber::new(&context, json!({ "since": closed["cursor"] }));
    assert_eq!(again.answer["mode"], "deltas");
    while keep(&again.next()) < changes {}
    // From both together one knows what is there.
    let listing = client.list(List::default()).expect("listed");
    for listed in &listing.records {
        assert_eq!(ports.get(&listed.id), Some(&listed.record.to_value()["port"]));
    }
    assert_eq!(listing.records.len(), ports.len());
    // The connection itself goes on.
    assert!(subscriber.rpc.result("list", json!({}))["records"].is_array());
}

#[test]
fn unsubscribing_ends_the_events_and_nothing_else() {
    let context = TestContext::new();
    context.start_daemon();
    let mut subscriber = Subscriber::new(&context, json!({}));
    let number = subscriber.answer["subscription"].clone();
    let status = || context.argus(&["--json", "daemon", "status"]).data()["subscribers"].clone();
    assert_eq!(status(), 1);
    let ended = subscriber.rpc.result("unsubscribe", json!({ "subscription": number }));
    assert_eq!(ended, json!({ "unsubscribed": true }));
    assert_eq!(context.argus(&["announce", "--id", "a"]).code, 0);
    let ended = subscriber.rpc.result("unsubscribe", json!({ "subscription": number }));
    assert_eq!(ended, json!({ "unsubscribed": false }));
    assert_eq!(status(), 0);
    drop(Subscriber::new(&context, json!({})));
    until("who has gone is not counted", || (status() == 0).then_some(()));
}

/// The ids that a client knows of, from what it was told.
#[derive(Default)]
struct Known(BTreeSet<String>);

impl Known {
    fn take(&mut self, event: &Event) {
        let id = || event.id.clone().expect("an id");
        match event.kind {
            EventKind::Resync => {
                let records = event.records.iter().flatten();
                self.0 = records.map(|listed| listed.id.clone()).collect();
            }
            EventKind::Removed => assert!(self.0.remove(&id()), "it was there"),
            EventKind::Added | EventKind::Updated => drop(self.0.insert(id())),
            EventKind::Bookmark | EventKind::Heartbeat | EventKind::Closed => {}
        }
    }

    fn ids(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

/// Seen to fail with the last cursor used for another daemon, whose revisions begin anew.
#[test]
fn a_client_follows_the_registry_from_one_daemon_to_the_next_and_on_the_file() {
    let context = TestContext::new();
    let first = context.start_daemon();
    let client = context.client(Mode::Auto);
    let mut events = client.subscribe(Subscribe::default());
    let mut known = Known::default();
    let mut follow_until = |wanted: &[&str]| {
        until(&format!("it is told of {wanted:?}"), || {
            let event = events.next_within(Duration::from_millis(100)).expect("it goes on");
            event.iter().for_each(|event| known.take(event));
            (known.ids() == wanted).then_some(())
        });
    };
    client.announce(announcement("a").build()).expect("announced");
    follow_until(&["a"]);

    kill(first);
    client.announce(announcement("b").build()).expect("announced");
    follow_until(&["a", "b"]);

    let other = context.client(Mode::Direct);
    other.remove(Remove { id: "a".into(), pid: None, if_match: None, flush: false }).expect("gone");
    follow_until(&["b"]);

    let direct = context.client(Mode::Direct);
    let mut events = direct.subscribe(Subscribe::default());
    let resync = events.next_event().expect("the file is there");
    assert_eq!((resync.kind, resync.cursor.as_str()), (EventKind::Resync, ""));
    client.announce(announcement("c").build()).expect("announced");
    let added = events.next_within(DEADLINE).expect("it goes on").expect("in time");
    assert_eq!((added.kind, added.id.as_deref()), (EventKind::Added, Some("c")));
    assert_eq!(added.reason, Some(Reason::External));
}

#[test]
fn the_command_prints_a_line_an_event() {
    let context = TestContext::new();
    assert_eq!(context.argus(&["announce", "--id", "there", "--port", "3000"]).code, 0);
    let follow = |arguments: &[&str]| {
        let mut child = context.command(arguments).stdout(Stdio::piped()).spawn().expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        (child, lines)
    };
    let (mut human, mut human_lines) = follow(&["events", "--snapshot"]);
    let mut line = || human_lines.next().expect("it goes on").expect("text");
    assert_eq!(line(), "resync     1 there");
    assert!(line().starts_with("there      there  127.0.0.1:3000  pid "));

    let (mut json, mut json_lines) = follow(&["--json", "events", "--id", "new"]);
    let (mut listing, mut listing_lines) = follow(&["ls", "--watch", "--by-cwd", "/shop"]);
    let mut listed = || listing_lines.next().expect("it goes on").expect("text");
    assert_eq!(listed(), "resync     0 there", "where there is no terminal");
    until("all follow", || {
        let status = context.argus(&["--json", "daemon", "status"]).data();
        (status["subscribers"] == 3).then_some(())
    });
    let pid = std::process::id().to_string();
    assert_eq!(context.argus(&["announce", "--id", "other", "--pid", &pid]).code, 0);
    assert_eq!(context.argus(&["announce", "--id", "new", "--pid", &pid]).code, 0);
    assert_eq!(line(), format!("added      other  pid {pid}  announced"));
    assert_eq!(line(), format!("added      new  pid {pid}  announced"));
    let event = json_lines.next().expect("it goes on").expect("text");
    let event: Value = serde_json::from_str(&event).expect("an object a line");
    assert_eq!((&event["kind"], &event["id"]), (&json!("added"), &json!("new")));
    let announce = ["announce", "--id", "shop", "--pid", &pid, "--data", r#"{"cwd":"/shop"}"#];
    assert_eq!(context.argus(&announce).code, 0);
    assert_eq!(listed(), format!("added      shop  pid {pid}  announced"));
    for child in [&mut human, &mut json, &mut listing] {
        child.kill().expect("own child");
        child.wait().expect("own child");
    }
}

/// Seen to fail with events that were made of what the store knew and not of what was shown.
#[test]
fn a_file_that_was_damaged_when_the_daemon_started_is_no_gap_when_it_is_mended() {
    let context = TestContext::new();
    fs::write(context.registry(), "{\"version\":2}").expect("own folder");
    context.start_daemon();
    let mut subscriber = Subscriber::new(&context, json!({}));
    assert_eq!(subscriber.answer["records"], json!([]));
    let mended = json!({ "version": 1, "updatedAt": 1, "watchers": { "old": {
        "id": "old", "host": "h", "port": 1, "pid": std::process::id(),
        "startedAt": 1, "updatedAt": 1,
    } } });
    fs::write(context.registry(), mended.to_string()).expect("own folder");
    assert_eq!(subscriber.told(), told("added", "old", "external", 1));
}

/// Seen to fail with a subscriber that starts a daemon whenever it finds none.
#[test]
fn a_daemon_that_is_stopped_stays_stopped_and_its_followers_go_on_with_the_file() {
    let context = TestContext::new();
    let client = context.client(Mode::Auto);
    let mut events = client.subscribe(Subscribe::default());
    events.next_event().expect("it starts a daemon");
    assert_eq!(context.daemons().len(), 1);
    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    let pid = std::process::id().to_string();
    assert_eq!(context.argus(&["--direct", "announce", "--id", "a", "--pid", &pid]).code, 0);
    until("it is told from the file", || {
        let event = events.next_within(Duration::from_millis(100)).expect("it goes on")?;
        let is_there = |event: &Event| event.records.iter().flatten().any(|it| it.id == "a");
        (event.id.as_deref() == Some("a") || is_there(&event)).then_some(())
    });
    assert!(context.daemons().is_empty());
}

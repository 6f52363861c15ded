//! The rules of a change: a table of every case of names and owners, and properties that hold
//! for every sequence of changes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use argus_proto::collection::{ACCOUNTS, Collection, WATCHERS};
use argus_proto::document::Document;
use argus_proto::engine::{Context, Outcome, Reason, apply};
use argus_proto::error::Code;
use argus_proto::json::JsonText;
use argus_proto::limits::{FILE_BYTES_MAX, RECORD_BYTES_MAX, RECORDS_MAX};
use argus_proto::method::{
    Announce, GetDocument, Heartbeat, List, PatchDocument, Prune, Put, Remove,
};
use argus_proto::presence::State;
use argus_proto::process::{Machine, Process, Verdict};
use argus_proto::reaping::{Suspect, Suspicion, reap};
use argus_proto::{Answer, Request};
use proptest::prelude::*;

/// A machine whose processes stand in a table: those that run, with their start times.
#[derive(Default)]
struct Table(RefCell<BTreeMap<u32, u64>>);

impl Table {
    fn running(processes: &[(u32, u64)]) -> Self {
        Table(RefCell::new(processes.iter().copied().collect()))
    }
}

impl Machine for Table {
    fn identify(&self, pid: u32) -> Option<Process> {
        self.0.borrow().get(&pid).map(|started| Process {
            boot_id: "boot".into(),
            start_time: *started,
            pid_namespace: Some(1),
            vouched: None,
        })
    }

    fn verdict(&self, pid: u32, process: Option<&Process>) -> Verdict {
        match (self.0.borrow().get(&pid), process) {
            (_, Some(process)) if process.boot_id != "boot" => Verdict::Unknown,
            (None, _) => Verdict::Dead,
            (Some(started), Some(process)) if process.start_time != *started => Verdict::Dead,
            _ => Verdict::Alive,
        }
    }
}

fn context(machine: &Table, now: u64, caller: u32) -> Context<'_> {
    Context { collection: &WATCHERS, now, machine, caller }
}

fn record(json: serde_json::Value) -> JsonText {
    JsonText::from_value(&json)
}

fn announce(id: &str, pid: u32) -> Announce {
    Announce::new(record(serde_json::json!({ "id": id, "pid": pid })))
}

/// Applies changes one after the other, each as its process; all must succeed.
fn after(machine: &Table, requests: Vec<Request>) -> Document {
    requests.into_iter().fold(Document::empty(&WATCHERS), |document, request| {
        apply(&document, &request, context(machine, 1000, 1)).expect("applies").document
    })
}

fn announced(outcome: &Outcome) -> (&str, bool) {
    match &outcome.answer {
        Answer::Announce(announced) => (&announced.id, announced.created),
        other => panic!("not an announcement: {other:?}"),
    }
}

#[test]
fn a_suspect_goes_only_if_the_record_is_still_that_one_and_it_is_guilty() {
    let machine = Table::running(&[(1, 10), (2, 20), (3, 30)]);
    let vouch = |announce: Announce| Announce { vouch: true, ..announce };
    let requests =
        vec![announce("a", 1).into(), vouch(announce("v", 2)).into(), announce("b", 3).into()];
    let document = after(&machine, requests);
    let dead = Table::running(&[(2, 20), (3, 30)]);
    let recycled = Table::running(&[(1, 11), (2, 20), (3, 30)]);
    let (gone, silent) = (Suspicion::Exited, Suspicion::Silent { updated_at: 1000 });
    let rows = [
        // who is suspected, of which process, why, on which machine, why it goes
        ("a", 1, gone, &dead, Some(Reason::ProcessExited)),
        ("a", 1, gone, &recycled, Some(Reason::ProcessExited)),
        ("a", 1, gone, &machine, None),
        ("a", 1, silent, &machine, Some(Reason::HeartbeatLost)),
        ("a", 1, silent, &dead, Some(Reason::ProcessExited)),
        ("a", 1, Suspicion::Silent { updated_at: 999 }, &machine, None),
        ("v", 2, silent, &machine, None),
        // It has been announced anew, by another process.
        ("b", 1, gone, &dead, None),
        ("b", 1, silent, &dead, None),
        ("nobody", 1, gone, &dead, None),
    ];
    for (id, pid, suspicion, now_running, expected) in rows {
        let process = machine.identify(pid);
        let suspect = Suspect { id: id.into(), pid, process, suspicion };
        let (after, changes) = reap(&document, &[suspect], context(now_running, 2000, 0));
        let reasons: Vec<Reason> = changes.iter().map(|change| change.reason).collect();
        assert_eq!(reasons, Vec::from_iter(expected), "{id} {pid} {suspicion:?}");
        assert_eq!(after.records.len(), 3 - reasons.len());
    }
    // Where only a pid is known, that nobody has it here proves nothing.
    let text = r#"{"version":1,"updatedAt":1,"watchers":{"old":{"id":"old","host":"h","port":1,"pid":9,"startedAt":1,"updatedAt":1}}}"#;
    let document = Document::parse(text.as_bytes(), &WATCHERS).expect("a registry");
    let suspect = Suspect { id: "old".into(), pid: 9, process: None, suspicion: gone };
    assert!(reap(&document, &[suspect], context(&dead, 2000, 0)).1.is_empty());
}

#[test]
fn a_name_belongs_to_its_living_process() {
    // Processes 1 and 2 run, 3 does not; pid 4 was given to a new process.
    let machine = Table::running(&[(1, 10), (2, 20), (4, 40)]);
    let before = after(&machine, vec![announce("app", 1).into()]);
    let dead = Table::running(&[(2, 20)]);
    let recycled = Table::running(&[(1, 11), (2, 20)]);
    let rows = [
        // who is running, the announcement, the name it gets or the error
        ("one's own", &machine, announce("app", 1), Ok(("app", false))),
        ("another's", &machine, announce("app", 2), Err(Code::Conflict)),
        (
            "another's, replaced",
            &machine,
            Announce { replace: true, ..announce("app", 2) },
            Ok(("app", false)),
        ),
        (
            "another's, unique",
            &machine,
            Announce { unique: true, ..announce("app", 2) },
            Ok(("app-2", true)),
        ),
        (
            "one's own, unique",
            &machine,
            Announce { unique: true, ..announce("app", 1) },
            Ok(("app", false)),
        ),
        ("of a dead one", &dead, announce("app", 2), Ok(("app", false))),
        (
            "of a dead one, unique",
            &dead,
            Announce { unique: true, ..announce("app", 2) },
            Ok(("app", false)),
        ),
        ("of a recycled pid", &recycled, announce("app", 2), Ok(("app", false))),
        ("free", &machine, announce("new", 2), Ok(("new", true))),
    ];
    for (what, machine, announce, expected) in rows {
        let outcome = apply(&before, &announce.into(), context(machine, 2000, 9));
        match (&outcome, expected) {
            (Ok(outcome), Ok(expected)) => assert_eq!(announced(outcome), expected, "{what}"),
            (Err(error), Err(code)) => assert_eq!(error.code, code, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn sixty_four_processes_that_claim_one_name_get_sixty_four() {
    let machine = Table::running(&(1..=64).map(|pid| (pid, 1)).collect::<Vec<_>>());
    let mut document = Document::empty(&WATCHERS);
    for _ in 0..2 {
        // The second time each asks again, and gets its own name again.
        for pid in 1..=64 {
            let request = Announce { unique: true, ..announce("app", pid) }.into();
            document =
                apply(&document, &request, context(&machine, 1, pid)).expect("free").document;
        }
        assert_eq!(document.records.len(), 64);
    }
    let pids: BTreeSet<u32> =
        document.records.iter().map(|(_, record)| record.watcher().expect("sound").pid).collect();
    assert_eq!(pids.len(), 64);
}

#[test]
fn what_an_announcement_leaves_out_is_filled_in_and_kept_at_the_next() {
    let machine = Table::running(&[(7, 70)]);
    let request = Announce::new(record(serde_json::json!({ "id": "app", "x": 1.0 }))).into();
    let outcome =
        apply(&Document::empty(&WATCHERS), &request, context(&machine, 5, 7)).expect("applies");
    let text = outcome.document.records.get("app").expect("there").text().to_owned();
    assert_eq!(
        text,
        r#"{"id":"app","host":"127.0.0.1","port":0,"pid":7,"x":1.0,"startedAt":5,"updatedAt":5,"process":{"bootId":"boot","startTime":70,"pidNamespace":1}}"#
    );
    let request = Announce::new(record(serde_json::json!({ "id": "app", "port": 80 }))).into();
    let outcome = apply(&outcome.document, &request, context(&machine, 9, 7)).expect("applies");
    let text = outcome.document.records.get("app").expect("there").text().to_owned();
    assert_eq!(
        text,
        r#"{"id":"app","host":"127.0.0.1","port":80,"pid":7,"x":1.0,"startedAt":5,"updatedAt":9,"process":{"bootId":"boot","startTime":70,"pidNamespace":1}}"#
    );
}

#[test]
fn a_caller_in_another_pid_namespace_knows_its_process_better() {
    let machine = Table::running(&[(7, 70)]);
    let told = serde_json::json!({ "bootId": "boot", "startTime": 1, "pidNamespace": 2 });
    let own = serde_json::json!({ "bootId": "boot", "startTime": 1, "pidNamespace": 1 });
    for (process, expected) in [(told, 1), (own, 70)] {
        let json = serde_json::json!({ "id": "app", "pid": 7, "process": process });
        let request = Announce::new(record(json)).into();
        let outcome =
            apply(&Document::empty(&WATCHERS), &request, context(&machine, 5, 7)).expect("applies");
        let watcher = outcome.document.records.get("app").expect("there").watcher().cloned();
        assert_eq!(watcher.expect("sound").process.expect("known").start_time, expected);
    }
}

#[test]
fn a_heartbeat_refreshes_its_own_record_and_revives_none() {
    let machine = Table::running(&[(1, 10), (2, 20)]);
    let before = after(&machine, vec![announce("app", 1).into()]);
    let rows = [
        ("app", None, Ok(2000)),
        ("app", Some(1), Ok(2000)),
        ("app", Some(2), Err(Code::Conflict)),
        ("gone", None, Err(Code::NotFound)),
        ("", None, Err(Code::Invalid)),
    ];
    for (id, pid, expected) in rows {
        let request = Heartbeat { id: id.into(), pid }.into();
        match (apply(&before, &request, context(&machine, 2000, 9)), expected) {
            (Ok(outcome), Ok(time)) => {
                assert!(outcome.changes.is_empty() && outcome.differs, "a heartbeat is no event");
                let record = outcome.document.records.get(id).expect("there");
                assert_eq!(record.watcher().expect("sound").updated_at, time);
            }
            (Err(error), Err(code)) => assert_eq!(error.code, code, "{id}"),
            other => panic!("{id}: {other:?}"),
        }
    }
}

#[test]
fn removal_is_fenced_by_process_and_by_content() {
    let machine = Table::running(&[(1, 10), (2, 20)]);
    let before = after(&machine, vec![announce("app", 1).into()]);
    let etag = before.records.get("app").expect("there").etag().to_owned();
    let remove = |id: &str, pid: Option<u32>, if_match: Option<&str>| Remove {
        id: id.into(),
        pid,
        if_match: if_match.map(str::to_owned),
        flush: false,
    };
    let rows = [
        (remove("app", None, None), Ok(true)),
        (remove("app", Some(1), Some(&etag)), Ok(true)),
        (remove("app", Some(2), None), Err(Code::Conflict)),
        (remove("app", None, Some("other")), Err(Code::Conflict)),
        (remove("gone", Some(1), Some("other")), Ok(false)),
        (remove(" gone", None, None), Err(Code::Invalid)),
    ];
    for (request, expected) in rows {
        let shown = format!("{request:?}");
        match (apply(&before, &request.into(), context(&machine, 2000, 9)), expected) {
            (Ok(outcome), Ok(removed)) => {
                let expected = argus_proto::method::Removed { removed };
                assert_eq!(outcome.answer, Answer::Remove(expected), "{shown}");
                assert_eq!(outcome.document.records.is_empty(), removed, "{shown}");
            }
            (Err(error), Err(code)) => assert_eq!(error.code, code, "{shown}"),
            other => panic!("{shown}: {other:?}"),
        }
    }
}

#[test]
fn a_damaged_record_is_nobodys_until_it_is_removed_by_name() {
    let machine = Table::running(&[(1, 10)]);
    let text = r#"{"version":1,"updatedAt":1,"watchers":{"d":{"id":"d","pid":"7"}}}"#;
    let before = Document::parse(text.as_bytes(), &WATCHERS).expect("a registry");
    let remove = |pid| Remove { id: "d".into(), pid, if_match: None, flush: false }.into();
    let fenced = apply(&before, &remove(Some(1)), context(&machine, 1, 1)).expect_err("not his");
    assert_eq!(fenced.code, Code::Conflict);
    let announced = apply(&before, &announce("d", 1).into(), context(&machine, 1, 1));
    assert_eq!(announced.expect_err("kept").code, Code::Conflict);
    let outcome = apply(&before, &remove(None), context(&machine, 1, 1)).expect("by name");
    assert!(outcome.document.records.is_empty());
}

#[test]
fn prune_removes_what_is_dead_or_too_old_and_nothing_else() {
    let all = Table::running(&[(1, 10), (2, 20), (3, 30), (4, 40)]);
    let with = |id: &str, pid: u32, updated_at: u64| {
        let json = serde_json::json!({
            "id": id, "pid": pid, "cwd": format!("/{id}"), "updatedAt": updated_at,
        });
        Announce::new(record(json))
    };
    let mut document = after(
        &all,
        vec![
            with("fresh", 1, 100_000).into(),
            with("old", 2, 1).into(),
            Announce { vouch: true, ..with("vouched", 3, 1) }.into(),
            with("dead", 4, 100_000).into(),
        ],
    );
    let text = document.render().replace("\"fresh\": {", "\"bad\": null,\n \"fresh\": {");
    document = Document::parse(text.as_bytes(), &WATCHERS).expect("a registry");
    let machine = Table::running(&[(1, 10), (2, 20), (3, 30)]);

    let listing = List::default().answer(&document, context(&machine, 100_000, 9));
    let states: Vec<(&str, State)> =
        listing.records.iter().map(|one| (one.id.as_str(), one.state.expect("a state"))).collect();
    assert_eq!(
        states,
        [
            ("bad", State::Invalid),
            ("fresh", State::Live),
            ("old", State::Stale),
            ("vouched", State::Live),
            ("dead", State::Dead),
        ]
    );
    let rows = [
        (Prune::default(), vec!["old", "dead"]),
        (Prune { by_cwd: Some("dea".into()), ..Prune::default() }, vec!["dead"]),
        (Prune { ttl_ms: Some(1_000_000), ..Prune::default() }, vec!["dead"]),
    ];
    for (prune, removed) in rows {
        let dry = Prune { dry_run: true, ..prune.clone() };
        let outcome =
            apply(&document, &dry.into(), context(&machine, 100_000, 9)).expect("applies");
        assert!(!outcome.differs);
        let outcome =
            apply(&document, &prune.into(), context(&machine, 100_000, 9)).expect("applies");
        let Answer::Prune(pruned) = outcome.answer else { panic!("not a prune") };
        assert_eq!(pruned.removed_ids, removed);
        assert!(outcome.changes.iter().all(|change| change.reason == Reason::Pruned));
        assert_eq!(outcome.document.records.len(), 5 - removed.len());
    }
}

#[test]
fn a_collection_is_full_at_its_limit() {
    let machine = Table::default();
    let mut document = Document::empty(&WATCHERS);
    let template = after(&machine, vec![announce("app", 1).into()]);
    let one = template.records.get("app").expect("there").clone();
    for number in 0..RECORDS_MAX {
        document.records.insert(&number.to_string(), one.clone());
    }
    let error =
        apply(&document, &announce("more", 1).into(), context(&machine, 1, 1)).expect_err("full");
    assert_eq!(error.code, Code::TooLarge);
    apply(&document, &Heartbeat { id: "0".into(), pid: None }.into(), context(&machine, 1, 1))
        .expect("the others go on");
}

/// One of a few ids and processes, so that changes meet each other.
/// A file whose owner is somebody else: keys that argus has never heard of, and a style of its own.
const ACCOUNTS_FILE: &str = r#"{"zeta":1.0,"version":1,"autoSwitch":{"enabled":false,"big":9007199254740993},"accounts":{"a":{"name":"a"}},"\ud800":[ 1,2 ]}"#;

fn patched(
    document: &Document,
    collection: &Collection,
    patch: PatchDocument,
) -> argus_proto::Result<Outcome> {
    let machine = Table::default();
    apply(document, &patch.into(), Context { collection, now: 2000, machine: &machine, caller: 1 })
}

#[test]
fn what_stands_beside_the_records_is_patched_and_nothing_else() {
    let before = Document::parse(ACCOUNTS_FILE.as_bytes(), &ACCOUNTS).expect("a registry");
    let rows = [
        // the patch, and the file without the records
        (
            "{}",
            r#"{"zeta":1.0,"version":1,"autoSwitch":{"enabled":false,"big":9007199254740993},"\ud800":[1,2]}"#,
        ),
        (
            r#"{"autoSwitch":{"enabled":true,"more":2.50},"new":[]}"#,
            r#"{"zeta":1.0,"version":1,"autoSwitch":{"enabled":true,"big":9007199254740993,"more":2.50},"\ud800":[1,2],"new":[]}"#,
        ),
        (r#"{"zeta":null,"autoSwitch":null,"none":null}"#, r#"{"version":1,"\ud800":[1,2]}"#),
        (
            r#"{"\ud800":null,"autoSwitch":1,"zeta":{"a":{"b":null}}}"#,
            r#"{"zeta":{"a":{}},"version":1,"autoSwitch":1}"#,
        ),
    ];
    for (patch, expected) in rows {
        let patch = PatchDocument::new(JsonText::parse(patch).expect("valid"));
        let outcome = patched(&before, &ACCOUNTS, patch).expect(expected);
        let found = GetDocument {}.answer(&outcome.document);
        assert_eq!(found.document.as_str(), expected);
        let Answer::PatchDocument(written) = &outcome.answer else { panic!("{outcome:?}") };
        assert_eq!((&written.etag, written.created), (&found.etag, false));
        assert!(outcome.changes.is_empty(), "an event is about a record");
        let is_same = outcome.document.render() == before.render();
        assert_eq!(outcome.differs, !is_same, "{expected}");
        let text = outcome.document.render();
        assert!(text.contains(r#""accounts":{"a":{"name":"a"}}"#), "{text}");
        let again = Document::parse(text.as_bytes(), &ACCOUNTS).expect("a registry still");
        assert_eq!(GetDocument {}.answer(&again), found);
    }
}

#[test]
fn keys_that_argus_keeps_and_the_records_are_not_patched_that_way() {
    let watchers = Document::empty(&WATCHERS);
    let accounts = Document::parse(ACCOUNTS_FILE.as_bytes(), &ACCOUNTS).expect("a registry");
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(63), "]".repeat(63));
    let rows: [(&Document, &Collection, &str, Result<(), &str>); 9] = [
        (&watchers, &WATCHERS, r#"{"version":1}"#, Err("version")),
        (&watchers, &WATCHERS, r#"{"version":null}"#, Err("version")),
        (&watchers, &WATCHERS, r#"{"own":1,"updatedAt":5}"#, Err("updatedAt")),
        (&watchers, &WATCHERS, r#"{"watchers":{}}"#, Err("watchers")),
        (&watchers, &WATCHERS, r#"{"accounts":{}}"#, Ok(())),
        (&accounts, &ACCOUNTS, r#"{"accounts":null}"#, Err("accounts")),
        // No key of argus' own in this collection.
        (&accounts, &ACCOUNTS, r#"{"updatedAt":5}"#, Ok(())),
        (&accounts, &ACCOUNTS, r#"[]"#, Err("")),
        (&accounts, &ACCOUNTS, &deep, Ok(())),
    ];
    for (document, collection, patch, expected) in rows {
        let patch = PatchDocument::new(JsonText::parse(patch).expect("valid"));
        let result = patched(document, collection, patch.clone());
        match (result, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(key)) => {
                assert_eq!(error.code, Code::Invalid, "{patch:?}");
                assert!(error.message.contains(key), "{error}");
            }
            (result, _) => panic!("{patch:?}: {result:?}"),
        }
    }
}

#[test]
fn a_document_is_as_large_as_a_record_at_most_and_fits_into_its_file() {
    let document = Document::empty(&ACCOUNTS);
    let text = |bytes: usize| JsonText::from_value(&serde_json::json!({ "a": "x".repeat(bytes) }));
    for (bytes, what) in [(RECORD_BYTES_MAX, "the patch"), (RECORD_BYTES_MAX - 60, "the document")]
    {
        let error = patched(&document, &ACCOUNTS, PatchDocument::new(text(bytes)));
        let error = error.expect_err("too large");
        assert_eq!(error.code, Code::TooLarge);
        assert!(error.message.starts_with(what) && error.message.contains("65536"), "{error}");
    }

    // Records up to the limit leave no room beside them.
    let record = "x".repeat(FILE_BYTES_MAX - 4096);
    let file = format!(r#"{{"version":1,"accounts":{{"a":{{"n":"{record}"}}}}}}"#);
    let full = Document::parse(file.as_bytes(), &ACCOUNTS).expect("a registry");
    patched(&full, &ACCOUNTS, PatchDocument::new(text(1))).expect("that fits");
    let error = patched(&full, &ACCOUNTS, PatchDocument::new(text(8192))).expect_err("too large");
    assert_eq!(error.code, Code::TooLarge);
    // What stands beside them counts for a record too.
    let beside = format!(r#"{{"version":1,"own":"{record}","accounts":{{}}}}"#);
    let beside = Document::parse(beside.as_bytes(), &ACCOUNTS).expect("a registry");
    let put = Put::new("a", text(8192));
    let machine = Table::default();
    let context = Context { collection: &ACCOUNTS, now: 1, machine: &machine, caller: 1 };
    assert_eq!(apply(&beside, &put.into(), context).expect_err("full").code, Code::TooLarge);
}

#[test]
fn the_etag_of_a_document_is_its_content_beside_the_records() {
    let etag = |text: &str, collection| {
        let document = Document::parse(text.as_bytes(), collection).expect("a registry");
        GetDocument {}.answer(&document).etag
    };
    let watchers = r#"{"version":1,"updatedAt":1,"own":{"a":1.0},"watchers":{}}"#;
    let same = [
        "{\n\t\"version\": 1,\n\t\"updatedAt\": 1,\n\t\"own\": {\"a\": 1.0},\n\t\"watchers\": {}\n}\n",
        r#"{"version":1,"updatedAt":999,"own":{"a":1.0},"watchers":{}}"#,
        r#"{"watchers":{},"own":{"\u0061":1.0},"updatedAt":1,"version":1}"#,
        r#"{"version":1,"updatedAt":1,"own":{"a":1.0},"watchers":{"x":null}}"#,
    ];
    for text in same {
        assert_eq!(etag(text, &WATCHERS), etag(watchers, &WATCHERS), "{text}");
    }
    let others = [
        r#"{"version":1,"updatedAt":1,"own":{"a":1},"watchers":{}}"#,
        r#"{"version":1,"updatedAt":1,"own":{"a":1.0},"more":1,"watchers":{}}"#,
        r#"{"version":1,"updatedAt":1,"watchers":{}}"#,
    ];
    for text in others {
        assert_ne!(etag(text, &WATCHERS), etag(watchers, &WATCHERS), "{text}");
    }

    let document = Document::parse(watchers.as_bytes(), &WATCHERS).expect("a registry");
    let patch = |if_match: &str| PatchDocument {
        if_match: Some(if_match.to_owned()),
        ..PatchDocument::new(JsonText::parse(r#"{"own":2}"#).expect("valid"))
    };
    let error = patched(&document, &WATCHERS, patch("0")).expect_err("it is another");
    assert_eq!(error.code, Code::Conflict);
    let now = etag(watchers, &WATCHERS);
    assert_eq!(error.details.expect("details").to_value()["etag"], now);
    patched(&document, &WATCHERS, patch(&now)).expect("it is that");
}

fn any_request() -> impl Strategy<Value = Request> {
    let id = prop::sample::select(vec!["app", "app-2", "shop", "ü"]);
    let pid = 1..5_u32;
    prop_oneof![
        (id.clone(), pid.clone(), any::<bool>(), any::<bool>(), any::<u16>()).prop_map(
            |(id, pid, unique, replace, port)| {
                let json = serde_json::json!({ "id": id, "pid": pid, "port": port });
                Announce { unique, replace, ..Announce::new(record(json)) }.into()
            }
        ),
        (id.clone(), prop::option::of(pid.clone())).prop_map(|(id, pid)| Heartbeat {
            id: id.into(),
            pid
        }
        .into()),
        (id, prop::option::of(pid)).prop_map(|(id, pid)| {
            Remove { id: id.into(), pid, if_match: None, flush: false }.into()
        }),
        prop::option::of(0..3000_u64)
            .prop_map(|ttl_ms| Prune { ttl_ms, ..Prune::default() }.into()),
    ]
}

proptest! {
    #[test]
    fn changes_tell_exactly_what_became_another(requests in prop::collection::vec(any_request(), 1..40)) {
        let machine = Table::running(&[(1, 10), (2, 20), (3, 30)]);
        let mut document = Document::empty(&WATCHERS);
        for (step, request) in requests.iter().enumerate() {
            let now = 1000 + step as u64;
            let before = document.clone();
            let Ok(outcome) = apply(&document, request, context(&machine, now, 1)) else { continue };
            // Replaying the changes over the old content gives the new content.
            let mut replayed: BTreeMap<String, String> = contents(&before);
            for change in &outcome.changes {
                let old = change.before.as_ref().map(|record| record.etag().to_owned());
                prop_assert_eq!(replayed.get(&*change.id).cloned(), old);
                match &change.after {
                    Some(record) => replayed.insert(change.id.to_string(), record.etag().to_owned()),
                    None => replayed.remove(&*change.id),
                };
            }
            prop_assert_eq!(&replayed, &contents(&outcome.document));
            let is_same = before.render() == outcome.document.render();
            prop_assert_eq!(is_same, !outcome.differs);
            document = outcome.document;
        }
        // What is in memory is what would be read again from the file.
        let text = document.render();
        let again = Document::parse(text.as_bytes(), &WATCHERS).expect("own text");
        prop_assert_eq!(again.render(), text);
        prop_assert_eq!(contents(&again), contents(&document));
        prop_assert_eq!(again.records.file_bytes(), document.records.file_bytes());
    }

    #[test]
    fn repeating_a_request_changes_nothing_more(
        requests in prop::collection::vec(any_request(), 0..10),
        last in any_request(),
    ) {
        let machine = Table::running(&[(1, 10), (2, 20), (3, 30)]);
        let mut document = Document::empty(&WATCHERS);
        for request in &requests {
            if let Ok(outcome) = apply(&document, request, context(&machine, 1000, 1)) {
                document = outcome.document;
            }
        }
        let Ok(once) = apply(&document, &last, context(&machine, 1000, 1)) else { return Ok(()) };
        // A heartbeat of a record that is gone is the one change that cannot be repeated.
        if let Ok(twice) = apply(&once.document, &last, context(&machine, 1000, 1)) {
            prop_assert!(twice.changes.is_empty(), "{:?}", twice.changes);
            prop_assert_eq!(once.document.render(), twice.document.render());
        }
    }
}

fn contents(document: &Document) -> BTreeMap<String, String> {
    document.records.iter().map(|(id, record)| (id.to_string(), record.etag().to_owned())).collect()
}

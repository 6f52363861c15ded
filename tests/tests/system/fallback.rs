//! With a daemon that cannot be reached, calls are served from the file, and nothing that waited
//! for it overwrites what came later.

use std::time::{Duration, Instant};

use argus_client::method::{Heartbeat, List, Remove};
use argus_client::{Code, Mode, Options, Way, announcement, blocking};
use argus_presence::clock;
use argus_tests::{OldProgram, Stopped, TestContext, at_once, ended, kill, until};
use serde_json::json;

fn port_of(context: &TestContext, id: &str) -> u64 {
    context.document()["watchers"][id]["port"].as_u64().expect("a record with a port")
}

#[test]
fn a_stopped_daemon_is_worked_around_and_overwrites_nothing_when_it_goes_on() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let client = context.client(Mode::Auto);
    client.announce(announcement("app").port(1).build()).expect("served");
    assert_eq!(client.route().way, Way::Daemon);
    let mut rpc = context.rpc();
    rpc.result("status", json!({}));

    let stopped = Stopped::new(pid);
    // It waits in the socket of the stopped daemon, past its deadline.
    let deadline = clock::monotonic_ms() + 100;
    let record = json!({ "id": "app", "port": 2, "pid": std::process::id() });
    let late = json!({
        "jsonrpc": "2.0", "id": 7, "method": "announce",
        "params": { "record": record, "deadline": deadline },
    });
    rpc.send(format!("{late}\n").as_bytes());

    let started = Instant::now();
    client.announce(announcement("app").port(3).build()).expect("served from the file");
    assert!(started.elapsed() < Duration::from_secs(5), "a call has five seconds in all");
    assert_eq!(client.route().way, Way::Direct);
    assert_eq!(port_of(&context, "app"), 3);
    // The next does not wait for the daemon again.
    client.announce(announcement("other").port(4).build()).expect("served from the file");

    drop(stopped);
    let answer = rpc.receive().expect("an answer");
    assert_eq!(answer["error"]["data"]["code"], "E_TIMEOUT", "{answer}");
    until("the client comes back to the daemon", || {
        client.list(List::default()).expect("served");
        (client.route().way == Way::Daemon).then_some(())
    });
    let listing = client.list(List::default()).expect("served");
    let ids: Vec<&str> = listing.records.iter().map(|listed| listed.id.as_str()).collect();
    assert_eq!(ids, ["app", "other"]);
    assert_eq!(listing.records[0].record.to_value()["port"], 3);
    assert_eq!(port_of(&context, "app"), 3);
    assert_eq!(context.daemons(), [pid]);
}

/// Without it, whoever is told that there is no such record takes that for the daemon's word.
#[test]
fn an_error_that_the_file_gave_says_so_as_well() {
    let context = TestContext::new();
    let _stopped = Stopped::new(context.start_daemon());
    for arguments in [&["heartbeat", "app"][..], &["get", "app"], &["resolve", "app"]] {
        let run = context.argus(arguments);
        assert_eq!(run.code, 4, "{}", run.stderr);
        assert!(run.stderr.contains("went to the file instead"), "{}", run.stderr);
    }
}

#[test]
fn a_change_whose_caller_has_gone_away_is_not_made() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let mut gone = context.rpc();
    let mut waiting = context.rpc();
    gone.result("status", json!({}));
    waiting.result("status", json!({}));
    let stopped = Stopped::new(pid);
    let announce = |id: &str| {
        let params = json!({ "record": { "id": id } });
        let request = json!({ "jsonrpc": "2.0", "id": 7, "method": "announce", "params": params });
        format!("{request}\n")
    };
    gone.send(announce("gone").as_bytes());
    drop(gone);
    waiting.send(announce("waiting").as_bytes());
    drop(stopped);
    let answer = waiting.receive().expect("who waits is answered");
    assert_eq!(answer["result"]["id"], "waiting", "{answer}");
    assert_eq!(context.ids(), ["waiting"]);
}

#[test]
fn where_falling_back_is_forbidden_an_unanswered_change_is_of_unknown_outcome() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    client.announce(announcement("app").port(1).build()).expect("served");
    let stopped = Stopped::new(pid);
    let error = client.announce(announcement("app").port(2).build()).expect_err("no answer");
    assert_eq!(error.code, Code::OutcomeUnknown, "{error}");
    let error = client.list(List::default()).expect_err("no answer");
    assert_eq!(error.code, Code::Timeout, "{error}");
    drop(stopped);
    until("the daemon answers again", || client.list(List::default()).ok());
    assert_eq!(port_of(&context, "app"), 1);
}

#[test]
fn a_daemon_that_was_killed_is_followed_by_another_without_a_failed_call() {
    let context = TestContext::new();
    let client = context.client(Mode::Auto);
    let mut routes = client.route_changes();
    for round in 0..5 {
        client.announce(announcement(&format!("app-{round}")).build()).expect("served");
        client.heartbeat(Heartbeat { id: "app-0".into(), pid: None }).expect("served");
        for pid in context.daemons() {
            kill(pid);
            until("the daemon is dead", || ended(pid).then_some(()));
        }
    }
    assert_eq!(context.ids().len(), 5);
    assert_eq!(routes.borrow_and_update().way, Way::Daemon);
}

#[test]
fn the_mode_is_taken_from_the_command_line_and_the_environment() {
    let context = TestContext::new();
    let run = context.argus(&["--direct", "announce", "--id", "a"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let run = context.command(&["announce", "--id", "b"]).env("ARGUS_DAEMON", "0").output();
    assert!(run.expect("argus can be run").status.success());
    assert!(context.daemons().is_empty());
    assert_eq!(context.ids(), ["a", "b"]);

    let error = context.argus(&["--json", "--daemon-only", "ls"]);
    assert_eq!((error.code, error.error()["code"].clone()), (9, json!("E_UNREACHABLE")));
    let output = context.command(&["ls"]).env("ARGUS_DAEMON", "require").output();
    assert_eq!(output.expect("argus can be run").status.code(), Some(9));
    let output = context.command(&["ls"]).env("ARGUS_DAEMON", "perhaps").output();
    assert_eq!(output.expect("argus can be run").status.code(), Some(2));

    let run = context.argus(&["--daemon-only", "announce", "--id", "c"]);
    assert_eq!(run.code, 0, "a change starts the daemon: {run:?}");
    assert_eq!(context.daemons().len(), 1);
}

#[test]
fn a_direct_writer_beside_a_living_daemon_is_seen_by_its_readers() {
    let context = TestContext::new();
    context.start_daemon();
    let daemon = context.client(Mode::DaemonOnly);
    let direct = context.client(Mode::Direct);
    direct.announce(announcement("direct").build()).expect("served");
    until("the daemon notices what was written beside it", || daemon.get("direct").ok());
    daemon.announce(announcement("daemon").build()).expect("served");
    let remove = Remove { id: "direct".into(), pid: None, if_match: None, flush: true };
    daemon.remove(remove).expect("served");
    let listing = direct.list(List::default()).expect("served");
    assert_eq!(listing.records.len(), 1);
    assert_eq!(listing.records[0].id, "daemon");
}

#[test]
fn a_blocking_client_may_be_used_inside_a_runtime_and_by_many_threads() {
    let context = TestContext::new();
    let client = context.client(Mode::Auto);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let client = &client;
            scope.spawn(move || {
                client.announce(announcement(&format!("thread-{number}")).build()).expect("served")
            });
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        client.announce(announcement("inside").build()).expect("served");
    });
    assert_eq!(context.ids().len(), 9);
}

#[test]
fn the_threads_of_one_program_take_turns_in_direct_mode() {
    let context = TestContext::new();
    let patient = || blocking::Client::new(context.patient(Mode::Direct)).expect("a client");
    let shared = patient();
    std::thread::scope(|scope| {
        for number in 0..at_once(32) {
            let (shared, patient) = (&shared, &patient);
            scope.spawn(move || {
                // Half of them share a client, the others have one of their own.
                let own = patient();
                let client = if number.is_multiple_of(2) { shared } else { &own };
                for round in 0..4 {
                    let id = format!("thread-{number}-{round}");
                    client.announce(announcement(&id).build()).expect("its turn comes in time");
                }
            });
        }
    });
    assert_eq!(context.ids().len(), 4 * at_once(32));
}

#[test]
fn an_asynchronous_client_serves_many_calls_at_once() {
    let context = TestContext::new();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = argus_client::Client::new(context.options(Mode::Auto)).expect("a client");
        let calls: Vec<_> = (0..100)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move {
                    client.announce(announcement(&format!("task-{number}")).build()).await
                })
            })
            .collect();
        for call in calls {
            call.await.expect("no panic").expect("served");
        }
    });
    assert_eq!(context.ids().len(), 100);
    let client =
        blocking::Client::new(Options { mode: Mode::DaemonOnly, ..context.options(Mode::Auto) });
    let overview = client.expect("a client").status().expect("it runs");
    let commits = overview.daemon.expect("it answered").commits;
    assert!(commits < 100, "those that came together share their commits: {commits}");
}

#[test]
fn the_time_of_a_record_never_goes_back() {
    let context = TestContext::new();
    let daemon = context.client(Mode::Auto);
    daemon.announce(announcement("app").build()).expect("served");
    // In the daemon's memory only, when somebody else writes a newer one.
    let first = daemon.heartbeat(Heartbeat { id: "app".into(), pid: None }).expect("served");
    let direct = context.client(Mode::Direct);
    let second = until("the clock moves on", || {
        let second = direct.heartbeat(Heartbeat { id: "app".into(), pid: None }).expect("served");
        (second.updated_at > first.updated_at).then_some(second.updated_at)
    });
    daemon.announce(announcement("other").build()).expect("a commit takes the heartbeat along");
    let time = context.document()["watchers"]["app"]["updatedAt"].as_u64().expect("a time");
    assert!(time >= second, "{time} is older than {second}");
}

#[test]
fn what_is_about_the_daemon_is_asked_of_the_daemon_in_every_mode() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let direct = |arguments: &[&str]| {
        let mut command = context.command(arguments);
        argus_tests::Run::from(command.env("ARGUS_DAEMON", "0").output().expect("argus can be run"))
    };
    let status = direct(&["--json", "status"]).data();
    assert_eq!(
        (status["mode"].as_str(), status["daemon"]["pid"].as_u64()),
        (Some("direct"), Some(pid.into()))
    );

    let stopped = Stopped::new(pid);
    let run = direct(&["--json", "daemon", "stop"]);
    assert_eq!((run.code, run.error()["code"].as_str()), (10, Some("E_TIMEOUT")));
    let run = context.argus(&["status"]);
    assert!(run.stdout.contains("does not answer"), "{run:?}");
    drop(stopped);

    assert_eq!(direct(&["--json", "daemon", "stop"]).data()["stopping"], true);
    assert!(ended(pid));
    assert_eq!(direct(&["--json", "daemon", "start"]).error()["code"], "E_USAGE");
    assert!(context.daemons().is_empty());
}

#[test]
fn a_heartbeat_reaches_the_file_by_itself() {
    let context = TestContext::new();
    let client = context.client(Mode::Auto);
    client.announce(announcement("app").build()).expect("served");
    let refreshed = until("the clock moves on", || {
        let refreshed =
            client.heartbeat(Heartbeat { id: "app".into(), pid: None }).expect("served");
        let record = context.document()["watchers"]["app"].clone();
        (refreshed.updated_at > record["updatedAt"].as_u64().expect("a time")).then_some(refreshed)
    });
    // Nobody else writes, and nobody stops the daemon.
    until("the file shows it", || {
        let time = context.document()["watchers"]["app"]["updatedAt"].as_u64().expect("a time");
        (time >= refreshed.updated_at).then_some(())
    });
}

#[test]
fn what_others_write_is_noticed_without_a_question_that_fails() {
    let context = TestContext::new();
    context.start_daemon();
    let daemon = context.client(Mode::DaemonOnly);
    let before = daemon.list(List::default()).expect("served").cursor;
    context.client(Mode::Direct).announce(announcement("direct").build()).expect("served");
    let after = until("the listing shows it", || {
        let listing = daemon.list(List::default()).expect("served");
        (listing.records.len() == 1).then_some(listing.cursor)
    });
    assert_ne!(after, before, "it is a change like any other");
}

/// Seen to fail with a daemon that looks at the file only when it has had the lock.
#[test]
fn what_others_write_is_noticed_while_a_change_waits_for_the_lock() {
    let context = TestContext::new();
    context.start_daemon();
    let daemon = context.client(Mode::DaemonOnly);
    daemon.announce(announcement("first").build()).expect("served");
    let mut document = context.document();
    document["watchers"]["foreign"] = document["watchers"]["first"].clone();
    let _lock = OldProgram::new(&context.registry()).lock();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.announce(announcement("second").build()));
        let reader = context.client(Mode::DaemonOnly);
        std::fs::write(context.registry(), document.to_string()).expect("own file");
        until("the listing shows it", || {
            let listing = reader.list(List::default()).expect("served");
            (listing.records.len() == 2).then_some(())
        });
        assert!(!waiting.is_finished(), "the lock is held");
        let error = waiting.join().expect("an answer").expect_err("the lock was held");
        assert_eq!(error.code, Code::Locked, "{error}");
    });
}

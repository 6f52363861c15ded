//! `argus doctor`: each thing that can be wrong is told apart, and with `--fix` what is safe is mended.
//!
//! `diagnosis.rs` of the CLI has a table of everything; here it is really so.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use argus_store::kernel_lock::{SPAWN_LOCK, WRITE_LOCK};
use argus_store::{Folder, KernelLock};
use argus_tests::{
    Altered, LISTENER_ADVICE, OLDER, Run, Stopped, TestContext, ended, kill, resume_advice, until,
};
use interprocess::local_socket::prelude::*;
use serde_json::{Value, json};

use crate::strangers::listener;

/// A pid that no process has.
const NOBODY: u32 = 2_147_483_647;
const NEVER: u64 = 99_999_999_999_999;

/// What `doctor` found: `fixed code`, or `code`. The exit code must fit.
fn doctor(context: &TestContext, arguments: &[&str]) -> (Vec<String>, Vec<Value>) {
    let run = context.argus(&[&["--json", "doctor"], arguments].concat());
    examined(&run)
}

fn examined(run: &Run) -> (Vec<String>, Vec<Value>) {
    assert_eq!(run.stderr, "", "{run:?}");
    let answer: Value = serde_json::from_str(&run.stdout).expect("one line of JSON");
    assert_eq!(answer["ok"], true, "{run:?}");
    let findings = answer["data"]["findings"].as_array().expect("findings").clone();
    let is_left = |finding: &Value| finding["severity"] != "note" && finding["fixed"] == false;
    assert_eq!(run.code, if findings.iter().any(is_left) { 11 } else { 0 }, "{run:?}");
    for finding in &findings {
        for key in ["code", "subject", "message", "help"] {
            let text = finding[key].as_str().expect("text");
            assert!(!text.is_empty() && !text.contains('\n'), "{finding}");
        }
    }
    let code = |finding: &Value| {
        let fixed = if finding["fixed"] == true { "fixed " } else { "" };
        format!("{fixed}{}", finding["code"].as_str().expect("text"))
    };
    (findings.iter().map(code).collect(), findings)
}

pub(crate) fn codes(context: &TestContext, arguments: &[&str]) -> Vec<String> {
    doctor(context, arguments).0
}

fn help(findings: &[Value], code: &str) -> String {
    let finding = findings.iter().find(|finding| finding["code"] == code);
    finding.expect("it was found")["help"].as_str().expect("text").to_owned()
}

fn record(id: &str, port: u16, pid: u32, updated_at: u64) -> Value {
    json!({ "id": id, "host": "127.0.0.1", "port": port, "pid": pid,
        "startedAt": updated_at, "updatedAt": updated_at })
}

fn write_registry(context: &TestContext, records: &[Value]) {
    let records: Vec<String> =
        records.iter().map(|record| format!("{}:{record}", record["id"])).collect();
    let text = format!(r#"{{"version":1,"updatedAt":1,"watchers":{{{}}}}}"#, records.join(","));
    fs::write(context.registry(), text).expect("own folder");
}

/// All that is under a folder, with what tells a changed file from an unchanged one.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>, SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("own folder") {
        let path = entry.expect("own folder").path();
        let meta = path.symlink_metadata().expect("it is there");
        let bytes = if meta.is_file() { fs::read(&path).expect("own file") } else { Vec::new() };
        found.push((path.display().to_string(), bytes, meta.modified().expect("a time")));
        if meta.is_dir() {
            found.extend(contents(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn an_empty_home_is_sound_and_stays_empty() {
    let context = TestContext::new();
    assert_eq!(codes(&context, &[]), ["daemon-absent"]);
    assert_eq!(codes(&context, &["--direct"]), [""; 0]);
    let run = context.argus(&["doctor"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        run.stdout.lines().last(),
        Some("no problems, 1 note; looked at 0 records, the socket, locks, folders and disk")
    );
    assert!(context.daemons().is_empty());
    assert_eq!(fs::read_dir(context.home()).expect("a folder").count(), 0);

    let elsewhere = context.home().join("a b").join("registry.json");
    let run = context.argus(&["--registry", &elsewhere.to_string_lossy(), "--json", "doctor"]);
    let help = help(&examined(&run).1, "daemon-absent");
    assert_eq!(help, format!("argus --registry '{}' daemon start", elsewhere.display()));
    assert!(!context.home().join("a b").exists());
}

#[test]
fn a_sound_registry_is_told_in_one_line() {
    let context = TestContext::new();
    context.argus(&["announce", "--id", "x"]);
    assert_eq!(codes(&context, &[]), [""; 0]);
    let run = context.argus(&["doctor"]);
    assert_eq!((run.code, run.stdout.lines().count(), run.stderr.as_str()), (0, 1, ""), "{run:?}");
    assert!(run.stdout.starts_with("no problems; looked at 1 record, argusd "), "{run:?}");
    assert_eq!(context.argus(&["-c", "nothing", "doctor"]).code, 2);
}

#[test]
fn without_being_asked_to_fix_it_changes_nothing() {
    let context = TestContext::new();
    let daemon = context.start_daemon();
    kill(daemon);
    until("the daemon is dead", || ended(daemon).then_some(()));
    fs::write(context.registry(), "no registry").expect("own folder");
    fs::write(context.paths().lockfile(), format!("{{\"pid\":{NOBODY}}}")).expect("own folder");
    let before = contents(context.home());
    let found = codes(&context, &[]);
    assert_eq!(found, ["registry-damaged", "lock-stale", "daemon-refused"]);
    assert_eq!(contents(context.home()), before);
    assert!(context.daemons().is_empty());

    let found = codes(&context, &["--fix"]);
    let fixed = ["fixed registry-damaged", "fixed lock-stale", "fixed daemon-refused"];
    assert_eq!(found, [&["quarantine-not-empty"], &fixed[..]].concat());
    assert_eq!(context.daemons().len(), 1);
    assert!(!context.paths().lockfile().exists());
    assert_eq!(codes(&context, &["--fix"]), ["quarantine-not-empty"], "it is the user's to delete");
}

#[test]
fn an_absent_daemon_is_started_only_when_asked_to_and_never_in_direct_mode() {
    let context = TestContext::new();
    assert_eq!(codes(&context, &["--direct", "--fix"]), [""; 0]);
    assert!(context.daemons().is_empty());
    assert_eq!(codes(&context, &["--fix"]), ["fixed daemon-absent"]);
    assert_eq!(context.daemons().len(), 1);
    assert_eq!(codes(&context, &["--fix"]), [""; 0]);
}

#[test]
fn a_stopped_daemon_is_named_and_left_alone() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let stopped = Stopped::new(pid);
    for arguments in [&[][..], &["--fix"]] {
        let (codes, findings) = doctor(&context, arguments);
        assert_eq!(codes, ["daemon-hung"]);
        assert_eq!(help(&findings, "daemon-hung"), resume_advice(pid));
    }
    drop(stopped);
    assert_eq!(context.daemons(), [pid]);
    until("it answers again", || codes(&context, &[]).is_empty().then_some(()));
}

#[test]
fn one_that_accepts_and_says_nothing_and_no_daemon_at_all_are_told_apart() {
    let context = TestContext::new();
    let listener = listener(&context);
    assert_eq!(codes(&context, &[]), ["daemon-hung"]);
    let answering = std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.write_all(b"220 mail.example.org ESMTP\r\n");
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    let (codes, findings) = doctor(&context, &["--fix"]);
    assert_eq!(codes, ["daemon-incompatible"]);
    assert!(help(&findings, "daemon-incompatible").contains(LISTENER_ADVICE));
    drop(answering);
}

#[test]
fn an_older_daemon_is_a_warning_and_replaced_and_a_newer_one_a_note() {
    let (context, older) = (TestContext::new(), Altered::older());
    assert_eq!(older.argus(&context, &["daemon", "start"]).code, 0);
    let (found, findings) = doctor(&context, &[]);
    assert_eq!(found, ["daemon-older"]);
    assert_eq!(help(&findings, "daemon-older"), "argus daemon restart");
    assert!(findings[0]["message"].as_str().expect("text").contains(OLDER));
    assert_eq!(codes(&context, &["--fix"]), ["fixed daemon-older"]);
    let run = older.argus(&context, &["--json", "doctor", "--fix"]);
    assert_eq!(examined(&run).0, ["daemon-newer"]);
    // The older one has a moment to end in.
    until("one is there", || (context.daemons().len() == 1).then_some(()));
}

#[test]
fn a_daemon_that_could_not_be_started_is_told_for_as_long_as_none_is() {
    let context = TestContext::new();
    let folder = Folder::create(&context.paths()).expect("own folder");
    let now = argus_presence::clock::wall_ms();
    let mut lock = KernelLock::try_acquire(&folder, SPAWN_LOCK).expect("own").expect("free");
    lock.set_note(&format!("[{now},{now},{now}]")).expect("own file");
    drop(lock);
    assert_eq!(codes(&context, &[]), ["daemon-start-fails", "daemon-absent"]);
    let (found, findings) = doctor(&context, &["--fix"]);
    assert_eq!(found, ["daemon-start-fails", "daemon-absent"]);
    assert!(findings[1]["message"].as_str().expect("text").contains("; not fixed: argusd"));
}

#[test]
fn locks_of_the_dead_are_cleared_and_those_of_the_living_named() {
    let context = TestContext::new();
    let (lockfile, mut holder) = (context.paths().lockfile(), context.bystander());
    let long_ago = SystemTime::now() - Duration::from_secs(20);
    let write = |content: &str| {
        fs::write(&lockfile, content).expect("own folder");
        let file = fs::File::options().write(true).open(&lockfile).expect("own file");
        file.set_modified(long_ago).expect("own file");
    };
    write(&format!("{{\"pid\":{}}}", holder.pid()));
    for arguments in [&["--direct"][..], &["--direct", "--fix"]] {
        let (found, findings) = doctor(&context, arguments);
        assert_eq!(found, ["lock-held"]);
        let message = findings[0]["message"].as_str().expect("text");
        let expected = format!("has been held by process {} for ", holder.pid());
        let seconds = message.split_once(&expected).and_then(|(_, rest)| rest.split_once('s'));
        let seconds = seconds.and_then(|(seconds, _)| seconds.parse().ok());
        // Longer where this test was held up.
        assert!(seconds.is_some_and(|seconds: u64| (20..60).contains(&seconds)), "{message}");
    }
    holder.kill();
    for content in [format!("{{\"pid\":{}}}", holder.pid()), String::new()] {
        write(&content);
        assert_eq!(codes(&context, &["--direct"]), ["lock-stale"]);
        assert_eq!(codes(&context, &["--direct", "--fix"]), ["fixed lock-stale"]);
        assert!(!lockfile.exists());
    }
    // One that was just taken is nobody's problem.
    fs::write(&lockfile, format!("{{\"pid\":{}}}", std::process::id())).expect("own folder");
    assert_eq!(codes(&context, &["--direct"]), [""; 0]);
}

#[test]
fn a_kernel_lock_that_nobody_writes_under_is_told_with_its_holder() {
    let context = TestContext::new();
    let folder = Folder::create(&context.paths()).expect("own folder");
    let held = KernelLock::try_acquire(&folder, WRITE_LOCK).expect("own").expect("free");
    let (found, findings) = doctor(&context, &["--direct"]);
    assert_eq!(found, ["lock-held"]);
    let message = findings[0]["message"].as_str().expect("text");
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    drop(held);
    assert_eq!(codes(&context, &["--direct"]), [""; 0]);
}

#[test]
fn a_damaged_registry_is_mended_by_the_daemon_from_its_memory() {
    let context = TestContext::new();
    for id in ["first", "last"] {
        context.argus(&["announce", "--id", id]);
    }
    fs::write(context.registry(), "no registry").expect("own folder");
    let found = codes(&context, &["--fix"]);
    assert!(found.contains(&"quarantine-not-empty".to_owned()), "{found:?}");
    assert_eq!(context.ids(), ["first", "last"]);
}

/// Seen to fail with a file that is mended although the daemon hangs.
#[test]
fn what_only_a_stopped_daemon_remembers_is_not_thrown_away() {
    let context = TestContext::new();
    for id in ["first", "last"] {
        context.argus(&["announce", "--id", id]);
    }
    let stopped = Stopped::new(context.daemons()[0]);
    fs::write(context.registry(), "no registry").expect("own folder");
    assert_eq!(codes(&context, &["--fix"]), ["registry-damaged", "daemon-hung"]);
    assert_eq!(fs::read_to_string(context.registry()).expect("there"), "no registry");
    drop(stopped);
    until("it is mended", || (codes(&context, &[]) == ["quarantine-not-empty"]).then_some(()));
    assert_eq!(context.ids(), ["first", "last"]);
}

#[test]
fn a_newer_registry_is_told_and_left_alone() {
    let context = TestContext::new();
    fs::write(context.registry(), "{\"version\":2}").expect("own folder");
    assert_eq!(codes(&context, &["--direct", "--fix"]), ["registry-newer"]);
    assert_eq!(fs::read_to_string(context.registry()).expect("there"), "{\"version\":2}");
}

#[test]
fn records_are_looked_at_one_by_one_and_only_the_dead_go() {
    let context = TestContext::new();
    let own = std::process::id();
    write_registry(
        &context,
        &[
            record("shop", 3000, own, NEVER),
            record("api", 3000, own, NEVER),
            record("none", 0, own, NEVER),
            record("zero", 0, own, NEVER),
            record("gone", 1, NOBODY, NEVER),
            record("silent", 2, own, 1),
            json!({ "id": "bad", "host": "h" }),
            record("none", 0, own, NEVER),
        ],
    );
    let found = codes(&context, &["--direct"]);
    let expected =
        ["record-dead", "record-invalid", "key-duplicate", "port-shared", "record-stale"];
    assert_eq!(found, expected);
    let found = codes(&context, &["--direct", "--fix"]);
    let expected = [
        "record-invalid",
        "port-shared",
        "record-stale",
        "quarantine-not-empty",
        "fixed record-dead",
    ];
    assert_eq!(found, expected);
    assert_eq!(context.ids(), ["api", "bad", "none", "shop", "silent", "zero"]);
}

/// What a terminal shows of it is in the CLI's own snapshots.
#[test]
fn people_are_told_on_standard_output() {
    let context = TestContext::new();
    write_registry(&context, &[record("gone", 1, NOBODY, NEVER)]);
    let run = context.argus(&["--direct", "doctor"]);
    assert_eq!((run.code, run.stderr.as_str()), (11, ""));
    let expected = "warning: `gone` is dead: process 2147483647 has ended (record-dead)\n\
        help:    argus prune\n\n1 problem\n";
    assert_eq!(run.stdout, expected);
}

/// Other tools make folders of that name. Seen to fail with one that is taken for an old lockfile.
#[test]
fn a_folder_in_the_place_of_the_lockfile_is_not_taken_for_one() {
    let context = TestContext::new();
    std::fs::create_dir(context.paths().lockfile()).expect("own home");
    let doctor = context.argus(&["--json", "--direct", "doctor", "--fix"]);
    assert_eq!(doctor.code, 11, "{doctor:?}");
    assert!(doctor.stdout.contains("\"code\":\"lock-unreadable\""), "{doctor:?}");
    assert!(context.paths().lockfile().is_dir());
}

//! No descriptor left: who is connected is served, nobody spins, and it passes with the crowd.
//!
//! `prlimit` sets the limits, also that of a daemon that is running already. Seen to fail without
//! the pause after an accept that failed, and without the descriptors that a daemon keeps for the
//! disk.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use argus_tests::{DEADLINE, TestContext, executables, until};
use serde_json::{Value, json};

use crate::strace::assert_no_debris;

/// As few as the libraries of `argus` can begin with, and more than it needs.
const CLIENT_DESCRIPTORS: std::ops::RangeInclusive<usize> = 8..=40;
/// For a daemon: enough for some connections besides what it keeps for itself.
const DAEMON_DESCRIPTORS: usize = 64;
/// How long the daemon is watched for spinning.
const WATCHED: Duration = Duration::from_secs(1);
/// Of the hundred ticks of a second, one that spins uses far more, and one that waits next to none.
const BUSY_TICKS: u64 = 15;

/// A daemon in the foreground that may have so many descriptors. It is killed when dropped.
struct Daemon(Child);

impl Daemon {
    fn start(context: &TestContext, descriptors: usize) -> Self {
        let mut prlimit = Command::new("prlimit");
        context.prepare(&mut prlimit);
        prlimit.arg(format!("--nofile={descriptors}")).arg(&executables().argusd);
        prlimit.arg("--registry").arg(context.registry());
        prlimit.stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = Daemon(prlimit.spawn().expect("prlimit is installed"));
        until("it listens", || context.paths().endpoint().exists().then_some(()));
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A connection that may find no place.
struct Peer(BufReader<UnixStream>);

impl Peer {
    fn connect(context: &TestContext) -> Self {
        let stream = UnixStream::connect(context.paths().socket()).expect("the daemon listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        Peer(BufReader::new(stream))
    }

    fn ask(&mut self, method: &str, params: &Value) {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        // Who is refused hears so without having asked.
        let _ = writeln!(self.0.get_mut(), "{request}");
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.ask(method, params);
        self.answer()
    }

    fn announce(&mut self, id: &str) -> Value {
        self.call("announce", &json!({ "record": { "id": id, "pid": std::process::id() } }))
    }
}

#[test]
fn a_daemon_keeps_descriptors_for_the_disk_however_many_connect() {
    let context = TestContext::new();
    let _daemon = Daemon::start(&context, DAEMON_DESCRIPTORS);
    let mut crowd = Vec::new();
    let refusal = loop {
        assert!(crowd.len() < DAEMON_DESCRIPTORS, "nobody is refused");
        let mut peer = Peer::connect(&context);
        let answer = peer.call("status", &json!({}));
        if !answer["error"].is_null() {
            break answer;
        }
        crowd.push(peer);
    };
    assert_eq!(refusal["error"]["data"]["code"], "E_BUSY", "{refusal}");
    for (number, peer) in crowd.iter_mut().enumerate() {
        let answer = peer.announce(&format!("id-{number}"));
        assert!(answer["error"].is_null(), "{answer}");
        let answer = peer.call("list", &json!({}));
        assert_eq!(answer["result"]["records"].as_array().expect("a list").len(), number + 1);
    }
    assert_eq!(context.ids().len(), crowd.len());
    drop(crowd);
    until("there is room again", || {
        (context.argus(&["--daemon-only", "announce", "--id", "x"]).code == 0).then_some(())
    });
}

#[test]
fn without_a_descriptor_left_it_waits_for_one_and_serves_who_is_connected() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let mut first = Peer::connect(&context);
    assert!(first.announce("kept")["error"].is_null());
    let before = fs::read(context.registry()).expect("it is there");
    // Its connections are counted by the limit of its start; so it runs into this one.
    set_limit(pid, descriptors(pid).into_iter().max().expect("some") + 2);
    let mut crowd: Vec<Peer> = (0..4).map(|_| Peer::connect(&context)).collect();
    for peer in &mut crowd {
        peer.ask("status", &json!({}));
    }
    let log = || fs::read_to_string(context.paths().log()).expect("it is there");
    until("it has no descriptor left", || log().contains("cannot accept").then_some(()));

    let answer = first.call("heartbeat", &json!({ "id": "kept" }));
    assert!(answer["result"]["updatedAt"].is_number(), "{answer}");
    let answer = first.call("list", &json!({}));
    // Nor is anyone dead only because there was no descriptor to look with.
    assert_eq!(answer["result"]["records"][0]["state"], "live", "{answer}");
    // For a change it has no file to open.
    let answer = first.announce("new");
    let error = &answer["error"];
    assert_eq!(error["data"]["code"], "E_IO", "{answer}");
    assert!(error["message"].as_str().expect("text").contains("Too many open files"), "{answer}");
    assert!(error["data"]["hint"].as_str().expect("text").contains("ulimit -n"), "{answer}");
    assert_eq!(fs::read(context.registry()).expect("it is there"), before);

    let used = processor_ticks(pid);
    std::thread::sleep(WATCHED);
    let used = processor_ticks(pid) - used;
    assert!(used < BUSY_TICKS, "{used} ticks in {WATCHED:?}");

    // Who finds no place does his work on the file.
    let run = context.argus(&["announce", "--id", "beside"]);
    assert_eq!(run.code, 0, "{run:?}");

    // There is room for one who waited when another leaves, and for all in the end.
    for mut peer in crowd {
        let answer = peer.answer();
        assert_eq!(answer["result"]["pid"], pid, "{answer}");
    }
    set_limit(pid, DAEMON_DESCRIPTORS);
    let answer = first.announce("new");
    assert!(answer["error"].is_null(), "{answer}");
    assert_eq!(context.ids(), ["beside", "kept", "new"]);
    assert_eq!(context.daemons(), [pid]);
    assert_no_debris(&context);
}

#[test]
fn a_client_with_too_few_descriptors_says_so_and_changes_nothing() {
    let context = TestContext::new();
    assert_eq!(context.argus(&["--direct", "announce", "--id", "kept"]).code, 0);
    let mut outcomes = [0, 0];
    for descriptors in CLIENT_DESCRIPTORS {
        let before = fs::read(context.registry()).expect("it is there");
        let id = format!("id-{descriptors}");
        for arguments in [&["--direct", "ls"][..], &["--direct", "announce", "--id", &id]] {
            let mut prlimit = Command::new("prlimit");
            context.prepare(&mut prlimit);
            prlimit.arg(format!("--nofile={descriptors}")).arg(&executables().argus);
            let run = prlimit.args(arguments).output().expect("prlimit is installed");
            let said = String::from_utf8(run.stderr).expect("UTF-8");
            let succeeded = run.status.success();
            outcomes[usize::from(succeeded)] += 1;
            if succeeded {
                assert_eq!(said, "");
                assert!(String::from_utf8(run.stdout).expect("UTF-8").contains(match arguments {
                    [_, "ls"] => "kept",
                    _ => &id,
                }));
            } else {
                assert_eq!(run.status.code(), Some(1), "{descriptors}: {said}");
                assert!(said.starts_with("error: cannot "), "{descriptors}: {said}");
                assert!(said.contains("Too many open files"), "{descriptors}: {said}");
                assert_eq!(fs::read(context.registry()).expect("it is there"), before);
            }
        }
        assert_no_debris(&context);
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

fn set_limit(pid: u32, descriptors: usize) {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &pid.to_string(), &format!("--nofile={descriptors}:")]);
    assert!(prlimit.status().expect("prlimit is installed").success());
}

/// The descriptors that a process has open.
fn descriptors(pid: u32) -> Vec<usize> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The time that a process has had on a processor, in the clock's ticks.
fn processor_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // Counted behind the name, which may contain anything: fields 14 and 15.
    let fields = stat.rsplit(')').next().expect("a rest").split_whitespace().skip(11).take(2);
    fields.map(|field| field.parse::<u64>().expect("a number")).sum()
}

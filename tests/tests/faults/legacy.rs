//! Beside programs of the older kind, which know only the lockfile: nobody loses anything.
//!
//! Needs `node`. Seen to fail with the lockfile left out of `RegistryFile::update`.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use argus_tests::{TestContext, executables};

const CLIENTS: usize = 24;
const ROUNDS: &str = "6";

/// A client: of the daemon, in direct mode, or of the older kind.
fn start(context: &TestContext, number: usize) -> Child {
    let name = format!("client-{number}");
    let mut command = match number % 3 {
        0 => {
            let mut node = Command::new("node");
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/legacy/watcher.js");
            node.arg(script).arg(context.registry());
            node
        }
        rest => {
            let mut storm = Command::new(env!("CARGO_BIN_EXE_storm"));
            storm.arg(context.registry()).arg(["auto", "direct"][rest - 1]);
            storm
        }
    };
    context.prepare(&mut command);
    command
        .env("STORM_ARGUSD", &executables().argusd)
        .args([name.as_str(), ROUNDS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed")
}

#[test]
fn old_programs_direct_writers_and_the_daemon_lose_nothing_together() {
    let context = TestContext::new();
    let mut clients: Vec<Child> = (0..CLIENTS).map(|number| start(&context, number)).collect();
    for client in &mut clients {
        client.stdin.take().expect("piped").write_all(b"!").expect("it waits for this");
    }
    let mut present: Vec<String> = Vec::new();
    for client in clients {
        let output = client.wait_with_output().expect("it was started here");
        assert!(output.status.success(), "{output:?}");
        let tally: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a tally");
        assert_eq!(tally["errors"], serde_json::json!([]));
        let ids: Vec<String> = serde_json::from_value(tally["present"].clone()).expect("ids");
        present.extend(ids);
    }
    present.sort();
    // Everything that was promised to be there, and nothing that was promised to be gone.
    assert_eq!(context.ids(), present);
    assert!(!context.paths().lockfile().exists());
}

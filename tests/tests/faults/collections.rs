//! The collections beside the watchers' registry, while programs of the older kind write their files at the
//! same time: authmux the accounts, and the Go program the machines. Daemons and old programs are killed.
//!
//! Needs `node`.

mod accounts;
mod machines;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use argus_tests::history::now;
use argus_tests::{Lines, Run, TestContext, ended, signal_process, until};
use rustix::process::Signal;
use serde_json::Value;

use crate::strace::{KNOWN, strays};

const SECOND: u64 = 1_000_000_000;
/// How long the writers are at work.
const SECONDS: u64 = 8;
const KILLS: u64 = 6;
/// Fewer changes of a kind than that, and it was no test. A busy machine gets little done.
const CHANGES_MIN: usize = 3;
/// One writer each.
const WAYS: [&[&str]; 4] = [&[], &[], &["--direct"], &["--direct"]];

/// One collection with its file, and who works on it.
struct Scene {
    context: TestContext,
    collection: &'static str,
    /// The script of the old programs.
    script: &'static str,
    /// When they and everyone else end.
    end: u64,
}

impl Scene {
    /// With the file as it stands in the beginning.
    fn new(collection: &'static str, script: &'static str, text: &str) -> Self {
        let context = TestContext::new();
        let end = now() + SECONDS * SECOND;
        let scene = Scene { context, collection, script, end };
        std::fs::write(scene.file(), text).expect("own folder");
        scene
    }

    fn file(&self) -> PathBuf {
        self.context.home().join(format!("{}.json", self.collection))
    }

    fn is_over(&self) -> bool {
        now() >= self.end
    }

    fn document(&self) -> Value {
        let text = std::fs::read_to_string(self.file()).expect("it is there");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Runs `argus` about the collection, again where the lock is another's or the daemon was killed meanwhile.
    fn argus(&self, way: &[&str], arguments: &[&str]) -> Run {
        let arguments = [way, &["--json", "-c", self.collection], arguments].concat();
        until("argus gets through", || {
            let run = self.context.argus(&arguments);
            let is_repeatable = matches!(run.code, 3 | 6 | 9 | 10);
            (!is_repeatable).then_some(run)
        })
    }

    /// Puts a record that only this writer puts. A conflict is with itself: before it was killed, the daemon had
    /// carried it out.
    fn add(&self, way: &[&str], id: &str, record: &Value) {
        let run = self.argus(way, &["put", id, &record.to_string(), "--if-absent"]);
        assert!(matches!(run.code, 0 | 5), "{run:?}");
    }

    /// Removes a record that nobody else removes.
    fn remove(&self, way: &[&str], id: &str) {
        let run = self.argus(way, &["rm", id]);
        assert!(matches!(run.code, 0 | 4), "{run:?}");
    }

    /// An old program, which ends with the scene.
    fn old_program(&self, name: &str, role: &str) -> (OldWriter, Lines) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/legacy");
        let mut node = Command::new("node");
        self.context.prepare(&mut node);
        node.arg(format!("{folder}/{}", self.script)).arg(self.file());
        node.args([name, role, &self.end.to_string()]).stdout(Stdio::piped());
        let mut child = node.spawn().expect("node is installed");
        let lines = Lines::of(child.stdout.take().expect("piped"));
        (OldWriter(child), lines)
    }

    /// Kills the daemon and, where there are any to be killed, old programs, and starts others in their place.
    /// Returns the pids of the old programs that it has killed.
    fn rage(
        &self,
        mut victims: Vec<OldWriter>,
        successor: impl Fn(usize) -> OldWriter,
    ) -> Vec<u32> {
        let mut killed = Vec::new();
        let mut daemons = 0;
        let slot = self.end.saturating_sub(now()) / (KILLS + 1);
        for kill in 0..KILLS as usize {
            std::thread::sleep(Duration::from_nanos(slot));
            if kill % 2 == 0 || victims.is_empty() {
                let Some(pid) = self.context.serving_daemon() else { continue };
                signal_process(pid, Signal::KILL);
                until("a killed daemon ends", || ended(pid).then_some(()));
                daemons += 1;
            } else {
                let at = kill / 2 % victims.len();
                killed.push(victims[at].0.id());
                victims[at] = successor(at);
            }
        }
        for mut victim in victims {
            assert!(victim.0.wait().expect("own child").success(), "an old program fails");
        }
        assert!(daemons > 0, "no daemon was there to be killed");
        killed
    }

    /// After the last change: one daemon, which shows what the file holds, and nothing that the dead have left but
    /// the temporary files of old programs, which are theirs.
    fn settle(&self, theirs: impl Fn(&str) -> bool) {
        let daemon = self.context.start_daemon();
        assert_eq!(self.context.daemons(), [daemon]);
        let document = self.document();
        let records = document[self.collection].as_object().expect("a map");
        until("the daemon shows what the file holds", || {
            let listed = self.argus(&["--daemon-only"], &["ls"]).data();
            let listed = listed["records"].as_array().expect("a list");
            listed.iter().map(|listed| &listed["id"]).eq(records.keys()).then_some(())
        });
        assert_eq!(self.context.argus(&["daemon", "stop"]).code, 0);

        let home = self.context.home();
        let name = format!("{}.json", self.collection);
        let folder = format!("{name}.d");
        let mut strange = strays(home, &[&name, &folder, "registry.json.d"]);
        strange.extend(strays(&home.join(folder), &KNOWN));
        strange.extend(strays(&self.context.paths().folder(), &KNOWN));
        strange.retain(|name| !theirs(name));
        assert_eq!(strange, Vec::<String>::new());
    }
}

/// An old program at work. It is killed when dropped.
struct OldWriter(Child);

impl Drop for OldWriter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).expect("an old program prints JSON")
}

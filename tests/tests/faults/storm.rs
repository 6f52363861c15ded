//! The great storm: everyone at once, killed and stopped at random, and a history that has to add up.
//!
//! Seventy writers of all kinds, and readers, work for a while on a few records: clients of the daemon and
//! direct ones, with the library and as processes of `argus`, and programs of the older kinds. Meanwhile
//! daemons and clients are killed and stopped. In the end there must be an order of all operations
//! that explains every answer, what every reader saw, and the file: see
//! [`argus_tests::linearizable`].
//!
//! The seed is printed, and `STORM_SEED` plays the same victims and operations again as far as the
//! scheduler does; `STORM_SECONDS` makes it longer.
//!
//! Programs of the older kind are stopped for less time than it takes their lockfile to become stale
//! (10 s; twice in a row included). Longer, and they would go on to write what they had read before others
//! did, and remove a lockfile that is another's by then; nobody who comes later can prevent that.
//! They may be killed at any moment.
//!
//! Seen to fail with a daemon that answers before the commit, with direct writers that change what they
//! read before they had the lock, and without the lockfile.

use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use argus_tests::history::{Action, Operation, Outcome, Seen, Way, keep, now, read_diary};
use argus_tests::{TestContext, ended, executables, linearizable, signal_process, until};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::strace::debris;

const SECONDS: u64 = 45;
const KILLS: u64 = 100;
/// Of so many kills one hits the daemon.
const DAEMON_SHARE: u64 = 4;
const STOPS: u64 = 30;
/// The longest stop. A request has two seconds, a whole call five.
const STOP_MS_MAX: u64 = 2_500;
const DAEMON_STOP_MS: [u64; 4] = [500, 2_500, 6_000, 1_200];
/// As often as it may be a program of the older kind twice in a row, below ten seconds.
const OLD_STOP_MS_MAX: u64 = 1_000;

/// How many there are of each kind.
const FLEET: [(&str, usize); 9] = [
    ("auto", 16),
    ("daemon", 6),
    ("direct", 16),
    ("cli-auto", 6),
    ("cli-daemon", 2),
    ("cli-direct", 4),
    ("watcher", 10),
    ("account", 10),
    ("ls", 2),
];
/// Who kills himself with the lockfile in his hand, and when, apart from those that are killed at random.
/// One that names nobody holds everyone up for ten seconds.
const DEATHS: [(&str, &str); 3] =
    [("watcher", "locked"), ("account", "locked"), ("account", "renamed")];
/// Readers of the file, each a thread.
const READERS: usize = 2;
/// The record that is there all the time.
const ANCHOR: &str = "anchor";

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

#[test]
fn in_the_great_storm_every_answer_was_true_and_no_acknowledged_change_is_lost() {
    let setting = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seed: u64 = setting("STORM_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let seconds: u64 = setting("STORM_SECONDS").unwrap_or(SECONDS);
    println!("seed {seed}");

    let context = TestContext::new();
    assert_eq!(context.argus(&["announce", "--id", ANCHOR, "--pid", "1"]).code, 0);
    let mut storm = Storm::begin(&context, seed, seconds);
    let readers: Vec<Reader> = (0..READERS).map(|_| Reader::start(&context, &storm)).collect();
    storm.rage();
    storm.abate();
    let mut history = storm.read_diaries();
    for (number, reader) in readers.into_iter().enumerate() {
        let (reads, operations) = reader.stop(storm.fleet.len() + number);
        storm.figures.reads_of_the_file += reads;
        history.extend(operations);
    }
    let debris = settle(&context, &storm);
    history.extend(final_reads(&context, &history));
    storm.figures.count(&history, &storm.kinds());
    println!("{}", storm.figures);
    assert_eq!(storm.complaints, Vec::<String>::new(), "seed {seed}");
    if let Err(violations) = linearizable::check(history.clone()) {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("storm-{seed}.history"));
        keep(&history, &kept);
        let shown: Vec<String> = violations
            .iter()
            .take(3)
            .map(|violation| format!("`{}`: {}", violation.id, violation.explanation))
            .collect();
        panic!(
            "seed {seed}: {} records cannot be explained\n{}\n`cargo run -p argus-tests --bin explain {}` looks again",
            violations.len(),
            shown.join("\n"),
            kept.display()
        );
    }
    assert_eq!(debris, Vec::<String>::new(), "seed {seed}");
    storm.figures.assert_it_was_a_storm();
}

struct Storm<'a> {
    context: &'a TestContext,
    diaries: TempDir,
    random: fastrand::Rng,
    start: u64,
    end: u64,
    /// Everyone there ever was; the number is the place.
    fleet: Vec<Member>,
    /// Who is stopped, and until when.
    stopped: Vec<(Target, u64)>,
    complaints: Vec<String>,
    figures: Figures,
}

struct Member {
    kind: &'static str,
    child: Child,
    is_running: bool,
    /// Whether it was killed, or will be.
    is_doomed: bool,
    kills_itself: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Daemon(u32),
    /// A client, with what it has started.
    Group(u32),
}

impl Target {
    fn signal(self, signal: Signal) {
        match self {
            Target::Daemon(pid) => signal_process(pid, signal),
            Target::Group(pid) => {
                let group = Pid::from_raw(pid as i32).expect("a process id");
                // It may have ended in this very moment.
                let _ = kill_process_group(group, signal);
            }
        }
    }
}

impl<'a> Storm<'a> {
    fn begin(context: &'a TestContext, seed: u64, seconds: u64) -> Self {
        let start = now();
        let mut storm = Storm {
            context,
            diaries: tempfile::tempdir().expect("a folder"),
            random: fastrand::Rng::with_seed(seed),
            start,
            end: start + seconds * SECOND,
            fleet: Vec::new(),
            stopped: Vec::new(),
            complaints: Vec::new(),
            figures: Figures { seed, seconds, ..Figures::default() },
        };
        for (kind, count) in FLEET {
            for number in 0..count {
                let deaths = DEATHS.iter().filter(|(whose, _)| *whose == kind);
                storm.launch(kind, deaths.map(|(_, place)| *place).nth(number));
            }
        }
        storm
    }

    fn launch(&mut self, kind: &'static str, death: Option<&str>) {
        let number = self.fleet.len();
        let mut command = if is_old(kind) {
            let mut node = Command::new("node");
            node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/legacy/diarist.js"));
            node
        } else {
            Command::new(env!("CARGO_BIN_EXE_diarist"))
        };
        self.context.prepare(&mut command);
        command.env("STORM_ARGUS", &executables().argus);
        command.env("STORM_ARGUSD", &executables().argusd);
        command.arg(self.context.registry()).arg(kind).arg(self.diary(number));
        command.args(
            [number as u64, self.random.u64(..1 << 48), self.start, self.end]
                .map(|n| n.to_string()),
        );
        if is_old(kind) {
            command.arg(death.unwrap_or("never"));
        }
        command.process_group(0).stdout(Stdio::null());
        let child = command.spawn().expect("node is installed");
        self.fleet.push(Member {
            kind,
            child,
            is_running: true,
            is_doomed: death.is_some(),
            kills_itself: death.is_some(),
        });
    }

    fn diary(&self, number: usize) -> std::path::PathBuf {
        self.diaries.path().join(number.to_string())
    }

    /// Kills and stops until the time has come.
    fn rage(&mut self) {
        let length = self.end - self.start;
        let mut times: Vec<(u64, bool)> = Vec::new();
        for (count, kills) in [(KILLS, true), (STOPS, false)] {
            let slot = length / count;
            times.extend(
                (0..count).map(|at| (self.start + at * slot + self.random.u64(..slot), kills)),
            );
        }
        times.sort_unstable();
        for (time, kills) in times {
            while now() < time {
                std::thread::sleep(Duration::from_millis(10));
                self.wake(now());
                self.replace_the_dead();
            }
            if kills { self.kill() } else { self.stop() }
        }
    }

    /// Lets everyone come to an end.
    fn abate(&mut self) {
        until("all clients end", || {
            self.wake(if now() > self.end { u64::MAX } else { now() });
            self.replace_the_dead();
            (now() > self.end && self.fleet.iter().all(|member| !member.is_running)).then_some(())
        });
    }

    fn wake(&mut self, time: u64) {
        self.stopped.retain(|(target, until)| {
            let is_over = *until <= time;
            if is_over {
                target.signal(Signal::CONT);
            }
            !is_over
        });
    }

    fn replace_the_dead(&mut self) {
        for number in 0..self.fleet.len() {
            let member = &mut self.fleet[number];
            if !member.is_running {
                continue;
            }
            let Some(status) = member.child.try_wait().expect("own child") else { continue };
            member.is_running = false;
            let was_killed = status.signal() == Some(Signal::KILL.as_raw());
            if was_killed && !member.is_doomed || !was_killed && !status.success() {
                self.complaints.push(format!("{} {number} ended with {status}", member.kind));
            }
            self.figures.suicides += u64::from(was_killed && member.kills_itself);
            let kind = member.kind;
            if now() < self.end {
                self.launch(kind, None);
            }
        }
    }

    fn kill(&mut self) {
        if self.random.u64(..DAEMON_SHARE) == 0
            && let Some(pid) = self.context.serving_daemon()
            && !self.is_stopped(Target::Daemon(pid))
        {
            signal_process(pid, Signal::KILL);
            until("a killed daemon ends", || ended(pid).then_some(()));
            self.figures.daemons_killed += 1;
            return;
        }
        let number = self.choose(|member| !member.is_doomed);
        let member = &mut self.fleet[number];
        let pid = member.child.id();
        // Only the process that is at work, or the client with it.
        if member.kind.starts_with("cli")
            && self.random.bool()
            && let Some(child) = child_of(pid)
        {
            signal_process(child, Signal::KILL);
            self.figures.clients_killed += 1;
            return;
        }
        member.is_doomed = true;
        let is_old = is_old(member.kind);
        Target::Group(pid).signal(Signal::KILL);
        *(if is_old { &mut self.figures.old_killed } else { &mut self.figures.clients_killed }) +=
            1;
    }

    fn stop(&mut self) {
        if self.random.u64(..DAEMON_SHARE) == 0
            && let Some(pid) = self.context.serving_daemon()
            && !self.is_stopped(Target::Daemon(pid))
        {
            let ms = DAEMON_STOP_MS[self.figures.daemons_stopped as usize % DAEMON_STOP_MS.len()];
            self.figures.daemons_stopped += 1;
            return self.halt(Target::Daemon(pid), ms);
        }
        let number = self.choose(|_| true);
        let member = &self.fleet[number];
        let is_old = is_old(member.kind);
        let target = Target::Group(member.child.id());
        if !self.is_stopped(target) {
            let longest = if is_old { OLD_STOP_MS_MAX } else { STOP_MS_MAX };
            let ms = self.random.u64(100..longest);
            self.figures.clients_stopped += 1;
            self.halt(target, ms);
        }
    }

    fn halt(&mut self, target: Target, ms: u64) {
        target.signal(Signal::STOP);
        self.stopped.push((target, now() + ms * MILLISECOND));
    }

    fn is_stopped(&self, target: Target) -> bool {
        self.stopped.iter().any(|(stopped, _)| *stopped == target)
    }

    /// Somebody who is running.
    fn choose(&mut self, fits: impl Fn(&Member) -> bool) -> usize {
        let running: Vec<usize> = (0..self.fleet.len())
            .filter(|at| self.fleet[*at].is_running && fits(&self.fleet[*at]))
            .collect();
        running[self.random.usize(..running.len())]
    }

    fn read_diaries(&mut self) -> Vec<Operation> {
        let mut history = Vec::new();
        for number in 0..self.fleet.len() {
            // Killed before it had begun one.
            let text = std::fs::read_to_string(self.diary(number)).unwrap_or_default();
            let (operations, complaints) = read_diary(number, &text);
            history.extend(operations);
            self.complaints.extend(complaints);
        }
        history
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.fleet.iter().map(|member| member.kind).collect()
    }
}

impl Drop for Storm<'_> {
    fn drop(&mut self) {
        for member in self.fleet.iter_mut().filter(|member| member.is_running) {
            Target::Group(member.child.id()).signal(Signal::KILL);
            let _ = member.child.wait();
        }
    }
}

fn is_old(kind: &str) -> bool {
    matches!(kind, "watcher" | "account")
}

fn child_of(pid: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Reads the file in a loop, and notes what one of the records holds.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(u64, Vec<Operation>)>,
}

impl Reader {
    fn start(context: &TestContext, storm: &Storm<'_>) -> Self {
        let path = context.registry();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let start = storm.start;
        let thread = std::thread::spawn(move || {
            let mut history = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let begun = now();
                let bytes = std::fs::read(&path).expect("the file is always there");
                let document: serde_json::Value =
                    serde_json::from_slice(&bytes).expect("the file is whole at every moment");
                let watchers = &document["watchers"];
                assert!(watchers[ANCHOR].is_object(), "what nobody removes is there");
                // As diarist.rs and diarist.js have it.
                let id = format!("r{}-{}", (begun - start) / (5 * SECOND), fastrand::u64(..6));
                history.push(read_of(&id, &document, begun, now()));
                std::thread::sleep(Duration::from_millis(2));
            }
            (history.len() as u64, history)
        });
        Reader { stop, thread }
    }

    fn stop(self, client: usize) -> (u64, Vec<Operation>) {
        self.stop.store(true, Ordering::Relaxed);
        let (reads, mut history) = self.thread.join().expect("the reader found the file whole");
        history.iter_mut().for_each(|operation| operation.client = client);
        (reads, history)
    }
}

fn read_of(id: &str, document: &serde_json::Value, begun: u64, answered: u64) -> Operation {
    let content = document["watchers"][id]["value"].as_u64();
    Operation {
        client: usize::MAX,
        id: id.to_owned(),
        action: Action::Read,
        begun,
        answered,
        outcome: Outcome::Durable(Seen::Content(content)),
        way: Way::File,
        repeats: false,
    }
}

/// After the storm: one daemon. Gives what the dead have left behind.
fn settle(context: &TestContext, storm: &Storm<'_>) -> Vec<String> {
    // A lockfile that an older program left is nobody's only after ten seconds.
    until("a change gets through", || {
        (context.argus(&["announce", "--id", "last", "--pid", "1"]).code == 0).then_some(())
    });
    assert_eq!(context.daemons().len(), 1, "seed {}", storm.figures.seed);
    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    assert_eq!(context.argus(&["--direct", "announce", "--id", "swept", "--pid", "1"]).code, 0);
    // The temporary files of older programs are theirs.
    let theirs: Vec<String> = storm
        .fleet
        .iter()
        .filter(|member| is_old(member.kind) && member.is_doomed)
        .flat_map(|member| {
            let pid = member.child.id();
            [format!("registry.json.tmp-{pid}-"), format!(".registry.json.{pid}.")]
        })
        .collect();
    let is_theirs = |name: &String| theirs.iter().any(|prefix| name.starts_with(prefix));
    debris(context).into_iter().filter(|name| !is_theirs(name)).collect()
}

/// What the file holds in the end, of every record that anybody ever touched.
fn final_reads(context: &TestContext, history: &[Operation]) -> Vec<Operation> {
    let begun = now();
    let document = context.document();
    let mut ids: Vec<&str> = history.iter().map(|operation| operation.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in context.ids() {
        let is_known =
            ids.binary_search(&&*id).is_ok() || [ANCHOR, "last", "swept"].contains(&&*id);
        assert!(is_known, "nobody announced `{id}`");
    }
    ids.into_iter().map(|id| read_of(id, &document, begun, now())).collect()
}

#[derive(Default)]
struct Figures {
    seed: u64,
    seconds: u64,
    daemons_killed: u64,
    clients_killed: u64,
    old_killed: u64,
    suicides: u64,
    daemons_stopped: u64,
    clients_stopped: u64,
    reads_of_the_file: u64,
    /// By kind of client and by action: durable, not applied, unknown.
    outcomes: BTreeMap<(&'static str, &'static str), [u64; 3]>,
}

impl Figures {
    fn count(&mut self, history: &[Operation], kinds: &[&'static str]) {
        for operation in history {
            let Some(kind) = kinds.get(operation.client) else { continue };
            let action = match operation.action {
                Action::Announce(_) => "announce",
                Action::Remove => "remove",
                Action::Heartbeat => "heartbeat",
                Action::Read => "read",
            };
            let outcome = match operation.outcome {
                Outcome::Durable(_) => 0,
                Outcome::NotApplied => 1,
                Outcome::Unknown => 2,
            };
            self.outcomes.entry((kind, action)).or_default()[outcome] += 1;
        }
    }

    /// Else it would prove nothing.
    fn assert_it_was_a_storm(&self) {
        // The few with a process for each call may be unlucky; not all of them.
        for kinds in ["auto", "direct", "cli", "watcher", "account"] {
            let of_kind = self
                .outcomes
                .iter()
                .filter(|((kind, action), _)| kind.starts_with(kinds) && *action == "announce");
            let changes: u64 = of_kind.map(|(_, counts)| counts[0]).sum();
            assert!(changes > 0, "no {kinds} got anything done");
        }
        assert!(self.daemons_killed > 0 && self.daemons_stopped > 0 && self.reads_of_the_file > 0);
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "seed {}, {} s; killed: {} daemons, {} clients, {} of the older kind and {} by themselves; \
             stopped: {} daemons, {} others; {} reads of the file",
            self.seed,
            self.seconds,
            self.daemons_killed,
            self.clients_killed,
            self.old_killed,
            self.suicides,
            self.daemons_stopped,
            self.clients_stopped,
            self.reads_of_the_file,
        )?;
        writeln!(f, "{:12}{:10}{:>9}{:>13}{:>9}", "", "", "durable", "not applied", "unknown")?;
        let mut sum = [0; 3];
        for ((kind, action), counts) in &self.outcomes {
            let [durable, not_applied, unknown] = counts;
            writeln!(f, "{kind:12}{action:10}{durable:>9}{not_applied:>13}{unknown:>9}")?;
            (0..3).for_each(|at| sum[at] += counts[at]);
        }
        let [durable, not_applied, unknown] = sum;
        write!(f, "{:12}{:10}{durable:>9}{not_applied:>13}{unknown:>9}", "all", "")
    }
}

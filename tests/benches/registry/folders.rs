//! What it costs to follow folders of tasks, beside a bare walk that only reads the same files.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use argus_client::method::{AddSource, SourceStatus, SyncSources};
use argus_client::{Mode, blocking};
use argus_tests::TestContext;

use crate::memory;
use crate::plan::Plan;
use crate::table::{Table, bytes, count, multiple, ratio, time};

/// How many there are, and how many where it has to be quick.
const TASKS: [usize; 2] = [10_000, 2_000];
/// Tasks that share a folder.
const GROUP: usize = 100;
/// How often each is measured; the median counts.
const TIMES: usize = 5;
/// How long the daemon is watched while nothing happens.
const IDLE: Duration = Duration::from_secs(2);
/// The longest that a look at all of it may take.
const DEADLINE: Duration = Duration::from_secs(120);
const ASK_EVERY: Duration = Duration::from_millis(2);

/// Measures and prints a table.
pub(crate) fn run(plan: &Plan) {
    let tasks = TASKS[usize::from(plan.is_quick)];
    let context = TestContext::new();
    let folder = context.home().join("tasks");
    make(&folder, tasks);
    let walk = median(|| read_all(&folder));
    let daemon = context.start_daemon();
    let client = context.client(Mode::DaemonOnly);

    let first = timed(|| {
        let uri = format!("file://{}", folder.display());
        let add = AddSource { uri, name: Some("bench".to_owned()), watch: None };
        client.call(add).expect("there is no other of this name");
        until(&client, |source| source.tasks == tasks as u64 && source.progress.is_none());
    });
    let in_database = timed(|| {
        let deadline = Instant::now() + DEADLINE;
        let queued = || {
            let status = client.status().ok()?.daemon?.database?;
            Some(status.queued)
        };
        while queued() != Some(0) && Instant::now() < deadline {
            std::thread::sleep(ASK_EVERY);
        }
    });
    let again = median(|| sync(&client));
    let changed = median(|| {
        let script = folder.join("group-0/task-0/main.js");
        let before = status(&client).metrics.reloads;
        fs::write(&script, script_of(fastrand::usize(..))).expect("own folder");
        until(&client, |source| source.metrics.reloads > before && source.metrics.waiting == 0);
    });
    let (began, busy) = (Instant::now(), processor_time(daemon));
    std::thread::sleep(IDLE);
    let idle = busy.zip(processor_time(daemon)).map(|(before, after)| after - before);
    let share = idle.map(|idle| idle.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0);

    let name = format!("{} task folders", count(tasks as f64));
    let mut table = Table::new(&[&name, "time", "beside the bare walk"]);
    let mut row = |what: &str, took: Duration| {
        let beside = ratio(multiple(Some(took), Some(walk)));
        table.row([what.to_owned(), time(Some(took)), beside]);
    };
    row("a bare walk that reads every file", walk);
    row("first look: read, checked, in `tasks.json`", first);
    row("until the database has them, from then on", in_database);
    row("a look at all of it, nothing changed", again);
    row("one script written, until its task is there (500 ms of it quiet)", changed);
    table.print();
    let resident = memory::of_process(daemon).map(|memory| bytes(memory.resident()));
    println!(
        "While nothing happens the daemon takes {} % of a processor, and {} of memory.\n",
        share.map_or_else(|| "?".to_owned(), |share| format!("{share:.2}")),
        resident.unwrap_or_else(|| "?".to_owned())
    );
}

fn make(folder: &Path, tasks: usize) {
    for task in 0..tasks {
        let folder = folder.join(format!("group-{}/task-{task}", task / GROUP));
        fs::create_dir_all(&folder).expect("own folder");
        let metadata = format!(
            r#"{{"name":"task-{task}","version":"1.0.0","description":"number {task}","tags":["bench"]}}"#
        );
        let schema = r#"{"type":"object","properties":{"values":{"type":"array","items":{"type":"number"}}},"required":["values"]}"#;
        fs::write(folder.join("metadata.json"), metadata).expect("own folder");
        fs::write(folder.join("main.js"), script_of(task)).expect("own folder");
        fs::write(folder.join("input.schema.json"), schema).expect("own folder");
    }
}

fn script_of(number: usize) -> String {
    format!(
        "module.exports = async function run(input) {{\n  \
           const scaled = input.values.map((value) => value * {number});\n  \
           return {{ sum: scaled.reduce((sum, value) => sum + value, 0) }};\n}};\n"
    )
}

/// The least that whoever wants to know all of it has to do.
fn read_all(folder: &Path) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("own folder") {
            let entry = entry.expect("own folder");
            match entry.file_type().expect("own folder").is_dir() {
                true => folders.push(entry.path()),
                false => drop(std::hint::black_box(fs::read(entry.path()).expect("own file"))),
            }
        }
    }
}

fn sync(client: &blocking::Client) {
    let before = status(client).metrics.reconciliations;
    client.call(SyncSources { name: Some("bench".to_owned()) }).expect("it is followed");
    until(client, |source| source.metrics.reconciliations > before && source.progress.is_none());
}

fn status(client: &blocking::Client) -> SourceStatus {
    let sources = client.sources().map(|sources| sources.sources).unwrap_or_default();
    sources.into_iter().next().unwrap_or_default()
}

fn until(client: &blocking::Client, is_so: impl Fn(&SourceStatus) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so(&status(client)) && Instant::now() < deadline {
        std::thread::sleep(ASK_EVERY);
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn median(work: impl Fn()) -> Duration {
    let mut times: Vec<Duration> = (0..TIMES).map(|_| timed(&work)).collect();
    times.sort();
    times[TIMES / 2]
}

/// What a process has used of the processors; `None` where there is no `/proc`.
fn processor_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    // A tick is a hundredth of a second wherever Linux tells it.
    Some(Duration::from_millis((user + system) * 10))
}

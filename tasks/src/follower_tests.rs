use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use argus_config::WatchOptions;
use argus_proto::method::Watching;
use serde_json::Value;

use super::*;
use crate::catalog::TaskChange;
use crate::sink::Undelivered;

#[path = "platform/follower_tests.rs"]
mod platform;

const WAIT: Duration = Duration::from_secs(20);
const SCRIPT: &str = "export const run = () => 1";

#[derive(Clone, Default)]
struct Registry(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    records: BTreeMap<String, String>,
    told: Vec<TaskChange>,
    refuses: u32,
}

impl Sink for Registry {
    fn deliver(&mut self, changes: Vec<TaskChange>) -> Result<(), Undelivered> {
        let mut state = self.0.lock().expect("whole");
        if state.refuses > 0 {
            state.refuses -= 1;
            return Err(Undelivered("the disk is full".to_owned()));
        }
        for change in &changes {
            match change {
                TaskChange::Put { id, record, .. } => {
                    state.records.insert(id.clone(), record.clone());
                }
                TaskChange::Remove { id, .. } => drop(state.records.remove(id)),
            }
        }
        state.told.extend(changes);
        Ok(())
    }
}

impl Registry {
    fn records(&self) -> BTreeMap<String, String> {
        self.0.lock().expect("whole").records.clone()
    }

    fn told(&self) -> usize {
        self.0.lock().expect("whole").told.len()
    }

    fn get(&self, id: &str, key: &str) -> Option<String> {
        let record: Value = serde_json::from_str(self.records().get(id)?).expect("JSON");
        let value = &record[key];
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + WAIT;
    while !is_so() {
        assert!(Instant::now() < end, "not within {WAIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Home {
    folder: tempfile::TempDir,
    registry: Registry,
    options: WatchOptions,
    watch: bool,
}

impl Home {
    fn new() -> Self {
        Home {
            folder: tempfile::tempdir().expect("a folder"),
            registry: Registry::default(),
            options: WatchOptions {
                debounce: Duration::from_millis(300),
                retry_delay: Duration::from_millis(50),
                ..WatchOptions::default()
            },
            watch: true,
        }
    }

    fn source(&self) -> Source {
        let folder = self.folder.path().join("tasks");
        Source {
            name: "s".to_owned(),
            uri: format!("file://{}", folder.display()),
            folder,
            watch: self.watch,
            watch_options: self.options.clone(),
        }
    }

    fn path(&self, relative: &str) -> PathBuf {
        relative.split('/').fold(self.folder.path().join("tasks"), |path, part| path.join(part))
    }

    fn write(&self, relative: &str, content: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }

    fn task(&self, folder: &str, name: &str, version: &str) {
        let metadata = format!(r#"{{"name":"{name}","version":"{version}"}}"#);
        self.write(&format!("{folder}/main.js"), SCRIPT);
        self.write(&format!("{folder}/metadata.json"), &metadata);
    }

    fn follow_with(&self, establish: Establish) -> Follower {
        let known = self.registry.records().into_iter().collect();
        let sink = self.registry.clone();
        Follower::start_with(self.source(), known, sink, establish).expect("started")
    }

    /// Follows it, and returns when all of it was looked at and delivered.
    fn follow(&self) -> Follower {
        let follower = self.follow_with(Watch::new);
        synced(&follower).expect("synced");
        follower
    }

    fn is(&self, id: &str, key: &str, value: &str) {
        until(&format!("{id}: {key} is {value}"), || {
            self.registry.get(id, key).as_deref() == Some(value)
        });
    }
}

fn synced(follower: &Follower) -> Result<(), String> {
    follower.sync().recv_timeout(WAIT).expect("answered")
}

#[test]
fn what_is_there_is_delivered_and_what_changes_is_followed() {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    home.task("deep/b", "b", "1.0.0");
    let follower = home.follow();
    assert_eq!(home.registry.told(), 2);
    let status = follower.status();
    assert_eq!((status.watching, status.tasks, status.invalid), (Watching::Notify, 2, 0));
    assert!(status.last_sync.is_some() && status.errors.is_empty() && status.progress.is_none());
    home.task("a", "a", "1.1.0");
    home.is("s/a", "version", "1.1.0");
    fs::remove_dir_all(home.path("deep")).expect("removed");
    until("b is gone", || !home.registry.records().contains_key("s/b"));
    assert_eq!(home.registry.told(), 4);
}

#[test]
fn twenty_writes_at_once_are_one_update() {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    let follower = home.follow();
    for at in 0..20 {
        home.task("a", "a", &format!("2.0.{at}"));
        std::thread::sleep(Duration::from_millis(10));
    }
    home.is("s/a", "version", "2.0.19");
    synced(&follower).expect("synced");
    assert_eq!(home.registry.told(), 2);
    assert!(follower.status().metrics.coalesced > 0);
}

#[test]
fn a_task_that_is_renamed_is_another() {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    let follower = home.follow();
    home.task("a", "b", "1.0.0");
    home.is("s/b", "name", "b");
    synced(&follower).expect("synced");
    assert_eq!(home.registry.records().keys().collect::<Vec<_>>(), ["s/b"]);
    assert_eq!(home.registry.told(), 3);
}

#[test]
fn a_folder_that_moves_is_followed_where_it_goes() {
    let home = Home::new();
    home.task("one/a", "a", "1.0.0");
    home.task("one/deep/b", "b", "1.0.0");
    let _follower = home.follow();
    fs::rename(home.path("one"), home.path("two")).expect("renamed");
    home.is("s/a", "path", &home.path("two/a").display().to_string());
    home.is("s/b", "path", &home.path("two/deep/b").display().to_string());
    home.task("two/deep/b", "b", "1.1.0");
    home.is("s/b", "version", "1.1.0");
    fs::rename(home.path("two"), home.folder.path().join("outside")).expect("renamed");
    until("all is gone", || home.registry.records().is_empty());
}

#[test]
fn a_task_that_is_written_bit_by_bit_is_never_delivered_by_half() {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    let follower = home.follow();
    let script = "export const run = () => { return [1, 2, 3] }";
    for end in 0..=script.len() {
        home.write("a/main.js", &script[..end]);
        std::thread::sleep(Duration::from_millis(10));
    }
    home.task("a", "a", "2.0.0");
    home.write("a/main.js", script);
    home.is("s/a", "version", "2.0.0");
    synced(&follower).expect("synced");
    assert_eq!(home.registry.told(), 2);
    // One that stays half is told, with what was valid before; its repair is one change.
    home.write("a/main.js", "export const run = (");
    home.write("a/metadata.json", r#"{"name":"a","version":"3.0.0"}"#);
    home.is("s/a", "status", "invalid");
    assert_eq!(home.registry.get("s/a", "version").as_deref(), Some("2.0.0"));
    until("the status tells it", || follower.status().invalid == 1);
    home.write("a/main.js", SCRIPT);
    home.is("s/a", "status", "valid");
    assert_eq!(home.registry.told(), 4);
}

#[test]
fn folders_that_are_made_at_once_are_all_seen() {
    let home = Home::new();
    fs::create_dir_all(home.path("")).expect("made");
    let _follower = home.follow();
    for at in 0..20 {
        home.task(&format!("x{at}/y/z/w"), &format!("n{at}"), "1.0.0");
    }
    until("all are there", || home.registry.records().len() == 20);
    home.task("x7/y/z/w", "n7", "2.0.0");
    home.is("s/n7", "version", "2.0.0");
}

#[test]
fn ignored_files_are_nobodys() {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    let follower = home.follow();
    let checksum = home.registry.get("s/a", "checksum");
    home.write("a/x.tmp", "1");
    home.write(".git/b/metadata.json", "{}");
    synced(&follower).expect("synced");
    assert_eq!(home.registry.told(), 1);
    home.write("a/x.js", "1");
    until("another file counts", || home.registry.get("s/a", "checksum") != checksum);
}

#[test]
fn a_name_that_is_taken_is_told_and_passes_on() {
    let home = Home::new();
    home.task("a", "n", "1.0.0");
    home.task("b", "n", "2.0.0");
    home.task("c", "c", "1.0.0");
    let follower = home.follow();
    assert_eq!(home.registry.get("s/n", "version").as_deref(), Some("1.0.0"));
    let errors = follower.status().errors;
    assert_eq!((errors.len(), errors[0].code.as_str()), (1, "DUPLICATE_NAME"));
    fs::remove_dir_all(home.path("a")).expect("removed");
    home.is("s/n", "version", "2.0.0");
    until("nothing is wrong", || follower.status().errors.is_empty());
    assert_eq!(home.registry.records().len(), 2);
}

fn no_watch(_root: &Path, _tell: crate::watch::Tell) -> Result<Watch, String> {
    Err("no watches are left".to_owned())
}

/// A source whose folder cannot be watched is followed all the same.
fn is_polled_because(establish: Establish, reason: &str) {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    home.task("b", "b", "1.0.0");
    let follower = home.follow_with(establish);
    home.is("s/a", "version", "1.0.0");
    until("it is polled", || follower.status().watching == Watching::Polling);
    assert!(follower.status().why_polling.expect("a reason").contains(reason));
    home.task("a", "a", "1.0.1");
    home.is("s/a", "version", "1.0.1");
    fs::remove_dir_all(home.path("b")).expect("removed");
    until("b is gone", || home.registry.records().len() == 1);
}

#[test]
fn where_the_system_does_not_watch_the_folder_is_polled() {
    is_polled_because(no_watch, "no watches are left");
}

#[test]
fn a_restart_changes_nothing_that_did_not_change() {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    home.task("b", "b", "1.0.0");
    home.write("c/metadata.json", "{");
    drop(home.follow());
    assert_eq!(home.registry.told(), 3);
    home.write("b/main.js", "(");
    drop(home.follow());
    assert_eq!(home.registry.told(), 4);
    drop(home.follow());
    assert_eq!(home.registry.told(), 4);
    assert_eq!(home.registry.get("s/b", "status").as_deref(), Some("invalid"));
}

#[test]
fn what_is_not_taken_is_offered_again() {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    home.registry.0.lock().expect("whole").refuses = 3;
    let follower = home.follow_with(Watch::new);
    let _ = synced(&follower);
    home.is("s/a", "version", "1.0.0");
    assert_eq!(home.registry.told(), 1);
    home.registry.0.lock().expect("whole").refuses = 1_000_000;
    home.task("a", "a", "1.0.1");
    until("a sync says why", || synced(&follower) == Err("the disk is full".to_owned()));
    home.registry.0.lock().expect("whole").refuses = 0;
    home.is("s/a", "version", "1.0.1");
}

#[test]
fn what_others_changed_is_put_right() {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    let follower = home.follow();
    let right = home.registry.records()["s/a"].clone();
    follower.reassert(vec![("s/a".to_owned(), Some(right.clone()))]);
    synced(&follower).expect("synced");
    assert_eq!(home.registry.told(), 1);
    home.registry.0.lock().expect("whole").records.insert("s/x".to_owned(), "{}".to_owned());
    home.registry.0.lock().expect("whole").records.remove("s/a");
    let changed = vec![("s/a".to_owned(), None), ("s/x".to_owned(), Some("{}".to_owned()))];
    follower.reassert(changed);
    until("they are right", || {
        home.registry.records() == BTreeMap::from([("s/a".to_owned(), right.clone())])
    });
}

#[test]
fn a_folder_that_goes_and_comes_takes_its_tasks_with_it() {
    let home = Home::new();
    let follower = home.follow_with(Watch::new);
    assert!(synced(&follower).is_err());
    until("the status tells it", || follower.status().errors.len() == 1);
    home.task("a", "a", "1.0.0");
    home.is("s/a", "version", "1.0.0");
    fs::rename(home.path(""), home.folder.path().join("away")).expect("renamed");
    until("its tasks are gone", || home.registry.records().is_empty());
    fs::rename(home.folder.path().join("away"), home.path("")).expect("renamed");
    home.is("s/a", "version", "1.0.0");
    home.task("a", "a", "1.0.1");
    home.is("s/a", "version", "1.0.1");
    until("nothing is wrong", || follower.status().errors.is_empty());
}

#[test]
fn without_watching_a_sync_finds_what_changed() {
    let mut home = Home::new();
    home.watch = false;
    home.task("a", "a", "1.0.0");
    let follower = home.follow();
    assert_eq!(follower.status().watching, Watching::Off);
    home.task("a", "a", "1.0.1");
    synced(&follower).expect("synced");
    assert_eq!(home.registry.get("s/a", "version").as_deref(), Some("1.0.1"));
}

#[test]
fn it_stops_in_the_middle_of_a_look_at_all() {
    let home = Home::new();
    for at in 0..3_000 {
        fs::create_dir_all(home.path(&format!("x{at}/y"))).expect("made");
    }
    static SEEN: AtomicBool = AtomicBool::new(false);
    let follower = home.follow_with(Watch::new);
    until("it looks", || {
        let progress = follower.status().progress;
        SEEN.fetch_or(progress.is_some(), Ordering::Relaxed);
        progress.is_some_and(|[read, _]| read > 10) || follower.status().last_sync.is_some()
    });
    let began = Instant::now();
    follower.stop();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(SEEN.load(Ordering::Relaxed));
}

#[test]
fn contents_are_what_the_record_tells() {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    home.write("a/input.schema.json", "true");
    let _follower = home.follow();
    let path = home.registry.get("s/a", "path").expect("a path");
    let contents = crate::contents(&home.source(), Path::new(&path)).expect("read");
    assert_eq!(contents.script.as_deref(), Some(SCRIPT));
    assert_eq!(contents.input_schema.as_deref(), Some("true"));
    assert_eq!(contents.output_schema, None);
    assert_eq!(home.registry.get("s/a", "checksum"), Some(contents.checksum));
    let elsewhere = crate::contents(&home.source(), Path::new("/etc"));
    assert!(matches!(elsewhere, Err(crate::ContentsError::Elsewhere { .. })));
}

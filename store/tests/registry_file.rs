//! A collection's file, changed by real writes in a real folder.

use std::fs;
use std::time::Duration;

use argus_proto::Code;
use argus_proto::collection::WATCHERS;
use argus_proto::document::Document;
use argus_proto::limits::FILE_BYTES_MAX;
use argus_store::kernel_lock::WRITE_LOCK;
use argus_store::lockfile::StaleAfter;
use argus_store::{Committed, Folder, KernelLock, Paths, RegistryFile, Source, Transaction};

#[path = "platform/registry_file.rs"]
mod platform;

struct Touch {
    now: u64,
    wanted: bool,
}

impl Transaction for Touch {
    fn apply(&mut self, document: &Document) -> Option<Document> {
        let mut next = document.clone();
        next.touch(self.now);
        (next.updated_at() != document.updated_at()).then_some(next)
    }

    fn is_wanted(&mut self) -> bool {
        self.wanted
    }
}

struct Home {
    folder: tempfile::TempDir,
    paths: Paths,
}

fn home() -> Home {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(&folder.path().join("registry.json")).expect("a path");
    Home { folder, paths }
}

fn file(home: &Home) -> RegistryFile {
    RegistryFile::new(home.paths.clone(), WATCHERS.clone(), StaleAfter::default())
}

fn text(home: &Home) -> String {
    fs::read_to_string(home.paths.registry()).expect("written")
}

const WAIT: Duration = Duration::from_millis(50);

#[test]
fn a_change_is_written_once_and_leaves_nothing_behind() {
    let home = home();
    let mut file = file(&home);
    let mut touch = Touch { now: 5, wanted: true };
    assert_eq!(file.update(WAIT, &mut touch).expect("free"), Committed::Written);
    assert_eq!(text(&home), "{\n  \"version\": 1,\n  \"updatedAt\": 5,\n  \"watchers\": {}\n}");
    assert_eq!(file.update(WAIT, &mut touch).expect("free"), Committed::Unchanged);
    let mut names: Vec<_> = fs::read_dir(home.folder.path())
        .expect("there")
        .map(|entry| entry.expect("there").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["registry.json", "registry.json.d"]);
}

#[test]
fn what_others_wrote_meanwhile_is_what_a_change_is_applied_to() {
    let home = home();
    let mut file = file(&home);
    file.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
    let foreign = "{\"version\":1,\"watchers\":{\"a\":null},\"updatedAt\":6,\"x\":1.0}";
    fs::write(home.paths.registry(), foreign).expect("written");
    assert!(file.has_changed());
    file.update(WAIT, &mut Touch { now: 7, wanted: true }).expect("free");
    assert_eq!(text(&home), foreign.replace("\"updatedAt\":6", "\"updatedAt\":7"));
    assert_eq!(fs::read_to_string(home.paths.last_good()).expect("kept"), foreign);
}

#[test]
fn a_change_that_is_not_wanted_any_more_leaves_the_old_file() {
    let home = home();
    let mut file = file(&home);
    file.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
    let before = text(&home);
    let mut unwanted = Touch { now: 6, wanted: false };
    assert_eq!(file.update(WAIT, &mut unwanted).expect("free"), Committed::Withdrawn);
    assert_eq!(text(&home), before);
    assert_eq!(file.known().expect("known").updated_at(), 5);
}

#[test]
fn what_is_no_registry_is_set_aside_once_and_the_last_good_one_goes_on() {
    for bytes in ["", "{\"version\":1", "[]", "\u{0}\u{1}"] {
        let home = home();
        let mut writer = file(&home);
        writer.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
        writer.update(WAIT, &mut Touch { now: 6, wanted: true }).expect("free");
        fs::write(home.paths.registry(), bytes).expect("written");

        let reading = file(&home).read().expect("readable");
        assert_eq!(reading.document.updated_at(), 5, "the last good one is shown");
        assert_eq!(reading.problem.expect("told").1, Source::LastGood);
        assert_eq!(text(&home), bytes, "reading changes nothing");

        // A transaction that changes nothing leaves the damage for who does.
        let mut unchanged = Touch { now: 6, wanted: true };
        assert_eq!(writer.update(WAIT, &mut unchanged).expect("free"), Committed::Unchanged);
        for now in [7, 8] {
            writer.update(WAIT, &mut Touch { now, wanted: true }).expect("free");
        }
        let recoveries = writer.take_recoveries();
        assert_eq!(recoveries.len(), 1);
        assert_eq!(recoveries[0].source, Some(Source::Memory));
        assert_eq!(fs::read_to_string(&recoveries[0].set_aside).expect("kept"), bytes);
        assert!(text(&home).contains("\"updatedAt\": 8"));
        let good = fs::read_to_string(home.paths.last_good()).expect("kept");
        assert!(good.contains("\"updatedAt\": 7"), "garbage is never the last good one");
    }
}

#[test]
fn damage_that_cannot_be_set_aside_is_not_overwritten() {
    let home = home();
    fs::write(home.paths.registry(), "garbage").expect("written");
    let folder = Folder::create(&home.paths).expect("own");
    fs::write(folder.path().join("quarantine"), "in the way").expect("written");
    let error = file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect_err("refused");
    assert_eq!(error.code(), Code::Corrupt, "{error}");
    assert_eq!(text(&home), "garbage");
}

#[test]
fn a_newer_format_is_left_alone() {
    let home = home();
    fs::write(home.paths.registry(), "{\"version\":2}").expect("written");
    let error = file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect_err("newer");
    assert_eq!(error.code(), Code::UnsupportedVersion);
    assert_eq!(text(&home), "{\"version\":2}");
    assert!(!home.paths.lockfile().exists());
    assert_eq!(file(&home).read().expect("told").problem.expect("told").1, Source::Empty);
}

#[test]
fn a_file_with_an_id_twice_is_kept_before_one_of_them_goes() {
    let home = home();
    let twice = r#"{"version":1,"updatedAt":1,"watchers":{"a":1,"a":2}}"#;
    fs::write(home.paths.registry(), twice).expect("written");
    let mut file = file(&home);
    file.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
    let recoveries = file.take_recoveries();
    assert_eq!(fs::read_to_string(&recoveries[0].set_aside).expect("kept"), twice);
    assert!(recoveries[0].to_string().contains("`a` stood there more than once"));
}

#[test]
fn a_held_kernel_lock_is_waited_for_and_named() {
    let home = home();
    let folder = Folder::create(&home.paths).expect("own");
    let _held = KernelLock::try_acquire(&folder, WRITE_LOCK).expect("own").expect("free");
    let error = file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect_err("held");
    let own = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&own), "{error}");
    assert_eq!(error.code(), Code::Locked);
}

#[test]
fn what_a_killed_writer_left_is_cleared_away() {
    let home = home();
    let debris = home.folder.path().join(".registry.json.x7.argus-tmp");
    let other = home.folder.path().join(".registry.json.swp");
    fs::write(&debris, "half").expect("written");
    fs::write(&other, "an editor's").expect("written");
    file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
    assert!(!debris.exists() && other.exists());

    // One of a living writer is not touched: he holds the lock.
    fs::write(&debris, "half").expect("written");
    let sibling = home.folder.path().join(".registry.json.bak.x7.argus-tmp");
    fs::write(&sibling, "under another lock").expect("written");
    let folder = Folder::create(&home.paths).expect("own");
    let held = KernelLock::try_acquire(&folder, WRITE_LOCK).expect("own").expect("free");
    file(&home).update(WAIT, &mut Touch { now: 6, wanted: true }).expect_err("held");
    assert!(debris.exists());
    drop(held);
    file(&home).update(WAIT, &mut Touch { now: 6, wanted: true }).expect("free");
    assert!(!debris.exists() && sibling.exists());
}

#[test]
fn a_file_that_would_be_too_large_to_read_is_not_written() {
    let home = home();
    // With all numbers in one line it is within the limit; laid out it is not.
    let numbers = "1,".repeat(FILE_BYTES_MAX / 4);
    let text =
        format!("{{\n  \"version\":1,\"updatedAt\":1,\"x\":[{numbers}1],\"watchers\":{{}}}}");
    fs::write(home.paths.registry(), &text).expect("written");
    let error = file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect_err("large");
    assert_eq!(error.code(), Code::TooLarge);
    assert_eq!(fs::read_to_string(home.paths.registry()).expect("there"), text);
}

/// A transaction during which somebody else does something to the files.
struct Meanwhile<'a> {
    touch: Touch,
    meddle: &'a dyn Fn(),
    times: u32,
}

impl Transaction for Meanwhile<'_> {
    fn apply(&mut self, document: &Document) -> Option<Document> {
        if self.times > 0 {
            self.times -= 1;
            (self.meddle)();
        }
        self.touch.apply(document)
    }
}

#[test]
fn a_lockfile_that_was_stolen_meanwhile_stops_the_write_and_is_left_to_the_thief() {
    let home = home();
    file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
    let before = text(&home);
    let steal = || {
        fs::remove_file(home.paths.lockfile()).expect("held");
        fs::write(home.paths.lockfile(), "a thief's").expect("own folder");
    };
    let touch = Touch { now: 6, wanted: true };
    let mut change = Meanwhile { touch, meddle: &steal, times: 1 };
    let error = file(&home).update(WAIT, &mut change).expect_err("stolen");
    assert_eq!(error.code(), Code::Locked);
    assert_eq!(text(&home), before);
    assert_eq!(fs::read_to_string(home.paths.lockfile()).expect("there"), "a thief's");
}

#[test]
fn what_somebody_writes_without_a_lock_meanwhile_is_not_overwritten() {
    let home = home();
    let foreign = |number: u32| {
        let text = format!(r#"{{"version":1,"updatedAt":1,"x":{number},"watchers":{{}}}}"#);
        fs::write(home.paths.registry(), text).expect("own folder");
    };
    foreign(1);
    let write = || foreign(2);
    let touch = Touch { now: 6, wanted: true };
    let mut change = Meanwhile { touch, meddle: &write, times: 1 };
    assert_eq!(file(&home).update(WAIT, &mut change).expect("free"), Committed::Written);
    assert!(text(&home).contains("\"x\":2"), "{}", text(&home));

    // Whoever never stops is told apart from a lock.
    let count = std::cell::Cell::new(2);
    let write = || {
        count.set(count.get() + 1);
        foreign(count.get());
    };
    let touch = Touch { now: 7, wanted: true };
    let mut change = Meanwhile { touch, meddle: &write, times: u32::MAX };
    let error = file(&home).update(WAIT, &mut change).expect_err("never quiet");
    assert!(error.to_string().contains("without a lock"), "{error}");
    assert!(text(&home).contains(&format!("\"x\":{}", count.get())), "{}", text(&home));
}

#[test]
fn old_memory_does_not_replace_what_others_have_written_since() {
    let home = home();
    let mut old = file(&home);
    old.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
    let mut newer = file(&home);
    for now in [6, 7] {
        newer.update(WAIT, &mut Touch { now, wanted: true }).expect("free");
    }
    fs::write(home.paths.registry(), "garbage").expect("own folder");
    let seen = std::cell::Cell::new(0);
    struct Look<'a>(&'a std::cell::Cell<u64>);
    impl Transaction for Look<'_> {
        fn apply(&mut self, document: &Document) -> Option<Document> {
            self.0.set(document.updated_at());
            Some(document.clone())
        }
    }
    old.update(WAIT, &mut Look(&seen)).expect("free");
    assert_eq!(seen.get(), 6, "the last good copy, not what was in memory");
    assert_eq!(old.take_recoveries()[0].source, Some(Source::LastGood));
}

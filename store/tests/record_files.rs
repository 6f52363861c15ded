//! A collection whose records have a file each, changed by real writes in a real folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use argus_proto::Record;
use argus_proto::collection::{Collection, Layout};
use argus_proto::document::Document;
use argus_store::lockfile::StaleAfter;
use argus_store::{Committed, Paths, RegistryFile, Source, Transaction};

#[path = "platform/record_files.rs"]
mod platform;

const WAIT: Duration = Duration::from_millis(50);

struct Home {
    folder: tempfile::TempDir,
    paths: Paths,
}

/// Sets records, and removes those that are set to nothing.
struct Set<'a> {
    records: &'a [(&'a str, Option<&'a str>)],
    is_shown: bool,
}

impl Transaction for Set<'_> {
    fn apply(&mut self, document: &Document) -> Option<Document> {
        let mut next = document.clone();
        for (id, text) in self.records {
            match text {
                Some(text) => next.records.insert(id, record(id, text)),
                None => drop(next.records.remove(id)),
            }
        }
        (next.render() != document.render()).then_some(next)
    }

    fn wants_whole_file(&self) -> bool {
        self.is_shown
    }
}

fn record(id: &str, text: &str) -> Arc<Record> {
    Record::read(id, text, &collection(Layout::Directory)).into()
}

fn collection(layout: Layout) -> Arc<Collection> {
    Arc::new(Collection { layout, ..Collection::new("jobs") })
}

fn home() -> Home {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(&folder.path().join("jobs.json")).expect("a path");
    Home { folder, paths }
}

impl Home {
    fn file(&self) -> RegistryFile {
        self.file_as(Layout::Directory)
    }

    fn file_as(&self, layout: Layout) -> RegistryFile {
        RegistryFile::new(self.paths.clone(), collection(layout), StaleAfter::default())
    }

    /// What the whole file shows.
    fn shown(&self) -> BTreeMap<String, String> {
        let bytes = fs::read(self.paths.registry()).expect("there");
        contents(&Document::parse(&bytes, &collection(Layout::File)).expect("sound"))
    }

    /// What somebody finds who has not been here before.
    fn found(&self) -> BTreeMap<String, String> {
        contents(&self.file().read().expect("readable").document)
    }

    fn record_file(&self, name: &str) -> PathBuf {
        self.paths.records().join(name)
    }

    /// Changes the whole file as programs do that know nothing of argus.
    fn edit_whole(&self, records: &[(&str, Option<&str>)], in_place: bool) {
        let bytes = fs::read(self.paths.registry()).expect("there");
        let document = Document::parse(&bytes, &collection(Layout::File)).expect("sound");
        let next = Set { records, is_shown: true }.apply(&document).expect("a change");
        let target = match in_place {
            true => self.paths.registry().to_owned(),
            false => self.folder.path().join("theirs.tmp"),
        };
        fs::write(&target, next.render()).expect("written");
        if !in_place {
            fs::rename(target, self.paths.registry()).expect("renamed");
        }
    }
}

fn contents(document: &Document) -> BTreeMap<String, String> {
    let records = document.records.iter();
    records.map(|(id, record)| (id.to_string(), record.text().to_owned())).collect()
}

fn expected(records: &[(&str, &str)]) -> BTreeMap<String, String> {
    records.iter().map(|(id, text)| (id.to_string(), text.to_string())).collect()
}

/// Changes that the whole file shows at once, or later.
fn set(file: &mut RegistryFile, is_shown: bool, records: &[(&str, Option<&str>)]) {
    let committed = file.update(WAIT, &mut Set { records, is_shown }).expect("free");
    assert_eq!(committed, Committed::Written);
}

#[test]
fn each_record_has_a_file_and_the_whole_file_shows_all_of_them() {
    let home = home();
    let mut file = home.file();
    set(&mut file, true, &[("a", Some(r#"{"x":1}"#)), ("B/c", Some("{}"))]);
    assert_eq!(
        fs::read_to_string(home.record_file("a.json")).expect("there"),
        "{\n  \"x\": 1\n}\n"
    );
    assert!(home.record_file("%42%2fc.json").exists());
    assert_eq!(home.shown(), expected(&[("a", r#"{"x":1}"#), ("B/c", "{}")]));

    set(&mut file, true, &[("a", Some(r#"{"x":2}"#)), ("B/c", None)]);
    assert_eq!(home.shown(), expected(&[("a", r#"{"x":2}"#)]));
    assert_eq!(home.found(), home.shown());
    let names: Vec<_> = fs::read_dir(home.paths.records())
        .expect("there")
        .map(|entry| entry.expect("there").file_name())
        .collect();
    assert_eq!(names, ["a.json"]);
}

#[test]
fn an_id_that_is_too_long_for_a_name_is_found_again() {
    let home = home();
    let id = "É".repeat(200);
    set(&mut home.file(), false, &[(&id, Some("{}")), ("a", Some("{}"))]);
    assert_eq!(home.found().len(), 2);
    assert!(home.found().contains_key(&id));
    set(&mut home.file(), false, &[(&id, None)]);
    assert_eq!(home.found(), expected(&[("a", "{}")]));
    assert_eq!(fs::read_dir(home.paths.records()).expect("there").count(), 1);
}

#[test]
fn what_the_whole_file_does_not_show_yet_is_found_all_the_same() {
    let home = home();
    let mut file = home.file();
    set(&mut file, true, &[("old", Some("{}")), ("gone", Some("{}"))]);
    set(&mut file, false, &[("new", Some("{}")), ("gone", None)]);
    assert!(file.is_behind());
    assert_eq!(home.shown(), expected(&[("old", "{}"), ("gone", "{}")]));
    assert_eq!(home.found(), expected(&[("old", "{}"), ("new", "{}")]));

    // The one who was to show it is gone; the next who writes does.
    drop(file);
    let mut next = home.file();
    assert_eq!(next.catch_up(WAIT).expect("free"), Committed::Unchanged);
    assert!(!next.is_behind());
    assert_eq!(home.shown(), expected(&[("old", "{}"), ("new", "{}")]));
}

/// Seen to fail with the whole file ignored that others have written.
#[test]
fn what_others_write_into_the_whole_file_gets_into_the_records_files() {
    for in_place in [false, true] {
        let home = home();
        let mut file = home.file();
        set(&mut file, true, &[("theirs", Some("1")), ("ours", Some("1")), ("gone", Some("1"))]);
        set(&mut file, false, &[("ours", Some("2"))]);
        home.edit_whole(&[("theirs", Some("2")), ("added", Some("1")), ("gone", None)], in_place);
        let now = expected(&[("added", "1"), ("ours", "2"), ("theirs", "2")]);
        assert_eq!(contents(&file.reload().expect("readable")), now);
        file.catch_up(WAIT).expect("free");
        assert_eq!(home.shown(), now);
        let of_theirs = fs::read_to_string(home.record_file("theirs.json"));
        assert_eq!(of_theirs.expect("there"), "2\n");
        assert!(!home.record_file("gone.json").exists());
        assert_eq!(home.found(), now);
    }
}

/// Seen to fail with nothing known of what both sides went on from.
#[test]
fn what_others_have_replaced_while_nobody_was_there_is_merged_by_who_comes_next() {
    let home = home();
    let mut file = home.file();
    set(&mut file, true, &[("theirs", Some("1")), ("ours", Some("1")), ("gone", Some("1"))]);
    set(&mut file, false, &[("ours", Some("2"))]);
    drop(file);
    home.edit_whole(&[("theirs", Some("2")), ("gone", None)], false);
    assert_eq!(home.found(), expected(&[("ours", "2"), ("theirs", "2")]));
    set(&mut home.file(), true, &[("more", Some("1"))]);
    assert_eq!(home.shown(), expected(&[("more", "1"), ("ours", "2"), ("theirs", "2")]));

    // Also where they write in place. Seen to fail with a last good copy that is the same file.
    home.edit_whole(&[("theirs", Some("3")), ("ours", None)], true);
    assert_eq!(home.found(), expected(&[("more", "1"), ("theirs", "3")]));
    set(&mut home.file(), true, &[("more", None)]);
    assert_eq!(home.shown(), expected(&[("theirs", "3")]));
}

#[test]
fn a_whole_file_that_is_damaged_or_gone_costs_nothing() {
    for damage in [Some("{ torn"), None] {
        let home = home();
        let mut file = home.file();
        set(&mut file, true, &[("a", Some("1"))]);
        set(&mut file, false, &[("b", Some("1"))]);
        match damage {
            Some(text) => fs::write(home.paths.registry(), text).expect("written"),
            None => fs::remove_file(home.paths.registry()).expect("removed"),
        }
        let reading = home.file().read().expect("told");
        assert_eq!(reading.problem.map(|(_, source)| source), damage.map(|_| Source::Records));
        assert_eq!(home.found(), expected(&[("a", "1"), ("b", "1")]));
        set(&mut file, true, &[("c", Some("1"))]);
        assert_eq!(home.shown(), expected(&[("a", "1"), ("b", "1"), ("c", "1")]));
        let kept: Vec<_> = file.take_recoveries().into_iter().map(|one| one.set_aside).collect();
        assert_eq!(kept.len(), usize::from(damage.is_some()));
        for kept in kept {
            assert_eq!(fs::read_to_string(kept).ok().as_deref(), damage);
        }
    }
}

#[test]
fn a_records_file_that_is_damaged_is_kept_and_the_record_goes_on_as_it_was() {
    let home = home();
    let mut file = home.file();
    set(&mut file, true, &[("a", Some("1")), ("b", Some("1"))]);
    fs::write(home.record_file("a.json"), "{ torn").expect("written");
    // As who replaces a file, so that the folder is another.
    fs::rename(home.record_file("b.json"), home.record_file("b.tmp")).expect("renamed");
    fs::rename(home.record_file("b.tmp"), home.record_file("b.json")).expect("renamed");
    let reading = home.file().read().expect("told");
    assert_eq!(reading.problem.expect("told").1, Source::Records);
    assert_eq!(contents(&reading.document), expected(&[("a", "1"), ("b", "1")]));

    let mut next = home.file();
    set(&mut next, true, &[("c", Some("1"))]);
    let recoveries = next.take_recoveries();
    assert_eq!(fs::read_to_string(&recoveries[0].set_aside).expect("kept"), "{ torn");
    assert_eq!(fs::read_to_string(home.record_file("a.json")).expect("there"), "1\n");
    assert_eq!(home.found(), expected(&[("a", "1"), ("b", "1"), ("c", "1")]));
}

#[test]
fn a_file_that_somebody_puts_into_the_folder_is_a_record() {
    let home = home();
    let mut file = home.file();
    set(&mut file, true, &[("a", Some("1"))]);
    fs::write(home.record_file("dropped.json"), "{\"x\": 1}").expect("written");
    fs::write(home.record_file("README"), "none").expect("written");
    let now = expected(&[("a", "1"), ("dropped", r#"{"x":1}"#)]);
    assert_eq!(home.found(), now);
    assert!(file.has_changed());
    file.catch_up(WAIT).expect("free");
    assert_eq!(home.shown(), now);
}

/// Seen to fail, by a record that came back, with the last good copy as what the whole file is compared
/// with where argus itself has written it.
#[test]
fn what_was_removed_stays_removed_whatever_became_of_the_last_good_copy() {
    type Spoil = fn(&Home);
    let spoils: [Spoil; 3] = [
        |home| fs::remove_file(home.paths.last_good()).expect("there"),
        |home| {
            let older = r#"{"version":1,"updatedAt":1,"jobs":{"a":1}}"#;
            fs::remove_file(home.paths.last_good()).expect("there");
            fs::write(home.paths.last_good(), older).expect("written");
        },
        // A second name, as some backups give it, is no change of what is in it.
        |home| {
            let backup = home.folder.path().join("backup.json");
            fs::hard_link(home.paths.registry(), backup).expect("linked");
        },
    ];
    for (number, spoil) in spoils.iter().enumerate() {
        let home = home();
        let mut file = home.file();
        set(&mut file, true, &[("a", Some("1"))]);
        set(&mut file, true, &[("gone", Some("1"))]);
        set(&mut file, false, &[("gone", None)]);
        drop(file);
        spoil(&home);
        assert_eq!(home.found(), expected(&[("a", "1")]), "{number}");
        set(&mut home.file(), true, &[("b", Some("1"))]);
        assert_eq!(home.shown(), expected(&[("a", "1"), ("b", "1")]), "{number}");
    }
}

/// Seen to fail without what is in memory.
#[test]
fn what_stands_beside_the_records_outlasts_damage_in_memory() {
    let home = home();
    let text = r#"{"version":1,"updatedAt":1,"note":"kept","jobs":{"a":1}}"#;
    fs::write(home.paths.registry(), text).expect("written");
    let mut file = home.file();
    set(&mut file, true, &[("b", Some("1"))]);
    // In place: the last good copy is the same file.
    fs::write(home.paths.registry(), "{ torn").expect("written");
    set(&mut file, true, &[("c", Some("1"))]);
    assert!(fs::read_to_string(home.paths.registry()).expect("there").contains("kept"));
    assert_eq!(home.found(), expected(&[("a", "1"), ("b", "1"), ("c", "1")]));
}

#[test]
fn a_folder_that_was_not_wholly_removed_when_the_layout_changed_takes_nothing_with_it() {
    let home = home();
    set(&mut home.file(), true, &[("a", Some("1")), ("b", Some("1"))]);
    set(&mut home.file_as(Layout::File), true, &[("c", Some("1"))]);
    // What a killed one leaves of it has another name.
    fs::create_dir(home.paths.records().with_extension("new")).expect("made");
    fs::write(home.paths.records().with_extension("new").join("a.json"), "1").expect("written");
    assert_eq!(home.found(), expected(&[("a", "1"), ("b", "1"), ("c", "1")]));
    set(&mut home.file(), true, &[("b", None)]);
    assert_eq!(home.found(), expected(&[("a", "1"), ("c", "1")]));
    assert_eq!(home.shown(), home.found());
}

#[test]
fn a_folder_of_records_that_somebody_removed_is_made_anew_of_the_whole_file() {
    let home = home();
    let mut file = home.file();
    set(&mut file, true, &[("a", Some("1")), ("b", Some("1"))]);
    fs::remove_dir_all(home.paths.records()).expect("own folder");
    assert_eq!(home.found(), expected(&[("a", "1"), ("b", "1")]));
    set(&mut file, false, &[("a", None)]);
    assert_eq!(home.found(), expected(&[("b", "1")]));
    assert_eq!(fs::read_to_string(home.record_file("b.json")).expect("there"), "1\n");
}

#[test]
fn a_collection_changes_its_layout_and_keeps_everything() {
    let home = home();
    let mut whole = home.file_as(Layout::File);
    set(&mut whole, true, &[("a", Some("1")), ("b", Some("1"))]);
    let mut each = home.file();
    set(&mut each, false, &[("b", None)]);
    set(&mut each, false, &[("c", Some("1"))]);
    drop(each);
    let mut whole = home.file_as(Layout::File);
    let found = contents(&whole.read().expect("readable").document);
    assert_eq!(found, expected(&[("a", "1"), ("c", "1")]));
    set(&mut whole, true, &[("d", Some("1"))]);
    assert!(!home.paths.records().exists());
    assert_eq!(home.shown(), expected(&[("a", "1"), ("c", "1"), ("d", "1")]));
}

#[test]
fn two_who_write_in_turns_see_what_the_other_has_not_shown() {
    let home = home();
    let (mut one, mut other) = (home.file(), home.file());
    for round in 0..5 {
        let number = round.to_string();
        set(&mut one, round % 2 == 0, &[("one", Some(&number)), (&number, Some("{}"))]);
        set(&mut other, round % 3 == 0, &[("other", Some(&number)), (&number, None)]);
    }
    assert_eq!(home.found(), expected(&[("one", "4"), ("other", "4")]));
}

/// Any order of changes, shown or not, by those who stay, those who are killed and those who know only
/// the whole file: what is found is what each of them has made of it.
#[test]
fn whatever_the_order_nothing_is_lost_and_nothing_comes_back() {
    /// They wait for the disk most of the time.
    const AT_ONCE: u64 = 6;
    thread::scope(|scope| {
        for first in 0..AT_ONCE {
            scope.spawn(move || (first..60).step_by(AT_ONCE as usize).for_each(in_some_order));
        }
    });
}

fn in_some_order(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let home = home();
    let mut file = home.file();
    let mut model = BTreeMap::new();
    set(&mut file, true, &[("start", Some("0"))]);
    model.insert("start".to_owned(), "0".to_owned());
    for step in 1..40 {
        let number = step.to_string();
        let who = random.u8(0..4);
        let id = format!("{}{}", if who == 3 { "theirs" } else { "ours" }, random.u8(0..3));
        let value = (!model.contains_key(&id) || random.bool()).then_some(number.as_str());
        match who {
            0..=2 => {
                if random.u8(0..4) == 0 {
                    // The one before was killed.
                    file = home.file();
                }
                set(&mut file, random.bool(), &[(&id, value)]);
            }
            _ => {
                // What they have not been shown they cannot remove.
                file.catch_up(WAIT).expect("free");
                home.edit_whole(&[(&id, value)], false);
                set(&mut file, false, &[("ours", Some(&number))]);
                model.insert("ours".to_owned(), number.clone());
            }
        }
        match value {
            Some(value) => model.insert(id, value.to_owned()),
            None => model.remove(&id),
        };
        assert_eq!(home.found(), model, "seed {seed}, step {step}");
    }
    file.catch_up(WAIT).expect("free");
    assert_eq!(home.shown(), model, "seed {seed}");
}

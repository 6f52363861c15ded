//! Any sequence of changes, new lives and outages: the rows say what happened, each thing once, in order.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;

use super::{TestContext, flush, memory::Memory};

const COLLECTIONS: [&str; 2] = ["one", "two"];

#[derive(Debug, Clone)]
enum Step {
    Put(usize, u8, u8),
    Remove(usize, u8),
    /// The database is told.
    Wake,
    /// It has all.
    Flush,
    /// Another program locks the file.
    Lock,
    Unlock,
    /// The daemon ends, somebody else writes the registry, and a new one starts.
    Restart(Vec<(usize, u8, Option<u8>)>),
    Delete,
    Garbage,
}

fn step() -> impl Strategy<Value = Step> {
    let (collection, id, value) = (0..COLLECTIONS.len(), 0..4_u8, 0..3_u8);
    let unseen = (collection.clone(), id.clone(), proptest::option::of(value.clone()));
    prop_oneof![
        8 => (collection.clone(), id.clone(), value).prop_map(|(at, id, value)| Step::Put(at, id, value)),
        3 => (collection, id).prop_map(|(at, id)| Step::Remove(at, id)),
        2 => Just(Step::Wake),
        2 => Just(Step::Flush),
        1 => Just(Step::Lock),
        1 => Just(Step::Unlock),
        1 => proptest::collection::vec(unseen, 0..4).prop_map(Step::Restart),
        1 => Just(Step::Delete),
        1 => Just(Step::Garbage),
    ]
}

/// What has to be in the file, by collection.
#[derive(Default)]
struct Model {
    /// What a file that is deleted now would begin with: what there was when this life began.
    at_start: [BTreeMap<String, String>; 2],
    this_life: [Vec<String>; 2],
    told: [Vec<String>; 2],
}

impl Model {
    fn change(&mut self, at: usize, what: String) {
        self.this_life[at].push(what.clone());
        self.told[at].push(what);
    }

    fn new_file(&mut self) {
        for at in 0..COLLECTIONS.len() {
            self.told[at] =
                self.at_start[at].keys().map(|id| format!("{id} added external")).collect();
            self.told[at].extend(self.this_life[at].iter().cloned());
        }
    }
}

/// Changes the registry; tells what is to be told of it.
fn change(registry: &Memory, at: usize, id: u8, value: Option<u8>) -> Option<String> {
    let (collection, id) = (COLLECTIONS[at], format!("id{id}"));
    let was = registry.records(collection).get(&id).cloned();
    match value {
        Some(value) => registry.put(collection, &id, &value.to_string()),
        None => registry.remove(collection, &id),
    }
    match (was, value) {
        (None, Some(_)) => Some(format!("{id} added put")),
        (Some(was), Some(value)) if was != value.to_string() => Some(format!("{id} updated put")),
        (Some(_), None) => Some(format!("{id} removed removed")),
        _ => None,
    }
}

fn run(steps: Vec<Step>) {
    let test = TestContext { registry: Memory::new(&COLLECTIONS), ..TestContext::new() };
    let mut database = test.start();
    flush(&database).expect("writable");
    let mut model = Model::default();
    let mut lock = None;
    for step in steps {
        match step {
            Step::Put(at, id, value) => {
                if let Some(what) = change(&test.registry, at, id, Some(value)) {
                    model.change(at, what);
                }
            }
            Step::Remove(at, id) => {
                if let Some(what) = change(&test.registry, at, id, None) {
                    model.change(at, what);
                }
            }
            Step::Wake => database.wake(),
            Step::Flush => {
                let outcome = flush(&database);
                assert!(outcome.is_ok() || lock.is_some(), "{outcome:?}");
            }
            Step::Lock => {
                lock.get_or_insert_with(|| {
                    flush(&database).expect("writable");
                    let other = test.other();
                    other.execute_batch("BEGIN IMMEDIATE").expect("free");
                    other
                });
            }
            Step::Unlock => lock = None,
            Step::Restart(unseen) => {
                lock = None;
                flush(&database).expect("writable");
                database.stop();
                for (at, collection) in COLLECTIONS.into_iter().enumerate() {
                    let before = test.registry.records(collection);
                    for (_, id, value) in unseen.iter().filter(|unseen| unseen.0 == at) {
                        change(&test.registry, at, *id, *value);
                    }
                    let after = test.registry.records(collection);
                    let mut ids: Vec<_> = before.keys().chain(after.keys()).cloned().collect();
                    ids.sort();
                    ids.dedup();
                    for id in ids {
                        let kind = match (before.get(&id), after.get(&id)) {
                            (None, Some(_)) => "added",
                            (Some(_), None) => "removed",
                            (was, is) if was != is => "updated",
                            _ => continue,
                        };
                        model.told[at].push(format!("{id} {kind} external"));
                    }
                    model.at_start[at] = after;
                    model.this_life[at].clear();
                }
                test.registry.restart();
                database = test.start();
            }
            Step::Delete => {
                lock = None;
                flush(&database).expect("writable");
                fs::remove_file(test.path()).expect("there");
                model.new_file();
            }
            Step::Garbage => {
                lock = None;
                flush(&database).expect("writable");
                let garbage = test.home.path().join("garbage");
                fs::write(&garbage, b"no database".repeat(50)).expect("own folder");
                fs::rename(garbage, test.path()).expect("there");
                model.new_file();
            }
        }
    }
    drop(lock);
    flush(&database).expect("writable");
    let told = test.what();
    for (at, collection) in COLLECTIONS.iter().enumerate() {
        let prefix = format!("{collection}/");
        let told: Vec<_> = told.iter().filter_map(|what| what.strip_prefix(&prefix)).collect();
        assert_eq!(told, model.told[at], "{collection}");
        let mut statement_of = test.other();
        let latest = latest(&mut statement_of, collection);
        assert_eq!(latest, test.registry.records(collection), "{collection}");
    }
}

fn latest(connection: &mut rusqlite::Connection, collection: &str) -> BTreeMap<String, String> {
    let mut statement = connection
        .prepare("SELECT id, etag FROM latest WHERE collection = ?1 AND etag IS NOT NULL")
        .expect("ours");
    let rows =
        statement.query_map([collection], |row| Ok((row.get(0)?, row.get(1)?))).expect("ours");
    rows.collect::<Result<_, _>>().expect("texts")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_change_is_there_once_and_in_order(steps in proptest::collection::vec(step(), 1..40)) {
        run(steps);
    }
}

//! What a commit costs beside the bare writes that it consists of, with one writer, and what it
//! costs to find that nobody else has written.

use argus_presence::{ThisMachine, clock};
use argus_proto::collection::WATCHERS;
use argus_proto::document::Document;
use argus_proto::engine::{self, Context};
use argus_store::lockfile::StaleAfter;
use argus_store::wait::LOCK_WAIT;
use argus_store::{RegistryFile, Transaction};
use argus_tests::TestContext;

use crate::aim::COMMIT_TO_WRITES as LIMIT;
use crate::disk;
use crate::plan::{Plan, RECORDS};
use crate::samples::{Operation, Samples};
use crate::seed;
use crate::table::Table;
use crate::turns::{compare, in_turns};

/// Measures and prints a table.
pub(crate) fn run(plan: &Plan) {
    let mut table = Table::new(&["records", "what", "mean", "beside", "mean", "ratio", "aim", ""]);
    for records in RECORDS {
        let context = TestContext::new();
        let bytes = seed::write(&context, records);
        let mut commit = commit(&context);
        let floor = |slice| disk::replace(&context, bytes, slice);
        let (own, floor) = in_turns(plan, |slice| Samples::take(slice, &mut commit), floor);
        compare(&mut table, records, ["a commit", "its writes alone"], (own, floor), LIMIT);

        let mut look = look(&context);
        let mut stat = stat(&context);
        let floor = |slice| Samples::take(slice, &mut stat);
        let (own, floor) = in_turns(plan, |slice| Samples::take(slice, &mut look), floor);
        compare(&mut table, records, ["a look, nothing new", "one stat"], (own, floor), LIMIT);
    }
    println!("The store alone, in one process with one writer.\n");
    table.print();
}

struct Announce(argus_proto::Request);

impl Transaction for Announce {
    fn apply(&mut self, document: &Document) -> Option<Document> {
        let now = clock::wall_ms();
        let context = Context { collection: &WATCHERS, now, machine: &ThisMachine, caller: 1 };
        let mut next = engine::apply(document, &self.0, context).ok()?.document;
        next.touch(now);
        Some(next)
    }
}

fn file(context: &TestContext) -> RegistryFile {
    RegistryFile::new(context.paths(), WATCHERS.clone(), StaleAfter::default())
}

/// A change made durable by the store, without daemon and client.
pub(crate) fn commit(context: &TestContext) -> Operation {
    let (mut file, mut turn) = (file(context), 0);
    let pid = std::process::id();
    Box::new(move || {
        turn += 1;
        let mut announce = Announce(seed::announce(0, pid, turn).into());
        file.update(LOCK_WAIT, &mut announce).map(drop).map_err(|error| error.to_string())
    })
}

fn look(context: &TestContext) -> Operation {
    let mut file = file(context);
    file.reload().expect("a registry");
    Box::new(move || match file.has_changed() {
        false => Ok(()),
        true => Err("nobody wrote it".to_owned()),
    })
}

fn stat(context: &TestContext) -> Operation {
    let path = context.registry();
    Box::new(move || std::fs::metadata(&path).map(drop).map_err(|error| error.to_string()))
}

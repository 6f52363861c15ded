//! What a durable change costs by the number of records, where each of them has a file of its own.

use argus_client::method::Put;
use argus_client::{Mode, Options, blocking};
use argus_proto::collection::Collection;
use argus_proto::json::JsonText;
use argus_proto::{Document, Record};
use argus_tests::TestContext;

use crate::aim::GROWTH as LIMIT;
use crate::plan::{Plan, RECORDS};
use crate::samples::{Operation, Samples};
use crate::table::Table;
use crate::turns::{compare, in_turns};

const COLLECTION: &str = "jobs";

/// Measures and prints a table.
pub(crate) fn run(plan: &Plan) {
    let mut table = Table::new(&["records", "what", "mean", "beside", "mean", "ratio", "aim", ""]);
    let few = Home::new(RECORDS[0]);
    for records in [RECORDS[1], RECORDS[2]] {
        let many = Home::new(records);
        let (mut put, mut put_to_few) = (many.put(), few.put());
        let floor = |slice| Samples::take(slice, &mut put_to_few);
        let (own, floor) = in_turns(plan, |slice| Samples::take(slice, &mut put), floor);
        compare(&mut table, records, ["a put", "one to 10 records"], (own, floor), LIMIT);
    }
    println!("One file a record, through the daemon; the whole file follows within 50 ms.\n");
    table.print();
}

/// A daemon with a collection that is kept so.
struct Home(TestContext);

impl Home {
    fn new(records: usize) -> Self {
        let context = TestContext::new();
        let config = format!("collections: {{{COLLECTION}: {{layout: directory}}}}\n");
        std::fs::write(context.home().join("config.yaml"), config).expect("own folder");
        std::fs::write(context.home().join("jobs.json"), whole_file(records)).expect("own folder");
        // The first change gives each record its file.
        value(&client(&context, Mode::Direct), 0).expect("nobody else is there");
        context.start_daemon();
        Home(context)
    }

    fn put(&self) -> Operation {
        let (client, mut turn) = (client(&self.0, Mode::DaemonOnly), 0);
        Box::new(move || {
            turn += 1;
            value(&client, turn)
        })
    }
}

fn client(context: &TestContext, mode: Mode) -> blocking::Client {
    let options = Options { collection: Some(COLLECTION.to_owned()), ..context.options(mode) };
    blocking::Client::new(options).expect("a client needs nothing")
}

fn value(client: &blocking::Client, turn: usize) -> Result<(), String> {
    let value = JsonText::from_canonical(text(0, turn));
    client.put(Put::new(&id(0), value)).map(drop).map_err(|error| error.to_string())
}

fn whole_file(records: usize) -> String {
    let collection = Collection::new(COLLECTION);
    let mut document = Document::empty(&collection);
    for index in 0..records {
        let record = Record::read(&id(index), &text(index, 0), &collection);
        document.records.insert(&id(index), record.into());
    }
    document.render()
}

fn id(index: usize) -> String {
    format!("job-{index:05}")
}

fn text(index: usize, turn: usize) -> String {
    format!(
        r#"{{"command":"make -C /home/me/projects/app-{index:05} all","every":3600,"turn":{turn}}}"#
    )
}

//! How long a change takes to reach everyone who follows, and what one costs who never reads.

use argus_client::method::Subscribe;
use argus_tests::TestContext;

use crate::aim;
use crate::commits;
use crate::connection::{Connection, request};
use crate::plan::{Plan, RECORDS, SUBSCRIBERS};
use crate::samples::{Operation, Samples};
use crate::seed;
use crate::table::Table;
use crate::turns::{compare, in_turns};

/// Measures and prints a table.
pub(crate) fn run(plan: &Plan) {
    let mut table =
        Table::new(&["subscribers", "what", "mean", "beside", "mean", "ratio", "aim", ""]);
    let alone = home();
    let mut commit = commits::commit(&alone);
    for subscribers in SUBSCRIBERS {
        let context = home();
        let mut told = told_to_all(&context, subscribers);
        let measured = in_turns(
            plan,
            |slice| Samples::take(slice, &mut told),
            |slice| Samples::take(slice, &mut commit),
        );
        let names = ["from the question to the last event", "the commit alone"];
        compare(&mut table, subscribers, names, measured, aim::EVENT_TO_COMMIT);
    }

    let (quiet, deaf) = (home(), home());
    let mut undisturbed = announce(&quiet);
    let mut beside = announce(&deaf);
    let measured = in_turns(
        plan,
        |slice| {
            // Anew each time: it is closed when too much waits for it.
            let _deaf = subscriber(&deaf);
            Samples::take(slice, &mut beside)
        },
        |slice| Samples::take(slice, &mut undisturbed),
    );
    let names = ["an announcement beside one that never reads", "one without it"];
    compare(&mut table, 1, names, measured, aim::BESIDE_DEAF_SUBSCRIBER);
    println!("Those who follow, with {} records.\n", RECORDS[0]);
    table.print();
}

fn home() -> TestContext {
    let context = TestContext::new();
    seed::write(&context, RECORDS[0]);
    context
}

fn subscriber(context: &TestContext) -> Connection {
    let mut connection = Connection::open(&context.paths().socket());
    connection.exchange(&request(Subscribe::default())).expect("the daemon takes subscribers");
    connection
}

/// An announcement through the daemon, up to its answer.
fn announce(context: &TestContext) -> Operation {
    context.start_daemon();
    let mut connection = Connection::open(&context.paths().socket());
    let (pid, mut turn) = (std::process::id(), 0);
    Box::new(move || {
        turn += 1;
        let announce = request(seed::announce(0, pid, turn));
        connection.exchange(&announce).map(drop).map_err(|error| error.to_string())
    })
}

/// The same, until it was told to so many as well.
fn told_to_all(context: &TestContext, subscribers: usize) -> Operation {
    let mut announce = announce(context);
    let mut subscribers: Vec<Connection> = (0..subscribers).map(|_| subscriber(context)).collect();
    Box::new(move || {
        announce()?;
        let mut told = subscribers.iter_mut().map(Connection::next_change);
        told.try_for_each(|told| told.map_err(|error| error.to_string()))
    })
}

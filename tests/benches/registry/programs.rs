//! What a person at a shell waits for: whole programs, beside one that does nothing.

use std::process::Command;
use std::time::Duration;

use argus_tests::{TestContext, empty_program};

use crate::aim::{self, Aim};
use crate::plan::Plan;
use crate::samples::{Operation, Samples};
use crate::seed;
use crate::table::{Table, count, multiple, ratio, time};

/// How many records `argus ls` is asked for.
const LISTED: [usize; 2] = [10, 1_000];

/// Measures and prints a table.
pub(crate) fn run(plan: &Plan) {
    let mut table = Table::new(&["program", "p50", "p90", "beside `true`", "ratio", "aim", ""]);
    cold_start(plan, &mut table);
    for records in LISTED {
        list(plan, records, &mut table);
    }
    println!("Programs, from their start to their end.\n");
    table.print();
}

fn cold_start(plan: &Plan, table: &mut Table) {
    let mut pair = Pair::default();
    for _ in 0..plan.starts {
        let context = TestContext::new();
        pair.measure(context.command(&["announce", "--id", "app"]));
    }
    let limit = aim::COLD_START;
    let aim = Aim::at_most(pair.multiple(), limit, format!("{limit}×"));
    pair.report("`argus announce` in an empty home, which starts the daemon", aim, table);
}

fn list(plan: &Plan, records: usize, table: &mut Table) {
    let context = TestContext::new();
    seed::write(&context, records);
    context.start_daemon();
    let mut pair = Pair::default();
    for _ in 0..plan.starts {
        pair.measure(context.command(&["ls"]));
    }
    let name = format!("`argus ls` of {} records, daemon running", count(records as f64));
    pair.report(&name, Aim::none(), table);
}

/// A program and one that does nothing, in turn: so a busy moment of the machine meets both.
#[derive(Default)]
struct Pair {
    program: Samples,
    empty: Samples,
}

impl Pair {
    fn measure(&mut self, program: Command) {
        self.empty.append(start(empty_program()));
        self.program.append(start(program));
    }

    fn multiple(&mut self) -> Option<f64> {
        multiple(self.program.p50(), self.empty.p50())
    }

    fn report(mut self, name: &str, aim: Aim, table: &mut Table) {
        table.row([
            name.to_owned(),
            time(self.program.p50()),
            time(self.program.percentile(90)),
            time(self.empty.p50()),
            ratio(self.multiple()),
            aim.text,
            aim.verdict.to_owned(),
        ]);
        if let Some(failures) = self.program.failures() {
            println!("{name}: {failures}\n");
        }
    }
}

/// Runs a program to its end, once.
fn start(mut command: Command) -> Samples {
    let mut start: Operation = Box::new(move || {
        let output = command.output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    });
    Samples::take(Duration::ZERO, &mut start)
}

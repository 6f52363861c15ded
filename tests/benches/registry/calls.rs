//! What the calls cost, from any number of processes to a registry of any size.

use std::time::Duration;

use argus_tests::TestContext;

use crate::aim::{self, Aim};
use crate::growth::Growth;
use crate::home::{Home, Subject};
use crate::memory::{self, Memory};
use crate::plan::{CLIENTS, Part, Plan, RECORDS};
use crate::seed;
use crate::table::{Table, bytes, count, ratio, time};
use crate::turns::Turns;
use crate::work::Call;

/// Measures every call that is wanted, and prints two tables. Returns what the daemon with
/// [`memory::RECORDS`] took after the most of it.
pub(crate) fn run(plan: &Plan) -> Option<Memory> {
    let groups: Vec<Group> = GROUPS.into_iter().filter(|group| plan.wants(group.part)).collect();
    if groups.is_empty() {
        return None;
    }
    let mut report = Report::new();
    let mut memory = None;
    for records in RECORDS {
        for clients in CLIENTS {
            let home = Home::new(records, clients);
            for group in &groups {
                report.add(&home, group, home.measure(group.calls, group.floors, plan));
            }
            if records == memory::RECORDS {
                memory = memory::of_process(home.daemon);
            }
        }
    }
    report.print();
    memory
}

/// Calls, and the floors that all of them are compared with.
#[derive(Debug, Clone, Copy)]
struct Group {
    part: Part,
    calls: &'static [Call],
    floors: &'static [Subject],
}

const GROUPS: [Group; 4] = [
    Group {
        part: Part::Announce,
        calls: &[Call::Announce],
        floors: &[Subject::Append, Subject::WholeWrite],
    },
    Group { part: Part::Heartbeat, calls: &[Call::Heartbeat], floors: &[Subject::RoundTrip] },
    Group { part: Part::Get, calls: &[Call::Get], floors: &[Subject::RoundTrip] },
    Group {
        part: Part::List,
        calls: &[Call::List, Call::ListBytes],
        floors: &[Subject::RoundTrip],
    },
];

struct Report {
    table: Table,
    growth: Growth,
    failures: Vec<String>,
}

impl Report {
    fn new() -> Self {
        let table = Table::new(&[
            "records", "clients", "call", "p50", "p99", "mean", "calls/s", "beside", "mean",
            "ratio", "aim", "",
        ]);
        Report { table, growth: Growth::default(), failures: Vec::new() }
    }

    fn add(&mut self, home: &Home, group: &Group, mut calls: Vec<Turns>) {
        let floors = calls.split_off(group.calls.len());
        for (call, turns) in group.calls.iter().zip(calls) {
            let mean = turns.mean();
            self.growth.note(home.records, home.clients, *call, mean);
            let multiples: Vec<_> = floors.iter().map(|floor| turns.multiple_of(floor)).collect();
            let mut samples = turns.into_samples();
            let aim = aim_of(home, *call, mean, samples.per_second(), multiples[0]);
            let mut own = [
                time(samples.p50()),
                time(samples.p99()),
                time(mean),
                count(samples.per_second()),
                aim.text,
                aim.verdict.to_owned(),
            ];
            for ((subject, floor), multiple) in group.floors.iter().zip(&floors).zip(multiples) {
                let [p50, p99, mean, per_second, aim, verdict] = own;
                self.table.row([
                    count(home.records as f64),
                    home.clients.to_string(),
                    call.name().to_owned(),
                    p50,
                    p99,
                    mean,
                    per_second,
                    subject.name().to_owned(),
                    time(floor.mean()),
                    ratio(multiple),
                    aim,
                    verdict,
                ]);
                // What is said of the call itself is said once.
                own = [const { String::new() }; 6];
            }
            if let Some(failures) = samples.failures() {
                self.failures.push(format!(
                    "{} from {} clients at {} records: {failures}",
                    call.name(),
                    home.clients,
                    count(home.records as f64),
                ));
            }
        }
    }

    fn print(&self) {
        let context = TestContext::new();
        let sizes = RECORDS.map(|records| bytes(seed::write(&context, records) as u64));
        println!("Calls from several processes at once. The files have {}.", sizes.join(", "));
        println!(
            "Ratios are of the means, turn by turn. Where few clients call, much of a round trip"
        );
        println!("is the waking of an idle core, and a ratio is lower than on a busy machine.\n");
        self.table.print();
        for failure in &self.failures {
            println!("{failure}\n");
        }
        self.growth.print();
    }
}

fn aim_of(
    home: &Home,
    call: Call,
    mean: Option<Duration>,
    per_second: f64,
    multiple: Option<f64>,
) -> Aim {
    match (call, home.clients, home.records) {
        (Call::Announce, 1, _) => {
            let limit = aim::ANNOUNCE_TO_APPEND;
            Aim::at_most(multiple, limit, format!("{limit}×"))
        }
        (Call::Announce, 32, _) => {
            let limit = aim::ANNOUNCES_PER_SECOND;
            Aim::at_least(per_second, limit, format!("{}/s", count(limit)))
        }
        (Call::Heartbeat | Call::Get, ..) => {
            let limit = aim::CALL_TO_ROUND_TRIP;
            Aim::at_most(multiple, limit, format!("{limit}×"))
        }
        (Call::ListBytes, 1, 10_000) => {
            let limit = aim::LISTING;
            Aim::at_most(
                mean.map(|mean| mean.as_secs_f64()),
                limit.as_secs_f64(),
                time(Some(limit)),
            )
        }
        _ => Aim::none(),
    }
}

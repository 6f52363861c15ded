//! What more records cost. A listing is left out: it has as many more bytes.

use std::time::Duration;

use crate::aim::{self, Aim};
use crate::plan::RECORDS;
use crate::table::{Table, count, multiple, ratio, time};
use crate::work::Call;

/// What each call took, by the number of records.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    figures: Vec<Figure>,
}

#[derive(Debug)]
struct Figure {
    records: usize,
    clients: usize,
    call: Call,
    mean: Option<Duration>,
}

impl Growth {
    /// Keeps a figure.
    pub(crate) fn note(
        &mut self,
        records: usize,
        clients: usize,
        call: Call,
        mean: Option<Duration>,
    ) {
        if !matches!(call, Call::List | Call::ListBytes) {
            self.figures.push(Figure { records, clients, call, mean });
        }
    }

    /// Prints a table of what was kept.
    pub(crate) fn print(&self) {
        if self.figures.is_empty() {
            return;
        }
        let columns = RECORDS.map(|records| count(records as f64));
        let [few, some, many] = columns.each_ref().map(String::as_str);
        let columns = ["call", "clients", few, some, many, "ratio", "aim", ""];
        let mut table = Table::new(&columns);
        for figure in self.figures.iter().filter(|figure| figure.records == RECORDS[0]) {
            let [least, middle, most] = RECORDS.map(|records| self.mean(records, figure));
            let growth = multiple(most, least);
            let aim = Aim::at_most(growth, aim::GROWTH, format!("{}×", aim::GROWTH));
            table.row([
                figure.call.name().to_owned(),
                figure.clients.to_string(),
                time(least),
                time(middle),
                time(most),
                ratio(growth),
                aim.text,
                aim.verdict.to_owned(),
            ]);
        }
        println!("The same calls by the number of records, mean.\n");
        table.print();
    }

    fn mean(&self, records: usize, like: &Figure) -> Option<Duration> {
        let mut figures = self.figures.iter();
        figures
            .find(|figure| {
                (figure.records, figure.clients, figure.call) == (records, like.clients, like.call)
            })?
            .mean
    }
}

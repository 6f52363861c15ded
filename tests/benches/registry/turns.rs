//! What is compared is measured in turns, a slice each: so a busy moment of the machine, or a
//! placement of the processes on its cores, meets both sides. Each turn is compared with itself.

use std::time::Duration;

use crate::aim::Aim;
use crate::plan::Plan;
use crate::samples::Samples;
use crate::table::{Table, count, ratio, time};

/// The slices of one thing that was measured.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    slices: Vec<Samples>,
}

impl Turns {
    /// Adds a slice.
    pub(crate) fn push(&mut self, slice: Samples) {
        self.slices.push(slice);
    }

    /// How long one takes on average, in the median turn.
    pub(crate) fn mean(&self) -> Option<Duration> {
        let means = self.slices.iter().filter_map(Samples::mean);
        median(means.map(|mean| mean.as_secs_f64()).collect()).map(Duration::from_secs_f64)
    }

    /// How many times what it takes is what the other takes, in the median turn.
    pub(crate) fn multiple_of(&self, floor: &Turns) -> Option<f64> {
        let turns = self.slices.iter().zip(&floor.slices);
        let multiple = |(slice, floor): (&Samples, &Samples)| {
            Some(slice.mean()?.as_secs_f64() / floor.mean()?.as_secs_f64())
        };
        median(turns.filter_map(multiple).collect())
    }

    /// All slices as one.
    pub(crate) fn into_samples(self) -> Samples {
        let mut all = Samples::default();
        for slice in self.slices {
            all.append(slice);
        }
        all
    }
}

/// Measures two things in turns.
pub(crate) fn in_turns(
    plan: &Plan,
    mut own: impl FnMut(Duration) -> Samples,
    mut floor: impl FnMut(Duration) -> Samples,
) -> (Turns, Turns) {
    let (mut owns, mut floors) = (Turns::default(), Turns::default());
    let mut measured = Duration::ZERO;
    while measured < plan.cell {
        owns.push(own(plan.slice));
        floors.push(floor(plan.slice));
        measured += plan.slice;
    }
    (owns, floors)
}

/// Adds a line to a table: how many of what, the two things, and how they compare.
pub(crate) fn compare(
    table: &mut Table,
    number: usize,
    names: [&str; 2],
    (own, floor): (Turns, Turns),
    limit: f64,
) {
    let multiple = own.multiple_of(&floor);
    let aim = Aim::at_most(multiple, limit, format!("{limit}×"));
    let [name, beside] = names.map(str::to_owned);
    table.row([
        count(number as f64),
        name,
        time(own.mean()),
        beside,
        time(floor.mean()),
        ratio(multiple),
        aim.text,
        aim.verdict.to_owned(),
    ]);
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (lower, upper) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some((values[lower] + values[upper]) / 2.0)
}

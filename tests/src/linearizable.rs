//! Whether the history of a registry can be explained: for each record there is an order of the
//! operations on it, within the times at which they were under way, in which every answer is true.
//!
//! Each record is a register of its own, so each is searched by itself (Herlihy and Wing: a
//! history is linearizable if it is for every object). The search is that of Wing and Gong: take an
//! operation that no unfinished one had to precede, apply it, go on, and come back if that leads
//! nowhere; a configuration that led nowhere once is not entered again (Lowe). What is tried first is a
//! guess, and a bad one among the first leads astray for ever: so the search begins anew with other guesses
//! after a while, which finds an order quickly where there is one (Gomes and Selman).
//!
//! 1. A change, and a read of the file, is strict: it happened between its beginning and its answer.
//! 2. What the daemon shows of the changes that others made on the file may be late: it looks at the file
//!    every half second, and a stopped daemon does not look at all. So an answer from its memory (a
//!    read, a heartbeat) may belong to an earlier moment. But it never goes back behind what the daemon
//!    answered before, to anyone; nor behind the beginning of the last change that it had answered,
//!    of whatever record, because a commit reads the file; nor by more than [`LATENESS_MAX`]. The
//!    changes of the client itself are no exception: one that went to the file, because the daemon was
//!    silent, is another's to a daemon that goes on a moment later.
//! 3. What had no answer was carried out at any later time, or never.
//! 4. A client that repeats by itself (the daemon died, or was silent; so the next one, or the
//!    file) may have had its change carried out several times before the answer.
//! 5. What was answered with "not applied" was not. Its value must be seen by nobody.

use std::collections::{HashMap, HashSet};

use crate::history::{Action, Operation, Outcome, Seen, Value, Way, by_record};

/// The most operations on one record. The search is exponential in what is under way at once, and
/// linear in this.
pub const OPERATIONS_MAX: usize = 2048;
/// How many configurations one search is worth, and how often it begins anew at that price: many short
/// ones, and a few long ones in the end.
const SEARCHES: [(usize, u64); 4] = [(20_000, 1), (5_000, 100), (40_000, 20), (400_000, 4)];
/// By how much the guess is changed at most: twice as much each time, from a millisecond to half a second.
const GUESS_CHANGE_MIN: u64 = 1_000_000;
const GUESS_CHANGE_STEPS: u64 = 10;
/// How late the daemon may be: its longest stop in a test, and the wait for a lock, and far more.
pub const LATENESS_MAX: u64 = 20_000_000_000;
/// How many operations an explanation shows of each sort.
const SHOWN_MAX: usize = 16;
/// So often a change without answer may have been carried out by a client that repeats: by a
/// daemon, by the next, and on the file.
const REPETITIONS_MAX: usize = 3;

/// A record whose history nothing explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The record.
    pub id: String,
    /// The most operations that could be put in order, and what stood in the way of the next.
    pub explanation: String,
}

/// Looks for an order of each record's operations. All records are there from the start on, empty.
///
/// # Errors
/// The records for which there is none.
pub fn check(history: Vec<Operation>) -> Result<(), Vec<Violation>> {
    let floors = Floors::of(&history);
    let violations: Vec<Violation> = by_record(history)
        .into_iter()
        .filter_map(|(id, operations)| {
            let explanation = Search::new(operations, &floors).run_to_the_end().err()?;
            Some(Violation { id, explanation })
        })
        .collect();
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// Up to when the daemon must have read the file, at each moment: the beginning of the last change
/// that it had answered by then.
struct Floors(Vec<(u64, u64)>);

impl Floors {
    fn of(history: &[Operation]) -> Self {
        let mut answers: Vec<(u64, u64)> = history
            .iter()
            .filter(|one| is_commit(one) && one.way == Way::Daemon)
            .map(|one| (one.answered, one.begun))
            .collect();
        answers.sort_unstable();
        let mut latest = 0;
        for (_, begun) in &mut answers {
            latest = latest.max(*begun);
            *begun = latest;
        }
        Floors(answers)
    }

    fn at(&self, moment: u64) -> u64 {
        let answered = self.0.partition_point(|(answered, _)| *answered < moment);
        answered.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}

fn is_commit(operation: &Operation) -> bool {
    matches!(operation.action, Action::Announce(_) | Action::Remove)
        && matches!(operation.outcome, Outcome::Durable(_))
}

fn is_late(operation: &Operation) -> bool {
    is_quiet(operation) && operation.way != Way::File
}

/// The search for one record.
struct Search {
    operations: Vec<Operation>,
    /// For each operation, the answered ones that have to come before it.
    before: Vec<Set>,
    /// For each value, who announces it and whose answer tells of it.
    uses: HashMap<Value, Uses>,
    /// For each operation, until when it has to be done.
    urgency: Vec<u64>,
    /// How many operations have to be put in order.
    required: usize,
    /// A change of which its client was told that it was not made, and which was seen.
    refused_and_seen: Option<String>,
}

#[derive(Clone)]
struct Uses {
    announced: Set,
    seen: Set,
}

/// What came of one search.
enum Found {
    /// An order that explains everything.
    Order,
    /// There is none, and why.
    None(String),
    /// It was worth no more.
    NothingYet,
}

/// What has been put in order, and what the record holds afterwards.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Configuration {
    done: Set,
    value: Option<Value>,
}

/// A set of operations, a bit for each.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Set(Box<[u64]>);

impl Search {
    fn new(operations: Vec<Operation>, floors: &Floors) -> Self {
        let refused_and_seen = refused_and_seen(&operations);
        let operations: Vec<Operation> = operations.into_iter().flat_map(possible_times).collect();
        let before = (0..operations.len())
            .map(|at| {
                let floor = floors.at(operations[at].begun);
                let precedes =
                    |other: &usize| precedes(&operations[*other], &operations[at], floor);
                let mut before = Set::new(operations.len());
                let others = (0..operations.len()).filter(|other| *other != at);
                others.filter(precedes).for_each(|other| before.add(other));
                before
            })
            .collect();
        let none = Uses { announced: Set::new(operations.len()), seen: Set::new(operations.len()) };
        let mut uses: HashMap<Value, Uses> = HashMap::new();
        for (at, operation) in operations.iter().enumerate() {
            if let Action::Announce(value) = operation.action {
                uses.entry(value).or_insert_with(|| none.clone()).announced.add(at);
            }
            if let Outcome::Durable(Seen::Content(Some(value))) = operation.outcome {
                uses.entry(value).or_insert_with(|| none.clone()).seen.add(at);
            }
        }
        let required = operations.iter().filter(|one| one.outcome != Outcome::Unknown).count();
        let urgency = Vec::new();
        let mut search = Search { operations, before, uses, urgency, required, refused_and_seen };
        search.urgency = (0..search.operations.len()).map(|at| search.urgency(at)).collect();
        search
    }

    /// Searches until it is decided, or is worth no more.
    fn run_to_the_end(&mut self) -> Result<(), String> {
        if let Some(refused) = &self.refused_and_seen {
            return Err(refused.clone());
        }
        if self.operations.len() > OPERATIONS_MAX {
            return Err(format!("{} operations are too many", self.operations.len()));
        }
        let guess = self.urgency.clone();
        let attempts = SEARCHES.iter().flat_map(|(worth, times)| (0..*times).map(|_| *worth));
        for (attempt, worth) in (0..).zip(attempts) {
            match self.run(worth) {
                Found::Order => return Ok(()),
                Found::None(explanation) => return Err(explanation),
                Found::NothingYet => {}
            }
            let change = GUESS_CHANGE_MIN << (attempt % GUESS_CHANGE_STEPS);
            let mut random = fastrand::Rng::with_seed(attempt);
            let mut other = |urgency: &u64| urgency.saturating_add(random.u64(..change));
            self.urgency = guess.iter().map(&mut other).collect();
        }
        Err("undecided: no search was long enough".to_owned())
    }

    fn run(&self, worth: usize) -> Found {
        let start = Configuration { done: Set::new(self.operations.len()), value: None };
        let mut seen = HashSet::from([start.clone()]);
        let mut open = vec![(start, 0)];
        let mut best: (usize, Option<Configuration>) = (0, None);
        // Depth first: the last that was found is gone on with.
        while let Some((configuration, done)) = open.pop() {
            let (configuration, done) = self.answer_reads(configuration, done);
            if done == self.required {
                return Found::Order;
            }
            if done > best.0 || best.1.is_none() {
                best = (done, Some(configuration.clone()));
            }
            if seen.len() > worth {
                return Found::NothingYet;
            }
            let mut candidates: Vec<usize> = self.candidates(&configuration).collect();
            // The most urgent is tried first, so it is found last.
            candidates.sort_by_key(|at| (self.urgency[*at], *at));
            for at in candidates.iter().rev() {
                for (next, counts) in
                    self.steps(&configuration, *at, &candidates).into_iter().flatten()
                {
                    if seen.insert(next.clone()) {
                        open.push((next, done + usize::from(counts)));
                    }
                }
            }
        }
        Found::None(self.explain(best))
    }

    /// Those that may come next.
    fn candidates(&self, from: &Configuration) -> impl Iterator<Item = usize> {
        let first = from.done.first_missing();
        (first..self.operations.len())
            .filter(|at| !from.done.has(*at) && from.done.has_all(&self.before[*at]))
    }

    /// An answer that changes nothing and is true now never has to wait for later: whatever order
    /// there is, there is one with it here.
    fn answer_reads(&self, mut from: Configuration, mut done: usize) -> (Configuration, usize) {
        loop {
            let is_true_read = |at: &usize| {
                let operation = &self.operations[*at];
                is_quiet(operation) && is_true(operation, from.value)
            };
            let reads: Vec<usize> = self.candidates(&from).filter(is_true_read).collect();
            if reads.is_empty() {
                return (from, done);
            }
            done += reads.len();
            reads.into_iter().for_each(|at| from.done.add(at));
        }
    }

    /// What the operation can lead to: that it was carried out and will be once more, if it may be
    /// repeated; and that it is done.
    fn steps(
        &self,
        from: &Configuration,
        at: usize,
        candidates: &[usize],
    ) -> [Option<(Configuration, bool)>; 2] {
        let operation = &self.operations[at];
        let is_answered = operation.outcome != Outcome::Unknown;
        let value = match operation.action {
            Action::Announce(value) => Some(value),
            Action::Remove => None,
            Action::Heartbeat | Action::Read => return [None, None],
        };
        let again = || Configuration { value, ..from.clone() };
        let done = || {
            let mut next = again();
            next.done.add(at);
            next
        };
        if !is_answered {
            let is_next = at == 0 || self.operations[at - 1] != *operation || from.done.has(at - 1);
            let helps = is_next && self.helps(from, value, candidates);
            return [
                None,
                helps.then(done).filter(|next| self.is_alive(from, next)).map(|next| (next, false)),
            ];
        }
        let repeated = operation.repeats && self.helps(from, value, candidates);
        let is_true = is_true(operation, from.value);
        [
            repeated.then(again).filter(|next| self.is_alive(from, next)).map(|next| (next, false)),
            is_true.then(done).filter(|next| self.is_alive(from, next)).map(|next| (next, true)),
        ]
    }

    /// What need not have happened is only of use where it makes an answer true that was not: with
    /// an order in which it does not, there is one without it.
    fn helps(&self, from: &Configuration, value: Option<Value>, candidates: &[usize]) -> bool {
        candidates.iter().map(|at| &self.operations[*at]).any(|other| {
            other.outcome != Outcome::Unknown
                && is_true(other, value)
                && !is_true(other, from.value)
        })
    }

    /// Whether it may lead to the end. Who sees a value that nobody will write again has to see it before it is
    /// overwritten: so none of them may be left from the value before, and nothing that overwrites
    /// the new one, or is untrue as long as it is there, may have to come before one of them.
    fn is_alive(&self, from: &Configuration, next: &Configuration) -> bool {
        if from.value == next.value {
            return true;
        }
        let lost = self.last_seen_by(from.value, &next.done).next();
        lost.is_none()
            && self.last_seen_by(next.value, &next.done).all(|reader| {
                self.before[reader].without(&next.done).all(|at| {
                    let operation = &self.operations[at];
                    is_quiet(operation) && is_true(operation, next.value)
                })
            })
    }

    /// Who has still to see a value, if nobody will write it again.
    fn last_seen_by<'a>(
        &'a self,
        value: Option<Value>,
        done: &'a Set,
    ) -> impl Iterator<Item = usize> + 'a {
        let uses = value.and_then(|value| self.uses.get(&value));
        uses.filter(|uses| done.has_all(&uses.announced))
            .into_iter()
            .flat_map(|uses| uses.seen.without(done))
    }

    /// Until when it has to be done: it is answered, or its value seen.
    fn urgency(&self, at: usize) -> u64 {
        let operation = &self.operations[at];
        let seen = match operation.action {
            Action::Announce(value) => self.uses.get(&value).into_iter(),
            _ => None.into_iter(),
        };
        let nothing = Set::new(self.operations.len());
        let seen = seen.flat_map(|uses| uses.seen.without(&nothing).collect::<Vec<_>>());
        let seen = seen.map(|reader| self.operations[reader].answered).min();
        seen.unwrap_or(u64::MAX).min(operation.answered)
    }

    fn explain(&self, (done, configuration): (usize, Option<Configuration>)) -> String {
        let Some(configuration) = configuration else { return "nothing fits".to_owned() };
        let mut text = format!(
            "{done} of {} could be put in order; the record then holds {:?}; next come:",
            self.required, configuration.value
        );
        let missing = |at: &usize| !configuration.done.has(*at);
        for at in (0..self.operations.len()).filter(missing).take(SHOWN_MAX) {
            text += &self.line(at);
        }
        let told = |value: Value| {
            let is_told = move |at: &usize| match self.operations[*at] {
                Operation { action: Action::Announce(other), .. } => other == value,
                Operation { outcome: Outcome::Durable(Seen::Content(other)), .. } => {
                    other == Some(value)
                }
                _ => false,
            };
            (0..self.operations.len()).filter(is_told)
        };
        if let Some(value) = configuration.value {
            text += "\nwhat it holds was announced, or is still to be seen, by:";
            let left = |at: &usize| missing(at) || self.operations[*at].action != Action::Read;
            for at in told(value).filter(left).take(SHOWN_MAX) {
                text += &self.line(at);
            }
        }
        text
    }

    fn line(&self, at: usize) -> String {
        let one = &self.operations[at];
        let start = self.operations.iter().map(|one| one.begun).min().unwrap_or(0);
        let ms = |time: u64| time.saturating_sub(start) as f64 / 1e6;
        let answered = match one.answered {
            u64::MAX => "never".to_owned(),
            time => format!("{:.3}", ms(time)),
        };
        let repeats = if one.repeats { " repeats" } else { "" };
        let Operation { client, begun, action, outcome, way, .. } = one;
        let begun = ms(*begun);
        format!(
            "\n  {begun:.3}..{answered} ms client {client} {action:?} {outcome:?} {way:?}{repeats}"
        )
    }
}

impl Set {
    fn new(size: usize) -> Self {
        Set(vec![0; size.div_ceil(64)].into())
    }

    fn add(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn has(&self, at: usize) -> bool {
        self.0[at / 64] & (1 << (at % 64)) != 0
    }

    fn has_all(&self, others: &Set) -> bool {
        self.0.iter().zip(&others.0).all(|(own, other)| other & !own == 0)
    }

    fn without<'a>(&'a self, others: &'a Set) -> impl Iterator<Item = usize> + 'a {
        self.0.iter().zip(&others.0).enumerate().flat_map(|(word, (own, other))| {
            let left = own & !other;
            (0..64).filter(move |bit| left & (1 << bit) != 0).map(move |bit| word * 64 + bit)
        })
    }

    fn first_missing(&self) -> usize {
        let full = self.0.iter().take_while(|word| **word == u64::MAX).count();
        full * 64 + self.0.get(full).map_or(0, |word| word.trailing_ones() as usize)
    }
}

/// Whether it changes nothing.
fn is_quiet(operation: &Operation) -> bool {
    matches!(operation.action, Action::Heartbeat | Action::Read)
}

/// Whether the answer is true where the record held this.
fn is_true(operation: &Operation, value: Option<Value>) -> bool {
    match operation.outcome {
        Outcome::Durable(Seen::Content(content)) => content == value,
        Outcome::Durable(Seen::Presence(there)) => there == value.is_some(),
        _ => true,
    }
}

/// The search would find it as well, but not say it as plainly.
fn refused_and_seen(operations: &[Operation]) -> Option<String> {
    let seen: HashSet<Value> = operations
        .iter()
        .filter_map(|one| match one.outcome {
            Outcome::Durable(Seen::Content(content)) => content,
            _ => None,
        })
        .collect();
    let refused = operations.iter().find(|one| {
        one.outcome == Outcome::NotApplied
            && matches!(one.action, Action::Announce(value) if seen.contains(&value))
    })?;
    Some(format!("its client was told that it was not made, and it was seen: {refused:?}"))
}

/// What did not happen is left out, and what nobody knows about a change may have happened as often
/// as it was tried.
fn possible_times(operation: Operation) -> Vec<Operation> {
    let is_change = matches!(operation.action, Action::Announce(_) | Action::Remove);
    let times = match operation.outcome {
        Outcome::Durable(_) => 1,
        Outcome::NotApplied => 0,
        Outcome::Unknown if !is_change => 0,
        Outcome::Unknown if operation.repeats => REPETITIONS_MAX,
        Outcome::Unknown => 1,
    };
    vec![operation; times]
}

/// Whether one operation has to come before the other. `floor` is up to when the daemon had read the
/// file when the other began.
fn precedes(one: &Operation, other: &Operation, floor: u64) -> bool {
    if one.outcome == Outcome::Unknown {
        return false;
    }
    let has_ended = one.answered < other.begun;
    if !is_late(other) {
        return has_ended;
    }
    let is_the_daemons = one.way == Way::Daemon;
    let is_too_long_ago = one.answered < other.begun.saturating_sub(LATENESS_MAX);
    has_ended && (is_the_daemons || is_too_long_ago || one.answered < floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Announce, Heartbeat, Read, Remove};
    use Outcome::{Durable, NotApplied, Unknown};
    use Way::{Daemon, File};

    const OK: Outcome = Durable(Seen::Nothing);
    const THERE: Outcome = Durable(Seen::Presence(true));
    const ABSENT: Outcome = Durable(Seen::Presence(false));
    const EMPTY: Outcome = Durable(Seen::Content(None));

    fn holds(value: Value) -> Outcome {
        Durable(Seen::Content(Some(value)))
    }

    /// client, from, until, what, outcome, way; those of clients from 100 on repeat by themselves.
    type Row = (usize, u64, u64, Action, Outcome, Way);

    fn operation((client, begun, answered, action, outcome, way): Row) -> Operation {
        let answered = if outcome == Unknown { u64::MAX } else { answered };
        let (id, repeats) = ("app".to_owned(), client >= 100);
        Operation { client, id, action, begun, answered, outcome, way, repeats }
    }

    #[track_caller]
    fn explained(rows: &[Row]) {
        let checked = check(rows.iter().copied().map(operation).collect());
        assert_eq!(checked, Ok(()), "{rows:#?}");
    }

    #[track_caller]
    fn refused(rows: &[Row]) {
        let checked = check(rows.iter().copied().map(operation).collect());
        assert!(checked.is_err(), "{rows:#?}");
    }

    #[test]
    fn what_is_acknowledged_is_seen_by_all_who_come_later() {
        explained(&[(1, 0, 1, Announce(7), ABSENT, File), (2, 2, 3, Read, holds(7), File)]);
        refused(&[(1, 0, 1, Announce(7), ABSENT, File), (2, 2, 3, Read, EMPTY, File)]);
        explained(&[(1, 0, 2, Announce(7), ABSENT, File), (2, 1, 3, Read, EMPTY, File)]);
        refused(&[(1, 0, 1, Announce(7), THERE, File)]);
        // Removed, and there again.
        let removed = [(1, 0, 1, Announce(7), OK, File), (1, 2, 3, Remove, THERE, File)];
        explained(&[&removed[..], &[(2, 4, 5, Read, EMPTY, File)]].concat());
        refused(&[&removed[..], &[(2, 4, 5, Read, holds(7), File)]].concat());
        refused(
            &[&removed[..], &[(2, 4, 5, Heartbeat, OK, File), (2, 6, 7, Remove, THERE, File)]]
                .concat(),
        );
    }

    #[test]
    fn an_update_lost_between_two_writers_is_found() {
        // Both read the empty file, and the second wrote over the first.
        let lost = [
            (1, 0, 5, Announce(1), ABSENT, File),
            (2, 1, 6, Remove, ABSENT, File),
            (3, 7, 8, Read, EMPTY, File),
        ];
        refused(&lost);
        explained(&[lost[0], (2, 1, 6, Remove, THERE, File), lost[2]]);
        explained(&[lost[0], lost[1], (3, 7, 8, Read, holds(1), File)]);
    }

    #[test]
    fn two_readers_agree_on_the_order() {
        let writers = [(1, 0, 9, Announce(1), OK, File), (2, 0, 9, Announce(2), OK, File)];
        let reads = |one: [Value; 2], other: [Value; 2]| {
            let read = |client, at, value| (client, at, at + 1, Read, holds(value), File);
            let reads = [read(3, 10, one[0]), read(3, 12, one[1])];
            [&writers[..], &reads, &[read(4, 14, other[0]), read(4, 16, other[1])]].concat()
        };
        explained(&reads([1, 1], [1, 1]));
        refused(&reads([1, 2], [2, 2]));
        refused(&reads([1, 1], [2, 2]));
    }

    #[test]
    fn what_was_not_applied_is_seen_by_nobody() {
        explained(&[(1, 0, 1, Announce(7), NotApplied, File), (2, 2, 3, Read, EMPTY, File)]);
        refused(&[(1, 0, 1, Announce(7), NotApplied, File), (2, 2, 3, Read, holds(7), File)]);
        refused(&[(2, 2, 3, Read, holds(8), File)]);
    }

    #[test]
    fn what_had_no_answer_happened_later_or_never_but_once() {
        let unknown = (1, 0, 0, Announce(7), Unknown, File);
        explained(&[unknown, (2, 2, 3, Read, EMPTY, File)]);
        explained(&[unknown, (2, 2, 3, Read, holds(7), File)]);
        explained(&[unknown, (2, 2, 3, Read, EMPTY, File), (2, 50, 51, Read, holds(7), File)]);
        refused(&[unknown, (2, 2, 3, Read, holds(7), File), (2, 50, 51, Read, EMPTY, File)]);
        let overwritten = [(2, 4, 5, Announce(8), OK, File), (2, 6, 7, Read, holds(7), File)];
        explained(&[&[unknown], &overwritten[..]].concat());
        refused(&[&[unknown, (2, 2, 3, Read, holds(7), File)], &overwritten[..]].concat());
        // Not before it was asked for.
        refused(&[(1, 5, 0, Announce(7), Unknown, File), (2, 2, 3, Read, holds(7), File)]);
    }

    #[test]
    fn who_repeats_may_be_served_twice_before_the_answer_and_never_after_it() {
        let (repeating, once) = (100, 1);
        let twice = |client, last: Value| {
            [
                (client, 0, 10, Announce(7), OK, Daemon),
                (2, 2, 3, Read, holds(7), File),
                (2, 4, 5, Announce(8), THERE, File),
                (2, 6, 7, Read, holds(8), File),
                (2, 12, 13, Read, holds(last), File),
            ]
        };
        explained(&twice(repeating, 7));
        refused(&twice(once, 7));
        explained(&[(repeating, 0, 10, Remove, ABSENT, Daemon), (2, 11, 12, Read, EMPTY, File)]);
        refused(&[
            (repeating, 0, 1, Announce(7), OK, Daemon),
            (2, 2, 3, Announce(8), OK, File),
            (2, 4, 5, Read, holds(7), File),
        ]);
    }

    #[test]
    fn the_daemon_is_late_for_the_changes_of_others_only_and_never_goes_back() {
        let foreign = (1, 0, 1, Announce(7), OK, File);
        explained(&[foreign, (2, 2, 3, Read, EMPTY, Daemon)]);
        explained(&[foreign, (2, 2, 3, Heartbeat, ABSENT, Daemon)]);
        refused(&[foreign, (2, 2, 3, Read, EMPTY, File)]);
        // What the daemon itself had acknowledged.
        refused(&[(1, 0, 1, Announce(7), OK, Daemon), (2, 2, 3, Read, EMPTY, Daemon)]);
        // Shown once, shown to all who ask it later.
        let shown = (2, 2, 3, Read, holds(7), Daemon);
        refused(&[foreign, shown, (3, 4, 5, Read, EMPTY, Daemon)]);
        explained(&[foreign, (2, 2, 3, Read, holds(7), File), (3, 4, 5, Read, EMPTY, Daemon)]);
        // Late, but not for ever; and never a value from the future.
        let much_later = LATENESS_MAX + 10;
        refused(&[foreign, (2, much_later, much_later + 1, Read, EMPTY, Daemon)]);
        refused(&[(2, 2, 3, Read, holds(7), Daemon), (1, 4, 5, Announce(7), OK, File)]);
    }

    #[test]
    fn a_commit_of_any_record_reads_the_file() {
        let foreign = (1, 0, 1, Announce(7), OK, File);
        let late = (3, 6, 7, Read, EMPTY, Daemon);
        let elsewhere = |begun, way| {
            let row = (2, begun, 5, Announce(9), OK, way);
            Operation { id: "elsewhere".to_owned(), ..operation(row) }
        };
        let check = |other: Operation| check(vec![operation(foreign), other, operation(late)]);
        assert!(check(elsewhere(2, Daemon)).is_err(), "it had read the file by then");
        assert_eq!(check(elsewhere(0, Daemon)), Ok(()), "perhaps a moment too early");
        assert_eq!(check(elsewhere(2, File)), Ok(()), "the daemon does not know");
    }

    #[test]
    fn a_long_history_is_decided() {
        let mut rows: Vec<Row> = Vec::new();
        for number in 0..400 {
            // Five at once, of which one in the middle comes last.
            let begun = number / 5 * 100 + number % 5;
            rows.push((number as usize, begun, begun + 50, Announce(number), OK, File));
            if number % 5 == 4 {
                rows.push((999, begun + 60, begun + 61, Read, holds(number - 2), File));
            }
        }
        explained(&rows);
        rows.push((999, 1_000_000, 1_000_001, Read, holds(3), File));
        refused(&rows);
    }
}

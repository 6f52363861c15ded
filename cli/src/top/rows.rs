//! The records as the table shows them: filtered, sorted, one of them selected. Pure.
//!
//! The selection follows its record, whatever is listed anew; where that one is gone, whoever
//! stands in its place is selected.

use std::cmp::Ordering;

use argus_client::State;
use argus_client::method::Listed;
use argus_proto::Record;
use argus_proto::collection::WATCHERS;
use argus_proto::record::Watcher;
use ratatui::text::Span;

use crate::command::ls::HEADINGS;
use crate::output::printable;

/// The longest filter.
pub(super) const FILTER_CHARS_MAX: usize = 100;

/// A record, and what is read out of it once.
pub(super) struct Row {
    pub(super) listed: Listed,
    pub(super) record: Record,
    /// What a filter looks into, in lower case.
    words: String,
    id_width: usize,
    endpoint_width: usize,
}

#[derive(Default)]
pub(super) struct Rows {
    all: Vec<Row>,
    /// Those that pass the filter, in their order, as indices of `all`.
    shown: Vec<usize>,
    filter: String,
    column: usize,
    is_reversed: bool,
    /// Where the selected one stands in `shown`, and who it is.
    at: usize,
    selected_id: Option<String>,
    /// The first one on the screen.
    top: usize,
}

impl Row {
    fn new(listed: Listed) -> Self {
        let record = Record::read(&listed.id, listed.record.as_str(), &WATCHERS);
        let endpoint = record.watcher().map(Watcher::endpoint).unwrap_or_default();
        let cwd = record.watcher().and_then(|watcher| watcher.cwd.as_deref()).unwrap_or_default();
        let words = [&*listed.id, &*endpoint, cwd].join("\n").to_lowercase();
        let id_width = Span::raw(printable(&listed.id)).width();
        let endpoint_width = Span::raw(printable(&endpoint)).width();
        Row { listed, record, words, id_width, endpoint_width }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.record.watcher().map(|watcher| watcher.pid)
    }
}

impl Rows {
    /// Takes the place of all that was there.
    pub(super) fn replace(&mut self, listed: Vec<Listed>) {
        self.all = listed.into_iter().map(Row::new).collect();
        self.arrange();
    }

    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    pub(super) fn set_filter(&mut self, filter: &str) {
        self.filter = filter.chars().take(FILTER_CHARS_MAX).collect();
        self.arrange();
    }

    /// By which of the columns they are sorted, and whether the other way round.
    pub(super) fn order(&self) -> (usize, bool) {
        (self.column, self.is_reversed)
    }

    pub(super) fn sort_by_next_column(&mut self) {
        self.column = (self.column + 1) % HEADINGS.len();
        self.is_reversed = false;
        self.arrange();
    }

    pub(super) fn reverse(&mut self) {
        self.is_reversed = !self.is_reversed;
        self.arrange();
    }

    /// Selects the one that stands so many further down, or up; the last or first where there are
    /// not so many.
    pub(super) fn move_by(&mut self, rows: isize) {
        self.select(self.at.saturating_add_signed(rows));
    }

    /// Scrolls so that the selected one is among as many as fit.
    pub(super) fn fit(&mut self, height: usize) {
        let height = height.max(1);
        let last_top = self.shown.len().saturating_sub(height);
        self.top = self.top.clamp(self.at.saturating_sub(height - 1), self.at).min(last_top);
    }

    pub(super) fn selected(&self) -> Option<&Row> {
        self.shown.get(self.at).map(|&index| &self.all[index])
    }

    /// From the first one on the screen on, and whether it is selected.
    pub(super) fn visible(&self) -> impl Iterator<Item = (bool, &Row)> {
        let shown = self.shown.iter().enumerate().skip(self.top);
        shown.map(|(at, &index)| (at == self.at, &self.all[index]))
    }

    /// How many stand above the first one on the screen.
    pub(super) fn top(&self) -> usize {
        self.top
    }

    /// How many pass the filter.
    pub(super) fn shown(&self) -> usize {
        self.shown.len()
    }

    pub(super) fn total(&self) -> usize {
        self.all.len()
    }

    /// How many are in this state, whatever the filter.
    pub(super) fn count(&self, state: State) -> usize {
        self.all.iter().filter(|row| row.listed.state == Some(state)).count()
    }

    /// How wide the widest id, endpoint and pid among those that pass the filter are.
    pub(super) fn widths(&self) -> [usize; 3] {
        let mut widths = [0; 3];
        for row in self.shown.iter().map(|&index| &self.all[index]) {
            let pid_width = row.pid().map_or(1, |pid| pid.to_string().len());
            for (width, of_row) in
                widths.iter_mut().zip([row.id_width, row.endpoint_width, pid_width])
            {
                *width = of_row.max(*width);
            }
        }
        widths
    }

    fn arrange(&mut self) {
        let wanted = self.filter.to_lowercase();
        let all = &self.all;
        self.shown = (0..all.len()).filter(|&index| all[index].words.contains(&wanted)).collect();
        let (heading, is_reversed) = (HEADINGS[self.column], self.is_reversed);
        self.shown.sort_by(|&a, &b| {
            let (a, b) = (&all[a], &all[b]);
            let order = compare(a, b, heading).then_with(|| a.listed.id.cmp(&b.listed.id));
            if is_reversed { order.reverse() } else { order }
        });
        let id = self.selected_id.as_deref();
        let same = self.shown.iter().position(|&index| Some(&*all[index].listed.id) == id);
        self.select(same.unwrap_or(self.at));
    }

    fn select(&mut self, at: usize) {
        self.at = at.min(self.shown.len().saturating_sub(1));
        self.selected_id = self.selected().map(|row| row.listed.id.clone());
    }
}

/// The youngest comes first where ages are compared; a damaged record, which has none of this,
/// comes last.
fn compare(a: &Row, b: &Row, heading: &str) -> Ordering {
    let by = |order: fn(&Watcher, &Watcher) -> Ordering| match (
        a.record.watcher(),
        b.record.watcher(),
    ) {
        (Some(a), Some(b)) => order(a, b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    };
    match heading {
        "ENDPOINT" => by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port))),
        "PID" => by(|a, b| a.pid.cmp(&b.pid)),
        "STATE" => rank(a.listed.state).cmp(&rank(b.listed.state)),
        "AGE" => by(|a, b| b.started_at.cmp(&a.started_at)),
        "HEARTBEAT" => by(|a, b| b.updated_at.cmp(&a.updated_at)),
        "CWD" => by(|a, b| a.cwd.cmp(&b.cwd)),
        // The id decides in any case.
        _ => Ordering::Equal,
    }
}

fn rank(state: Option<State>) -> u8 {
    match state {
        Some(State::Live) => 0,
        Some(State::Stale) => 1,
        Some(State::Dead) => 2,
        Some(State::Invalid) => 3,
        None => 4,
    }
}

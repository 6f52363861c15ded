//! The columns of `argus ls`, as many as fit, each as wide as it has to be. Pure.

use ratatui::text::Span;

use super::rows::Row;
use crate::command::ls::{self, HEADINGS};

/// What stands between two columns.
const BETWEEN: usize = 2;
/// How wide an id may be at most, and how narrow where there is no room.
const ID_MAX: usize = 34;
const ID_MIN: usize = 10;
const ENDPOINT_MAX: usize = 30;
const CWD_MIN: usize = 12;
/// Which columns go first where there is not room for all.
const DISPENSABLE: [&str; 5] = ["HEARTBEAT", "AGE", "PID", "CWD", "ENDPOINT"];
/// The longest state is `invalid`, the longest usual age is `47h`.
const STATE_WIDTH: usize = 7;
const AGE_WIDTH: usize = 5;

/// A column that is shown: where it stands among the headings, and how wide it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    at: usize,
    width: usize,
}

/// Chooses the columns, for a width and the widths of the widest id, endpoint and pid.
pub(super) fn fitting(width: usize, [id, endpoint, pid]: [usize; 3]) -> Vec<Column> {
    let least = |heading: &str| match heading {
        "ID" => id.clamp(heading.len(), ID_MIN),
        "ENDPOINT" => endpoint.min(ENDPOINT_MAX),
        "PID" => pid,
        "STATE" => STATE_WIDTH,
        "CWD" => CWD_MIN,
        _ => AGE_WIDTH,
    };
    // One more than the heading: it may have an arrow.
    let column =
        |(at, heading): (usize, &&str)| Column { at, width: least(heading).max(heading.len() + 1) };
    let mut columns: Vec<Column> = HEADINGS.iter().enumerate().map(column).collect();
    let taken = |columns: &[Column]| -> usize {
        columns.iter().map(|column| column.width + BETWEEN).sum::<usize>() - BETWEEN
    };
    for heading in DISPENSABLE {
        if taken(&columns) > width {
            columns.retain(|column| HEADINGS[column.at] != heading);
        }
    }
    // What is left goes to the ids, then to the folders, which come last.
    let left = width.saturating_sub(taken(&columns));
    let more = id.min(ID_MAX).saturating_sub(columns[0].width).min(left);
    columns[0].width += more;
    if let Some(last) = columns.last_mut() {
        last.width += left - more;
    }
    columns
}

/// The headings, with an arrow at the one that they are sorted by.
pub(super) fn headings(columns: &[Column], (sorted_by, is_reversed): (usize, bool)) -> String {
    let arrow = if is_reversed { '▼' } else { '▲' };
    let heading = |column: &Column| {
        let mut text = HEADINGS[column.at].to_owned();
        if column.at == sorted_by {
            text.push(arrow);
        }
        fill(&text, column.width + BETWEEN)
    };
    columns.iter().map(heading).collect()
}

/// A record under the headings, each cell with its own, as wide as the table.
pub(super) fn cells(columns: &[Column], row: &Row, now: u64) -> Vec<(&'static str, String)> {
    let mut texts = ls::cells(&row.listed.id, row.listed.state, &row.record, now);
    let cell = |column: &Column| {
        let heading = HEADINGS[column.at];
        let text = std::mem::take(&mut texts[column.at]);
        let text = match heading {
            // The end of a path says more than its beginning.
            "CWD" if row.record.watcher().is_some() => cut_front(&text, column.width),
            _ => cut(&text, column.width),
        };
        (heading, fill(&text, column.width + BETWEEN))
    };
    columns.iter().map(cell).collect()
}

/// The text, or its beginning and `…` where it is wider than that.
pub(super) fn cut(text: &str, width: usize) -> String {
    if Span::raw(text).width() <= width {
        return text.to_owned();
    }
    let mut kept: String = within(text.chars(), width.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// The text, or `…` and its end where it is wider than that.
pub(super) fn cut_front(text: &str, width: usize) -> String {
    if Span::raw(text).width() <= width {
        return text.to_owned();
    }
    let end: Vec<char> = within(text.chars().rev(), width.saturating_sub(1)).collect();
    std::iter::once('…').chain(end.into_iter().rev()).collect()
}

/// As many characters as fit.
fn within(characters: impl Iterator<Item = char>, width: usize) -> impl Iterator<Item = char> {
    let mut left = Some(width);
    characters.take_while(move |character| {
        let mut bytes = [0; 4];
        let needed = Span::raw(&*character.encode_utf8(&mut bytes)).width();
        left = left.and_then(|left| left.checked_sub(needed));
        left.is_some()
    })
}

fn fill(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(Span::raw(text).width());
    format!("{text}{}", " ".repeat(missing))
}

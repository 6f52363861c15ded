//! Tables that fit the terminal: a row a line, cut where it is too narrow, whole in a pipe.

use std::io::IsTerminal;

use comfy_table::ColumnConstraint::{Boundaries, ContentWidth, LowerBoundary};
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, ContentArrangement, Row, Table, Width};

/// How wide a name may be on a terminal.
const NAME_MAX: u16 = 34;
/// How narrow a column may become; where even that is too wide, lines are wrapped.
const GIVES_WAY_TO: u16 = 10;

/// Lays rows out under their headings.
pub(crate) fn table(headings: &[&str], rows: Vec<Vec<Cell>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_truncation_indicator("…");
    let width = terminal_size().map(|(width, _)| width);
    match width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    if colours() {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let mut header = Row::from(headings.iter().map(Cell::new).collect::<Vec<_>>());
    header.max_height(1);
    table.set_header(header);
    for cells in rows {
        let mut row = Row::from(cells);
        row.max_height(1);
        table.add_row(row);
    }
    let columns = headings.len();
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        match at {
            _ if width.is_none() => column,
            // The first and the last give way, but not altogether.
            0 => column.set_constraint(Boundaries {
                lower: Width::Fixed(GIVES_WAY_TO),
                upper: Width::Fixed(NAME_MAX),
            }),
            at if at + 1 < columns => column.set_constraint(ContentWidth),
            _ => column.set_constraint(LowerBoundary(Width::Fixed(GIVES_WAY_TO))),
        };
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Whether standard output takes colours.
pub(crate) fn colours() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// Columns and lines of the terminal; `None` where standard output is none.
pub(crate) fn terminal_size() -> Option<(u16, u16)> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, height)| (width.0, height.0))
}

/// A time span as people say it: `45s`, `12m`, `3h`, `8d`.
pub(crate) fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago something was; a time in the future was just now.
pub(crate) fn ago(now: u64, then: u64) -> String {
    age(now.saturating_sub(then))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let rows = [
            (0, "0s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (720_000, "12m"),
            (3_600_000, "1h"),
            (172_799_000, "47h"),
            (172_800_000, "2d"),
        ];
        for (milliseconds, expected) in rows {
            assert_eq!(age(milliseconds), expected);
        }
        assert_eq!(ago(5, 10), "0s");
    }
}

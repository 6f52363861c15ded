//! Which part of the screen is for what. Pure: only sizes are known here.

use ratatui::layout::{Rect, Size};

/// Below this there is nothing that could be shown.
pub(super) const WIDTH_MIN: u16 = 40;
pub(super) const HEIGHT_MIN: u16 = 8;
/// From here on the selected record is shown beside the table, and below it otherwise.
pub(super) const WIDE: u16 = 140;

/// The header takes at most this part of the lines.
const HEADER_SHARE: u16 = 4;
/// How high it must be below the header for events to be shown, and how many lines they then
/// have, their title included.
const ROOM_FOR_EVENTS: u16 = 12;
const EVENTS_MIN: u16 = 4;
const EVENTS_MAX: u16 = 14;

/// The parts. One that is not shown is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Areas {
    pub(super) header: Rect,
    pub(super) table: Rect,
    pub(super) details: Rect,
    pub(super) events: Rect,
    pub(super) footer: Rect,
}

impl Areas {
    pub(super) fn new(size: Size, header_lines: u16, with_details: bool) -> Self {
        let all = Rect::new(0, 0, size.width, size.height);
        let (rest, footer) = bottom(all, 1);
        let header_lines = header_lines.min(size.height / HEADER_SHARE);
        let (header, body) = bottom(rest, rest.height.saturating_sub(header_lines));
        let (left, details) = match with_details {
            false => (body, Rect::default()),
            true if is_wide(size) => right(body, body.width * 2 / 5),
            true => bottom(body, body.height * 3 / 5),
        };
        let events = match left.height {
            ..ROOM_FOR_EVENTS => 0,
            lines => (lines / 3).clamp(EVENTS_MIN, EVENTS_MAX),
        };
        let (table, events) = bottom(left, events);
        Areas { header, table, details, events, footer }
    }

    /// How many records fit below the table's title and headings.
    pub(super) fn rows(&self) -> usize {
        usize::from(self.table.height.saturating_sub(2))
    }

    /// How many lines of the selected record fit below its title.
    pub(super) fn details_lines(&self) -> usize {
        usize::from(self.details.height.saturating_sub(1))
    }
}

/// Cuts so many lines off at the bottom, or as many as there are.
fn bottom(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let above = area.height - height;
    (Rect { height: above, ..area }, Rect { y: area.y + above, height, ..area })
}

/// Cuts so many columns off on the right, with a space before them.
fn right(area: Rect, width: u16) -> (Rect, Rect) {
    let left = area.width - width;
    (Rect { width: left.saturating_sub(1), ..area }, Rect { x: area.x + left, width, ..area })
}

pub(super) fn is_wide(size: Size) -> bool {
    size.width >= WIDE
}

pub(super) fn is_too_small(size: Size) -> bool {
    size.width < WIDTH_MIN || size.height < HEIGHT_MIN
}

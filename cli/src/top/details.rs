//! The selected record in full, as lines of a width. Pure.

use argus_client::State;
use argus_proto::limits::RECORD_BYTES_MAX;
use ratatui::text::Span;

use super::rows::Row;
use crate::command::get::pretty;
use crate::output::printable;

/// A record that others wrote may be longer than argus would write one. It is not laid out anew
/// each second.
const SHOWN_BYTES_MAX: usize = RECORD_BYTES_MAX;

pub(super) fn lines(row: &Row, width: usize) -> Vec<String> {
    let mut text = String::new();
    if let Some(state) = row.listed.state {
        text.push_str(&format!("state {}  ", meaning(state)));
    }
    text.push_str(&format!("etag {}\n", row.listed.etag));
    if let Some(damage) = row.record.damage() {
        text.push_str(&format!("damage: {}\n", printable(&damage.to_string())));
    }
    match row.listed.record.as_str().len() {
        0..=SHOWN_BYTES_MAX => text.push_str(&pretty(&row.listed.record)),
        bytes => text.push_str(&format!("{bytes} bytes are too many to show: argus get")),
    }
    text.lines().flat_map(|line| wrap(line, width.max(1))).collect()
}

fn meaning(state: State) -> &'static str {
    match state {
        State::Live => "live",
        State::Stale => "stale: not heard of for over a minute",
        State::Dead => "dead: its process is gone",
        State::Invalid => "invalid: the record is damaged",
    }
}

/// Cuts a line into as many as it takes.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut left = width;
    for character in line.chars() {
        let mut bytes = [0; 4];
        let text: &str = character.encode_utf8(&mut bytes);
        let taken = Span::raw(text).width();
        if taken > left {
            lines.push(String::new());
            left = width;
        }
        left = left.saturating_sub(taken);
        lines.last_mut().expect("there is always a line").push_str(text);
    }
    lines
}

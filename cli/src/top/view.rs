//! Draws the model. Pure: a model and a size give one picture.

use argus_client::{EventKind, State};
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph};

use super::columns;
use super::header;
use super::layout::{HEIGHT_MIN, WIDTH_MIN, is_too_small};
use super::log::Kind;
use super::model::{Mode, Model, Question};
use crate::output::printable;
use crate::table::ago;

const KEYS: &str = "? help  / filter  s sort  r reverse  Enter details  d remove  q quit";
const HELP: &str = "\
↑ ↓  j k          select the next, the one before
PgUp PgDn         a page further
Home End  g G     the first, the last
Enter             all of the record, or not
J K               scroll in it
/                 show only what contains a text:
                  id, endpoint or folder
Esc               show all again
s                 sort by the next column
r                 sort the other way round
d Delete          remove, after a question
q Ctrl-C          quit

AGE is since it was announced, HEARTBEAT   
since it was last heard of.";
const HELP_WIDTH: u16 = 52;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    if is_too_small(area.as_size()) {
        let text =
            format!("{WIDTH_MIN}×{HEIGHT_MIN} at least, this is {}×{}", area.width, area.height);
        return frame.render_widget(Paragraph::new(text), area);
    }
    let areas = model.areas();
    draw_header(model, frame, areas.header);
    draw_table(model, frame, areas.table);
    draw_details(model, frame, areas.details);
    draw_events(model, frame, areas.events);
    draw_footer(model, frame, areas.footer);
    if model.mode == Mode::Help {
        draw_help(frame, area);
    }
}

fn draw_header(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = Vec::new();
    for (at, line) in header::lines(model).into_iter().enumerate() {
        let style = match () {
            () if line.is_warning => colour(model, Color::Yellow),
            () if at == 0 => Style::new().add_modifier(Modifier::BOLD),
            () => Style::new(),
        };
        lines.push(Line::styled(columns::cut(&line.text, usize::from(area.width)), style));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_table(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let rows = &model.rows;
    let inside = titled(frame, area, &table_title(model), &position(model));
    if rows.shown() == 0 {
        return frame.render_widget(Paragraph::new(nothing(model)), inside);
    }
    let columns = columns::fitting(usize::from(inside.width), rows.widths());
    let heading = columns::headings(&columns, rows.order());
    let mut lines = vec![Line::styled(heading, Style::new().add_modifier(Modifier::BOLD))];
    for (is_selected, row) in rows.visible().take(model.areas().rows()) {
        let spans = columns::cells(&columns, row, model.now).into_iter().map(|(heading, text)| {
            let style = match heading {
                "STATE" => state_style(model, row.listed.state),
                _ => Style::new(),
            };
            Span::styled(text, style)
        });
        let line = Line::from(spans.collect::<Vec<_>>());
        lines.push(match is_selected {
            true => line.style(Style::new().add_modifier(Modifier::REVERSED)),
            false => line,
        });
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn table_title(model: &Model) -> String {
    let rows = &model.rows;
    let mut title = match rows.total() {
        1 => "1 record".to_owned(),
        total => format!("{total} records"),
    };
    let states = [State::Live, State::Stale, State::Dead, State::Invalid];
    let counts = states.map(|state| (rows.count(state), state.name()));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, name)| format!("{count} {name}")).collect();
    if !counts.is_empty() {
        title.push_str(&format!(": {}", counts.join(", ")));
    }
    if !rows.filter().is_empty() {
        title.push_str(&format!(" · {} with “{}”", rows.shown(), printable(rows.filter())));
    }
    title
}

/// Which of them are on the screen, where not all are.
fn position(model: &Model) -> String {
    let (top, shown, height) = (model.rows.top(), model.rows.shown(), model.areas().rows());
    match shown > height {
        true => format!("{}–{} of {shown}", top + 1, (top + height).min(shown)),
        false => String::new(),
    }
}

fn nothing(model: &Model) -> Vec<Line<'static>> {
    let text = match () {
        () if model.listed_at.is_none() && model.unlisted.is_some() => return Vec::new(),
        () if model.listed_at.is_none() => "reading …",
        () if model.rows.total() > 0 => "none of them; Esc shows all again",
        () => "nobody is registered; try: argus announce --id shop --port 3000",
    };
    vec![Line::default(), Line::raw(text)]
}

fn draw_details(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let id = model
        .rows
        .selected()
        .map_or_else(|| "no record".to_owned(), |row| printable(&row.listed.id));
    let lines = model.details();
    let height = model.areas().details_lines();
    let more = match lines.len() > height {
        true => format!(
            "J K: {}–{} of {}",
            model.details_top + 1,
            (model.details_top + height).min(lines.len()),
            lines.len()
        ),
        false => String::new(),
    };
    let inside = titled(frame, area, &id, &more);
    let lines = lines.into_iter().skip(model.details_top).take(height).map(Line::raw);
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), inside);
}

fn draw_events(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let inside = titled(frame, area, "events", "");
    let entries = model.log.last(usize::from(inside.height));
    let lines = entries.map(|entry| {
        let text = format!("{:>4}  {}", ago(model.now, entry.at), entry.text);
        let text = columns::cut(&text, usize::from(inside.width));
        let style = match entry.kind {
            Kind::Event(EventKind::Added) => colour(model, Color::Green),
            Kind::Event(EventKind::Removed) => colour(model, Color::Red),
            Kind::Warning => colour(model, Color::Yellow),
            Kind::Event(_) => Style::new(),
        };
        Line::styled(text, style)
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), inside);
}

fn draw_footer(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width);
    let strong = Style::new().add_modifier(Modifier::BOLD);
    let faint = Style::new().add_modifier(Modifier::DIM);
    let (text, style) = match (&model.mode, model.notice()) {
        (Mode::Asking(question), _) => {
            (ask(question, width), colour(model, Color::Yellow).patch(strong))
        }
        (Mode::Filtering, _) => {
            (format!("/{}▏  Enter keeps it, Esc clears it", printable(model.rows.filter())), strong)
        }
        (_, Some(notice)) if notice.is_error => {
            (format!("error: {}", notice.text), colour(model, Color::Red))
        }
        (_, Some(notice)) => (notice.text.clone(), strong),
        _ if !model.rows.filter().is_empty() => (format!("Esc shows all  {KEYS}"), faint),
        _ => (KEYS.to_owned(), faint),
    };
    frame.render_widget(Line::styled(columns::cut(&text, width), style), area);
}

/// The question, with its end in sight however long the id is.
fn ask(question: &Question, width: usize) -> String {
    let mut facts: Vec<String> = question.pid.map(|pid| format!("pid {pid}")).into_iter().collect();
    facts.extend(question.state.map(|state| state.name().to_owned()));
    let facts = match facts.is_empty() {
        true => String::new(),
        false => format!(" ({})", facts.join(", ")),
    };
    let rest = format!("remove ``{facts}? y/n").chars().count();
    let id = columns::cut(&printable(&question.id), width.saturating_sub(rest));
    format!("remove `{id}`{facts}? y/n")
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let height = u16::try_from(HELP.lines().count() + 2).unwrap_or(u16::MAX);
    let (width, height) = (HELP_WIDTH.min(area.width), height.min(area.height));
    let at = Rect::new((area.width - width) / 2, (area.height - height) / 2, width, height);
    let block = Block::bordered().title(" help ").title_bottom(" any key goes back ");
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(HELP).block(block), at);
}

/// Draws a line with a title on its left and on its right, and gives what is below.
fn titled(frame: &mut Frame<'_>, area: Rect, left: &str, right: &str) -> Rect {
    let mut block = Block::new().borders(Borders::TOP);
    if !right.is_empty() {
        block = block.title_top(Line::raw(format!(" {right} ")).alignment(Alignment::Right));
    }
    let room = usize::from(area.width).saturating_sub(right.chars().count() + 6);
    block = block.title_top(format!("─ {} ", columns::cut(left, room)));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    inside
}

fn state_style(model: &Model, state: Option<State>) -> Style {
    match state {
        Some(State::Live) => colour(model, Color::Green),
        Some(State::Stale) => colour(model, Color::Yellow),
        Some(State::Dead | State::Invalid) => colour(model, Color::Red),
        None => Style::new(),
    }
}

fn colour(model: &Model, colour: Color) -> Style {
    if model.has_colours { Style::new().fg(colour) } else { Style::new() }
}

//! What is drawn.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::top::view::draw;

fn drawn(model: &Model) -> TestBackend {
    let Size { width, height } = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory");
    terminal.draw(|frame| draw(model, frame)).expect("memory");
    terminal.backend().clone()
}

/// At both sizes: a name, how large, and how the model came to be.
fn check(name: &str, build: impl Fn(Size) -> Model) {
    for (suffix, size) in [("small", SMALL), ("large", LARGE)] {
        insta::assert_snapshot!(format!("{name}_{suffix}"), drawn(&build(size)));
    }
}

#[test]
fn an_empty_registry() {
    check("empty", |size| {
        let mut model = model(size);
        model.update(listing(Vec::new()), NOW);
        model.update(Input::Status(Ok(overview(true))), NOW);
        model
    });
}

#[test]
fn ten_records_with_one_selected_and_shown_in_full() {
    check("ten", |size| {
        let mut model = with_ten(size);
        press(&mut model, &[KeyCode::End, KeyCode::Up]);
        if size == SMALL {
            press(&mut model, &[KeyCode::Enter]);
        }
        model
    });
}

#[test]
fn more_records_than_fit() {
    check("many", |size| {
        let mut model = with_ten(size);
        let many =
            (100..300).map(|n| listed(&format!("watcher-{n}"), n, u32::from(n), State::Live, "/"));
        model.update(listing(many.collect()), NOW);
        press(&mut model, &[KeyCode::PageDown, KeyCode::PageDown]);
        model
    });
}

#[test]
fn a_filter_is_typed() {
    check("filter", |size| {
        let mut model = with_ten(size);
        type_text(&mut model, "/web");
        model
    });
}

#[test]
fn the_question() {
    check("question", |size| {
        let mut model = with_ten(size);
        let long = "very-".repeat(39) + "long";
        model.update(listing(vec![listed(&long, 1, 12, State::Live, "/")]), NOW);
        type_text(&mut model, "d");
        model
    });
}

#[test]
fn the_help() {
    check("help", |size| {
        let mut model = with_ten(size);
        type_text(&mut model, "?");
        model
    });
}

#[test]
fn no_daemon_and_what_is_wrong() {
    check("no_daemon", |size| {
        let mut model = with_ten(size);
        let reason = Error::new(Code::Unreachable, "argusd cannot be started: it is not there");
        let route = Route { way: Way::Direct, reason: Some(reason) };
        let warnings = ["one", "two", "three"].map(warning).to_vec();
        let listing = Listing { records: ten(), cursor: None, warnings };
        let notices = vec![warning("the file was damaged; it is in quarantine/")];
        model.update(Input::Listing { listing: Ok(listing), route, notices }, NOW);
        model.update(Input::Status(Ok(overview(false))), NOW);
        model
    });
}

#[test]
fn a_removal_that_failed() {
    check("conflict", |size| {
        let mut model = with_ten(size);
        type_text(&mut model, "dy");
        removed(&mut model, "api", Err(Error::new(Code::Conflict, "`api` is not what it was")));
        model
    });
}

#[test]
fn a_terminal_that_is_too_small() {
    insta::assert_snapshot!("too_small", drawn(&with_ten(Size::new(39, 8))));
    insta::assert_snapshot!("smallest", drawn(&with_ten(Size::new(40, 8))));
}

#[test]
fn no_size_is_the_wrong_one() {
    for keys in ["", "d", "?", "/web", "JJ"] {
        let mut model = with_ten(SMALL);
        type_text(&mut model, keys);
        for width in [0, 1, 7, 39, 40, 41, 52, 80, 139, 140, 220] {
            for height in (0..12).chain([16, 24, 60]) {
                model.update(Input::Size(Size::new(width, height)), NOW);
                press(&mut model, &[KeyCode::Enter]);
                drawn(&model);
            }
        }
    }
}

#[test]
fn a_hostile_record_stays_within_its_cells() {
    let mut model = with_ten(LARGE);
    let hostile = Listed {
        id: "e\u{1b}]0;x\u{7}\u{9b}2J日本語".to_owned(),
        record: JsonText::from_canonical("\"\\u001b[2J\u{9b}2J\""),
        state: Some(State::Invalid),
        etag: "e".to_owned(),
    };
    model.update(listing(vec![hostile]), NOW);
    let text = drawn(&model).to_string();
    assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "{text}");
}

#[test]
fn a_registry_full_of_text_is_drawn_at_once() {
    let mut model = with_ten(LARGE);
    let huge = Listed {
        id: "x".repeat(1_000_000),
        record: JsonText::from_canonical(format!(r#""{}""#, "y".repeat(1_000_000))),
        state: Some(State::Invalid),
        etag: "e".to_owned(),
    };
    model.update(listing(vec![huge]), NOW);
    assert!(drawn(&model).to_string().contains("1000002 bytes are too many to show"));
}

#[test]
fn colours_are_left_out_where_nobody_wants_them_and_the_selection_is_seen_all_the_same() {
    for has_colours in [true, false] {
        let mut model = with_ten(SMALL);
        model.has_colours = has_colours;
        let backend = drawn(&model);
        let cells = &backend.buffer().content;
        assert_eq!(cells.iter().any(|cell| cell.fg != Color::Reset), has_colours);
        let reversed = cells.iter().filter(|cell| cell.modifier.contains(Modifier::REVERSED));
        assert_eq!(reversed.count(), 80, "one line");
    }
}

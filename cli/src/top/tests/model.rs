//! What each input makes of the model.

use super::*;
use crate::top::log::ENTRIES_MAX;
use crate::top::model::Mode;
use crate::top::rows::FILTER_CHARS_MAX;

fn selected(model: &Model) -> String {
    model.rows.selected().map(|row| row.listed.id.clone()).unwrap_or_default()
}

fn shown(model: &Model) -> Vec<&str> {
    model.rows.visible().map(|(_, row)| &*row.listed.id).collect()
}

#[test]
fn keys_move_the_selection_and_stop_at_both_ends() {
    use KeyCode::*;
    let rows: [(&[KeyCode], &str); 10] = [
        (&[], "api"),
        (&[Down, Char('j')], "gone"),
        (&[Down, Down, Up, Char('k')], "api"),
        (&[Up], "api"),
        (&[End], "web-6"),
        (&[End, Down], "web-6"),
        (&[Char('G'), Home], "api"),
        (&[Char('G'), Char('g')], "api"),
        (&[PageDown], "web-6"),
        (&[PageDown, PageUp], "api"),
    ];
    for (keys, expected) in rows {
        let mut model = with_ten(SMALL);
        // The damaged one is called `bad…`, and comes second.
        press(&mut model, keys);
        assert_eq!(selected(&model), expected, "{keys:?}");
    }
}

#[test]
fn what_is_selected_is_on_the_screen_at_any_size() {
    for height in 0..60 {
        let mut model = with_ten(Size::new(80, height));
        for key in [KeyCode::End, KeyCode::Up, KeyCode::Home, KeyCode::PageDown, KeyCode::Enter] {
            press(&mut model, &[key]);
            let height = model.areas().rows().max(1);
            let mut visible = model.rows.visible().take(height);
            assert!(visible.any(|(is_selected, _)| is_selected), "{height} {key:?}");
        }
    }
}

#[test]
fn the_selection_follows_its_record() {
    let mut model = with_ten(SMALL);
    press(&mut model, &[KeyCode::End, KeyCode::Up]);
    assert_eq!(selected(&model), "web-5");
    let mut records = ten();
    records.push(listed("aaa", 1, 1, State::Live, "/"));
    model.update(listing(records), NOW);
    assert_eq!(selected(&model), "web-5");
    press(&mut model, &[KeyCode::Char('r')]);
    assert_eq!(selected(&model), "web-5");
    // It goes: whoever takes its place is selected.
    press(&mut model, &[KeyCode::Char('r')]);
    model.update(listing(ten().into_iter().filter(|listed| listed.id != "web-5").collect()), NOW);
    assert_eq!(selected(&model), "web-6");
    model.update(listing(Vec::new()), NOW);
    assert_eq!(selected(&model), "");
    assert_eq!(press(&mut model, &[KeyCode::Char('d'), KeyCode::Char('y')]), None);
}

#[test]
fn a_filter_looks_into_id_folder_and_endpoint() {
    let rows: [(&str, &[&str]); 6] = [
        ("SHOP", &["shop"]),
        ("rather/long", &["api"]),
        (":4003", &["web-3"]),
        ("nothing", &[]),
        ("home", &["api", "gone", "shop"]),
        ("q", &[]),
    ];
    for (filter, expected) in rows {
        let mut model = with_ten(LARGE);
        type_text(&mut model, &format!("/{filter}"));
        assert_eq!(shown(&model), expected, "{filter}");
        press(&mut model, &[KeyCode::Enter]);
        assert_eq!((shown(&model), &model.mode), (expected.to_vec(), &Mode::Browsing), "{filter}");
        press(&mut model, &[KeyCode::Esc]);
        assert_eq!(shown(&model).len(), 10, "{filter}");
    }
    let mut model = with_ten(LARGE);
    type_text(&mut model, &format!("/{}", "x".repeat(FILTER_CHARS_MAX + 9)));
    assert_eq!(model.rows.filter().len(), FILTER_CHARS_MAX);
    press(&mut model, &[KeyCode::Esc]);
    assert_eq!((model.rows.filter(), &model.mode), ("", &Mode::Browsing));
}

#[test]
fn s_sorts_by_each_column_in_turn() {
    // Who comes first, and who last.
    let rows = [
        ("ID", "api", "web-6"),
        ("ENDPOINT", "gone", "bad\u{1b}[31m"),
        ("PID", "gone", "bad\u{1b}[31m"),
        ("STATE", "shop", "bad\u{1b}[31m"),
        ("AGE", "web-6", "bad\u{1b}[31m"),
        ("HEARTBEAT", "api", "bad\u{1b}[31m"),
        ("CWD", "gone", "bad\u{1b}[31m"),
        ("ID", "api", "web-6"),
    ];
    let mut model = with_ten(LARGE);
    for (heading, first, last) in rows {
        assert_eq!(crate::command::ls::HEADINGS[model.rows.order().0], heading);
        assert_eq!([shown(&model)[0], shown(&model)[9]], [first, last], "{heading}");
        type_text(&mut model, "r");
        assert_eq!([shown(&model)[0], shown(&model)[9]], [last, first], "{heading} reversed");
        type_text(&mut model, "s");
    }
}

#[test]
fn a_removal_is_asked_about_and_is_of_what_was_seen() {
    let yes = Action::Remove { id: "shop".to_owned(), etag: "etag-of-shop".to_owned() };
    for (keys, expected) in [
        ("dy", Some(&yes)),
        ("dY", Some(&yes)),
        ("dxjd y", Some(&yes)),
        ("dn", None),
        ("dq", None),
        ("y", None),
        ("dny", None),
    ] {
        let mut model = with_ten(SMALL);
        type_text(&mut model, "/shop");
        press(&mut model, &[KeyCode::Enter]);
        assert_eq!(type_text(&mut model, keys).as_ref(), expected, "{keys}");
        assert_eq!(model.mode, Mode::Browsing, "{keys}");
    }
    // It changes while the question is open: what was seen is what is removed, or nothing.
    let mut model = with_ten(SMALL);
    type_text(&mut model, "/shop");
    press(&mut model, &[KeyCode::Enter, KeyCode::Delete]);
    let other = Listed { etag: "another".to_owned(), ..ten().swap_remove(0) };
    model.update(listing(vec![other]), NOW);
    assert_eq!(type_text(&mut model, "y"), Some(yes));
}

#[test]
fn what_became_of_a_removal_is_told_for_a_while() {
    let conflict = || Error::new(Code::Conflict, "`shop` is not what it was");
    for (result, expected) in [
        (Ok(true), "removed `shop`"),
        (Ok(false), "`shop` was gone already"),
        (Err(conflict()), "`shop` is not what it was (E_CONFLICT)"),
    ] {
        let mut model = with_ten(SMALL);
        type_text(&mut model, "dy");
        model.update(Input::Tick, NOW + 60_000);
        assert_eq!(model.notice().map(|notice| &*notice.text), Some("removing `api` …"));
        assert_eq!(removed(&mut model, "shop", result), None);
        assert_eq!(model.notice().map(|notice| &*notice.text), Some(expected));
        model.update(Input::Tick, NOW + 60_000);
        assert!(model.notice().is_none());
    }
}

#[test]
fn who_quits_during_a_removal_is_told_first_if_it_failed() {
    let mut model = with_ten(SMALL);
    assert_eq!(type_text(&mut model, "q"), Some(Action::Quit));
    type_text(&mut model, "dy");
    // One at a time.
    assert_eq!(type_text(&mut model, "dy"), None);
    assert_eq!(type_text(&mut model, "q"), None);
    assert_eq!(removed(&mut model, "api", Ok(true)), Some(Action::Quit));

    let mut model = with_ten(SMALL);
    type_text(&mut model, "dyq");
    assert_eq!(removed(&mut model, "api", Err(Error::new(Code::Io, "no"))), None);
    assert_eq!(type_text(&mut model, "q"), Some(Action::Quit));
}

#[test]
fn ctrl_c_quits_whatever_keys_are_for() {
    for keys in ["", "/", "/abc", "d", "?", "dy"] {
        let mut model = with_ten(SMALL);
        type_text(&mut model, keys);
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        let action = model.update(Input::Terminal(TerminalEvent::Key(key)), NOW);
        assert_eq!(action, Some(Action::Quit), "{keys}");
    }
}

#[test]
fn keys_together_with_another_do_nothing() {
    for modifiers in [KeyModifiers::ALT, KeyModifiers::CONTROL] {
        for keys in ["", "/", "d"] {
            let mut model = with_ten(SMALL);
            type_text(&mut model, keys);
            let mode = model.mode.clone();
            for key in "qdysr?/".chars() {
                let event = TerminalEvent::Key(KeyEvent::new(KeyCode::Char(key), modifiers));
                assert_eq!(model.update(Input::Terminal(event), NOW), None, "{keys} {key}");
            }
            let after = (&model.mode, model.rows.filter(), model.rows.order());
            assert_eq!(after, (&mode, "", (0, false)), "{modifiers:?} after {keys}");
        }
    }
}

#[test]
fn a_question_that_nobody_sees_is_not_answered() {
    let mut model = with_ten(SMALL);
    type_text(&mut model, "d");
    model.update(Input::Size(Size::new(30, 5)), NOW);
    assert_eq!(type_text(&mut model, "y"), None);
    assert_eq!(type_text(&mut model, "q"), Some(Action::Quit));
}

#[test]
fn enter_shows_the_record_or_hides_it() {
    for (size, at_first) in [(SMALL, false), (LARGE, true)] {
        let mut model = with_ten(size);
        for expected in [at_first, !at_first, at_first] {
            assert_eq!(!model.areas().details.is_empty(), expected, "{size}");
            press(&mut model, &[KeyCode::Enter]);
        }
    }
    let mut model = with_ten(SMALL);
    press(&mut model, &[KeyCode::Enter]);
    type_text(&mut model, &"J".repeat(500));
    let bottom = model.details().len() - model.areas().details_lines();
    assert_eq!(model.details_top, bottom, "not further than there is something");
    type_text(&mut model, "K");
    assert_eq!(model.details_top, bottom - 1);
    type_text(&mut model, "j");
    assert_eq!(model.details_top, 0);
}

#[test]
fn what_cannot_be_fetched_leaves_what_is_known() {
    let mut model = with_ten(SMALL);
    assert_eq!(model.update(unlisted(Error::new(Code::Timeout, "argusd is silent")), NOW), None);
    assert_eq!(model.rows.total(), 10);
    let usage = Error::new(Code::Usage, "there is no collection `x`");
    assert_eq!(model.update(unlisted(usage.clone()), NOW), Some(Action::Fail(usage)));
}

#[test]
fn only_the_last_events_are_kept() {
    let mut model = with_ten(LARGE);
    for number in 0..=ENTRIES_MAX {
        model.update(happened(EventKind::Added, &format!("n{number}"), Reason::Announced), NOW);
    }
    let texts: Vec<&str> = model.log.last(usize::MAX).map(|entry| &*entry.text).collect();
    assert_eq!(texts.len(), ENTRIES_MAX);
    assert!(
        texts[0].contains("n1 ") && texts[ENTRIES_MAX - 1].contains(&format!("n{ENTRIES_MAX}"))
    );
    let bookmark = Event::new(EventKind::Bookmark, "watchers", String::new(), 1);
    model.update(Input::Event(Box::new(bookmark)), NOW);
    assert!(model.log.last(1).all(|entry| entry.text.contains("added")));
}

//! What keys do, and what is drawn then: a model, inputs, and no terminal.

mod model;
mod view;

use argus_client::method::{
    CollectionStatus, CommitLatency, Listed, Listing, StatusReport, Warning,
};
use argus_client::{Code, Error, Event, EventKind, Overview, Reason, Result, Route, State, Way};
use argus_proto::json::JsonText;
use ratatui::crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;

use super::model::{Action, Input, Model};

/// The time at which everything happens here, in milliseconds since the epoch.
const NOW: u64 = 1_800_000_000_000;
const SMALL: Size = Size::new(80, 24);
const LARGE: Size = Size::new(200, 50);

/// A model that has been told how large the terminal is, and nothing else.
fn model(size: Size) -> Model {
    let mut model = Model::new("/home/me/.argus/registry.json", true);
    model.update(Input::Size(size), NOW);
    model
}

/// One with ten records and a daemon.
fn with_ten(size: Size) -> Model {
    let mut model = model(size);
    model.update(listing(ten()), NOW);
    model.update(Input::Status(Ok(overview(true))), NOW);
    for (kind, id, reason, seconds_ago) in [
        (EventKind::Added, "web-1", Reason::Announced, 200),
        (EventKind::Removed, "old", Reason::ProcessExited, 61),
        (EventKind::Updated, "shop", Reason::External, 5),
    ] {
        model.update(happened(kind, id, reason), NOW - seconds_ago * 1000);
    }
    model.update(Input::Tick, NOW);
    model
}

fn ten() -> Vec<Listed> {
    let mut records = vec![
        listed("shop", 3000, 20929, State::Live, "/home/me/shop"),
        listed("api", 8080, 20928, State::Stale, "/home/me/work/a/rather/long/way/down/to/the/api"),
        listed("gone", 0, 7, State::Dead, "/home/me/gone"),
        Listed {
            id: "bad\u{1b}[31m".to_owned(),
            record: JsonText::from_canonical(r#"{"id":"bad","host":"localhost","port":"x"}"#),
            state: Some(State::Invalid),
            etag: "00bad".to_owned(),
        },
    ];
    for number in 1..=6 {
        let id = format!("web-{number}");
        records.push(listed(
            &id,
            4000 + number,
            30000 + u32::from(number),
            State::Live,
            "/srv/web",
        ));
    }
    records
}

fn listed(id: &str, port: u16, pid: u32, state: State, cwd: &str) -> Listed {
    Listed {
        id: id.to_owned(),
        record: record(id, port, pid, cwd),
        state: Some(state),
        etag: format!("etag-of-{id}"),
    }
}

/// The higher the pid, the younger it is.
fn record(id: &str, port: u16, pid: u32, cwd: &str) -> JsonText {
    let (started, updated) = (NOW - 4_000_000_000 + u64::from(pid) * 100_000, NOW - 9000);
    JsonText::from_canonical(format!(
        r#"{{"id":"{id}","host":"127.0.0.1","port":{port},"pid":{pid},"cwd":"{cwd}","startedAt":{started},"updatedAt":{updated},"chrome":{{"port":9222,"targets":["a","b"]}}}}"#
    ))
}

fn listing(records: Vec<Listed>) -> Input {
    let listing = Listing { records, cursor: None, warnings: Vec::new() };
    Input::Listing {
        listing: Ok(listing),
        route: Route { way: Way::Daemon, reason: None },
        notices: Vec::new(),
    }
}

fn unlisted(error: Error) -> Input {
    let route = Route { way: Way::Direct, reason: None };
    Input::Listing { listing: Err(error), route, notices: Vec::new() }
}

fn overview(with_daemon: bool) -> Overview {
    let report = StatusReport {
        version: "0.1.0".to_owned(),
        pid: 4711,
        uptime_ms: 180_000,
        sessions: 3,
        subscribers: 1,
        collections: vec![CollectionStatus::default()],
        commits: 12,
        commit_latency: CommitLatency { p50_us: 900, p99_us: 3100, max_us: 4000 },
        ..StatusReport::default()
    };
    Overview {
        registry: String::new(),
        mode: if with_daemon { "daemon" } else { "direct" }.to_owned(),
        daemon: with_daemon.then_some(report),
        warnings: Vec::new(),
    }
}

fn happened(kind: EventKind, id: &str, reason: Reason) -> Input {
    let event = Event::new(kind, "watchers", String::new(), 1);
    Input::Event(Box::new(Event {
        id: Some(id.to_owned()),
        record: Some(record(id, 3000, 99, "/")),
        reason: Some(reason),
        ..event
    }))
}

/// Presses keys one after the other; gives what the last one asks for.
fn press(model: &mut Model, keys: &[KeyCode]) -> Option<Action> {
    let mut action = None;
    for &key in keys {
        let event = KeyEvent::new(key, KeyModifiers::NONE);
        action = model.update(Input::Terminal(TerminalEvent::Key(event)), NOW);
    }
    action
}

fn type_text(model: &mut Model, text: &str) -> Option<Action> {
    press(model, &text.chars().map(KeyCode::Char).collect::<Vec<_>>())
}

fn warning(message: &str) -> Warning {
    Warning { code: Code::Io, message: message.to_owned() }
}

fn removed(model: &mut Model, id: &str, result: Result<bool>) -> Option<Action> {
    let result = result.map(|removed| argus_client::method::Removed { removed });
    model.update(Input::Removed { id: id.to_owned(), result }, NOW)
}

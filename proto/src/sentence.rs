//! Why a record is there, stale or gone, as one sentence.
//!
//! Pure: the last change of the record, and what it is now, say it; who asks says how times are written.

use crate::engine::Reason;
use crate::event::EventKind;
use crate::evidence::Evidence;
use crate::method::{Found, Recorded};
use crate::presence::State;

/// Says it. `at` is when the last change was made, as people write it; `now` is the record as it is, if it
/// is there.
pub fn sentence(last: &Recorded, at: &str, now: Option<&Found>) -> String {
    let cause = cause(last);
    // What is there now although the last change took it away was put there by somebody unrecorded.
    let kind = match (now, last.kind) {
        (Some(_), EventKind::Removed) => {
            return format!(
                "there, though it was removed {at} ({cause}): somebody has brought it back since"
            );
        }
        (None, EventKind::Added | EventKind::Updated) => {
            return format!(
                "gone: it was {} {at} ({cause}), and somebody has removed it since, unseen",
                last.kind.name()
            );
        }
        (_, kind) => kind.name(),
    };
    let state = now.and_then(|found| found.state).map(standing).unwrap_or_default();
    format!("{kind} {at}: {cause}{state}")
}

/// What a state means, at the end of the sentence.
pub fn standing(state: State) -> &'static str {
    match state {
        State::Live => "; it is live",
        State::Stale => "; it is stale: nothing was heard of it for longer than its TTL",
        State::Dead => "; it is dead: its process has ended",
        State::Invalid => "; it is invalid: the record is damaged",
    }
}

/// Why a change was made: "process 51234 exited".
pub fn cause(last: &Recorded) -> String {
    let evidence = last.evidence.as_ref().map(|text| Evidence::from_json(text.as_str()));
    let evidence = &evidence.unwrap_or_default();
    match last.reason {
        Reason::Announced => format!("announced{}", by(evidence)),
        Reason::Put => format!("put{}", by(evidence)),
        Reason::Patched => format!("patched{}", by(evidence)),
        Reason::Removed => format!("asked for{}", by(evidence)),
        Reason::Pruned => format!("pruned{}", by(evidence)),
        Reason::ProcessExited => match evidence.pid {
            Some(pid) => format!("process {pid} exited"),
            None => "its process exited".to_owned(),
        },
        Reason::HeartbeatLost => heartbeat_lost(evidence),
        Reason::External if evidence.first_seen => {
            "it was there before changes were recorded".to_owned()
        }
        // Somebody in direct mode, or a daemon that could not write it down any more, or another program.
        Reason::External if evidence.unrecorded => {
            let file = evidence.file.as_deref().unwrap_or("the file");
            format!("found then in {file}: it was changed while nobody recorded it")
        }
        Reason::External => match &evidence.file {
            Some(file) => format!("another program wrote {file}"),
            None => "another program wrote the file".to_owned(),
        },
        Reason::Recovered => recovered(evidence),
        Reason::Source => source(last, evidence),
    }
}

/// " by process 51299 (node)".
fn by(evidence: &Evidence) -> String {
    match (evidence.pid, &evidence.command) {
        (Some(pid), Some(command)) => format!(" by process {pid} ({command})"),
        (Some(pid), None) => format!(" by process {pid}"),
        (None, _) => String::new(),
    }
}

fn heartbeat_lost(evidence: &Evidence) -> String {
    let seconds = |ms: u64| match ms {
        0..10_000 => format!("{:.1} s", ms as f64 / 1000.0),
        _ => format!("{} s", ms / 1000),
    };
    match (evidence.silent_ms, evidence.ttl_ms) {
        (Some(silent), Some(ttl)) => {
            format!(
                "nothing was heard of it for {}, and its TTL is {}",
                seconds(silent),
                seconds(ttl)
            )
        }
        _ => "nothing was heard of it for longer than its TTL".to_owned(),
    }
}

fn recovered(evidence: &Evidence) -> String {
    let file = evidence.file.as_deref().unwrap_or("the file");
    match &evidence.quarantined {
        Some(kept) => {
            format!("{file} was damaged, and this is what was left; its bytes are kept in {kept}")
        }
        None => format!("{file} was damaged, and this is what was left"),
    }
}

fn source(last: &Recorded, evidence: &Evidence) -> String {
    let folder = evidence.path.as_deref().unwrap_or("its folder");
    if let Some(detail) = &evidence.detail {
        return detail.clone();
    }
    match last.kind {
        _ if evidence.unrecorded => {
            "found then: its folder was changed while nobody recorded it".to_owned()
        }
        EventKind::Added => format!("{folder} is there"),
        EventKind::Removed => format!("{folder} holds this task no more"),
        _ => format!("{folder} has changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::JsonText;

    fn recorded(kind: EventKind, reason: Reason, evidence: Evidence) -> Recorded {
        Recorded {
            cursor: "e:1".to_owned(),
            at: 1,
            collection: "watchers".to_owned(),
            id: "app".to_owned(),
            kind,
            reason,
            before: None,
            after: None,
            evidence: Some(evidence.to_json()),
        }
    }

    #[test]
    fn each_cause_is_named() {
        let none = Evidence::default;
        let file = |unrecorded| Evidence {
            file: Some("/r.json".to_owned()),
            unrecorded,
            ..Evidence::default()
        };
        let asked =
            Evidence { pid: Some(7), command: Some("node".to_owned()), ..Evidence::default() };
        let silent = |ms| Evidence { silent_ms: Some(ms), ttl_ms: Some(60_000), ..none() };
        let kept = Evidence { quarantined: Some("/q/1".to_owned()), ..file(true) };
        let folder = Evidence { path: Some("/t/a".to_owned()), ..none() };
        let detail = Evidence { detail: Some("/t/a is invalid: x".to_owned()), ..none() };
        use EventKind::{Added, Removed, Updated};
        let rows = [
            (Added, Reason::Announced, asked.clone(), "announced by process 7 (node)"),
            (Removed, Reason::Removed, asked.clone(), "asked for by process 7 (node)"),
            (Removed, Reason::Pruned, none(), "pruned"),
            (Added, Reason::Put, Evidence { command: None, ..asked.clone() }, "put by process 7"),
            (Removed, Reason::ProcessExited, asked, "process 7 exited"),
            (Removed, Reason::ProcessExited, none(), "its process exited"),
            (
                Removed,
                Reason::HeartbeatLost,
                silent(61_200),
                "nothing was heard of it for 61 s, and its TTL is 60 s",
            ),
            (Updated, Reason::External, file(false), "another program wrote /r.json"),
            (
                Updated,
                Reason::External,
                file(true),
                "found then in /r.json: it was changed while nobody recorded it",
            ),
            (
                Added,
                Reason::External,
                Evidence { first_seen: true, ..none() },
                "it was there before changes were recorded",
            ),
            (
                Removed,
                Reason::Recovered,
                kept,
                "/r.json was damaged, and this is what was left; its bytes are kept in /q/1",
            ),
            (Added, Reason::Source, folder.clone(), "/t/a is there"),
            (Updated, Reason::Source, folder.clone(), "/t/a has changed"),
            (Removed, Reason::Source, folder, "/t/a holds this task no more"),
            (Updated, Reason::Source, detail, "/t/a is invalid: x"),
        ];
        for (kind, reason, evidence, expected) in rows {
            assert_eq!(cause(&recorded(kind, reason, evidence)), expected);
        }
    }

    #[test]
    fn what_the_last_change_does_not_explain_is_said() {
        let found =
            |state| Found { record: JsonText::from_canonical("{}"), state, etag: "e".to_owned() };
        let added = recorded(EventKind::Added, Reason::Put, Evidence::default());
        let removed = recorded(EventKind::Removed, Reason::Pruned, Evidence::default());
        let rows = [
            (&added, Some(found(Some(State::Live))), "added 12:00: put; it is live"),
            (&added, Some(found(None)), "added 12:00: put"),
            (&removed, None, "removed 12:00: pruned"),
            (
                &added,
                None,
                "gone: it was added 12:00 (put), and somebody has removed it since, unseen",
            ),
            (
                &removed,
                Some(found(None)),
                "there, though it was removed 12:00 (pruned): somebody has brought it back since",
            ),
        ];
        for (last, now, expected) in rows {
            assert_eq!(sentence(last, "12:00", now.as_ref()), expected);
        }
    }
}

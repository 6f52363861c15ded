//! Who stands behind the records, and whether he is still there.
//!
//! 1. The end of a process is seen by the system's own means where there are any, and otherwise by
//!    looking. Each record has a watch of its own.
//! 2. Silence is counted on the monotonic clock, from when this daemon last heard of a record: no
//!    clock that is set, no suspend and no start of the daemon makes anybody look silent.
//! 3. Nothing is removed here: suspects are named, and judged when the file is written.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use argus_presence::{ProcessEnd, ThisMachine};
use argus_proto::Record;
use argus_proto::collection::Collection;
use argus_proto::document::Document;
use argus_proto::limits::HEARTBEAT_INTERVAL;
use argus_proto::process::{Machine, Process, Verdict};
use argus_proto::reaping::{Suspect, Suspicion};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::platform;
use crate::registry::Message;

/// How long the ends of processes are collected, so that many at once are one commit. Records are
/// gone within a second of the end; the write takes the rest.
const COLLECT: Duration = Duration::from_millis(600);
/// A pause between two looks that is longer than this means that the daemon itself was stopped.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long to wait before suspects are named again that could not be removed.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How many processes are looked at, at a time, of those whose end is not told.
const LOOKS_MAX: usize = 1000;

/// Everyone who is watched, by the record's id.
pub(crate) struct Vigil {
    ttl: Option<Duration>,
    /// Whether anyone is named at all.
    auto_prune: bool,
    watched: HashMap<Arc<str>, Watched>,
    /// How many ends may be watched by descriptor.
    descriptors_left: usize,
    messages: mpsc::Sender<Message>,
    looked: Instant,
    /// How many of those whose end nobody tells were looked at in this round.
    looked_at: usize,
    /// Before this no suspects are named again.
    not_before: Instant,
    /// When those whose end was seen are to be named.
    due: Option<Instant>,
}

struct Watched {
    pid: u32,
    /// As the record tells, else as it was when the record was first seen.
    process: Option<Process>,
    vouched: bool,
    updated_at: u64,
    heard: Instant,
    has_ended: bool,
    watch: Option<Watch>,
}

/// A task that waits for the end of a process. It ends with this.
struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Vigil {
    /// `descriptors`: how many it may use.
    pub(crate) fn new(
        collection: &Collection,
        descriptors: usize,
        messages: mpsc::Sender<Message>,
        now: Instant,
    ) -> Self {
        Vigil {
            ttl: collection.ttl,
            auto_prune: collection.auto_prune,
            watched: HashMap::new(),
            descriptors_left: descriptors,
            messages,
            looked: now,
            looked_at: 0,
            not_before: now,
            due: None,
        }
    }

    /// One that knows nobody yet, for a collection that is described otherwise.
    pub(crate) fn renewed(&self, collection: &Collection, now: Instant) -> Self {
        let watching = self.watched.values().filter(|watched| watched.watch.is_some()).count();
        let descriptors = self.descriptors_left + watching;
        Vigil::new(collection, descriptors, self.messages.clone(), now)
    }

    /// Takes note of how the records have changed.
    pub(crate) fn follow(&mut self, before: &Document, after: &Document, now: Instant) {
        if self.ttl.is_none() {
            return;
        }
        for id in before.records.differing(&after.records) {
            match after.records.get(&id) {
                Some(record) => self.note(id, record, now),
                None => self.forget(&id),
            }
        }
    }

    /// Takes note of a heartbeat.
    pub(crate) fn hear(&mut self, id: &str, updated_at: u64, now: Instant) {
        if let Some(watched) = self.watched.get_mut(id) {
            watched.updated_at = updated_at;
            watched.heard = now;
        }
    }

    /// Takes note that the process behind a record has ended.
    pub(crate) fn note_end(&mut self, id: &str, pid: u32, now: Instant) {
        if let Some(watched) = self.watched.get_mut(id).filter(|watched| watched.pid == pid) {
            watched.has_ended = true;
            self.due.get_or_insert(now + COLLECT);
        }
    }

    /// When there will be somebody to name.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| self.auto_prune).map(|due| due.max(self.not_before))
    }

    /// Looks at everyone; to be called about twice a second. The ids of those who are to be
    /// refreshed in the name of their process.
    pub(crate) fn look(&mut self, now: Instant) -> Vec<Arc<str>> {
        let Some(ttl) = self.ttl else { return Vec::new() };
        self.forgive_after_a_pause(now);
        self.look_at_some();
        let is_suspect = |watched: &Watched| watched.has_ended || watched.is_silent(now, ttl);
        if self.due.is_none() && self.watched.values().any(is_suspect) {
            self.due = Some(now);
        }
        let is_vouched_for = |watched: &Watched| {
            watched.vouched
                && !watched.has_ended
                && now - watched.heard >= HEARTBEAT_INTERVAL
                && watched.verdict() == Verdict::Alive
        };
        let vouched = self.watched.iter().filter(|(_, watched)| is_vouched_for(watched));
        vouched.map(|(id, _)| id.clone()).collect()
    }

    /// Names all suspects, if it is time.
    pub(crate) fn suspects(&mut self, now: Instant) -> Vec<Suspect> {
        let (Some(ttl), Some(due)) = (self.ttl, self.due()) else { return Vec::new() };
        if now < due {
            return Vec::new();
        }
        self.forgive_after_a_pause(now);
        self.due = None;
        self.not_before = now + RETRY_AFTER;
        let suspect = |(id, watched): (&Arc<str>, &Watched)| {
            let suspicion = if watched.has_ended {
                Suspicion::Exited
            } else if watched.is_silent(now, ttl) {
                Suspicion::Silent { updated_at: watched.updated_at }
            } else {
                return None;
            };
            let process = watched.process.clone();
            Some(Suspect { id: id.clone(), pid: watched.pid, process, suspicion })
        };
        let mut suspects: Vec<Suspect> = self.watched.iter().filter_map(suspect).collect();
        suspects.sort_by(|one, other| one.id.cmp(&other.id));
        suspects
    }

    /// Takes note of what became of suspects. Those who are still there although the file could be
    /// written are not guilty.
    pub(crate) fn note_judgement(&mut self, suspects: &[Suspect], was_written: bool, now: Instant) {
        if was_written {
            self.not_before = now;
        }
        for suspect in suspects {
            if let Some(watched) = self.watched.get_mut(&suspect.id) {
                if was_written {
                    // Nobody tells of its end any more, so it is looked at from now on.
                    self.descriptors_left += usize::from(watched.watch.take().is_some());
                    watched.has_ended = false;
                    watched.heard = now;
                } else {
                    self.due = Some(self.not_before);
                }
            }
        }
    }

    /// If this daemon itself was stopped, their heartbeats have been waiting in the socket, or they
    /// were stopped as well.
    fn forgive_after_a_pause(&mut self, now: Instant) {
        if now - self.looked > PAUSE_MAX {
            self.watched.values_mut().for_each(|watched| watched.heard = now);
        }
        self.looked = now;
    }

    /// Looks at those whose end nobody tells: at so many, and at the others the next time.
    fn look_at_some(&mut self) {
        let unwatched = self.watched.values_mut().filter(|watched| watched.is_looked_at());
        let mut looked_at = 0;
        for watched in unwatched.skip(self.looked_at).take(LOOKS_MAX) {
            watched.has_ended = watched.verdict() == Verdict::Dead;
            looked_at += 1;
        }
        self.looked_at = if looked_at < LOOKS_MAX { 0 } else { self.looked_at + LOOKS_MAX };
    }

    fn note(&mut self, id: Arc<str>, record: &Record, now: Instant) {
        let Some(watcher) = record.watcher() else { return self.forget(&id) };
        let vouched = watcher.process.as_ref().is_some_and(|process| process.vouched == Some(true));
        if let Some(watched) = self.watched.get_mut(&id)
            && watched.is_of(watcher.pid, watcher.process.as_ref())
        {
            watched.vouched = vouched;
            if watched.updated_at != watcher.updated_at {
                watched.updated_at = watcher.updated_at;
                watched.heard = now;
            }
            return;
        }
        self.forget(&id);
        let process = watcher.process.clone().or_else(|| ThisMachine.identify(watcher.pid));
        let mut watched = Watched {
            pid: watcher.pid,
            process,
            vouched,
            updated_at: watcher.updated_at,
            heard: now,
            has_ended: false,
            watch: None,
        };
        match watched.verdict() {
            Verdict::Alive => self.watch(&id, &mut watched),
            Verdict::Dead => {
                watched.has_ended = true;
                self.due.get_or_insert(now + COLLECT);
            }
            Verdict::Unknown => {}
        }
        self.watched.insert(id, watched);
    }

    fn watch(&mut self, id: &Arc<str>, watched: &mut Watched) {
        if self.descriptors_left == 0 {
            return;
        }
        let Some(end) = ProcessEnd::of(watched.pid) else { return };
        // It may have ended, and its pid been given away, before the descriptor was opened.
        if watched.verdict() != Verdict::Alive {
            return;
        }
        self.descriptors_left -= 1;
        let (id, pid, messages) = (id.clone(), watched.pid, self.messages.clone());
        let task = tokio::spawn(async move {
            if platform::ended(end).await.is_ok() {
                let _ = messages.send(Message::ProcessEnd { id, pid }).await;
            }
        });
        watched.watch = Some(Watch(task.abort_handle()));
    }

    fn forget(&mut self, id: &str) {
        if let Some(watched) = self.watched.remove(id)
            && watched.watch.is_some()
        {
            self.descriptors_left += 1;
        }
    }
}

impl Watched {
    fn is_of(&self, pid: u32, process: Option<&Process>) -> bool {
        let is_same = match (&self.process, process) {
            (Some(own), Some(process)) => own.is(process),
            // What the record does not tell it has not changed.
            (_, None) => true,
            (None, Some(_)) => false,
        };
        self.pid == pid && is_same
    }

    /// What is known of the process; nothing where only a pid is known, which may count elsewhere.
    fn verdict(&self) -> Verdict {
        match &self.process {
            Some(process) => ThisMachine.verdict(self.pid, Some(process)),
            None => Verdict::Unknown,
        }
    }

    /// Whether nobody tells when it ends.
    fn is_looked_at(&self) -> bool {
        self.watch.is_none() && !self.has_ended && self.process.is_some()
    }

    fn is_silent(&self, now: Instant, ttl: Duration) -> bool {
        now - self.heard > ttl && !(self.vouched && self.verdict() == Verdict::Alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argus_proto::collection::WATCHERS;

    const LOOK_EVERY: Duration = Duration::from_millis(500);

    /// Records with their pids; with the process where it is to be vouched for.
    fn document(records: &[(&str, u32, bool, u64)]) -> Document {
        let mut document = Document::empty(&WATCHERS);
        for (id, pid, vouched, updated_at) in records {
            let process = ThisMachine.identify(*pid).filter(|_| *vouched).map(|process| {
                let process = Process { vouched: Some(true), ..process };
                format!(",\"process\":{}", serde_json::to_string(&process).expect("plain"))
            });
            let text = format!(
                "{{\"id\":\"{id}\",\"host\":\"h\",\"port\":1,\"pid\":{pid},\"startedAt\":1,\"updatedAt\":{updated_at}{}}}",
                process.unwrap_or_default()
            );
            document.records.insert(id, Record::read(id, &text, &WATCHERS).into());
        }
        document
    }

    fn vigil(now: Instant) -> Vigil {
        // Without descriptors everyone is looked at, which needs no runtime.
        Vigil::new(&WATCHERS, 0, mpsc::channel(1).0, now)
    }

    /// Looks twice a second for so long; whoever is suspected in the end.
    fn watch(vigil: &mut Vigil, from: Instant, seconds: u64) -> (Instant, Vec<String>) {
        let end = from + Duration::from_secs(seconds);
        let mut now = from;
        while now < end {
            now += LOOK_EVERY;
            for id in vigil.look(now) {
                vigil.hear(&id, 2, now);
            }
        }
        (now, vigil.suspects(now).iter().map(|suspect| suspect.id.to_string()).collect())
    }

    #[test]
    fn silence_is_counted_from_when_it_was_last_heard_of_whatever_the_clock_says() {
        let start = Instant::now();
        let own = std::process::id();
        let mut vigil = vigil(start);
        // Of another day, and of the future: a start gives everyone a fresh TTL.
        let records = document(&[("old", own, false, 1), ("future", own, false, u64::MAX)]);
        vigil.follow(&Document::empty(&WATCHERS), &records, start);
        let (now, suspects) = watch(&mut vigil, start, 40);
        assert!(suspects.is_empty(), "{suspects:?}");
        vigil.hear("future", 5, now);
        let (now, suspects) = watch(&mut vigil, now, 30);
        assert_eq!(suspects, ["old"]);
        // Refreshed in the file, by a program that knows no daemon.
        let later = document(&[("old", own, false, 2), ("future", own, false, 5)]);
        vigil.follow(&records, &later, now);
        let (_, suspects) = watch(&mut vigil, now, 40);
        assert_eq!(suspects, ["future"]);
    }

    #[test]
    fn a_daemon_that_was_stopped_itself_suspects_nobody() {
        let start = Instant::now();
        let mut vigil = vigil(start);
        let records = document(&[("a", std::process::id(), false, 1)]);
        vigil.follow(&Document::empty(&WATCHERS), &records, start);
        let after_two_minutes = start + Duration::from_secs(120);
        let (now, suspects) = watch(&mut vigil, after_two_minutes, 50);
        assert!(suspects.is_empty(), "{suspects:?}");
        assert_eq!(watch(&mut vigil, now, 15).1, ["a"]);
    }

    #[test]
    fn who_is_vouched_for_is_refreshed_and_never_silent() {
        let start = Instant::now();
        let mut vigil = vigil(start);
        let own = std::process::id();
        let records = document(&[("vouched", own, true, 1), ("not", own, false, 1)]);
        vigil.follow(&Document::empty(&WATCHERS), &records, start);
        assert_eq!(watch(&mut vigil, start, 70).1, ["not"]);
        let refreshed = vigil.look(start + Duration::from_secs(200));
        assert!(refreshed.is_empty(), "a pause: {refreshed:?}");
        let refreshed = vigil.look(start + Duration::from_secs(204) + HEARTBEAT_INTERVAL);
        assert!(refreshed.is_empty(), "a pause again: {refreshed:?}");
    }

    #[test]
    fn a_pid_that_nobody_has_here_is_no_proof_of_death() {
        let start = Instant::now();
        let mut vigil = vigil(start);
        let records = document(&[("elsewhere", 999_999_999, false, 1)]);
        vigil.follow(&Document::empty(&WATCHERS), &records, start);
        assert!(watch(&mut vigil, start, 50).1.is_empty());
        assert_eq!(watch(&mut vigil, start + Duration::from_secs(50), 15).1, ["elsewhere"]);
    }

    #[test]
    fn suspects_that_could_not_be_removed_are_named_again_and_the_innocent_are_not() {
        let start = Instant::now();
        let mut vigil = vigil(start);
        let records = document(&[("a", std::process::id(), false, 1)]);
        vigil.follow(&Document::empty(&WATCHERS), &records, start);
        vigil.note_end("a", std::process::id(), start);
        let soon = start + COLLECT;
        let suspects = vigil.suspects(soon);
        assert_eq!(suspects.len(), 1);
        vigil.note_judgement(&suspects, false, soon);
        assert!(vigil.suspects(soon).is_empty(), "not at once");
        let later = soon + RETRY_AFTER;
        assert_eq!(vigil.suspects(later).len(), 1);
        vigil.note_judgement(&suspects, true, later);
        assert_eq!(vigil.due(), None);
    }
}

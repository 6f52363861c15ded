//! What a lockfile says about who holds it, and when that one counts as gone.
//!
//! Only judgement: the bytes, the times and what is known of processes are handed in.
//!
//! 1. Any program may have written it, or half of it: what cannot be understood names nobody.
//! 2. Doubt means held.

use std::time::Duration;

use argus_proto::json::Object;
use argus_proto::process::{Machine, Process, Verdict};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How `by` reads in a lockfile of argus.
pub(crate) const SIGNATURE: &str = "argus";

/// When a lockfile that is still there counts as left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleAfter {
    /// One that names nobody.
    pub unnamed: Duration,
    /// One that names a living process.
    pub named: Duration,
}

impl Default for StaleAfter {
    fn default() -> Self {
        StaleAfter { unnamed: Duration::from_secs(10), named: Duration::from_secs(30) }
    }
}

/// What stands in a lockfile. Other programs write part of it, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The process that holds it.
    pub pid: Option<u32>,
    /// Since when, as an ISO time. For people; nothing is judged by it.
    pub at: Option<String>,
    /// What tells its process from a later one with the same pid.
    pub start_time: Option<u64>,
    /// The boot in which that process was started.
    pub boot_id: Option<String>,
    /// The pid namespace in which its pid counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<u64>,
    /// The program that wrote it.
    pub by: Option<String>,
    /// Tells this lockfile from every other of the same program.
    pub nonce: Option<String>,
}

impl Content {
    /// Reads what stands in a lockfile. Anything but a whole object names nobody. Each key is read
    /// by itself: who names a living process holds on, however he writes the time.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).ok();
        let Some(object) = text.and_then(|text| Object::parse_at_any_depth(text).ok()) else {
            return Content::default();
        };
        Content {
            pid: read(&object, "pid"),
            at: read(&object, "at"),
            start_time: read(&object, "startTime"),
            boot_id: read(&object, "bootId"),
            pid_namespace: read(&object, "pidNamespace"),
            by: read(&object, "by"),
            nonce: read(&object, "nonce"),
        }
    }

    /// As it is written.
    pub fn render(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn read<T: DeserializeOwned>(object: &Object, key: &str) -> Option<T> {
    object.get(key).and_then(|text| serde_json::from_str(text).ok())
}

/// A lockfile of somebody else, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What stands in it.
    pub content: Content,
    /// How old it is by the wall clock; `None` for a time in the future.
    pub age: Option<Duration>,
    /// How long this process has seen it unchanged.
    pub watched: Duration,
    /// How long this machine has been up.
    pub since_boot: Option<Duration>,
    /// What tells this boot from every other.
    pub this_boot: Option<&'static str>,
}

impl Found {
    /// Whether nobody can be holding it any more. Only for who holds the kernel lock.
    pub fn is_stale(&self, stale_after: StaleAfter, machine: &dyn Machine) -> bool {
        // A living argus process would hold the kernel lock, and we do.
        self.is_signed() || self.is_left_behind(stale_after, machine)
    }

    /// Whether nobody seems to be holding it any more, for who only looks: the kernel lock may be
    /// held by the very process that this lockfile names.
    pub fn seems_stale(&self, stale_after: StaleAfter, machine: &dyn Machine) -> bool {
        // argus keeps its own young, unless it is stopped; it is never taken over for its age alone.
        let never = StaleAfter { named: Duration::MAX, ..stale_after };
        self.is_left_behind(if self.is_signed() { never } else { stale_after }, machine)
    }

    /// Whether argus wrote it.
    pub fn is_signed(&self) -> bool {
        self.content.by.as_deref() == Some(SIGNATURE)
    }

    fn is_left_behind(&self, stale_after: StaleAfter, machine: &dyn Machine) -> bool {
        let is_of_this_boot = self.content.boot_id.as_deref() == self.this_boot;
        if let (Some(age), Some(since_boot)) = (self.age, self.since_boot)
            && !is_of_this_boot
            && age > since_boot + Duration::from_secs(1)
        {
            return true;
        }
        let age = self.age.unwrap_or(self.watched);
        match self.content.pid {
            None => age > stale_after.unnamed,
            Some(pid) => {
                let process = self.process();
                machine.verdict(pid, process.as_ref()) == Verdict::Dead || age > stale_after.named
            }
        }
    }

    /// Who holds it, as people are told.
    pub fn holder(&self) -> String {
        match self.content.pid {
            Some(pid) => format!("process {pid}"),
            None => "a program that does not say who it is".to_owned(),
        }
    }

    fn process(&self) -> Option<Process> {
        Some(Process {
            boot_id: self.content.boot_id.clone()?,
            start_time: self.content.start_time?,
            pid_namespace: self.content.pid_namespace,
            vouched: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "this";

    struct Table(Verdict);

    impl Machine for Table {
        fn identify(&self, _pid: u32) -> Option<Process> {
            None
        }

        fn verdict(&self, _pid: u32, _process: Option<&Process>) -> Verdict {
            self.0
        }
    }

    #[test]
    fn doubt_means_held() {
        let rows = [
            // content, age, watched, verdict of the process that it names, stale
            ("", Some(9), 9, Verdict::Unknown, false),
            ("", Some(11), 0, Verdict::Unknown, true),
            ("{\"pi", Some(11), 0, Verdict::Unknown, true),
            ("", None, 9, Verdict::Unknown, false),
            ("", None, 11, Verdict::Unknown, true),
            (r#"{"pid":7}"#, Some(11), 0, Verdict::Alive, false),
            (r#"{"pid":7}"#, Some(31), 0, Verdict::Alive, true),
            (r#"{"pid":7}"#, Some(1), 0, Verdict::Dead, true),
            (r#"{"pid":7}"#, Some(1), 0, Verdict::Unknown, false),
            (r#"{"pid":7}"#, None, 31, Verdict::Unknown, true),
            (r#"{"pid":7,"by":"argus"}"#, Some(0), 0, Verdict::Alive, true),
            (r#"{"pid":7,"at":1760000000}"#, Some(11), 0, Verdict::Alive, false),
            (r#"[7,null,null,null,null,"argus",null]"#, Some(9), 0, Verdict::Alive, false),
            (r#"{"pid":7,"bootId":"x"}"#, Some(2000), 0, Verdict::Unknown, true),
            (r#"{"pid":7,"bootId":"this"}"#, Some(29), 0, Verdict::Alive, false),
        ];
        for (content, age, watched, verdict, stale) in rows {
            let found = Found {
                content: Content::parse(content.as_bytes()),
                age: age.map(Duration::from_secs),
                watched: Duration::from_secs(watched),
                since_boot: Some(Duration::from_secs(1000)),
                this_boot: Some(BOOT),
            };
            let judged = found.is_stale(StaleAfter::default(), &Table(verdict));
            assert_eq!(judged, stale, "{content} {age:?} {watched} {verdict:?}");
        }
    }

    #[test]
    fn who_only_looks_takes_no_lock_of_a_living_argus_for_stale() {
        let rows = [
            (r#"{"pid":7,"by":"argus"}"#, 0, Verdict::Alive, false),
            (r#"{"pid":7,"by":"argus"}"#, 999, Verdict::Alive, false),
            (r#"{"pid":7,"by":"argus","bootId":"this"}"#, 999, Verdict::Unknown, false),
            (r#"{"pid":7,"by":"argus"}"#, 0, Verdict::Dead, true),
            (r#"{"pid":7,"by":"argus","bootId":"x"}"#, 2000, Verdict::Unknown, true),
            (r#"{"pid":7}"#, 31, Verdict::Alive, true),
            (r#"{"pid":7}"#, 1, Verdict::Dead, true),
            ("", 11, Verdict::Unknown, true),
            ("", 9, Verdict::Unknown, false),
        ];
        for (content, age, verdict, stale) in rows {
            let found = Found {
                content: Content::parse(content.as_bytes()),
                age: Some(Duration::from_secs(age)),
                watched: Duration::ZERO,
                since_boot: Some(Duration::from_secs(1000)),
                this_boot: Some(BOOT),
            };
            let judged = found.seems_stale(StaleAfter::default(), &Table(verdict));
            assert_eq!(judged, stale, "{content} {age} {verdict:?}");
        }
    }
}

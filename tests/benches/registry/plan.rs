//! What is measured in this run, and for how long.

use std::time::Duration;

/// How many records the registry has.
pub(crate) const RECORDS: [usize; 3] = [10, 1_000, 10_000];
/// How many subscribers hear of a change.
pub(crate) const SUBSCRIBERS: [usize; 3] = [1, 10, 100];
/// How many processes call at the same time.
pub(crate) const CLIENTS: [usize; 3] = [1, 8, 32];

const HELP: &str = "\
Usage: cargo bench --bench registry -- [--quick] [PART]...

  --quick  shorter measurements: less than a minute in place of two
  PART     announce, heartbeat, get, list, commit, layout, tasks, events, programs, memory [default: all]
";

/// A part of the benchmark that can be asked for alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Changes, beside the disk.
    Announce,
    /// Heartbeats, beside the round trip.
    Heartbeat,
    /// Reads of one record, beside the round trip.
    Get,
    /// Listings, beside the round trip.
    List,
    /// Commits of the store alone, beside their writes.
    Commit,
    /// Changes where each record has a file, by the number of records.
    Layout,
    /// Folders of tasks, beside a bare walk.
    Tasks,
    /// A change on its way to subscribers, beside the commit alone.
    Events,
    /// Cold start and warm `argus ls`, beside an empty program.
    Programs,
    /// What the daemon takes when idle.
    Memory,
}

/// What is measured, and for how long.
#[derive(Debug)]
pub(crate) struct Plan {
    /// How long a call is measured, and how long each floor.
    pub(crate) cell: Duration,
    /// How long one of them is measured before it is the other's turn.
    pub(crate) slice: Duration,
    /// How often a program is started.
    pub(crate) starts: usize,
    /// Whether it is only to be seen that it works.
    pub(crate) is_quick: bool,
    parts: Vec<Part>,
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "announce" => Part::Announce,
            "heartbeat" => Part::Heartbeat,
            "get" => Part::Get,
            "list" => Part::List,
            "commit" => Part::Commit,
            "layout" => Part::Layout,
            "tasks" => Part::Tasks,
            "events" => Part::Events,
            "programs" => Part::Programs,
            "memory" => Part::Memory,
            _ => return None,
        })
    }
}

impl Plan {
    /// As the command line asks; `None` where nothing is to be measured.
    pub(crate) fn from_arguments(arguments: &[String]) -> Option<Self> {
        if !arguments.iter().any(|argument| argument == "--bench") {
            return None;
        }
        let mut quick = false;
        let mut parts = Vec::new();
        for argument in arguments {
            match (argument.as_str(), Part::named(argument)) {
                ("--bench", _) => {}
                // Without dashes the harness of unit tests takes it as well: `cargo bench quick`.
                ("--quick" | "quick", _) => quick = true,
                (_, Some(part)) => parts.push(part),
                _ => {
                    eprint!("unknown argument `{argument}`\n\n{HELP}");
                    return None;
                }
            }
        }
        let (cell, slice, starts) = if quick { (200, 60, 10) } else { (1_000, 100, 40) };
        let (cell, slice) = (Duration::from_millis(cell), Duration::from_millis(slice));
        Some(Plan { cell, slice, starts, is_quick: quick, parts })
    }

    /// Whether a part is to be measured.
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

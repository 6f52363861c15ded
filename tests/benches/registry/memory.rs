//! What the daemon takes of the machine's memory while nobody calls.

use std::fs;
use std::time::Duration;

use argus_tests::TestContext;

use crate::aim::{self, Aim};
use crate::seed;
use crate::table::{Table, bytes, count};

/// How many records the daemon has then.
pub(crate) const RECORDS: usize = 1_000;

/// How long it is left alone first: longer than anything that it does at its start.
const SETTLING: Duration = Duration::from_millis(1_500);

/// What a process takes, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// All of it that is in memory, its executable's own pages included.
    resident: u64,
    /// What of it no file stands behind.
    anonymous: u64,
}

impl Memory {
    /// All of it that is in memory.
    pub(crate) fn resident(self) -> u64 {
        self.resident
    }
}

/// Measures and prints a table. `loaded` is a daemon that has been called a lot.
pub(crate) fn run(loaded: Option<Memory>) {
    let context = TestContext::new();
    seed::write(&context, RECORDS);
    let daemon = context.start_daemon();
    std::thread::sleep(SETTLING);
    let name = format!("`argusd` with {} records", count(RECORDS as f64));
    let rows = [("idle", of_process(daemon)), ("after the load above", loaded)];

    let mut table = Table::new(&["memory", "resident", "of it anonymous", "aim", ""]);
    for (when, memory) in rows {
        let Some(memory) = memory else { continue };
        let aim = match when {
            "idle" => Aim::at_most(
                Some(memory.resident as f64),
                aim::RESIDENT_BYTES as f64,
                bytes(aim::RESIDENT_BYTES),
            ),
            _ => Aim::none(),
        };
        table.row([
            format!("{name}, {when}"),
            bytes(memory.resident),
            bytes(memory.anonymous),
            aim.text,
            aim.verdict.to_owned(),
        ]);
    }
    table.print();
}

/// As the kernel counts it; `None` where there is no `/proc`.
pub(crate) fn of_process(pid: u32) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    Some(Memory { resident: field("VmRSS:")?, anonymous: field("RssAnon:")? })
}

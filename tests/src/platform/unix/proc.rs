//! Processes as `/proc` shows them.

use std::fs;

/// The letter for the state of a process; `None` where there is no such process.
pub(super) fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// All processes, with the program that they run and all their arguments.
pub(super) fn all() -> Vec<(u32, String, String)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse::<u32>().ok()?;
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            Some((pid, arguments.split('\0').next()?.to_owned(), arguments))
        })
        .collect()
}

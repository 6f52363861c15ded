//! Looking at and signalling real processes.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Sends a signal to a process of this user.
pub fn signal_process(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    // It may have ended in this very moment.
    let _ = kill_process(pid, signal);
}

/// Whether a process has ended; one that waits for its parent has.
pub fn ended(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => true,
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
    }
}

/// The processes of this name whose arguments contain `text`.
pub(crate) fn find(name: &str, text: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            let program = arguments.split('\0').next().unwrap_or_default();
            program.rsplit('/').next() == Some(name) && arguments.contains(text) && !ended(*pid)
        })
        .collect()
}

//! Looking at and signalling real processes.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

/// Sends a signal to a process of this user.
pub fn signal_process(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    // It may have ended in this very moment.
    let _ = kill_process(pid, signal);
}

/// A process that does not run for as long as this lives.
#[derive(Debug)]
pub struct Stopped(u32);

impl Stopped {
    /// Stops it, and returns when it has.
    pub fn new(pid: u32) -> Self {
        signal_process(pid, Signal::STOP);
        until("the process stops", || (state(pid) == Some('T')).then_some(()));
        Stopped(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal_process(self.0, Signal::CONT);
    }
}

/// Whether a process has ended; one that waits for its parent has.
pub fn ended(pid: u32) -> bool {
    matches!(state(pid), None | Some('Z'))
}

fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
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

//! Processes, as `/proc` shows them and as signals reach them.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

/// Sends a signal to a process of this user.
pub fn signal_process(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    // It may have ended in this very moment.
    let _ = kill_process(pid, signal);
}

/// Ends a process at once, without asking it. It may have ended already.
pub fn kill(pid: u32) {
    signal_process(pid, Signal::KILL);
}

/// Keeps a process from running, and returns when it does not run.
pub fn stop(pid: u32) {
    signal_process(pid, Signal::STOP);
    until("the process stops", || (state(pid) == Some('T')).then_some(()));
}

/// Lets a stopped process run again.
pub fn go_on(pid: u32) {
    signal_process(pid, Signal::CONT);
}

/// Whether a process has ended; one that waits for its parent has.
pub fn ended(pid: u32) -> bool {
    matches!(state(pid), None | Some('Z'))
}

/// Starts it so that no key of a tester's terminal reaches it.
pub fn own_group(command: &mut Command) -> &mut Command {
    command.process_group(0)
}

fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// The processes of this name whose arguments contain `text`.
pub fn find(name: &str, text: &str) -> Vec<u32> {
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

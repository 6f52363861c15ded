//! Processes, and signals to them.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

#[cfg(target_os = "linux")]
use super::proc::{all, state};
#[cfg(not(target_os = "linux"))]
use super::ps::{all, state};
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

/// The processes of this name whose arguments contain `text`.
pub fn find(name: &str, text: &str) -> Vec<u32> {
    let is_wanted = |(pid, program, arguments): &(u32, String, String)| {
        program.rsplit('/').next() == Some(name) && arguments.contains(text) && !ended(*pid)
    };
    all().into_iter().filter(is_wanted).map(|(pid, ..)| pid).collect()
}

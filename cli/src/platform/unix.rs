//! Unix: parents, becoming another program, and being asked to end.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The process that called this one.
pub(crate) fn parent_pid() -> u32 {
    std::os::unix::process::parent_id()
}

/// Lets another program take this process over; returns only where that fails.
pub(crate) fn become_process(command: &mut Command) -> io::Error {
    command.exec()
}

/// Whether somebody asks this program to end, other than by a key.
pub(crate) struct Ending {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Ending {
    /// From here on such a signal ends nothing by itself.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Ending {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for it, and gives the exit code of who obeys.
    pub(crate) async fn asked(&mut self) -> i32 {
        let signal = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hang_up.recv() => SignalKind::hangup(),
        };
        128 + signal.as_raw_value()
    }
}

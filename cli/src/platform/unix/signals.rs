//! Signals: being asked to end, and passing on to a command what its starter is sent.

use std::fs::File;
use std::io;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use tokio::process::Child;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// Whether somebody asks this program to end, other than by a key.
pub(crate) struct Ending {
    interrupt: Stream,
    terminate: Stream,
    hang_up: Stream,
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
    pub(crate) async fn asked(&mut self) -> u8 {
        let signal = tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hang_up.recv() => Signal::HUP,
        };
        shells_code(signal.as_raw()).unwrap_or(1)
    }
}

/// Signals on their way to a command.
pub(crate) struct Forwarding {
    interrupt: Stream,
    quit: Stream,
    hangup: Stream,
    terminate: Stream,
    user1: Stream,
    user2: Stream,
}

impl Forwarding {
    /// From now on these signals end nothing here.
    pub(crate) fn begin() -> io::Result<Self> {
        Ok(Forwarding {
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Passes on what comes, until the command has ended; gives how a shell would exit.
    pub(crate) async fn until_the_end_of(&mut self, command: &mut Child) -> io::Result<u8> {
        loop {
            let (signal, is_the_terminals) = tokio::select! {
                status = command.wait() => return status.map(exit_code),
                _ = self.interrupt.recv() => (Signal::INT, true),
                _ = self.quit.recv() => (Signal::QUIT, true),
                _ = self.hangup.recv() => (Signal::HUP, true),
                _ = self.terminate.recv() => (Signal::TERM, false),
                _ = self.user1.recv() => (Signal::USR1, false),
                _ = self.user2.recv() => (Signal::USR2, false),
            };
            // A terminal sends to all that are in front of it: the command has it already, and twice
            // often means "at once".
            if is_the_terminals && is_in_front_of_a_terminal() {
                continue;
            }
            if let Some(pid) = command.id().and_then(|pid| Pid::from_raw(pid as i32)) {
                // It may have ended in this very moment.
                let _ = kill_process(pid, signal);
            }
        }
    }
}

fn is_in_front_of_a_terminal() -> bool {
    let front = File::open("/dev/tty").and_then(|terminal| Ok(tcgetpgrp(terminal)?));
    front.is_ok_and(|front| front == getpgrp())
}

/// As a shell tells it: 128 and the number of the signal that ended it.
fn exit_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.or_else(|| shells_code(status.signal()?)).unwrap_or(1)
}

fn shells_code(signal: i32) -> Option<u8> {
    u8::try_from(128 + signal).ok()
}

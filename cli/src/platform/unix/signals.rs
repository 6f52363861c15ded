//! Signals: being asked to end, and passing on to a command what its starter is sent.

use std::io;

use rustix::process::{Pid, Signal, getpid, kill_process};
use tokio::process::Child;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

#[cfg(target_os = "linux")]
use super::linux::Origin;
#[cfg(not(target_os = "linux"))]
use super::macos::Origin;

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

/// Whether somebody asks this program to stop for a while, as Ctrl-Z does.
pub(crate) struct Suspending(Stream);

impl Suspending {
    /// From here on that stops nothing by itself.
    pub(crate) fn new() -> io::Result<Self> {
        signal(SignalKind::from_raw(Signal::TSTP.as_raw())).map(Suspending)
    }

    /// Waits for it.
    pub(crate) async fn asked(&mut self) {
        self.0.recv().await;
    }

    /// Stops; returns when this program goes on.
    pub(crate) fn obey(&self) {
        // Nothing can be wrong with a signal to oneself.
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

/// Signals on their way to a command.
pub(crate) struct Forwarding(Vec<Forwarded>);

struct Forwarded {
    signal: Signal,
    origin: Origin,
    arrived: Stream,
}

/// What is passed on.
const FORWARDED: [Signal; 6] =
    [Signal::INT, Signal::QUIT, Signal::HUP, Signal::TERM, Signal::USR1, Signal::USR2];

impl Forwarding {
    /// From now on these signals end nothing here.
    pub(crate) fn begin() -> io::Result<Self> {
        // Whoever started this may have ignored it, and then the kernel would tell nobody how the
        // command has ended.
        drop(signal(SignalKind::child())?);
        FORWARDED.into_iter().map(Forwarded::begin).collect::<io::Result<_>>().map(Forwarding)
    }

    /// Passes on what comes, until the command has ended; gives how a shell would exit.
    pub(crate) async fn until_the_end_of(&mut self, command: &mut Child) -> io::Result<u8> {
        loop {
            let [int, quit, hup, term, usr1, usr2] = &mut self.0[..] else {
                unreachable!("there are {} of them", FORWARDED.len())
            };
            let forwarded = tokio::select! {
                status = command.wait() => return status.map(exit_code),
                _ = int.arrived.recv() => int,
                _ = quit.arrived.recv() => quit,
                _ = hup.arrived.recv() => hup,
                _ = term.arrived.recv() => term,
                _ = usr1.arrived.recv() => usr1,
                _ = usr2.arrived.recv() => usr2,
            };
            // What a terminal sends, for a key or because it is closed, it sends to all that are in front of
            // it: the command has it already, and twice often means "at once".
            let was_sent = forwarded.origin.is_sender();
            let pid = command.id().and_then(|pid| Pid::from_raw(pid as i32));
            if let Some(pid) = pid.filter(|_| was_sent) {
                // It may have ended in this very moment.
                let _ = kill_process(pid, forwarded.signal);
            }
        }
    }
}

impl Forwarded {
    fn begin(signal_: Signal) -> io::Result<Self> {
        let origin = Origin::of(signal_)?;
        // Behind the other, so that it is known whence it came when this one wakes somebody.
        let arrived = signal(SignalKind::from_raw(signal_.as_raw()))?;
        Ok(Forwarded { signal: signal_, origin, arrived })
    }
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

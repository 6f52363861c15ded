//! What the console tells: being asked to end, and leaving that to a command.

use std::future::pending;
use std::io;
use std::process::ExitStatus;

use tokio::process::Child;
use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close,
    ctrl_logoff, ctrl_shutdown,
};

/// How who was asked to end exits, as elsewhere.
const ENDED: u8 = 130;
/// How Windows tells that Ctrl-C has ended a program.
const STATUS_CONTROL_C_EXIT: u32 = 0xC000_013A;

/// Whether somebody asks this program to end, other than by a key.
pub(crate) struct Ending {
    interrupt: CtrlC,
    breaking: CtrlBreak,
    close: CtrlClose,
    log_off: CtrlLogoff,
    shut_down: CtrlShutdown,
}

impl Ending {
    /// From here on that ends nothing by itself.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Ending {
            interrupt: ctrl_c()?,
            breaking: ctrl_break()?,
            close: ctrl_close()?,
            log_off: ctrl_logoff()?,
            shut_down: ctrl_shutdown()?,
        })
    }

    /// Waits for it, and gives the exit code of who obeys.
    pub(crate) async fn asked(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.breaking.recv() => {}
            _ = self.close.recv() => {}
            _ = self.log_off.recv() => {}
            _ = self.shut_down.recv() => {}
        }
        ENDED
    }
}

/// Nothing that the console tells ends this process for as long as this lives: what else runs in the console
/// is told too, and this waits for it.
pub(super) struct Deaf(
    #[expect(dead_code, reason = "it is there, and nobody asks")] Option<Ending>,
);

impl Deaf {
    pub(super) fn new() -> Self {
        Deaf(Ending::new().ok())
    }
}

/// Whether somebody asks this program to stop for a while: nobody does here.
pub(crate) struct Suspending;

impl Suspending {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Suspending)
    }

    pub(crate) async fn asked(&mut self) {
        pending().await
    }

    pub(crate) fn obey(&self) {}
}

/// What is meant for a command: the console tells the command itself.
pub(crate) struct Forwarding(#[expect(dead_code, reason = "it keeps this process alive")] Ending);

impl Forwarding {
    /// From now on nothing that the console tells ends anything here.
    pub(crate) fn begin() -> io::Result<Self> {
        Ending::new().map(Forwarding)
    }

    /// Waits until the command has ended; gives how a shell would exit.
    pub(crate) async fn until_the_end_of(&mut self, command: &mut Child) -> io::Result<u8> {
        command.wait().await.map(exit_code)
    }
}

/// What fits of it: codes have 32 bits here, and 0 means that all is well.
fn exit_code(status: ExitStatus) -> u8 {
    match status.code().map(i32::cast_unsigned) {
        Some(STATUS_CONTROL_C_EXIT) => ENDED,
        Some(code) => match u8::try_from(code) {
            Ok(code) => code,
            Err(_) => ((code & 0xff) as u8).max(1),
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::os::windows::process::ExitStatusExt;

    use super::*;

    #[test]
    fn what_failed_never_looks_as_if_it_had_not() {
        let rows = [
            (0, 0),
            (3, 3),
            (255, 255),
            (256, 1),
            (0x1_02, 2),
            (0xFFFF_FFFF, 255),
            (STATUS_CONTROL_C_EXIT, 130),
        ];
        for (code, expected) in rows {
            assert_eq!(exit_code(ExitStatus::from_raw(code)), expected, "{code:#x}");
        }
    }
}

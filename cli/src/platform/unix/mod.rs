//! Unix: parents, becoming another program, and being asked to end.

pub(crate) mod advice;
mod editor;
mod gate;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod macos;
mod signals;

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

pub(crate) use editor::{EDITOR_BY_DEFAULT, create_private_folder, edit, private};
pub(crate) use gate::{Hearing, Telling, inherited, stand_for, start_waiting};
pub(crate) use signals::{Ending, Forwarding, Suspending};

use crate::service::Manager;

/// Why nobody can be named who called this process, as for the first one of a container.
pub(crate) const NO_PARENT: &str =
    "the process that called argus is outside its pid namespace, and has no pid here";

/// The process that called this one; 0 where that has no pid here.
pub(crate) fn parent_pid() -> u32 {
    std::os::unix::process::parent_id()
}

/// Lets another program take this process over; returns only where that fails.
pub(crate) fn become_process(command: &mut Command) -> io::Error {
    command.exec()
}

/// Who starts the services of a user here.
pub(crate) fn service_manager() -> Option<Manager> {
    Some(if cfg!(target_os = "macos") { Manager::Launchd } else { Manager::Systemd })
}

//! What differs between operating systems, behind functions that promise the same.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{ProcessEnd, boot_id, command_of, is_stopped};
#[cfg(target_os = "linux")]
pub(crate) use linux::{monotonic, observe, pid_namespace, since_boot};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{ProcessEnd, boot_id, command_of, is_stopped};
#[cfg(windows)]
pub(crate) use windows::{monotonic, observe, pid_namespace, since_boot};

/// What a system says about a pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Observed {
    /// Nobody has it.
    Gone,
    /// Somebody has it, who was started then, where that can be told.
    Runs {
        /// In the kernel's own unit.
        started: Option<u64>,
    },
}

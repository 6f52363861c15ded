//! What differs between operating systems, behind functions that promise the same.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub use linux::{ProcessEnd, boot_id, command_of, is_stopped};
#[cfg(target_os = "linux")]
pub(crate) use linux::{monotonic, observe, pid_namespace, since_boot};
#[cfg(target_os = "macos")]
pub use macos::{ProcessEnd, boot_id, command_of, is_stopped};
#[cfg(target_os = "macos")]
pub(crate) use macos::{monotonic, observe, pid_namespace, since_boot};
#[cfg(windows)]
pub use windows::{ProcessEnd, boot_id, command_of, is_stopped};
#[cfg(windows)]
pub(crate) use windows::{monotonic, observe, pid_namespace, since_boot};

#[cfg(all(unix, not(any(target_os = "linux", target_os = "macos"))))]
compile_error!(
    "argus has to know when a process was started and when it ends; for this Unix nobody has written \
     that yet: presence/src/platform/linux.rs shows what is needed"
);

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

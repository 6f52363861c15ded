//! What differs between operating systems, behind functions that promise the same.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::boot_id;
#[cfg(target_os = "linux")]
pub(crate) use linux::{exists, monotonic, pid_namespace, since_boot, start_time};

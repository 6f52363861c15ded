//! Windows: handles, and times of creation.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use argus_windows::process::{self, Seen};

use super::Observed;

pub use argus_windows::process::Held as ProcessEnd;

/// What tells this boot from every other.
pub fn boot_id() -> Option<&'static str> {
    static BOOT_ID: OnceLock<Option<String>> = OnceLock::new();
    BOOT_ID.get_or_init(|| Some(format!("{:016x}", process::boot()?))).as_deref()
}

/// All pids of a machine count together.
pub(crate) fn pid_namespace() -> Option<u64> {
    None
}

/// What the system says about a pid.
pub(crate) fn observe(pid: u32) -> Observed {
    match process::look(pid) {
        Seen::Gone => Observed::Gone,
        Seen::Hidden => Observed::Runs { started: None },
        Seen::Runs(started) => Observed::Runs { started: Some(started) },
    }
}

/// What a process is called: its program's file, without `.exe`.
pub fn command_of(pid: u32) -> Option<String> {
    let program = process::program_of(pid)?;
    Some(Path::new(&program).file_stem()?.to_string_lossy().into_owned())
}

/// Whether a process is stopped: Windows stops threads, and tells nobody.
pub fn is_stopped(_pid: u32) -> bool {
    false
}

/// Time on the clock that counts from an arbitrary moment and is never set.
pub(crate) fn monotonic() -> Duration {
    process::monotonic()
}

pub(crate) fn since_boot() -> Option<Duration> {
    Some(process::since_boot())
}

//! Linux: `/proc`, and signal 0 where `/proc` hides a process.

use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use rustix::time::{ClockId, clock_gettime};

/// What tells this boot from every other.
pub fn boot_id() -> Option<&'static str> {
    static BOOT_ID: OnceLock<Option<String>> = OnceLock::new();
    BOOT_ID
        .get_or_init(|| {
            let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
            Some(text.trim().to_owned())
        })
        .as_deref()
}

/// The inode of the pid namespace that this program's pids count in.
pub(crate) fn pid_namespace() -> Option<u64> {
    static NAMESPACE: OnceLock<Option<u64>> = OnceLock::new();
    *NAMESPACE.get_or_init(|| std::fs::metadata("/proc/self/ns/pid").ok().map(|meta| meta.ino()))
}

/// When a running process was started, in clock ticks since boot.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (state, started) = parse_stat(&stat)?;
    (!has_ended(state)).then_some(started)
}

/// Whether a process with this pid runs. One that has ended and waits for its parent does not.
pub(crate) fn exists(pid: u32) -> bool {
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        return parse_stat(&stat).is_none_or(|(state, _)| !has_ended(state));
    }
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    // Mounted with `hidepid`, /proc does not show other users' processes; they are alive.
    !matches!(test_kill_process(pid), Err(Errno::SRCH))
}

/// Time on the clock that counts from an arbitrary moment and is never set.
pub(crate) fn monotonic() -> Duration {
    duration(clock_gettime(ClockId::Monotonic))
}

pub(crate) fn since_boot() -> Option<Duration> {
    Some(duration(clock_gettime(ClockId::Boottime)))
}

fn duration(time: rustix::time::Timespec) -> Duration {
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.clamp(0, 999_999_999) as u32)
}

/// The state and the start time: fields 3 and 22. The name in field 2 may contain anything, so
/// counting begins behind its last parenthesis.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

fn has_ended(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "77 (a) Z (b) S 1 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1 1";
        assert_eq!(parse_stat(stat), Some(('S', 4711)));
        assert_eq!(parse_stat("77 (a"), None);
        assert_eq!(parse_stat("77 (a) S 1"), None);
    }
}

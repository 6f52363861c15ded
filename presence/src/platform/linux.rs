//! Linux: `/proc`, and signal 0 where `/proc` hides a process.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::process::{PidfdFlags, pidfd_open};
use rustix::time::{ClockId, clock_gettime};

use super::Observed;
use super::unix::{duration, is_hidden, pid_of};

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

/// What the system says about a pid.
pub(crate) fn observe(pid: u32) -> Observed {
    match read_stat(pid).as_deref().and_then(parse_stat) {
        // One that has ended and waits for its parent is gone.
        Some(stat) if stat.has_ended() => Observed::Gone,
        Some(stat) => Observed::Runs { started: Some(stat.started) },
        // Mounted with `hidepid`, /proc does not show other users' processes.
        None if is_hidden(pid) => Observed::Runs { started: None },
        None => Observed::Gone,
    }
}

/// What a process is called, as the system knows it: its first 15 bytes.
pub fn command_of(pid: u32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned())
}

/// Whether a process is stopped, by a signal or by who debugs it: it is there and does nothing.
pub fn is_stopped(pid: u32) -> bool {
    let stat = read_stat(pid);
    stat.as_deref().and_then(parse_stat).is_some_and(|stat| matches!(stat.state, 'T' | 't'))
}

/// A descriptor that becomes readable when a process ends: not before, and also when somebody else
/// is given its pid right afterwards.
#[derive(Debug)]
pub struct ProcessEnd(OwnedFd);

impl ProcessEnd {
    /// For the process that has this pid now. Whether that is the one that was meant has to be
    /// asked afterwards. `None` where there is none, or no descriptor to be had.
    pub fn of(pid: u32) -> Option<Self> {
        Some(ProcessEnd(pidfd_open(pid_of(pid)?, PidfdFlags::empty()).ok()?))
    }
}

impl AsFd for ProcessEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for ProcessEnd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// In one read: a whole listing asks this for every record.
fn read_stat(pid: u32) -> Option<String> {
    let path = format!("/proc/{pid}/stat");
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    // The longest there can be has 52 numbers and a name of 64 bytes.
    let mut stat = [0; 1536];
    let read = rustix::io::read(&file, &mut stat[..]).ok()?;
    Some(String::from_utf8_lossy(&stat[..read]).into_owned())
}

/// Time on the clock that counts from an arbitrary moment and is never set.
pub(crate) fn monotonic() -> Duration {
    now(ClockId::Monotonic)
}

pub(crate) fn since_boot() -> Option<Duration> {
    Some(now(ClockId::Boottime))
}

fn now(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    duration(time.tv_sec, time.tv_nsec)
}

/// What is of interest of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    threads: u64,
    started: u64,
}

impl Stat {
    /// A process whose first thread has ended lives on in the others.
    fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x') && self.threads <= 1
    }
}

/// Fields 3, 20 and 22. The name in field 2 may contain anything, so counting begins behind its last
/// parenthesis.
fn parse_stat(stat: &str) -> Option<Stat> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let threads = fields.nth(16)?.parse().ok()?;
    let started = fields.nth(1)?.parse().ok()?;
    Some(Stat { state, threads, started })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "77 (a) Z (b) S 1 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1 1";
        let parsed = Stat { state: 'S', threads: 1, started: 4711 };
        assert_eq!(parse_stat(stat), Some(parsed));
        assert_eq!(parse_stat("77 (a"), None);
        assert_eq!(parse_stat("77 (a) S 1"), None);
    }
}

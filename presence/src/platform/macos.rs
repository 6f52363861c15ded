//! macOS: `proc_pidinfo`, and signal 0 where it tells nothing of a process of somebody else.

use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent, kqueue};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use super::Observed;
use super::unix::{duration, is_hidden, pid_of};

/// More than the text of a UUID and its final zero.
const BOOT_ID_BYTES_MAX: usize = 64;

/// What tells this boot from every other.
pub fn boot_id() -> Option<&'static str> {
    static BOOT_ID: OnceLock<Option<String>> = OnceLock::new();
    BOOT_ID.get_or_init(|| text_of(c"kern.bootsessionuuid")).as_deref()
}

fn text_of(name: &CStr) -> Option<String> {
    let mut text = [0_u8; BOOT_ID_BYTES_MAX];
    let mut length = text.len();
    #[expect(
        unsafe_code,
        reason = "neither std nor rustix asks the kernel for a value by its name"
    )]
    // SAFETY: the name ends with zero, and `length` is the size of what may be written to.
    let outcome = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            text.as_mut_ptr().cast(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    };
    let text = CStr::from_bytes_until_nul(text.get(..length)?).ok()?.to_str().ok()?;
    (outcome == 0 && !text.is_empty()).then(|| text.to_owned())
}

/// Pids are the same for all programs here.
pub(crate) fn pid_namespace() -> Option<u64> {
    None
}

/// What the system says about a pid.
pub(crate) fn observe(pid: u32) -> Observed {
    match information(pid) {
        // One that ends is not found from the first moment of its end on, which is before its end is told to
        // who waits for it, nor while it waits for its parent. Signal 0 still finds it then.
        Err(Errno::SRCH) => Observed::Gone,
        Ok(process) if process.pbi_status == libc::SZOMB => Observed::Gone,
        Ok(process) => Observed::Runs {
            started: Some(process.pbi_start_tvsec * 1_000_000 + process.pbi_start_tvusec),
        },
        Err(_) if is_hidden(pid) => Observed::Runs { started: None },
        Err(_) => Observed::Gone,
    }
}

/// What a process is called, as the system knows it: its first 15 bytes.
pub fn command_of(pid: u32) -> Option<String> {
    let name = short_information(pid).ok()?.pbsi_comm;
    let name: Vec<u8> = name.iter().map(|byte| byte.cast_unsigned()).collect();
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    Some(String::from_utf8_lossy(&name[..end]).into_owned())
}

/// Whether a process is stopped, by a signal or by who debugs it: it is there and does nothing.
pub fn is_stopped(pid: u32) -> bool {
    short_information(pid).is_ok_and(|process| process.pbsi_status == libc::SSTOP)
}

/// With the time of its start; told of processes of the same user only.
fn information(pid: u32) -> Result<libc::proc_bsdinfo, Errno> {
    ask(pid, libc::PROC_PIDTBSDINFO)
}

/// Told of everybody's processes.
fn short_information(pid: u32) -> Result<libc::proc_bsdshortinfo, Errno> {
    ask(pid, libc::PROC_PIDT_SHORTBSDINFO)
}

/// A structure of numbers that the kernel fills.
trait Information {}

impl Information for libc::proc_bsdinfo {}
impl Information for libc::proc_bsdshortinfo {}

fn ask<T: Information>(pid: u32, flavour: c_int) -> Result<T, Errno> {
    let pid = c_int::try_from(pid).map_err(|_| Errno::SRCH)?;
    let size = size_of::<T>();
    let mut filled = MaybeUninit::<T>::zeroed();
    let buffer: *mut c_void = filled.as_mut_ptr().cast();
    #[expect(unsafe_code, reason = "macOS tells of processes through this, which nobody wraps")]
    // SAFETY: the buffer is as large as it is said to be, and outlives the call.
    let written = unsafe { libc::proc_pidinfo(pid, flavour, 0, buffer, size as c_int) };
    if usize::try_from(written) != Ok(size) {
        let error = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&error).unwrap_or(Errno::SRCH));
    }
    #[expect(unsafe_code, reason = "what the kernel has filled is taken over")]
    // SAFETY: an `Information` consists of numbers only, and all of it was written.
    Ok(unsafe { filled.assume_init() })
}

/// A descriptor that becomes readable when a process ends: not before, and also when somebody else
/// is given its pid right afterwards.
#[derive(Debug)]
pub struct ProcessEnd(OwnedFd);

impl ProcessEnd {
    /// For the process that has this pid now. Whether that is the one that was meant has to be
    /// asked afterwards. `None` where there is none, or no descriptor to be had.
    pub fn of(pid: u32) -> Option<Self> {
        let pid = pid_of(pid)?;
        let queue = kqueue().ok()?;
        fcntl_setfd(&queue, FdFlags::CLOEXEC).ok()?;
        let end = EventFilter::Proc { pid, flags: ProcessEvents::EXIT };
        let end = Event::new(end, EventFlags::ADD, std::ptr::null_mut());
        let nothing: &mut [Event] = &mut [];
        #[expect(unsafe_code, reason = "the descriptors that are waited for have to stay open")]
        // SAFETY: a process is waited for, and no descriptor.
        let asked = unsafe { kevent(&queue, &[end], nothing, Some(Duration::ZERO)) };
        // Refused for a process that has ended. The event stays in the queue, which nobody reads.
        asked.ok().map(|_| ProcessEnd(queue))
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

/// Time on the clock that counts from an arbitrary moment and is never set. It is std's own, and stands
/// still while the machine sleeps.
pub(crate) fn monotonic() -> Duration {
    now(libc::CLOCK_UPTIME_RAW).unwrap_or_default()
}

pub(crate) fn since_boot() -> Option<Duration> {
    now(libc::CLOCK_MONOTONIC_RAW)
}

fn now(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "rustix does not name the clocks of macOS that nobody adjusts")]
    // SAFETY: what is written to is there.
    let outcome = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (outcome == 0).then(|| duration(time.tv_sec, time.tv_nsec))
}

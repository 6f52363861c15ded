//! Other processes: whether they run, since when, and when they end.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr::null_mut;
use std::sync::Mutex;
use std::time::Duration;

use windows_sys::Wdk::System::SystemInformation::{
    NtQuerySystemInformation, SystemTimeOfDayInformation,
};
use windows_sys::Wdk::System::Threading::{NtQueryInformationProcess, ProcessBasicInformation};
use windows_sys::Win32::Foundation::{
    ERROR_INVALID_PARAMETER, FILETIME, HANDLE, INVALID_HANDLE_VALUE, NTSTATUS,
    RtlNtStatusToDosError, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessTimes, INFINITE, OpenProcess, PROCESS_ACCESS_RIGHTS,
    PROCESS_BASIC_INFORMATION, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, QueryFullProcessImageNameW, RegisterWaitForSingleObject, UnregisterWaitEx,
    WT_EXECUTEONLYONCE, WaitForSingleObject,
};
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;

use crate::handle::{done, owned};

/// Windows counts time in 100 ns since 1601.
const UNITS_PER_US: u64 = 10;
const UNITS_TO_1970: u64 = 116_444_736_000_000_000;

/// The longest path that Windows has.
const PATH_UNITS_MAX: usize = 32 * 1024;

/// What Windows says about a pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nobody has it.
    Gone,
    /// Somebody has it about whom this user is told nothing.
    Hidden,
    /// Somebody has it who was started then, in µs since 1970: a number that JSON's other readers
    /// keep exactly.
    Runs(u64),
}

/// Looks whether somebody has this pid.
pub fn look(pid: u32) -> Seen {
    let process = match open_to_look(pid) {
        Ok(process) => process,
        // It is what Windows says of a pid that nobody has.
        Err(error) if error.raw_os_error() == Some(ERROR_INVALID_PARAMETER as i32) => {
            return Seen::Gone;
        }
        Err(_) => return Seen::Hidden,
    };
    // One that has ended keeps its pid for as long as anybody has a handle to it.
    if has_ended(&process) {
        return Seen::Gone;
    }
    started(&process).map_or(Seen::Hidden, Seen::Runs)
}

/// Opens a process that may be waited for and asked for its times.
fn open_to_look(pid: u32) -> io::Result<OwnedHandle> {
    // Windows would take 1 to 3 for 0 and so on: the lowest bits do not count there.
    if pid == 0 || !pid.is_multiple_of(4) {
        return Err(io::Error::from_raw_os_error(ERROR_INVALID_PARAMETER as i32));
    }
    open(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE)
}

/// Opens a process for what `access` names.
pub(crate) fn open(pid: u32, access: PROCESS_ACCESS_RIGHTS) -> io::Result<OwnedHandle> {
    #[expect(unsafe_code, reason = "what it opens is closed when it is dropped")]
    owned(unsafe { OpenProcess(access, 0, pid) })
}

fn has_ended(process: &OwnedHandle) -> bool {
    #[expect(unsafe_code, reason = "looks at an open handle")]
    let state = unsafe { WaitForSingleObject(process.as_raw_handle(), 0) };
    state == WAIT_OBJECT_0
}

fn started(process: &OwnedHandle) -> Option<u64> {
    let [mut started, mut ended, mut kernel, mut user] = [FILETIME::default(); 4];
    let handle = process.as_raw_handle();
    #[expect(unsafe_code, reason = "it fills in four times")]
    done(unsafe { GetProcessTimes(handle, &mut started, &mut ended, &mut kernel, &mut user) })
        .ok()?;
    let units = u64::from(started.dwHighDateTime) << 32 | u64::from(started.dwLowDateTime);
    Some(units.saturating_sub(UNITS_TO_1970) / UNITS_PER_US)
}

/// The path of the program that a process runs.
pub fn program_of(pid: u32) -> Option<String> {
    let process = open_to_look(pid).ok()?;
    let mut path = vec![0; PATH_UNITS_MAX];
    let mut units = PATH_UNITS_MAX as u32;
    let (handle, into) = (process.as_raw_handle(), path.as_mut_ptr());
    #[expect(unsafe_code, reason = "it is told how much room there is")]
    done(unsafe { QueryFullProcessImageNameW(handle, PROCESS_NAME_WIN32, into, &mut units) })
        .ok()?;
    Some(String::from_utf16_lossy(&path[..units as usize]))
}

/// The process that started this one, if it still runs.
pub fn parent_pid() -> Option<u32> {
    #[expect(unsafe_code, reason = "it takes nothing and cannot fail")]
    let own = unsafe { GetCurrentProcess() };
    let parent = u32::try_from(basic(own).ok()?.InheritedFromUniqueProcessId).ok()?;
    // Its pid may be somebody else's by now; a parent is older than its child.
    match (look(parent), look(std::process::id())) {
        (Seen::Runs(parents), Seen::Runs(own)) if parents <= own => Some(parent),
        (Seen::Hidden, _) => Some(parent),
        _ => None,
    }
}

/// What a process says of itself first: its parent, and where its memory begins.
pub(crate) fn basic(process: HANDLE) -> io::Result<PROCESS_BASIC_INFORMATION> {
    let mut told = PROCESS_BASIC_INFORMATION::default();
    let (into, bytes) = ((&raw mut told).cast(), size_of::<PROCESS_BASIC_INFORMATION>() as u32);
    #[expect(unsafe_code, reason = "it fills in the structure that it is given")]
    let status = unsafe {
        NtQueryInformationProcess(process, ProcessBasicInformation, into, bytes, null_mut())
    };
    succeeded(status).map(|()| told)
}

/// The result of a call of the kernel's own interface.
pub(crate) fn succeeded(status: NTSTATUS) -> io::Result<()> {
    if status >= 0 {
        return Ok(());
    }
    #[expect(unsafe_code, reason = "translates a number")]
    Err(io::Error::from_raw_os_error(unsafe { RtlNtStatusToDosError(status) } as i32))
}

/// What tells this boot from every other: when it began, on the clock as it was set then.
pub fn boot() -> Option<u64> {
    /// What Windows calls `SYSTEM_TIMEOFDAY_INFORMATION`.
    #[derive(Default)]
    #[repr(C)]
    struct TimeOfDay {
        boot_time: i64,
        current_time: i64,
        time_zone_bias: i64,
        time_zone_id: u32,
        reserved: u32,
        /// By how much the clock was set since, which Windows adds to the time of the boot.
        boot_time_bias: u64,
        sleep_time_bias: u64,
    }
    let mut told = TimeOfDay::default();
    let (into, bytes) = ((&raw mut told).cast(), size_of::<TimeOfDay>() as u32);
    #[expect(unsafe_code, reason = "it fills in the structure that it is given")]
    let status =
        unsafe { NtQuerySystemInformation(SystemTimeOfDayInformation, into, bytes, null_mut()) };
    succeeded(status)
        .ok()
        .map(|()| told.boot_time.wrapping_sub_unsigned(told.boot_time_bias) as u64)
}

/// How long ago this machine was started, time asleep included.
pub fn since_boot() -> Duration {
    #[expect(unsafe_code, reason = "it takes nothing and cannot fail")]
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// The clock that counts from an arbitrary moment, not while asleep, and is never set.
pub fn monotonic() -> Duration {
    let mut units = 0;
    #[expect(unsafe_code, reason = "it fills in a number")]
    match done(unsafe { QueryUnbiasedInterruptTime(&mut units) }) {
        Ok(()) => Duration::from_nanos(units.saturating_mul(100)),
        Err(_) => since_boot(),
    }
}

/// A process, held so that its pid is nobody else's meanwhile.
#[derive(Debug)]
pub struct Held(OwnedHandle);

impl Held {
    /// The process that has this pid now. `None` where there is none, or it may not be looked at.
    pub fn of(pid: u32) -> Option<Self> {
        open_to_look(pid).ok().map(Held)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        has_ended(&self.0)
    }

    /// Calls `then` once the process has ended, on a thread of Windows' own. Not any more when
    /// what it returns is dropped.
    ///
    /// # Errors
    /// What Windows says.
    pub fn when_ended(self, then: impl FnOnce() + Send + 'static) -> io::Result<Waiting> {
        let then: Then = Box::new(Mutex::new(Some(Box::new(then))));
        let mut wait = null_mut();
        let context = (&raw const *then).cast();
        let (handle, how) = (self.0.as_raw_handle(), WT_EXECUTEONLYONCE);
        #[expect(unsafe_code, reason = "what the context points to lives until the wait is over")]
        done(unsafe {
            RegisterWaitForSingleObject(&mut wait, handle, Some(call), context, INFINITE, how)
        })?;
        Ok(Waiting { wait, _then: then, _process: self })
    }
}

type Then = Box<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A wait for the end of a process.
pub struct Waiting {
    wait: HANDLE,
    _then: Then,
    _process: Held,
}

#[expect(unsafe_code, reason = "a wait belongs to the process, not to the thread that began it")]
// SAFETY: the handle is only used to end the wait, which any thread may do.
unsafe impl Send for Waiting {}

impl Drop for Waiting {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "it was begun, and is ended once")]
        // SAFETY: with this second argument it returns only when no call is under way any more.
        unsafe {
            UnregisterWaitEx(self.wait, INVALID_HANDLE_VALUE);
        }
    }
}

#[expect(unsafe_code, reason = "Windows calls it with the context that it was given")]
unsafe extern "system" fn call(context: *mut core::ffi::c_void, _timed_out: bool) {
    // SAFETY: it is a `Then` that is kept until no call can come any more.
    let then = unsafe { &*context.cast::<Mutex<Option<Box<dyn FnOnce() + Send>>>>() };
    // A thread that panicked while holding it has called already.
    if let Some(then) = then.lock().ok().and_then(|mut then| then.take()) {
        then();
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::mpsc;

    use super::*;

    /// A program that waits for the end of its input.
    fn waiting_child() -> std::process::Child {
        let mut command = Command::new("cmd");
        command.args(["/d", "/c", "set /p nothing="]).stdin(Stdio::piped());
        command.stdout(Stdio::null()).spawn().expect("cmd can be started")
    }

    #[test]
    fn a_process_runs_until_its_end_and_that_is_told() {
        let own = look(std::process::id());
        assert!(matches!(own, Seen::Runs(started) if started > 0), "{own:?}");
        assert_eq!(look(0), Seen::Gone);
        let mut child = waiting_child();
        let before = look(child.id());
        assert!(matches!((before, own), (Seen::Runs(later), Seen::Runs(own)) if later >= own));
        let held = Held::of(child.id()).expect("it runs");
        assert!(!held.has_ended());
        let (sender, told) = mpsc::channel();
        let _waiting =
            held.when_ended(move || sender.send(()).unwrap_or_default()).expect("waited for");
        assert!(told.try_recv().is_err());
        drop(child.stdin.take());
        told.recv_timeout(Duration::from_secs(10)).expect("told");
        // `child` has a handle still, and with it the pid.
        assert_eq!(look(child.id()), Seen::Gone);
        child.wait().expect("it was started here");
    }

    #[test]
    fn a_wait_that_is_given_up_is_told_nothing() {
        let mut child = waiting_child();
        let (sender, told) = mpsc::channel();
        let held = Held::of(child.id()).expect("it runs");
        drop(held.when_ended(move || sender.send(()).unwrap_or_default()).expect("waited for"));
        drop(child.stdin.take());
        child.wait().expect("it was started here");
        assert!(told.recv().is_err());
    }

    #[test]
    fn clocks_go_forward_and_the_boot_stays() {
        let (before, boot_before) = (monotonic(), boot());
        std::thread::sleep(Duration::from_millis(30));
        assert!(monotonic() > before);
        assert!(since_boot() > Duration::ZERO);
        assert!(boot_before.is_some());
        assert_eq!(boot(), boot_before);
        assert!(program_of(std::process::id()).is_some_and(|path| path.contains(".exe")));
        assert!(parent_pid().is_none_or(|pid| pid != std::process::id()));
    }
}

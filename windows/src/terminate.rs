//! Ending a process that was not asked to end, and holding one up: for tests.

use std::io;
use std::os::windows::io::AsRawHandle;

use windows_sys::Win32::Foundation::{HANDLE, NTSTATUS};
use windows_sys::Win32::System::Threading::{
    PROCESS_SUSPEND_RESUME, PROCESS_TERMINATE, TerminateProcess,
};

use crate::handle::done;
use crate::process::{open, succeeded};

/// What a process ends with that is terminated, as with `Child::kill`.
const EXIT_CODE: u32 = 1;

#[expect(
    unsafe_code,
    reason = "windows-sys does not have them; they take a handle and nothing else"
)]
#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtSuspendProcess(process: HANDLE) -> NTSTATUS;
    fn NtResumeProcess(process: HANDLE) -> NTSTATUS;
}

/// Ends a process at once.
///
/// # Errors
/// Where there is none with this pid, or it is not this user's.
pub fn terminate(pid: u32) -> io::Result<()> {
    let process = open(pid, PROCESS_TERMINATE)?;
    #[expect(unsafe_code, reason = "asks for the end of another process")]
    done(unsafe { TerminateProcess(process.as_raw_handle(), EXIT_CODE) })
}

/// Keeps all threads of a process from running, until it is resumed as often.
///
/// # Errors
/// As [`terminate`].
pub fn suspend(pid: u32) -> io::Result<()> {
    let process = open(pid, PROCESS_SUSPEND_RESUME)?;
    #[expect(unsafe_code, reason = "holds up another process")]
    succeeded(unsafe { NtSuspendProcess(process.as_raw_handle()) })
}

/// Lets a suspended process go on.
///
/// # Errors
/// As [`terminate`].
pub fn resume(pid: u32) -> io::Result<()> {
    let process = open(pid, PROCESS_SUSPEND_RESUME)?;
    #[expect(unsafe_code, reason = "lets another process go on")]
    succeeded(unsafe { NtResumeProcess(process.as_raw_handle()) })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_held_up_goes_on_and_is_ended() {
        let mut command = Command::new("cmd");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("it is there");
        suspend(child.id()).expect("own child");
        resume(child.id()).expect("own child");
        assert_eq!(child.try_wait().expect("own child"), None);
        terminate(child.id()).expect("own child");
        assert_eq!(child.wait().expect("own child").code(), Some(EXIT_CODE as i32));
    }
}

//! Handles, and how the calls of Windows tell errors.

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};

use windows_sys::Win32::Foundation::{
    HANDLE, HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, SetHandleInformation,
};

/// Text as Windows takes it: UTF-16 with a zero at the end.
pub(crate) fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

/// The result of a call that says 0 where it failed.
pub(crate) fn done(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The handle that a call made, which is now this program's to close.
pub(crate) fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "the call that made it left it to the caller")]
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Takes over a handle that whoever started this process has left open for it, and keeps it from
/// all that this one starts.
///
/// # Errors
/// Where there is no such handle.
pub fn inherited(number: usize) -> io::Result<OwnedHandle> {
    let handle = number as RawHandle;
    set_inheritance(handle, false)?;
    owned(handle)
}

/// Lets what this process starts from here on have a handle too, or not.
pub fn pass_on(handle: &impl AsRawHandle, passes: bool) -> io::Result<()> {
    set_inheritance(handle.as_raw_handle(), passes)
}

fn set_inheritance(handle: RawHandle, passes: bool) -> io::Result<()> {
    let flags = if passes { HANDLE_FLAG_INHERIT } else { 0 };
    #[expect(unsafe_code, reason = "sets a flag; a number that is no handle is told as an error")]
    done(unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, flags) })
}

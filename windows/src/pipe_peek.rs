//! Looking whether anything has arrived in a pipe, without waiting for it.

use std::io;
use std::os::windows::io::AsRawHandle;
use std::ptr::null_mut;

use windows_sys::Win32::System::Pipes::PeekNamedPipe;

use crate::handle::done;

/// How many bytes can be read from a pipe at once.
///
/// # Errors
/// `BrokenPipe` where the other side has closed it and nothing is left in it.
pub fn readable_bytes(pipe: &impl AsRawHandle) -> io::Result<usize> {
    let (handle, mut bytes) = (pipe.as_raw_handle(), 0);
    #[expect(unsafe_code, reason = "it fills in a number, and nothing else is asked for")]
    done(unsafe { PeekNamedPipe(handle, null_mut(), 0, null_mut(), &mut bytes, null_mut()) })?;
    Ok(bytes as usize)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_has_arrived_is_counted_and_an_end_is_told() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        assert_eq!(readable_bytes(&reader).expect("open"), 0);
        writer.write_all(b"abc").expect("open");
        assert_eq!(readable_bytes(&reader).expect("open"), 3);
        drop(writer);
        assert_eq!(readable_bytes(&reader).expect("not empty"), 3);
        assert_eq!(io::read_to_string(&reader).expect("text"), "abc");
        let error = readable_bytes(&reader).expect_err("at its end");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}

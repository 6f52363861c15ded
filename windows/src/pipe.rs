//! Named pipes, as argusd listens on them.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;

use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE,
    PIPE_UNLIMITED_INSTANCES, PIPE_WAIT, PeekNamedPipe, WaitNamedPipeW,
};

use crate::handle::{done, owned, wide};
use crate::security::{self, Attributes};

/// How much may be on its way in each direction before the writer waits.
pub const BUFFER_BYTES: u32 = 64 * 1024;

/// Makes an instance of a pipe for this user alone, to be connected to from this machine. There may
/// be others of the same name, this user's own: who may listen is not decided here.
///
/// # Errors
/// `PermissionDenied` where the name is another user's, who made a pipe of it first.
pub fn listen(path: &Path) -> io::Result<OwnedHandle> {
    let attributes = Attributes::of(&security::pipe_rules()?)?;
    let path = wide(path);
    let access = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED;
    let how = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
    #[expect(unsafe_code, reason = "all that it points to lives longer than the call")]
    let pipe = owned(unsafe {
        CreateNamedPipeW(
            path.as_ptr(),
            access,
            how,
            PIPE_UNLIMITED_INSTANCES,
            BUFFER_BYTES,
            BUFFER_BYTES,
            0,
            attributes.pointer(),
        )
    })?;
    // Another user who made one first could have let this one make a second.
    match security::owner_of_pipe(&pipe)? {
        owner if security::is_own(&owner)? => Ok(pipe),
        _ => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// Whether somebody could connect to a path right now, without doing so.
pub fn is_listened_at(path: &Path) -> bool {
    /// The shortest that Windows knows: it has to be given a time.
    const WAIT_MS: u32 = 1;
    let path = wide(path);
    #[expect(unsafe_code, reason = "the path lives longer than the call")]
    done(unsafe { WaitNamedPipeW(path.as_ptr(), WAIT_MS) }).is_ok()
}

/// How many bytes can be read from a pipe at once, without waiting for more.
///
/// # Errors
/// `BrokenPipe` where the other side has closed it and nothing is left in it.
pub fn readable_bytes(pipe: &impl AsHandle) -> io::Result<usize> {
    let (handle, mut bytes) = (pipe.as_handle().as_raw_handle(), 0);
    #[expect(unsafe_code, reason = "it fills in a number, and nothing else is asked for")]
    done(unsafe { PeekNamedPipe(handle, null_mut(), 0, null_mut(), &mut bytes, null_mut()) })?;
    Ok(bytes as usize)
}

/// Whether the other end of a pipe is closed, and all was read that it had said.
pub fn is_gone(pipe: &impl AsHandle) -> bool {
    readable_bytes(pipe).is_err()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_pipe_is_this_users_and_tells_when_the_other_end_is_closed() {
        let path = format!(r"\\.\pipe\argus-test-{}", std::process::id());
        let path = Path::new(&path);
        assert!(!is_listened_at(path));
        let pipe = listen(path).expect("free");
        assert!(is_listened_at(path));
        let second = listen(path).expect("the same user's");
        let client = File::options().read(true).write(true).open(path).expect("connected");
        let owner = security::owner_of_pipe(&client).expect("readable");
        assert!(security::is_own(&owner).expect("known"), "{owner}");
        assert!(!is_gone(&client));
        assert!(is_listened_at(path), "by the second");
        let _other = File::options().read(true).write(true).open(path).expect("connected");
        assert!(!is_listened_at(path), "both are taken");
        drop((pipe, second));
        assert!(is_gone(&client));
    }

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

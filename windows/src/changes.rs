//! What happens in a folder and in all that is below it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{ERROR_NOTIFY_ENUM_DIR, WAIT_OBJECT_0};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ACTION_ADDED, FILE_ACTION_REMOVED, FILE_ACTION_RENAMED_NEW_NAME,
    FILE_ACTION_RENAMED_OLD_NAME, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OVERLAPPED,
    FILE_LIST_DIRECTORY, FILE_NOTIFY_CHANGE, FILE_NOTIFY_CHANGE_ATTRIBUTES,
    FILE_NOTIFY_CHANGE_CREATION, FILE_NOTIFY_CHANGE_DIR_NAME, FILE_NOTIFY_CHANGE_FILE_NAME,
    FILE_NOTIFY_CHANGE_LAST_WRITE, FILE_NOTIFY_CHANGE_SECURITY, FILE_NOTIFY_CHANGE_SIZE,
    ReadDirectoryChangesW,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, SetEvent, WaitForMultipleObjects,
};

use crate::handle::{done, owned};

/// How much of what happens Windows keeps until it is read; more it refuses for a network's folder.
const BUFFER_BYTES: usize = 64 * 1024;

const ALL: FILE_NOTIFY_CHANGE = FILE_NOTIFY_CHANGE_FILE_NAME
    | FILE_NOTIFY_CHANGE_DIR_NAME
    | FILE_NOTIFY_CHANGE_ATTRIBUTES
    | FILE_NOTIFY_CHANGE_SIZE
    | FILE_NOTIFY_CHANGE_LAST_WRITE
    | FILE_NOTIFY_CHANGE_CREATION
    | FILE_NOTIFY_CHANGE_SECURITY;

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// There is something new of this path, relative to the folder.
    Appeared(PathBuf),
    /// What had this path has it no more.
    Vanished(PathBuf),
    /// It is not as it was.
    Changed(PathBuf),
    /// More than Windows could keep: anything.
    Missed,
}

/// A sign that one thread gives another.
#[derive(Debug)]
pub struct Sign(OwnedHandle);

impl Sign {
    /// One that nobody has given yet.
    ///
    /// # Errors
    /// What Windows says.
    pub fn new() -> io::Result<Sign> {
        #[expect(unsafe_code, reason = "makes an event without a name, which nobody else can open")]
        owned(unsafe { CreateEventW(null(), 1, 0, null()) }).map(Sign)
    }

    /// Gives it, for good.
    pub fn give(&self) {
        #[expect(unsafe_code, reason = "the handle is open for as long as this is there")]
        // What could fail is to name something else than an event.
        let _ = unsafe { SetEvent(self.0.as_raw_handle()) };
    }
}

/// Tells what happens, in its order, until `stop` is given. `begun` is called when nothing is missed any
/// more.
///
/// # Errors
/// Where the folder cannot be followed, or cannot any more, as when it was removed.
pub fn follow(
    folder: &Path,
    stop: &Sign,
    begun: impl FnOnce(),
    mut tell: impl FnMut(Change),
) -> io::Result<()> {
    let folder = OpenOptions::new()
        .access_mode(FILE_LIST_DIRECTORY)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED)
        .open(folder)?;
    let mut begun = Some(begun);
    let happened = Sign::new()?;
    let mut buffer = vec![0_u32; BUFFER_BYTES / size_of::<u32>()];
    loop {
        let read = read(&folder, stop, &happened, &mut buffer, || {
            if let Some(begun) = begun.take() {
                begun();
            }
        });
        match read {
            Ok(None) => return Ok(()),
            // So it says that there was more than it could keep.
            Ok(Some(0)) => tell(Change::Missed),
            Err(error) if error.raw_os_error() == Some(ERROR_NOTIFY_ENUM_DIR as i32) => {
                tell(Change::Missed);
            }
            Err(error) => return Err(error),
            Ok(Some(bytes)) => {
                let words = buffer.iter().take(bytes.div_ceil(size_of::<u32>()));
                let bytes: Vec<u8> = words.flat_map(|word| word.to_ne_bytes()).collect();
                changes(&bytes).into_iter().for_each(&mut tell);
            }
        }
    }
}

/// How many bytes there are about what has happened; `None` where `stop` was given.
fn read(
    folder: &File,
    stop: &Sign,
    happened: &Sign,
    buffer: &mut [u32],
    asked: impl FnOnce(),
) -> io::Result<Option<usize>> {
    let handle = folder.as_raw_handle();
    let wakers = [stop.0.as_raw_handle(), happened.0.as_raw_handle()];
    let mut state = OVERLAPPED { hEvent: wakers[1], ..OVERLAPPED::default() };
    let (into, room) = (buffer.as_mut_ptr().cast(), size_of_val(buffer) as u32);
    let mut bytes = 0;
    #[expect(
        unsafe_code,
        reason = "Windows writes to both until the last call, which waits for that"
    )]
    unsafe {
        done(ReadDirectoryChangesW(handle, into, room, 1, ALL, null_mut(), &mut state, None))?;
        asked();
        let is_stopped =
            WaitForMultipleObjects(2, wakers.as_ptr(), 0, INFINITE) != WAIT_OBJECT_0 + 1;
        if is_stopped {
            CancelIoEx(handle, &state);
        }
        let read = done(GetOverlappedResult(handle, &state, &mut bytes, 1));
        if is_stopped { Ok(None) } else { read.map(|()| Some(bytes as usize)) }
    }
}

/// What Windows has written down, each with where the next one begins, what happened, and a name.
fn changes(bytes: &[u8]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut rest = bytes;
    loop {
        let Some((next, change)) = change(rest) else {
            changes.push(Change::Missed);
            return changes;
        };
        changes.push(change);
        match rest.get(next..) {
            Some(further) if next > 0 => rest = further,
            _ => return changes,
        }
    }
}

fn change(bytes: &[u8]) -> Option<(usize, Change)> {
    let number = |at: usize| {
        let number = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_ne_bytes(number))
    };
    let (next, action, length) = (number(0)?, number(4)?, number(8)?);
    let name = bytes.get(12..)?.get(..length as usize)?.as_chunks::<2>().0;
    let name: Vec<u16> = name.iter().map(|unit| u16::from_ne_bytes(*unit)).collect();
    let path = PathBuf::from(OsString::from_wide(&name));
    let change = match action {
        FILE_ACTION_ADDED | FILE_ACTION_RENAMED_NEW_NAME => Change::Appeared(path),
        FILE_ACTION_REMOVED | FILE_ACTION_RENAMED_OLD_NAME => Change::Vanished(path),
        _ => Change::Changed(path),
    };
    Some((next as usize, change))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_happens_is_told_until_nobody_wants_to_know() {
        let home = tempfile::tempdir().expect("a folder");
        let stop = Sign::new().expect("a sign");
        let (told, hears) = mpsc::channel();
        thread::scope(|scope| {
            let (begun, begins) = mpsc::channel();
            let follower = scope.spawn(|| {
                let tell = move |change| told.send(change).expect("heard");
                follow(home.path(), &stop, move || begun.send(()).expect("heard"), tell)
            });
            begins.recv().expect("begun");
            let wait = |expected: Change| {
                let next = || hears.recv_timeout(Duration::from_secs(10)).expect("told");
                while next() != expected {}
            };
            fs::create_dir(home.path().join("a")).expect("made");
            wait(Change::Appeared("a".into()));
            fs::rename(home.path().join("a"), home.path().join("b")).expect("renamed");
            wait(Change::Vanished("a".into()));
            wait(Change::Appeared("b".into()));
            fs::remove_dir(home.path().join("b")).expect("removed");
            wait(Change::Vanished("b".into()));
            stop.give();
            follower.join().expect("no panic").expect("stopped");
        });
    }

    #[test]
    fn what_was_cut_off_counts_as_missed() {
        assert_eq!(changes(&[]), [Change::Missed]);
        let mut bytes = [0_u32, FILE_ACTION_ADDED, 2].map(u32::to_ne_bytes).concat();
        assert_eq!(changes(&bytes), [Change::Missed]);
        bytes.extend(u16::from(b'x').to_ne_bytes());
        assert_eq!(changes(&bytes), [Change::Appeared("x".into())]);
    }
}
